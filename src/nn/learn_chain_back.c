/* learn_chain_back.c - gradients of a chain, from its last unit to its first.
 *
 * The loop of unit u has G, the gradient of its norm's output, whose sums over the batch are
 * complete. Tile by tile it makes dz from G and z, the unit's input from the z before, then the
 * gradient of the kernel and that of the input, which, behind the gate of its ReLU6, is the G of
 * the unit before; its sums are taken while it is in the cache. */
#include "nn/learn_chain.h"

#include <string.h>

/* What a loop over one image works on. */
typedef struct image {
    const hst_learn_task *t;
    const hst_chain_step *c;
    const hst_link *u, *before; /* before: NULL where x of the chain is read */
    int i;
    const float *x, *z, *g; /* input or the z before; output of the convolution; G */
    float *dx;              /* G of the unit before, or the gradient of x; NULL: not wanted */
    int adds;               /* dx has a value already */
    float *dw, *db;         /* of this task; db NULL: no bias */
} image;

static size_t row_floats(hst_shape s)
{
    return (size_t)s.w * (size_t)s.c;
}

static size_t pixels(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

static image image_of(const hst_learn_task *t, int i)
{
    const hst_learn *l = t->learn;
    const hst_chain_step *c = t->step->own;
    const int last = c->now == c->n - 1;
    image m = {.t = t, .c = c, .u = &c->unit[c->now], .i = i};
    const float *keep = hst_learn_keep(l, t->step, i);
    float *temp = hst_learn_temp(l, t->step, i);
    m.z = keep + m.u->z;
    m.g = last ? hst_learn_grad(l, t->step->end - 1, i) : temp + m.u->g;
    if (m.u->lazy) {
        m.before = m.u - 1;
        m.x = keep + m.before->z;
        m.dx = temp + m.before->g;
    } else {
        m.x = hst_learn_value(l, t->step->input[HST_CHAIN_X], i);
        m.dx = hst_learn_grad(l, t->step->input[HST_CHAIN_X], i);
        m.adds = t->step->adds[HST_CHAIN_X];
    }
    m.dw = hst_learn_param_grad(t, m.u->conv, 0);
    m.db = m.u->view.conv.bias ? hst_learn_param_grad(t, m.u->conv, 1) : NULL;
    return m;
}

/* ---- norms ---- */

/* Adds the sums of at->rows pixels of G and z of unit u to those of the image, some hundred at a
 * time in float32. */
static void take_sums(const hst_learn_task *t, const hst_link *u, int i, const hst_norm_sums *at,
                      float *scratch)
{
    enum { ROWS = 256 };
    size_t c = (size_t)u->view.out.c;
    double *sums = hst_learn_sums(t->learn, t->step, i);
    hst_norm_sums s = {.x = at->x, .dy = at->dy, .mean = hst_link_norm(t->step, u).mean};
    s.first = scratch;
    s.second = scratch + c;
    s.c = (int)c;
    for (size_t left = at->rows; left > 0; left -= s.rows) {
        s.rows = left < ROWS ? left : ROWS;
        t->learn->kernels->norm_products(&s);
        for (size_t k = 0; k < 2 * c; k++)
            sums[k] += (double)scratch[k];
        s.x += s.rows * c;
        s.dy += s.rows * c;
    }
}

static void clear_sums(const hst_learn_task *t, const hst_link *u, int i)
{
    memset(hst_learn_sums(t->learn, t->step, i), 0, 2 * (size_t)u->view.out.c * sizeof(double));
}

/* The whole batch's sums of unit u, and from them, with A = gamma / sigma and N pixels,
 *   dz = A G - A / N (sum G + x^ sum G x^) = of_dy G + of_x z + shift;  frozen: dz = A G */
static void use_sums(hst_learn *l, hst_learn_step *s, const hst_link *u)
{
    size_t c = (size_t)u->view.out.c;
    double *sums = s->state_d + u->sums, n = (double)pixels(u->view.out) * l->n;
    hst_norm_state norm = hst_link_norm(s, u);
    float *of_dy = s->state + u->norm_state + HST_NORM_FLOATS * c, *of_x = of_dy + c;
    float *shift = of_x + c;
    memset(sums, 0, 2 * c * sizeof *sums);
    for (int i = 0; i < l->n; i++)
        for (size_t k = 0; k < 2 * c; k++)
            sums[k] += hst_learn_sums(l, s, i)[k];
    for (size_t k = 0; k < c; k++) {
        double a = norm.scale[k], inverse = norm.inverse[k];
        double x = hst_learn_is_batch(l, u->norm) ? -a * inverse * inverse * sums[c + k] / n : 0;
        double rest = hst_learn_is_batch(l, u->norm) ? -a * sums[k] / n - x * norm.mean[k] : 0;
        of_dy[k] = norm.scale[k];
        of_x[k] = (float)x;
        shift[k] = (float)rest;
    }
}

/* d gamma and d beta, once for the batch. */
static void norm_gradient(const hst_learn_task *t, const hst_link *u)
{
    size_t c = (size_t)u->view.out.c;
    const double *sums = t->step->state_d + u->sums;
    hst_norm_state norm = hst_link_norm(t->step, u);
    float *gamma = hst_learn_param_grad(t, u->norm, 0), *beta = hst_learn_param_grad(t, u->norm, 1);
    for (size_t k = 0; t->first == 0 && k < c; k++) {
        beta[k] = (float)sums[k];
        gamma[k] = (float)(sums[c + k] * norm.inverse[k]);
    }
}

/* dz of `rows` pixels from pixel `from` on. */
static void make_dz(const image *m, size_t from, size_t rows, float *dz)
{
    size_t c = (size_t)m->u->view.out.c;
    const float *of_dy = m->t->step->state + m->u->norm_state + HST_NORM_FLOATS * c;
    m->t->learn->kernels->norm_back(&(hst_norm_back){.dy = m->g + from * c,
                                                     .x = m->z + from * c,
                                                     .of_dy = of_dy,
                                                     .of_x = of_dy + c,
                                                     .shift = of_dy + 2 * c,
                                                     .dx = dz,
                                                     .rows = rows,
                                                     .c = (int)c});
}

/* ---- matrices ---- */

/* dw += x^T dz */
static void kernel_gradient(const image *m, const float *x, const float *dz, size_t rows)
{
    const hst_kernels *k = m->t->learn->kernels;
    size_t c = (size_t)m->u->view.out.c;
    k->grad_gemm(&(hst_grad_gemm){.a = x,
                                  .b = dz,
                                  .lda = (size_t)m->u->k,
                                  .ldb = c,
                                  .dw = m->dw,
                                  .ldw = c,
                                  .rows = rows,
                                  .m = m->u->k,
                                  .n = (int)c});
    if (m->db)
        k->grad_sum(dz, c, rows, (int)c, m->db);
}

/* y = dz w^T, behind the gate where there is one, on top of `residual`. */
static void input_gradient(const image *m, const float *dz, size_t rows, const hst_gemm *to)
{
    const hst_kernels *k = m->t->learn->kernels;
    const float *w = m->t->step->state + m->u->back;
    int c = m->u->view.out.c, n = m->u->k;
    hst_gemm g = *to;
    g.x = dz;
    g.ldx = (size_t)c;
    g.w = w;
    g.bias = w + hst_gemm_packed(k, c, n) - hst_gemm_packed(k, 0, n);
    g.ldy = g.ld_gate = (size_t)n;
    g.rows = rows;
    g.k = c;
    g.n = n;
    k->gemm(&g);
}

static void backward_tiles(const image *m)
{
    size_t n = pixels(m->u->view.out), tile = (size_t)hst_link_tile(m->u);
    size_t k = (size_t)m->u->k, c = (size_t)m->u->view.out.c;
    float *made = m->t->scratch, *dz = made + tile * k, *sums = dz + tile * c;
    for (size_t from = 0; from < n; from += tile) {
        size_t rows = n - from < tile ? n - from : tile;
        const float *x = m->x + from * k;
        make_dz(m, from, rows, dz);
        if (m->before) {
            hst_link_input(m->t, m->c->now, x, rows, made);
            x = made;
        }
        kernel_gradient(m, x, dz, rows);
        if (!m->dx)
            continue;
        float *dx = m->dx + from * k;
        input_gradient(
            m, dz, rows,
            &(hst_gemm){.y = dx, .gate = m->before ? x : NULL, .residual = m->adds ? dx : NULL});
        if (m->before)
            take_sums(m->t, m->before, m->i,
                      &(hst_norm_sums){.x = m->x + from * k, .dy = dx, .rows = rows}, sums);
    }
}

/* dx += the gradient of the windows under output row oy, which is laid out as hst_step_windows lays
 * out theirs. */
static void add_windows(const image *m, const float *dwindows, int oy)
{
    const hst_conv *c = &m->u->view.conv;
    hst_shape in = m->u->view.in;
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span(c, in.w);
    size_t channels = (size_t)in.c;
    for (int ox = 0; ox < m->u->view.out.w; ox++)
        for (int i = 0; i < c->kernel * c->kernel; i++, dwindows += channels) {
            int y = oy * c->stride - h.before + i / c->kernel;
            int x = ox * c->stride - w.before + i % c->kernel;
            if (y < 0 || y >= in.h || x < 0 || x >= in.w)
                continue;
            float *dx = m->dx + (size_t)(y * in.w + x) * channels;
            for (size_t k = 0; k < channels; k++)
                dx[k] += dwindows[k];
        }
}

static void backward_windows(const image *m)
{
    size_t w = (size_t)m->u->view.out.w, k = (size_t)m->u->k;
    float *windows = m->t->scratch, *dwindows = windows + w * k, *dz = dwindows + w * k;
    if (m->dx && !m->adds)
        memset(m->dx, 0, pixels(m->u->view.in) * (size_t)m->u->view.in.c * sizeof *m->dx);
    for (int row = 0; row < m->u->view.out.h; row++) {
        make_dz(m, (size_t)row * w, w, dz);
        hst_step_windows(&m->u->view, m->x, row, windows);
        kernel_gradient(m, windows, dz, w);
        if (!m->dx)
            continue;
        input_gradient(m, dz, w, &(hst_gemm){.y = dwindows});
        add_windows(m, dwindows, row);
    }
}

/* ---- depthwise ---- */

/* A band of output rows and the rings around it. */
typedef struct band {
    const image *m;
    hst_link_rows in;
    float *dz;   /* [hst_link_back_ring][w][c] */
    float *row;  /* [w][c] of the input */
    float *sums; /* [2 c] */
    int from, end;
    int done; /* input rows whose gradient is there */
} band;

static const float *dz_row(const band *b, int row)
{
    const hst_link *u = b->m->u;
    if (row < 0 || row >= u->view.out.h)
        return NULL;
    return b->dz + (size_t)(row % hst_link_back_ring(u)) * row_floats(u->view.out);
}

static void taps(const band *b)
{
    const hst_link *u = b->m->u;
    const hst_conv *c = &u->view.conv;
    const float *row[HST_MAX_KERNEL], *g;
    float *unused = b->sums;
    size_t channels = (size_t)u->view.in.c;
    int before = hst_conv_span(c, u->view.in.h).before;
    for (int i = b->from; i < b->end; i++) {
        for (int ky = 0; ky < c->kernel; ky++)
            row[ky] = hst_link_row(b->m->t, b->m->c->now, &b->in, i * c->stride - before + ky);
        g = dz_row(b, i);
        memset(unused, 0, channels * sizeof *unused);
        b->m->t->learn->kernels->grad_taps(
            &(hst_grad_taps){.row = row,
                             .g = &g,
                             .dw = b->m->dw,
                             .db = b->m->db ? b->m->db : unused,
                             .x_step = channels,
                             .g_step = channels,
                             .w_step = channels,
                             .n_rows = 1,
                             .width = u->view.in.w,
                             .out = u->view.out.w,
                             .channels = u->view.in.c,
                             .kernel = c->kernel,
                             .stride = c->stride,
                             .before = hst_conv_span(c, u->view.in.w).before});
    }
}

/* The gradient of input row x into dx. */
static void input_row(const band *b, int x, float *dx)
{
    const hst_link *u = b->m->u;
    const hst_conv *c = &u->view.conv;
    size_t channels = (size_t)u->view.in.c;
    hst_grad_pixels p = {.w = hst_learn_param(b->m->t->learn, u->conv, 0),
                         .dx = dx,
                         .sum = b->sums,
                         .g_step = channels,
                         .w_step = channels,
                         .gate_step = channels,
                         .dx_step = channels,
                         .width = u->view.in.w,
                         .out = u->view.out.w,
                         .channels = u->view.in.c,
                         .kernel = c->kernel,
                         .stride = c->stride,
                         .before = hst_conv_span(c, u->view.in.w).before};
    if (b->m->before)
        p.gate = hst_link_row(b->m->t, b->m->c->now, &b->in, x);
    for (int ky = 0; ky < c->kernel; ky++) {
        int over = x + hst_conv_span(c, u->view.in.h).before - ky;
        p.g[ky] = over >= 0 && over % c->stride == 0 ? dz_row(b, over / c->stride) : NULL;
    }
    memset(b->sums, 0, channels * sizeof *b->sums);
    b->m->t->learn->kernels->grad_pixels(&p);
}

/* Input rows done .. end. */
static void input_rows(band *b, int end)
{
    const image *m = b->m;
    size_t row = row_floats(m->u->view.in), from = (size_t)b->done;
    for (; m->dx && b->done < end; b->done++) {
        float *dx = m->dx + (size_t)b->done * row;
        input_row(b, b->done, m->adds ? b->row : dx);
        for (size_t k = 0; m->adds && k < row; k++)
            dx[k] += b->row[k];
    }
    if (m->before && (size_t)end > from)
        take_sums(m->t, m->before, m->i,
                  &(hst_norm_sums){.x = m->x + from * row,
                                   .dy = m->dx + from * row,
                                   .rows = ((size_t)end - from) * (size_t)m->u->view.in.w},
                  b->sums);
}

static void backward_deep(const image *m)
{
    const hst_link *u = m->u;
    const hst_conv *c = &u->view.conv;
    size_t in = row_floats(u->view.in), w = (size_t)u->view.out.w;
    int step = hst_link_band(u), before = hst_conv_span(c, u->view.in.h).before;
    band b = {.m = m, .in = {.x = m->x, .ring = m->t->scratch}};
    b.dz = b.in.ring + (size_t)hst_link_ring(u) * in;
    b.row = b.dz + (size_t)hst_link_back_ring(u) * row_floats(u->view.out);
    b.sums = b.row + in;
    for (b.from = 0; b.from < u->view.out.h; b.from = b.end) {
        b.end = b.from + step < u->view.out.h ? b.from + step : u->view.out.h;
        int last = b.end == u->view.out.h;
        int seen = (b.end - 1) * c->stride - before + c->kernel, full = b.end * c->stride - before;
        for (int i = b.from; i < b.end; i++)
            make_dz(m, (size_t)i * w, w, (float *)dz_row(&b, i));
        hst_link_make_rows(m->t, m->c->now, &b.in,
                           last || seen > u->view.in.h ? u->view.in.h : seen);
        taps(&b);
        input_rows(&b, last || full > u->view.in.h ? u->view.in.h : full);
    }
}

/* ---- the step ---- */

static void backward_group(const hst_learn_task *t)
{
    const hst_chain_step *c = t->step->own;
    norm_gradient(t, &c->unit[c->now]);
    for (int i = t->first; i < t->first + t->count; i++) {
        image m = image_of(t, i);
        if (m.before)
            clear_sums(t, m.before, i);
        if (m.u->deep)
            backward_deep(&m);
        else if (m.u->windows)
            backward_windows(&m);
        else
            backward_tiles(&m);
    }
}

/* The gradient of one image's output: passed on to what was added, then behind the last ReLU6. */
static void begin_image(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_chain_step *c = t->step->own;
    const hst_link *u = &c->unit[c->n - 1];
    int other = t->step->input[HST_CHAIN_ADDED], i = t->first;
    size_t channels = (size_t)u->view.out.c, n = pixels(u->view.out) * channels;
    float *dy = hst_learn_grad(l, t->step->end - 1, i);
    float *added = other < 0 ? NULL : hst_learn_grad(l, other, i);
    const float *z = hst_learn_keep(l, t->step, i) + u->z;
    hst_norm_state s = hst_link_norm(t->step, u);
    for (size_t k = 0; added && k < n; k++)
        added[k] = t->step->adds[HST_CHAIN_ADDED] ? added[k] + dy[k] : dy[k];
    for (size_t k = 0; u->relu6 && k < n; k++) {
        float y = z[k] * s.scale[k % channels] + s.shift[k % channels];
        dy[k] = y <= 0 || y >= 6 ? 0 : dy[k];
    }
    clear_sums(t, u, i);
    take_sums(t, u, i, &(hst_norm_sums){.x = z, .dy = dy, .rows = n / channels}, t->scratch);
}

void hst_chain_backward(hst_learn *l, hst_learn_step *s)
{
    hst_chain_step *c = s->own;
    hst_learn_images(l, s, begin_image);
    for (c->now = c->n - 1; c->now >= 0; c->now--) {
        const hst_link *u = &c->unit[c->now];
        use_sums(l, s, u);
        hst_learn_groups_of(l, s, u->first_param, u->n_params, backward_group);
    }
}
