/* inverted_residual_loops.c - an inverted residual forward and backward; only its input is saved,
 * and where that is cheaper than to compute it again, the expanded one.
 *
 * Band by band and a group of hidden channels at a time, so that what lies between the three
 * convolutions never leaves the second-level cache. Backward, per group and band (e: expanded, d:
 * depthwise output, both behind their clamps; g prefixes a gradient):
 *
 *     x --expand--> e --depthwise--> d            computed again, unless e was saved
 *     dW project += d' gy
 *     gd = gate(gy W project', by d)
 *     dW depthwise += e * gd
 *     ge = gate(transposed depthwise of gd, by e)
 *     dW expand += x' ge
 *     gx += ge W expand'
 *
 *            input rows                       e and gd: rings of rows; d and ge: the band's alone
 *     band 0  0 1 2 3      e    0 1 2 3       row y lies at y mod rows of the ring, so that rows
 *     band 1        4 5 6      (2 3) 4 5 6    that two bands need are there for the second
 *
 * An expanded row's gradient is complete when all output rows that read it are done: ge lags
 * behind. Padding is not stored; the kernels leave it out. When a band is a whole image, several
 * images go through at once, as more rows of the same matrices. */
#include "nn/learn/inverted_residual.h"

#include <string.h>

/* A pass over some images. Buffers are [images][rows][w][channels], dense. */
typedef struct pass {
    const hst_learn_block *b;
    const hst_kernels *k;
    const hst_block_cut *cut;
    int images;    /* at a time */
    int c, n;      /* hidden channels c .. c+n */
    int from, end; /* output rows */
    const float *x, *gy;
    float *y, *gx; /* gx NULL: not wanted */
    int has_e;     /* e is there: saved, or the block does not expand */
    int adds;      /* gx has a value already */
    float *e, *d, *gd, *ge, *windows, *unused;
    float *scratch;                     /* of the task */
    hst_gradient *d_expand, *d_project; /* of the kernels, of channels c .. c+n */
    size_t e_image;                     /* floats between two images' e */
    size_t d_step;                      /* floats between pixels of d */
    float *expand_gw, *expand_gb, *depthwise_gw, *depthwise_gb, *project_gw, *project_gb;
} pass;

static int expands(const hst_learn_block *b)
{
    return b->expand.n > 0;
}

/* ---- sizes ---- */

static int min(int a, int b)
{
    return a < b ? a : b;
}

/* The first input row of output row y, perhaps outside. */
static int top_of(const hst_learn_block *b, int y)
{
    return y * b->conv.stride - b->rows.before;
}

/* The expanded rows whose gradient is complete once output rows 0 .. end are done. */
static int complete(const hst_learn_block *b, int end)
{
    int rows = end == b->rows.out ? b->wide.h : min(top_of(b, end), b->wide.h);
    return rows < 0 ? 0 : rows;
}

hst_block_cut hst_block_cut_of(const hst_learn_block *b, int images, int band)
{
    const hst_conv *c = &b->conv;
    hst_block_cut cut = {.images = images, .band = band};
    cut.e_rows = min((band - 1) * c->stride + c->kernel, b->wide.h);
    cut.g_rows = min(band + (c->kernel - 1) / c->stride, b->rows.out);
    for (int y = 0; y < b->rows.out; y += band) {
        int rows = complete(b, min(y + band, b->rows.out)) - complete(b, y);
        cut.back_rows = rows > cut.back_rows ? rows : cut.back_rows;
    }
    if (band >= b->rows.out || b->saves_expanded)
        cut.e_rows = b->wide.h;
    return cut;
}

static int is_whole(const pass *p)
{
    return p->cut->band >= p->b->rows.out;
}

static size_t windows_floats(const hst_learn_block *b)
{
    return b->im2col ? (size_t)b->wide.w * b->expand.rows : 0;
}

/* Forward: the rings of all groups, unless a band is the whole image. */
static size_t e_floats(const hst_learn_block *b, const hst_block_cut *cut, int channels)
{
    if (!expands(b) || b->saves_expanded)
        return 0;
    return (size_t)cut->images * (size_t)cut->e_rows * (size_t)b->wide.w * (size_t)channels;
}

static size_t d_floats(const hst_learn_block *b, const hst_block_cut *cut, int channels)
{
    return (size_t)cut->images * (size_t)cut->band * (size_t)b->cols.out * (size_t)channels;
}

static int forward_channels(const hst_learn_block *b)
{
    return b->forward.band < b->rows.out ? b->wide.c : min(b->group, b->wide.c);
}

size_t hst_block_forward_floats(const hst_learn_block *b)
{
    return e_floats(b, &b->forward, forward_channels(b)) + d_floats(b, &b->forward, b->wide.c) +
           windows_floats(b);
}

size_t hst_block_backward_floats(const hst_learn_block *b)
{
    const hst_block_cut *cut = &b->backward;
    size_t n = (size_t)min(b->group, b->wide.c), images = (size_t)cut->images;
    size_t gd = images * (size_t)cut->g_rows * (size_t)b->cols.out * n;
    size_t ge = images * (size_t)cut->back_rows * (size_t)b->wide.w * n;
    return e_floats(b, cut, (int)n) + d_floats(b, cut, (int)n) + gd + ge + windows_floats(b) + n;
}

/* ---- both ways ---- */

/* Input row y of the depthwise convolution, channels c .. */
static const float *e_row(const pass *p, int image, int y)
{
    const hst_learn_block *b = p->b;
    const size_t w = (size_t)b->wide.w;
    if (!expands(b))
        return p->x + ((size_t)image * (size_t)b->wide.h + (size_t)y) * w * (size_t)b->wide.c +
               p->c;
    return p->e + (size_t)image * p->e_image + (size_t)(y % p->cut->e_rows) * w * (size_t)p->n;
}

static size_t e_step(const pass *p)
{
    return expands(p->b) ? (size_t)p->n : (size_t)p->b->wide.c;
}

/* The windows under expanded row y as rows of a matrix (a stem), or the input's pixels from there.
 */
static const float *front_rows(const pass *p, int image, int y)
{
    const hst_learn_block *b = p->b;
    const float *x = p->x + (size_t)image * hst_shape_floats(b->in);
    if (!b->im2col)
        return x + (size_t)y * (size_t)b->in.w * (size_t)b->in.c;
    hst_im2col(&b->front, x, y, p->windows);
    return p->windows;
}

/* How many images' expanded rows lie behind one another, so that one product makes them. */
static int at_once(const pass *p)
{
    return is_whole(p) && !p->b->im2col && !p->b->saves_expanded ? p->images : 1;
}

/* Expanded rows first .. end of at_once() images. */
static void expand(const pass *p, int image, int first, int end)
{
    const hst_learn_block *b = p->b;
    const int rows = p->cut->e_rows;
    hst_gemm g = {.ldx = b->expand.rows,
                  .w = hst_matrix_columns(b->by_expand, b->expand_w, (int)b->expand.rows, p->c),
                  .bias = b->expand_b + p->c,
                  .ldy = (size_t)p->n,
                  .k = (int)b->expand.rows,
                  .n = p->n,
                  .clamp = b->expand_top};
    for (int y = first, n; y < end; y += n) {
        n = b->im2col ? 1 : min(end - y, rows - y % rows);
        g.rows = (size_t)at_once(p) * (size_t)n * (size_t)b->wide.w;
        g.x = front_rows(p, image, y);
        g.y = (float *)e_row(p, image, y);
        hst_multiply(b->by_expand, &g, p->scratch + b->rounded);
    }
}

/* d's rows of the band. */
static void depthwise_rows(const pass *p, int image)
{
    const hst_learn_block *b = p->b;
    const size_t row = (size_t)b->cols.out * p->d_step;
    hst_depthwise d = {.w = b->depthwise_w + p->c,
                       .bias = b->depthwise_b + p->c,
                       .y = p->d + (size_t)image * (size_t)(p->end - p->from) * row,
                       .x_step = e_step(p),
                       .w_step = (size_t)b->wide.c,
                       .y_step = p->d_step,
                       .width = b->wide.w,
                       .out = b->cols.out,
                       .channels = p->n,
                       .kernel = b->conv.kernel,
                       .stride = b->conv.stride,
                       .before = b->cols.before,
                       .clamp = b->depthwise_top};
    for (int y = p->from; y < p->end; y++, d.y += row) {
        for (int ky = 0; ky < d.kernel; ky++) {
            const int in = top_of(b, y) + ky;
            d.row[ky] = in < 0 || in >= b->wide.h ? NULL : e_row(p, image, in);
        }
        p->k->depthwise(&d);
    }
}

/* The band's rows of e that the one before did not leave, then its rows of d. */
static void recompute(const pass *p)
{
    const hst_learn_block *b = p->b;
    int first = top_of(b, p->from), end = top_of(b, p->end - 1) + b->conv.kernel;
    const int made = p->from ? top_of(b, p->from - 1) + b->conv.kernel : 0;
    first = first < made ? made : first;
    end = min(end, b->wide.h);
    if (is_whole(p))
        end = b->wide.h;
    for (int i = 0; !p->has_e && i < p->images; i += at_once(p))
        expand(p, i, first, end);
    for (int i = 0; i < p->images; i++)
        depthwise_rows(p, i);
}

/* Floats between two images' e while it has p->n channels. */
static size_t e_image(const pass *p)
{
    const hst_learn_block *b = p->b;
    return b->saves_expanded ? hst_shape_floats(b->wide)
                             : (size_t)p->cut->e_rows * (size_t)b->wide.w * (size_t)p->n;
}

/* ---- forward ---- */

static void project(const pass *p)
{
    const hst_learn_block *b = p->b;
    const size_t at = (size_t)p->from * (size_t)b->out.w * (size_t)b->out.c;
    hst_multiply(b->by_project,
                 &(hst_gemm){.x = p->d,
                             .ldx = (size_t)b->wide.c,
                             .w = b->project_w,
                             .bias = b->project_b,
                             .y = p->y + at,
                             .ldy = (size_t)b->out.c,
                             .residual = b->residual ? p->x + at : NULL,
                             .rows = (size_t)(p->images * (p->end - p->from)) * (size_t)b->out.w,
                             .k = b->wide.c,
                             .n = b->out.c,
                             .clamp = b->top},
                 p->scratch + b->rounded);
}

static void forward_images(pass *p)
{
    const hst_learn_block *b = p->b;
    float *e = p->e, *d = p->d;
    const size_t ring = (size_t)p->cut->e_rows * (size_t)b->wide.w;
    for (p->from = 0; p->from < b->rows.out; p->from = p->end) {
        p->end = min(p->from + p->cut->band, b->rows.out);
        for (p->c = 0; p->c < b->wide.c; p->c += b->group) {
            p->n = min(b->group, b->wide.c - p->c);
            p->e = is_whole(p) && !b->saves_expanded ? e : e + ring * (size_t)p->c;
            p->e_image = e_image(p);
            p->d = d + p->c;
            recompute(p);
        }
        p->d = d;
        project(p);
    }
    p->e = e;
}

void hst_block_forward(const hst_learn_task *t)
{
    const hst_step *s = t->step;
    const hst_learn_block *b = s->own;
    pass p = {.b = b,
              .k = t->learn->plan.kernels,
              .cut = &b->forward,
              .d_step = (size_t)b->wide.c,
              .scratch = t->scratch};
    p.has_e = !expands(b);
    for (int i = 0; i < t->count; i += p.images) {
        p.images = min(b->forward.images, t->count - i);
        p.x = hst_learn_value(t->learn, s->input[0], t->first + i);
        p.y = hst_learn_value_mut(t->learn, s->output, t->first + i);
        p.e = b->saves_expanded ? hst_learn_saved(t->learn, s, t->first + i) : t->scratch;
        p.d = t->scratch + e_floats(b, p.cut, forward_channels(b));
        p.windows = p.d + d_floats(b, p.cut, b->wide.c);
        forward_images(&p);
    }
}

/* ---- backward ---- */

static float *gd_row(const pass *p, int image, int y)
{
    const size_t row = (size_t)image * (size_t)p->cut->g_rows + (size_t)(y % p->cut->g_rows);
    return p->gd + row * (size_t)p->b->cols.out * (size_t)p->n;
}

/* Rows of the output's gradient from the band's first on. */
static const float *gy_rows(const pass *p, int y)
{
    return p->gy + (size_t)y * (size_t)p->b->out.w * (size_t)p->b->out.c;
}

/* Rows of all images into the gradient of a kernel. Sums of bf16 end with each image, however many
 * go through at once. */
static void add_rows(const pass *p, hst_gradient *dw, const float *a, const float *g, size_t rows)
{
    const int pieces = dw->by.low && is_whole(p) ? p->images : 1;
    const size_t lda = (size_t)dw->k, ldb = (size_t)dw->n, n = rows / (size_t)pieces;
    for (int i = 0; i < pieces; i++, a += n * lda, g += n * ldb) {
        hst_gradient_add(dw, a, lda, g, ldb, n);
        if (is_whole(p))
            hst_gradient_end(dw);
    }
}

static void project_kernel(const pass *p)
{
    add_rows(p, p->d_project, p->d, gy_rows(p, p->from),
             (size_t)(p->images * (p->end - p->from)) * (size_t)p->b->out.w);
}

static void depthwise_outputs(const pass *p)
{
    const hst_learn_block *b = p->b;
    hst_gemm g = {.ldx = (size_t)b->out.c,
                  .w = hst_matrix_columns(b->by_project, b->project_t, b->out.c, p->c),
                  .bias = hst_matrix_bias(b->by_project, b->project_t, b->out.c, b->wide.c),
                  .ldy = (size_t)p->n,
                  .ld_gate = (size_t)p->n,
                  .gate_top = b->depthwise_top,
                  .k = b->out.c,
                  .n = p->n};
    for (int y = p->from, n; y < p->end; y += n) {
        n = min(p->end - y, p->cut->g_rows - y % p->cut->g_rows);
        g.rows = (size_t)(p->images * n) * (size_t)b->out.w;
        g.x = gy_rows(p, y);
        g.gate = p->d + (size_t)(y - p->from) * (size_t)b->out.w * (size_t)p->n;
        g.y = gd_row(p, 0, y);
        hst_multiply(b->by_project, &g, p->scratch + b->rounded);
    }
}

static void depthwise_kernel(const pass *p, int image)
{
    const hst_learn_block *b = p->b;
    const int rows = p->end - p->from, top = top_of(b, p->from);
    const int n_e = (rows - 1) * b->conv.stride + b->conv.kernel;
    const float *e[HST_BLOCK_ROWS], *g[HST_BLOCK_BAND];
    for (int i = 0; i < n_e; i++)
        e[i] = top + i < 0 || top + i >= b->wide.h ? NULL : e_row(p, image, top + i);
    for (int i = 0; i < rows; i++)
        g[i] = gd_row(p, image, p->from + i);
    p->k->grad_taps(&(hst_grad_taps){
        .row = e,
        .g = g,
        .dw = p->depthwise_gw + p->c,
        .db = p->depthwise_gb + p->c,
        .x_step = e_step(p),
        .g_step = (size_t)p->n,
        .w_step = (size_t)b->wide.c,
        .n_rows = rows,
        .width = b->wide.w,
        .out = b->cols.out,
        .channels = p->n,
        .kernel = b->conv.kernel,
        .stride = b->conv.stride,
        .before = b->cols.before,
    });
}

/* ge: rows first .. end of one image. */
static void depthwise_inputs(const pass *p, int image, int first, int end)
{
    const hst_learn_block *b = p->b;
    const int s = b->conv.stride;
    const size_t row = (size_t)b->wide.w * (size_t)p->n;
    hst_grad_pixels g = {.w = b->depthwise_w + p->c,
                         .dx = p->ge + (size_t)image * (size_t)(end - first) * row,
                         .sum = expands(b) ? p->expand_gb + p->c : p->unused,
                         .g_step = (size_t)p->n,
                         .w_step = (size_t)b->wide.c,
                         .gate_step = (size_t)p->n,
                         .dx_step = (size_t)p->n,
                         .width = b->wide.w,
                         .out = b->cols.out,
                         .channels = p->n,
                         .kernel = b->conv.kernel,
                         .stride = s,
                         .before = b->cols.before,
                         .gate_top = b->expand_top};
    for (int y = first; y < end; y++, g.dx += row) {
        for (int ky = 0; ky < g.kernel; ky++) {
            const int u = y + b->rows.before - ky;
            g.g[ky] = u < 0 || u % s || u / s >= b->rows.out ? NULL : gd_row(p, image, u / s);
        }
        g.gate = expands(b) ? e_row(p, image, y) : NULL;
        p->k->grad_pixels(&g);
    }
}

static void expand_kernel(const pass *p, int first, int end)
{
    const hst_learn_block *b = p->b;
    const int rows = end - first;
    const size_t w = (size_t)b->wide.w, n = (size_t)p->n;
    if (!b->im2col) {
        add_rows(p, p->d_expand, front_rows(p, 0, first), p->ge, (size_t)(p->images * rows) * w);
        return;
    }
    for (int i = 0; i < p->images; i++) {
        const float *g = p->ge + (size_t)(i * rows) * w * n;
        for (int y = first; y < end; y++, g += w * n)
            hst_gradient_add(p->d_expand, front_rows(p, i, y), b->expand.rows, g, n, w);
        if (is_whole(p))
            hst_gradient_end(p->d_expand);
    }
}

/* Adds ge to gx where the depthwise convolution read the input itself. */
static void add_channels(const pass *p, int first, int end)
{
    const size_t hidden = (size_t)p->b->wide.c, n = (size_t)p->n;
    const size_t count = (size_t)(p->images * (end - first)) * (size_t)p->b->wide.w;
    float *to = p->gx + (size_t)first * (size_t)p->b->wide.w * hidden + p->c;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < n; c++)
            to[i * hidden + c] += p->ge[i * n + c];
}

static void inputs(const pass *p, int first, int end)
{
    const hst_learn_block *b = p->b;
    const size_t cols = (size_t)b->in.c, at = (size_t)first * (size_t)b->in.w * cols;
    if (!expands(b)) {
        add_channels(p, first, end);
        return;
    }
    const float *w = b->expand_t +
                     hst_matrix_floats(b->by_expand, b->group, b->in.c) * (size_t)(p->c / b->group);
    hst_multiply(b->by_expand,
                 &(hst_gemm){.x = p->ge,
                             .ldx = (size_t)p->n,
                             .w = w,
                             .bias = hst_matrix_bias(b->by_expand, w, p->n, b->in.c),
                             .y = p->gx + at,
                             .ldy = cols,
                             .residual = p->c > 0 || p->adds ? p->gx + at
                                         : b->residual       ? p->gy + at
                                                             : NULL,
                             .rows = (size_t)(p->images * (end - first)) * (size_t)b->in.w,
                             .k = p->n,
                             .n = b->in.c},
                 p->scratch + b->rounded);
}

static void backward_band(const pass *p)
{
    const hst_learn_block *b = p->b;
    const int first = complete(b, p->from), end = complete(b, p->end);
    recompute(p);
    project_kernel(p);
    depthwise_outputs(p);
    for (int i = 0; i < p->images; i++)
        depthwise_kernel(p, i);
    if (end == first || (!expands(b) && !p->gx))
        return;
    for (int i = 0; i < p->images; i++)
        depthwise_inputs(p, i, first, end);
    if (expands(b))
        expand_kernel(p, first, end);
    if (p->gx)
        inputs(p, first, end);
}

/* Where the expansion does not begin gx, or something was there, the residual is added by itself.
 */
static void prepare_inputs(pass *p)
{
    const hst_learn_block *b = p->b;
    const size_t n = (size_t)p->images * hst_shape_floats(b->in);
    if (p->gx && !expands(b) && !p->adds) {
        memset(p->gx, 0, n * sizeof *p->gx);
        p->adds = 1;
    }
    for (size_t i = 0; p->gx && p->adds && b->residual && i < n; i++)
        p->gx[i] += p->gy[i];
}

/* Gradients of the kernels' parts that a group of channels has. */
static void begin_gradients(const pass *p)
{
    const hst_learn_block *b = p->b;
    *p->d_project = hst_gradient_begin(b->by_project, p->n, b->out.c, hst_shape_pixels(b->out),
                                       p->scratch + b->gathered);
    p->d_project->ldw = (size_t)b->out.c;
    p->d_project->dw = p->project_gw + (size_t)p->c * p->d_project->ldw;
    if (!expands(b))
        return;
    *p->d_expand = hst_gradient_begin(b->by_expand, (int)b->expand.rows, p->n,
                                      hst_shape_pixels(b->wide), p->scratch + b->gathered_expand);
    p->d_expand->ldw = b->expand.n;
    p->d_expand->dw = p->expand_gw + p->c;
}

static void backward_images(pass *p)
{
    const hst_learn_block *b = p->b;
    float *e = p->e;
    prepare_inputs(p);
    for (int i = 0; i < p->images; i++) /* one by one, in the same order however many there are */
        p->k->grad_sum(p->gy + (size_t)i * hst_shape_floats(b->out), (size_t)b->out.c,
                       hst_shape_pixels(b->out), b->out.c, p->project_gb);
    for (p->c = 0; p->c < b->wide.c; p->c += b->group) {
        p->n = min(b->group, b->wide.c - p->c);
        p->d_step = (size_t)p->n;
        p->e = b->saves_expanded ? e + hst_shape_pixels(b->wide) * (size_t)p->c : e;
        p->e_image = e_image(p);
        begin_gradients(p);
        for (p->from = 0; p->from < b->rows.out; p->from = p->end) {
            p->end = min(p->from + p->cut->band, b->rows.out);
            backward_band(p);
        }
        hst_gradient_end(p->d_project);
        if (expands(b))
            hst_gradient_end(p->d_expand);
    }
}

static void place_buffers(pass *p, float *scratch)
{
    const hst_learn_block *b = p->b;
    const int n = min(b->group, b->wide.c);
    const size_t images = (size_t)p->cut->images, row = (size_t)n;
    p->e = scratch;
    p->d = p->e + e_floats(b, p->cut, n);
    p->gd = p->d + d_floats(b, p->cut, n);
    p->ge = p->gd + images * (size_t)p->cut->g_rows * (size_t)b->cols.out * row;
    p->windows = p->ge + images * (size_t)p->cut->back_rows * (size_t)b->wide.w * row;
    p->unused = p->windows + windows_floats(b);
}

/* The gradient of the task's outputs behind the block's own activation, where they are. */
static void gate_outputs(const hst_learn_task *t)
{
    const hst_step *s = t->step;
    const hst_learn_block *b = s->own;
    const float *y = hst_learn_value(t->learn, s->output, t->first);
    float *gy = hst_learn_grad(t->learn, s->output, t->first);
    const size_t n = (size_t)t->count * hst_shape_floats(b->out);
    for (size_t i = 0; b->top > 0 && i < n; i++)
        gy[i] = y[i] > 0 && y[i] < b->top ? gy[i] : 0;
}

void hst_block_backward(const hst_learn_task *t)
{
    const hst_step *s = t->step;
    const hst_learn_block *b = s->own;
    hst_gradient d_expand, d_project;
    pass p = {.b = b,
              .k = t->learn->plan.kernels,
              .cut = &b->backward,
              .scratch = t->scratch,
              .d_expand = &d_expand,
              .d_project = &d_project};
    gate_outputs(t);
    p.has_e = b->saves_expanded || !expands(b);
    p.depthwise_gw = hst_conv_norm_kernel_grad(t, &b->depthwise);
    p.depthwise_gb = hst_conv_norm_bias_grad(t, &b->depthwise);
    p.project_gw = hst_conv_norm_kernel_grad(t, &b->project);
    p.project_gb = hst_conv_norm_bias_grad(t, &b->project);
    if (expands(b)) {
        p.expand_gw = hst_conv_norm_kernel_grad(t, &b->expand);
        p.expand_gb = hst_conv_norm_bias_grad(t, &b->expand);
    }
    for (int i = 0; i < t->count; i += p.images) {
        p.images = min(p.cut->images, t->count - i);
        p.adds = s->adds[0];
        place_buffers(&p, t->scratch);
        if (b->saves_expanded)
            p.e = hst_learn_saved(t->learn, s, t->first + i);
        p.x = hst_learn_value(t->learn, s->input[0], t->first + i);
        p.gx = hst_learn_grad(t->learn, s->input[0], t->first + i);
        p.gy = hst_learn_grad(t->learn, s->output, t->first + i);
        backward_images(&p);
    }
}
