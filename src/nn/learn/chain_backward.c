/* chain_backward.c - gradients of a chain, from its last link to its first.
 *
 * The loop of link u has G, the gradient of its norm's output, whose sums over the batch are
 * complete. Tile by tile it makes dz from G and z, the link's input from the z before, then the
 * gradient of the kernel and that of the input, which, behind the slope of its activation, is the G
 * of the link before; its sums are taken while it is in the cache. */
#include "nn/learn/chain.h"

#include <string.h>

/* What a loop over one image works on. */
typedef struct image {
    const hst_learn_task *t;
    const hst_link *u, *before; /* before: NULL where x of the chain is read */
    int i;
    const float *x, *z, *g; /* input or the z before; output of the convolution; G */
    float *dx;              /* G of the link before, or the gradient of x; NULL: not wanted */
    int adds;               /* dx has a value already */
    hst_gradient *dw;       /* of the kernel, of this task */
    float *db;              /* NULL: no bias */
} image;

static image image_of(const hst_learn_task *t, int i, hst_gradient *dw)
{
    const hst_learn *l = t->learn;
    const int last = t->part == ((const hst_chain *)t->step->own)->n - 1;
    image m = {.t = t, .u = hst_link_of(t), .i = i};
    const float *saved = hst_learn_saved(l, t->step, i);
    float *work = hst_learn_work(l, t->step, i);
    m.z = saved + m.u->z;
    m.g = last ? hst_learn_grad(l, t->step->output, i) : work + m.u->g;
    if (m.u->lazy) {
        m.before = m.u - 1;
        m.x = saved + m.before->z;
        m.dx = work + m.before->g;
    } else {
        m.x = hst_learn_value(l, t->step->input[HST_CHAIN_X], i);
        m.dx = hst_learn_grad(l, t->step->input[HST_CHAIN_X], i);
        m.adds = t->step->adds[HST_CHAIN_X];
    }
    m.dw = dw;
    m.db = m.u->geometry.conv.bias ? hst_learn_param_grad(t, m.u->conv, 1) : NULL;
    return m;
}

/* ---- norms ---- */

/* Adds the sums of at->rows pixels of G and z of link u to those of the image, some hundred at a
 * time in float32. */
static void take_sums(const hst_learn_task *t, const hst_link *u, int i, const hst_norm_sums *at,
                      float *scratch)
{
    enum { ROWS = 256 };
    size_t c = (size_t)u->geometry.out.c;
    double *sums = hst_learn_sums(t->learn, t->step, i);
    if (u->norm_params == 0)
        return;
    hst_norm_sums s = {.x = at->x, .dy = at->dy, .mean = hst_link_norm(t->step, u).mean};
    s.first = scratch;
    s.second = scratch + c;
    s.c = (int)c;
    for (size_t left = at->rows; left > 0; left -= s.rows) {
        s.rows = left < ROWS ? left : ROWS;
        t->learn->plan.kernels->norm_products(&s);
        for (size_t k = 0; k < 2 * c; k++)
            sums[k] += (double)scratch[k];
        s.x += s.rows * c;
        s.dy += s.rows * c;
    }
}

static void clear_sums(const hst_learn_task *t, const hst_link *u, int i)
{
    memset(hst_learn_sums(t->learn, t->step, i), 0, 2 * (size_t)u->geometry.out.c * sizeof(double));
}

/* The whole batch's sums of link u, and from them, with A = gamma / sigma and N pixels,
 *   dz = A G - A / N (sum G + x^ sum G x^) = of_dy G + of_x z + shift;  frozen: dz = A G */
static void use_sums(hst_learn *l, hst_step *s, const hst_link *u)
{
    size_t c = (size_t)u->geometry.out.c;
    double *sums = s->state_d + u->sums, n = (double)hst_shape_pixels(u->geometry.out) * l->all;
    hst_bn_state norm = hst_link_norm(s, u);
    float *of_dy = s->state + u->norm_state + HST_BN_FLOATS * c, *of_x = of_dy + c;
    float *shift = of_x + c;
    if (u->norm_params > 0)
        hst_learn_add_sums(l, s, sums, 2 * c, hst_plan_is_batch(&l->plan, u->norm));
    for (size_t k = 0; k < c; k++) {
        double a = norm.scale[k], inverse = norm.inverse[k];
        double x =
            hst_plan_is_batch(&l->plan, u->norm) ? -a * inverse * inverse * sums[c + k] / n : 0;
        double rest =
            hst_plan_is_batch(&l->plan, u->norm) ? -a * sums[k] / n - x * norm.mean[k] : 0;
        of_dy[k] = norm.scale[k];
        of_x[k] = (float)x;
        shift[k] = (float)rest;
    }
}

/* d gamma and d beta, once for the batch. */
static void norm_gradient(const hst_learn_task *t, const hst_link *u)
{
    size_t c = (size_t)u->geometry.out.c;
    const double *sums = t->step->state_d + u->sums;
    hst_bn_state norm = hst_link_norm(t->step, u);
    if (u->norm_params == 0)
        return;
    float *gamma = hst_learn_param_grad(t, u->norm, 0), *beta = hst_learn_param_grad(t, u->norm, 1);
    for (size_t k = 0; hst_learn_is_last(t) && k < c; k++) {
        if (beta)
            beta[k] = (float)sums[k];
        gamma[k] = (float)(sums[c + k] * norm.inverse[k]);
    }
}

/* dz of `rows` pixels from pixel `from` on. */
static void make_dz(const image *m, size_t from, size_t rows, float *dz)
{
    size_t c = (size_t)m->u->geometry.out.c;
    const float *of_dy = m->t->step->state + m->u->norm_state + HST_BN_FLOATS * c;
    m->t->learn->plan.kernels->norm_back(&(hst_norm_back){.dy = m->g + from * c,
                                                          .x = m->z + from * c,
                                                          .of_dy = of_dy,
                                                          .of_x = of_dy + c,
                                                          .shift = of_dy + 2 * c,
                                                          .dx = dz,
                                                          .rows = rows,
                                                          .c = (int)c});
}

/* The same in `made` or, without a norm, where G is. */
static const float *dz_of(const image *m, size_t from, size_t rows, float *made)
{
    if (m->u->norm < 0)
        return m->g + from * (size_t)m->u->geometry.out.c;
    make_dz(m, from, rows, made);
    return made;
}

/* ---- matrices ---- */

/* dw += x^T dz */
static void kernel_gradient(const image *m, const float *x, const float *dz, size_t rows)
{
    size_t c = (size_t)m->u->geometry.out.c;
    hst_gradient_add(m->dw, x, (size_t)m->u->k, dz, c, rows);
    if (m->db)
        m->t->learn->plan.kernels->grad_sum(dz, c, rows, (int)c, m->db);
}

/* What stands behind the link before is a clamp: its gradient is gated by what it made. */
static float gate_top(const image *m)
{
    return m->before ? hst_act_clamp(m->before->act) : 0;
}

/* The slope of any other activation, from its z: `rows` pixels from pixel `from` on of dx. */
static void slope(const image *m, size_t from, size_t rows)
{
    if (!m->before || hst_act_late(m->before->act) == HST_ACT_NONE)
        return;
    const hst_bn_state n = hst_link_norm(m->t->step, m->before);
    const size_t c = (size_t)m->before->geometry.out.c;
    m->t->learn->plan.kernels->norm_gate(&(hst_norm_gate){.x = m->x + from * c,
                                                          .scale = n.scale,
                                                          .shift = n.shift,
                                                          .dy = m->dx + from * c,
                                                          .dx = m->dx + from * c,
                                                          .rows = rows,
                                                          .c = (int)c,
                                                          .act = m->before->act});
}

/* y = dz w^T, behind the gate where there is one, on top of `residual`. */
static void input_gradient(const image *m, const float *dz, size_t rows, const hst_gemm *to)
{
    const float *w = m->t->step->state + m->u->back;
    int c = m->u->geometry.out.c, n = m->u->k;
    hst_gemm g = *to;
    g.x = dz;
    g.ldx = (size_t)c;
    g.w = w;
    g.bias = hst_matrix_bias(m->u->by, w, c, n);
    g.ldy = g.ld_gate = (size_t)n;
    g.gate_top = gate_top(m);
    g.rows = rows;
    g.k = c;
    g.n = n;
    hst_multiply(m->u->by, &g, m->t->scratch + m->u->rounded);
}

static void backward_tiles(const image *m)
{
    size_t n = hst_shape_pixels(m->u->geometry.out), tile = (size_t)hst_link_tile(m->u);
    size_t k = (size_t)m->u->k, c = (size_t)m->u->geometry.out.c;
    float *made = m->t->scratch, *made_dz = made + tile * k, *sums = made_dz + tile * c;
    for (size_t from = 0; from < n; from += tile) {
        size_t rows = n - from < tile ? n - from : tile;
        const float *x = m->x + from * k;
        const float *dz = dz_of(m, from, rows, made_dz);
        if (m->before) {
            hst_link_input(m->t, x, rows, made);
            x = made;
        }
        kernel_gradient(m, x, dz, rows);
        if (!m->dx)
            continue;
        float *dx = m->dx + from * k;
        input_gradient(m, dz, rows,
                       &(hst_gemm){.y = dx,
                                   .gate = gate_top(m) > 0 ? x : NULL,
                                   .residual = m->adds ? dx : NULL});
        slope(m, from, rows);
        if (m->before)
            take_sums(m->t, m->before, m->i,
                      &(hst_norm_sums){.x = m->x + from * k, .dy = dx, .rows = rows}, sums);
    }
}

/* dx += the gradient of the windows under output row oy, laid out as by hst_im2col. */
static void add_windows(const image *m, const float *dwindows, int oy)
{
    const hst_conv *c = &m->u->geometry.conv;
    hst_shape in = m->u->geometry.in;
    hst_span h = hst_conv_span(c, in.h), w = hst_conv_span_across(c, in.w);
    const int wide = hst_conv_wide(c);
    size_t channels = (size_t)in.c;
    for (int ox = 0; ox < m->u->geometry.out.w; ox++)
        for (int i = 0; i < hst_conv_taps(c); i++, dwindows += channels) {
            int y = oy * c->stride - h.before + i / wide;
            int x = ox * c->stride - w.before + i % wide;
            if (y < 0 || y >= in.h || x < 0 || x >= in.w)
                continue;
            float *dx = m->dx + (size_t)(y * in.w + x) * channels;
            for (size_t k = 0; k < channels; k++)
                dx[k] += dwindows[k];
        }
}

static void backward_im2col(const image *m)
{
    const int at_once = hst_link_rows_at_once(m->u), h = m->u->geometry.out.h;
    size_t w = (size_t)m->u->geometry.out.w, k = (size_t)m->u->k, row_k = w * k;
    float *windows = m->t->scratch, *dwindows = windows + (size_t)at_once * row_k;
    float *dz = dwindows + (size_t)at_once * row_k;
    if (m->dx && !m->adds)
        memset(m->dx, 0, hst_shape_floats(m->u->geometry.in) * sizeof *m->dx);
    for (int row = 0, n; row < h; row += n) {
        n = h - row < at_once ? h - row : at_once;
        make_dz(m, (size_t)row * w, (size_t)n * w, dz);
        for (int i = 0; i < n; i++)
            hst_im2col(&m->u->geometry, m->x, row + i, windows + (size_t)i * row_k);
        kernel_gradient(m, windows, dz, (size_t)n * w);
        if (!m->dx)
            continue;
        input_gradient(m, dz, (size_t)n * w, &(hst_gemm){.y = dwindows});
        for (int i = 0; i < n; i++)
            add_windows(m, dwindows + (size_t)i * row_k, row + i);
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
    if (row < 0 || row >= u->geometry.out.h)
        return NULL;
    return b->dz + (size_t)(row % hst_link_back_ring(u)) * hst_shape_row_floats(u->geometry.out);
}

static void taps(const band *b)
{
    const hst_link *u = b->m->u;
    const hst_conv *c = &u->geometry.conv;
    const float *row[HST_MAX_KERNEL], *g;
    float *unused = b->sums;
    size_t channels = (size_t)u->geometry.in.c;
    int before = hst_conv_span(c, u->geometry.in.h).before;
    for (int i = b->from; i < b->end; i++) {
        for (int ky = 0; ky < c->kernel; ky++)
            row[ky] = hst_link_row(b->m->t, &b->in, i * c->stride - before + ky);
        g = dz_row(b, i);
        memset(unused, 0, channels * sizeof *unused);
        b->m->t->learn->plan.kernels->grad_taps(
            &(hst_grad_taps){.row = row,
                             .g = &g,
                             .dw = b->m->dw->dw,
                             .db = b->m->db ? b->m->db : unused,
                             .x_step = channels,
                             .g_step = channels,
                             .w_step = channels,
                             .n_rows = 1,
                             .width = u->geometry.in.w,
                             .out = u->geometry.out.w,
                             .channels = u->geometry.in.c,
                             .kernel = c->kernel,
                             .stride = c->stride,
                             .before = hst_conv_span(c, u->geometry.in.w).before});
    }
}

/* The gradient of input row x into dx. */
static void input_row(const band *b, int x, float *dx)
{
    const hst_link *u = b->m->u;
    const hst_conv *c = &u->geometry.conv;
    size_t channels = (size_t)u->geometry.in.c;
    hst_grad_pixels p = {.w = hst_plan_param(&b->m->t->learn->plan, u->conv, 0),
                         .dx = dx,
                         .sum = b->sums,
                         .g_step = channels,
                         .w_step = channels,
                         .gate_step = channels,
                         .dx_step = channels,
                         .width = u->geometry.in.w,
                         .out = u->geometry.out.w,
                         .channels = u->geometry.in.c,
                         .kernel = c->kernel,
                         .stride = c->stride,
                         .before = hst_conv_span(c, u->geometry.in.w).before,
                         .gate_top = gate_top(b->m)};
    if (gate_top(b->m) > 0)
        p.gate = hst_link_row(b->m->t, &b->in, x);
    for (int ky = 0; ky < c->kernel; ky++) {
        int over = x + hst_conv_span(c, u->geometry.in.h).before - ky;
        p.g[ky] = over >= 0 && over % c->stride == 0 ? dz_row(b, over / c->stride) : NULL;
    }
    memset(b->sums, 0, channels * sizeof *b->sums);
    b->m->t->learn->plan.kernels->grad_pixels(&p);
}

/* Input rows done .. end; there may be none: the first bands of a large kernel complete no row. */
static void input_rows(band *b, int end)
{
    const image *m = b->m;
    const hst_shape in = m->u->geometry.in;
    const size_t row = hst_shape_row_floats(in), from = (size_t)b->done;
    if (end <= b->done)
        return;
    const size_t pixels = ((size_t)end - from) * (size_t)in.w;
    for (; m->dx && b->done < end; b->done++) {
        float *dx = m->dx + (size_t)b->done * row;
        input_row(b, b->done, m->adds ? b->row : dx);
        for (size_t k = 0; m->adds && k < row; k++)
            dx[k] += b->row[k];
    }
    if (!m->before)
        return;
    slope(m, from * (size_t)in.w, pixels);
    take_sums(m->t, m->before, m->i,
              &(hst_norm_sums){.x = m->x + from * row, .dy = m->dx + from * row, .rows = pixels},
              b->sums);
}

static void backward_depthwise(const image *m)
{
    const hst_link *u = m->u;
    const hst_conv *c = &u->geometry.conv;
    size_t in = hst_shape_row_floats(u->geometry.in), w = (size_t)u->geometry.out.w;
    int step = hst_link_band(u), before = hst_conv_span(c, u->geometry.in.h).before;
    band b = {.m = m, .in = {.x = m->x, .ring = m->t->scratch}};
    b.dz = b.in.ring + (size_t)hst_link_ring(u) * in;
    b.row = b.dz + (size_t)hst_link_back_ring(u) * hst_shape_row_floats(u->geometry.out);
    b.sums = b.row + in;
    for (b.from = 0; b.from < u->geometry.out.h; b.from = b.end) {
        b.end = b.from + step < u->geometry.out.h ? b.from + step : u->geometry.out.h;
        int last = b.end == u->geometry.out.h;
        int seen = (b.end - 1) * c->stride - before + c->kernel, full = b.end * c->stride - before;
        for (int i = b.from; i < b.end; i++)
            make_dz(m, (size_t)i * w, w, (float *)dz_row(&b, i));
        hst_link_make_rows(m->t, &b.in, last || seen > u->geometry.in.h ? u->geometry.in.h : seen);
        taps(&b);
        input_rows(&b, last || full > u->geometry.in.h ? u->geometry.in.h : full);
    }
}

/* ---- the step ---- */

static void backward_group(const hst_learn_task *t)
{
    const hst_link *u = hst_link_of(t);
    const hst_shape out = u->geometry.out;
    hst_gradient dw = hst_gradient_begin(
        u->by, u->k, out.c, (size_t)t->count * hst_shape_pixels(out), t->scratch + u->gathered);
    dw.dw = hst_learn_param_grad(t, u->conv, 0);
    dw.ldw = (size_t)out.c;
    norm_gradient(t, u);
    for (int i = t->first; i < t->first + t->count; i++) {
        image m = image_of(t, i, &dw);
        if (m.before)
            clear_sums(t, m.before, i);
        if (m.u->depthwise)
            backward_depthwise(&m);
        else if (m.u->im2col)
            backward_im2col(&m);
        else
            backward_tiles(&m);
    }
    hst_gradient_end(&dw);
}

/* dy behind a clamp at 0 and top: by what it made where that is saved (a sum's), else by the number
 * that it is done to. */
static void gate_clamp(const hst_learn_task *t, float top, float *dy)
{
    const hst_link *u = hst_link_of(t);
    const size_t c = (size_t)u->geometry.out.c, n = hst_shape_floats(u->geometry.out);
    const float *z = hst_learn_saved(t->learn, t->step, t->first) + u->z;
    const float *y = hst_learn_value(t->learn, t->step->output, t->first);
    const hst_bn_state s = hst_link_norm(t->step, u);
    for (size_t i = 0; u->act_after_add && i < n; i++)
        dy[i] = y[i] <= 0 || y[i] >= top ? 0 : dy[i];
    for (size_t i = 0; !u->act_after_add && i < n; i += c)
        for (size_t k = 0; k < c; k++) {
            const float v = z[i + k] * s.scale[k] + s.shift[k];
            dy[i + k] = v <= 0 || v >= top ? 0 : dy[i + k];
        }
}

static void gate_output(const hst_learn_task *t, float *dy)
{
    const hst_link *u = hst_link_of(t);
    const hst_bn_state s = hst_link_norm(t->step, u);
    if (hst_act_clamp(u->act) > 0)
        gate_clamp(t, hst_act_clamp(u->act), dy);
    else if (u->act != HST_ACT_NONE)
        t->learn->plan.kernels->norm_gate(
            &(hst_norm_gate){.x = hst_learn_saved(t->learn, t->step, t->first) + u->z,
                             .scale = s.scale,
                             .shift = s.shift,
                             .dy = dy,
                             .dx = dy,
                             .rows = hst_shape_pixels(u->geometry.out),
                             .c = u->geometry.out.c,
                             .act = u->act});
}

/* The gradient of one image's output: behind its activation, passed on to what was added. */
static void begin_image(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_link *u = hst_link_of(t);
    int other = t->step->input[HST_CHAIN_ADDED], i = t->first;
    const size_t n = hst_shape_floats(u->geometry.out), pixels = hst_shape_pixels(u->geometry.out);
    float *dy = hst_learn_grad(l, t->step->output, i);
    float *added = other < 0 ? NULL : hst_learn_grad(l, other, i);
    const float *z = hst_learn_saved(l, t->step, i) + u->z;
    gate_output(t, dy);
    for (size_t k = 0; added && k < n; k++)
        added[k] = t->step->adds[HST_CHAIN_ADDED] ? added[k] + dy[k] : dy[k];
    clear_sums(t, u, i);
    take_sums(t, u, i, &(hst_norm_sums){.x = z, .dy = dy, .rows = pixels}, t->scratch);
}

void hst_chain_backward(hst_learn *l, hst_step *s)
{
    const hst_chain *c = s->own;
    hst_learn_images(l, s, c->n - 1, begin_image);
    for (int i = c->n - 1; i >= 0; i--) {
        use_sums(l, s, &c->link[i]);
        hst_learn_groups(l, s, i, c->link[i].params, backward_group);
    }
}
