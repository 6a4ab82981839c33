/* inverted_residual.c - inverted residuals (Sandler et al. 2018) without their expansion in memory.
 *
 * A 56 x 56 block expands to 144 channels: 1.8 MB written and read twice, beside a second-level
 * cache of 0.5 to 2 MB. Here a band of output rows is made at a time; between the three
 * convolutions there are only
 *
 *   ring   [groups][ring rows][w][group]    expanded rows that the depthwise kernel still reads;
 *                                           input row r lies at r mod ring rows
 *   dw     [band rows * out w][hidden]      its outputs, rows of the projection's matrix
 *
 *            input rows                     ring (kernel 3, stride 1, band 3)      output rows
 *      band 0   0 1 2 3        expanded ->  0 1 2 3 .                       ->     0 1 2
 *      band 1         4 5 6    expanded ->  5 6 2 3 4   (2, 3 carried over) ->     3 4 5
 *
 * Within a band, `group` hidden channels at a time go through expansion and depthwise, so that they
 * meet in the first-level cache. When one band is the whole image nothing is carried over, and all
 * groups use the memory of the first. Padding is not stored: the depthwise kernel leaves out taps
 * outside the image, as it does by itself.
 *
 * Where products are of lower precision (low.h), the rows that the expansion reads are rounded once
 * for all groups, and `dw` holds rounded rows: a row of the depthwise convolution's outputs is
 * rounded while it is in the first-level cache. */
#include "nn/infer/low.h"

#include "base/mem.h"

#include <stdlib.h>

/* How much of the block is made at a time. */
typedef struct tiling {
    int band;                      /* output rows */
    int ring_rows;                 /* input rows of the depthwise convolution that they need */
    size_t group_floats;           /* between two groups' rings; 0: they share one */
    size_t ring_floats, dw_floats; /* of the buffers */
    size_t low_floats;             /* of rounded input rows */
} tiling;

typedef struct block {
    int expands; /* 0: the depthwise convolution reads the input */
    hst_infer_unit expand, depthwise, project;
    hst_conv conv; /* of the depthwise convolution */
    hst_span rows; /* of the same */
    int hidden;    /* channels between */
    int group;     /* of them at a time */
    tiling bands;
} block;

/* One run of a step by one thread: where its scratch memory is. */
typedef struct fused_run {
    const block *f;
    const hst_run_args *a;
    tiling t;
    float *ring, *dw, *windows;
    int dw_first; /* output row that is the first of `dw` */
    float *row;   /* one row of a group's depthwise outputs, to be rounded */
    char *low;    /* rounded input rows, from low_first on */
    int low_first;
} fused_run;

/* ---- running ---- */

static float *ring_row(const fused_run *r, int c, int y)
{
    const block *f = r->f;
    const size_t row = (size_t)f->depthwise.in.w * (size_t)f->group;
    return r->ring + (size_t)(c / f->group) * r->t.group_floats +
           (size_t)(y % r->t.ring_rows) * row;
}

/* Of the expansion: its inputs a pixel, and bytes between rounded rows. */
static int expand_depth(const block *f)
{
    const hst_conv *c = hst_node_conv(&f->expand.node);
    return c->kernel * c->kernel * f->expand.in.c;
}

static size_t expand_ld(const block *f)
{
    return hst_low_ld(f->expand.products, expand_depth(f));
}

/* Input rows of the expansion for the depthwise rows first .. end, rounded, to `low`, whose first
 * row is low_first. */
static void round_input(const fused_run *r, int first, int end)
{
    const hst_infer_unit *u = &r->f->expand;
    const hst_geometry front = {*hst_node_conv(&u->node), u->in, u->out};
    const int windows = front.conv.kernel > 1 || front.conv.stride > 1, k = expand_depth(r->f);
    const size_t w = (size_t)u->out.w, ldx = (size_t)k, ld = expand_ld(r->f);
    for (int y = first; y < end; y++) {
        const float *x = windows ? r->windows : r->a->x[0] + (size_t)y * w * ldx;
        if (windows)
            hst_im2col(&front, r->a->x[0], y, r->windows);
        u->products->convert(x, ldx, w, k, r->low + (size_t)(y - r->low_first) * w * ld, ld);
    }
}

/* As expand, from rounded rows. */
static void expand_low(const fused_run *r, int c, int first, int end)
{
    const block *f = r->f;
    const hst_infer_unit *u = &f->expand;
    const size_t w = (size_t)u->out.w, ld = expand_ld(f);
    for (int y = first, n; y < end; y += n) {
        const int wrap = r->t.ring_rows - y % r->t.ring_rows;
        n = end - y < wrap ? end - y : wrap;
        const hst_low_gemm p = {.x = r->low + (size_t)(y - r->low_first) * w * ld,
                                .ldx = ld,
                                .w = (const char *)u->weights +
                                     (size_t)c * u->products->row_bytes(expand_depth(f)),
                                .bias = u->bias + c,
                                .y = ring_row(r, c, y),
                                .ldy = (size_t)f->group,
                                .rows = (size_t)n * w,
                                .k = expand_depth(f),
                                .n = f->hidden - c < f->group ? f->hidden - c : f->group,
                                .clamp = hst_act_clamp(u->act)};
        u->products->multiply(&p);
        hst_infer_activate(u, r->a, p.y, p.rows * p.ldy);
    }
}

/* Input rows first .. end of the depthwise convolution, channels c .. c+group, into the ring. */
static void expand(const fused_run *r, int c, int first, int end)
{
    const block *f = r->f;
    const hst_infer_unit *u = &f->expand;
    const hst_geometry front = {*hst_node_conv(&u->node), u->in, u->out};
    const int windows = front.conv.kernel > 1 || front.conv.stride > 1;
    if (u->products) {
        expand_low(r, c, first, end);
        return;
    }
    hst_gemm g = {.w = u->weights,
                  .bias = u->bias + c,
                  .ldy = (size_t)f->group,
                  .k = front.conv.kernel * front.conv.kernel * u->in.c,
                  .n = f->hidden - c < f->group ? f->hidden - c : f->group,
                  .clamp = hst_act_clamp(u->act)};
    g.w += (size_t)c * (size_t)g.k;
    g.ldx = (size_t)g.k;
    for (int y = first, n; y < end; y += n) {
        const int wrap = r->t.ring_rows - y % r->t.ring_rows;
        n = windows ? 1 : end - y < wrap ? end - y : wrap;
        g.rows = (size_t)n * (size_t)u->out.w;
        g.x = windows ? r->windows : r->a->x[0] + (size_t)y * (size_t)u->in.w * g.ldx;
        g.y = ring_row(r, c, y);
        if (windows)
            hst_im2col(&front, r->a->x[0], y, r->windows);
        r->a->kernels->gemm(&g);
        hst_infer_activate(u, r->a, g.y, g.rows * g.ldy);
    }
}

/* Bytes between pixels of rounded `dw`, whose floats are dw_step. */
static size_t dw_ld(const block *f)
{
    return hst_low_ld(f->project.products, f->hidden);
}

static size_t dw_step(const block *f)
{
    return f->project.products ? dw_ld(f) / sizeof(float) : (size_t)f->hidden;
}

/* A row of depthwise outputs, channels c .. c+n, rounded to `at`, the row's first pixel in `dw`. */
static void round_row(const fused_run *r, float *at, int c, int n)
{
    const block *f = r->f;
    const hst_products *p = f->project.products;
    p->convert(r->row, (size_t)f->group, (size_t)f->depthwise.out.w, n,
               (char *)at + p->row_bytes(c), dw_ld(f));
}

/* Output rows first .. first+n of the depthwise convolution, channels c .. c+group. */
static void depthwise_rows(const fused_run *r, int c, int first, int n)
{
    const block *f = r->f;
    const hst_infer_unit *u = &f->depthwise;
    const int late = hst_act_late(u->act) != HST_ACT_NONE;
    const int rounds = f->project.products != NULL;
    const size_t hidden = (size_t)f->hidden, row = (size_t)u->out.w * dw_step(f);
    hst_depthwise d = {.w = u->weights + c,
                       .bias = u->bias + c,
                       .x_step = f->expands ? (size_t)f->group : hidden,
                       .w_step = hidden,
                       .y_step = rounds ? (size_t)f->group : hidden,
                       .width = u->in.w,
                       .out = u->out.w,
                       .channels = f->hidden - c < f->group ? f->hidden - c : f->group,
                       .kernel = f->conv.kernel,
                       .stride = f->conv.stride,
                       .before = hst_conv_span(&f->conv, u->in.w).before,
                       .clamp = hst_act_clamp(u->act)};
    for (int i = 0; i < n; i++) {
        float *at = r->dw + (size_t)(first + i - r->dw_first) * row;
        d.y = rounds ? r->row : at + c;
        for (int ky = 0; ky < d.kernel; ky++) {
            const int y = (first + i) * d.stride - f->rows.before + ky;
            d.row[ky] = y < 0 || y >= u->in.h ? NULL
                        : f->expands          ? ring_row(r, c, y)
                                     : r->a->x[0] + (size_t)y * (size_t)u->in.w * hidden + c;
        }
        r->a->kernels->depthwise(&d);
        for (int px = 0; late && px < d.out; px++)
            hst_infer_activate(u, r->a, d.y + (size_t)px * d.y_step, (size_t)d.channels);
        if (rounds)
            round_row(r, at, c, d.channels);
    }
}

/* The product of output rows first .. first+n, which begin `dw`. */
static hst_gemm projection(const fused_run *r, int first, int n)
{
    const hst_infer_unit *s = &r->f->project;
    const size_t at = (size_t)first * (size_t)s->out.w * (size_t)s->out.c;
    return (hst_gemm){.x = r->dw,
                      .ldx = (size_t)s->in.c,
                      .w = s->weights,
                      .bias = s->bias,
                      .y = r->a->y + at,
                      .ldy = (size_t)s->out.c,
                      .residual = r->a->x[1] ? r->a->x[1] + at : NULL,
                      .rows = (size_t)n * (size_t)s->out.w,
                      .k = s->in.c,
                      .n = s->out.c,
                      .clamp = hst_act_clamp(s->act)};
}

/* This thread's part of it, or all of it where it is alone with these rows. */
static void project(const fused_run *r, int first, int n, int together)
{
    const hst_infer_unit *s = &r->f->project;
    const hst_gemm g = projection(r, first, n);
    const hst_low_gemm p = {.x = r->dw,
                            .ldx = s->products ? dw_ld(r->f) : 0,
                            .w = g.w,
                            .bias = g.bias,
                            .y = g.y,
                            .ldy = g.ldy,
                            .residual = g.residual,
                            .rows = g.rows,
                            .k = g.k,
                            .n = g.n,
                            .clamp = g.clamp};
    if (s->products && together)
        hst_low_product(s->products, r->a, &p);
    else if (s->products)
        s->products->multiply(&p);
    else if (together)
        hst_infer_product(r->a, &g);
    else
        r->a->kernels->gemm(&g);
}

/* Rows first .. *end of the depthwise convolution's input that its output rows y .. y+n need. */
static int rows_under(const block *f, int y, int n, int *end)
{
    const hst_conv *c = &f->conv;
    const int first = y * c->stride - f->rows.before;
    *end = first + (n - 1) * c->stride + c->kernel;
    *end = *end > f->depthwise.in.h ? f->depthwise.in.h : *end;
    return first < 0 ? 0 : first;
}

/* Every thread makes a part of the rows, band by band. */
static void run_bands(fused_run *r)
{
    const block *f = r->f;
    const hst_share rows = hst_share_of(r->a, f->rows.out);
    for (int y = rows.first, made = 0, n; y < rows.end; y += n) {
        n = rows.end - y < r->t.band ? rows.end - y : r->t.band;
        int end, first = rows_under(f, y, n, &end);
        first = first < made ? made : first;
        r->dw_first = y;
        r->low_first = first;
        if (f->expands && f->expand.products)
            round_input(r, first, end);
        for (int c = 0; c < f->hidden; c += f->group) {
            if (f->expands)
                expand(r, c, first, end);
            depthwise_rows(r, c, y, n);
        }
        made = end > made ? end : made;
        project(r, y, n, 0);
    }
}

/* ---- several threads on few rows share out groups of channels, then the projection ---- */

static int n_groups(const block *f)
{
    return (f->hidden + f->group - 1) / f->group;
}

/* Chunks of rows that a group is cut into, where there are fewer groups than threads. */
static int n_chunks(const block *f, int threads)
{
    const int chunks = (threads + n_groups(f) - 1) / n_groups(f);
    return chunks < f->rows.out ? chunks : f->rows.out;
}

static void run_groups(fused_run *r)
{
    const block *f = r->f;
    const int chunks = n_chunks(f, r->a->threads), out = f->rows.out;
    const hst_share s = hst_share_of(r->a, n_groups(f) * chunks);
    if (f->expands && f->expand.products) {
        const hst_share rows = hst_share_of(r->a, f->depthwise.in.h);
        round_input(r, rows.first, rows.end);
        hst_barrier_wait(r->a->barrier);
    }
    for (int i = s.first; i < s.end; i++) {
        const int c = i / chunks * f->group, at = i % chunks;
        const int y = at * out / chunks, n = (at + 1) * out / chunks - y;
        int end, first = rows_under(f, y, n, &end);
        if (f->expands)
            expand(r, c, first, end);
        depthwise_rows(r, c, y, n);
    }
    hst_barrier_wait(r->a->barrier);
    project(r, 0, out, 1);
}

/* Buffers for bands of `band` rows, all groups one after another in the same ring or each with its
 * own. */
static tiling lay_out(const block *f, int band, int rings)
{
    const hst_conv *c = &f->conv;
    const hst_shape in = f->depthwise.in;
    tiling t = {.band = band, .ring_rows = (band - 1) * c->stride + c->kernel};
    t.ring_rows = t.ring_rows > in.h ? in.h : t.ring_rows;
    const size_t ring = (size_t)t.ring_rows * (size_t)in.w * (size_t)f->group;
    t.group_floats = rings > 1 ? ring : 0;
    t.ring_floats = f->expands ? ring * (size_t)rings : 0;
    t.dw_floats = (size_t)band * (size_t)f->depthwise.out.w * dw_step(f);
    if (f->expands && f->expand.products)
        t.low_floats = (size_t)t.ring_rows * (size_t)in.w * expand_ld(f) / sizeof(float);
    return t;
}

/* Bands that go on from row to row keep a ring for every group. */
static tiling lay_out_bands(const block *f, int band)
{
    return lay_out(f, band, band < f->rows.out ? n_groups(f) : 1);
}

static tiling lay_out_groups(const block *f, int threads)
{
    const int chunks = n_chunks(f, threads);
    tiling t = lay_out(f, (f->rows.out + chunks - 1) / chunks, 1);
    t.dw_floats = t.low_floats = 0; /* shared */
    return t;
}

/* Rows of a thread's own would be too few beside those at their edges that two threads expand. */
static int by_groups(const block *f, int threads)
{
    enum { LEAST_ROWS = 8 };
    return threads > 1 && f->rows.out < LEAST_ROWS * threads;
}

/* Of a row of a group's depthwise outputs, which only rounding needs. */
static size_t row_floats(const block *f)
{
    return f->project.products ? (size_t)f->depthwise.out.w * (size_t)f->group : 0;
}

static hst_step_memory memory(const hst_step *step, int threads)
{
    const block *f = step->own;
    const hst_node *n = &f->expand.node;
    const int groups = by_groups(f, threads);
    const tiling t = groups ? lay_out_groups(f, threads) : f->bands;
    const tiling all = lay_out(f, f->rows.out, 1);
    const size_t windows = f->expands ? n->op->scratch(n, f->expand.in) : 0;
    return (hst_step_memory){.own = t.ring_floats + t.dw_floats + t.low_floats + row_floats(f) +
                                    windows,
                             .shared = groups ? all.dw_floats + all.low_floats : 0};
}

static void infer(const hst_step *step, const hst_run_args *a)
{
    const block *f = step->own;
    const int groups = by_groups(f, a->threads);
    fused_run r = {.f = f, .a = a, .ring = a->scratch};
    r.t = groups ? lay_out_groups(f, a->threads) : f->bands;
    r.dw = groups ? a->shared : r.ring + r.t.ring_floats;
    r.row = r.ring + r.t.ring_floats + r.t.dw_floats;
    float *low = r.row + row_floats(f);
    r.windows = low + r.t.low_floats;
    r.low = (char *)(groups ? r.dw + lay_out(f, f->rows.out, 1).dw_floats : low);
    if (groups)
        run_groups(&r);
    else
        run_bands(&r);
}

/* ---- planning ---- */

/* The whole image when it fits, else the most rows that do, shared out evenly. */
static void choose_band(block *f, size_t cache_bytes)
{
    const size_t most = cache_bytes / 2 / sizeof(float); /* half is for weights, input, output */
    const int rows = f->rows.out;
    int band = rows;
    for (; band > 1; band--) {
        const tiling t = lay_out_bands(f, band);
        if (t.ring_floats + t.dw_floats + t.low_floats <= most)
            break;
    }
    const int bands = (rows + band - 1) / band;
    f->bands = lay_out_bands(f, (rows + bands - 1) / bands);
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_group *g = &s->group;
    const int n = g->n_units;
    const hst_unit *dw = &g->unit[n - 2], *project = &g->unit[n - 1];
    if (hst_act_late(hst_unit_act(p->graph, project)) != HST_ACT_NONE)
        return 0;
    block *f = hst_alloc(1, sizeof *f, err);
    s->own = f;
    if (!f)
        return HST_EMEM;
    f->expands = n == 3;
    if (f->expands)
        hst_infer_unit_describe(p, &g->unit[0], &f->expand);
    hst_infer_unit_describe(p, dw, &f->depthwise);
    hst_infer_unit_describe(p, project, &f->project);
    f->conv = *hst_node_conv(&f->depthwise.node);
    f->rows = hst_conv_span(&f->conv, f->depthwise.in.h);
    f->hidden = f->depthwise.in.c;
    /* Windows are laid out once for all channels. */
    const int panel = f->expand.products ? f->expand.products->panel : p->kernels->panel;
    f->group = f->expands && hst_unit_is_pointwise(p->graph, &g->unit[0]) ? panel : f->hidden;
    choose_band(f, p->request.cache_bytes);
    s->input[0] = g->unit[0].x;
    s->input[1] = project->added;
    s->scratch_floats = memory(s, 1).own;
    for (int i = 0; i < n; i++)
        s->state_floats += hst_whole_lines(hst_infer_unit_floats(p, &g->unit[i]));
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    block *f = s->own;
    hst_infer_unit *out[] = {&f->expand, &f->depthwise, &f->project};
    float *state = s->state;
    int rc = 0;
    (void)scratch;
    for (int i = 0; rc == 0 && i < s->group.n_units; i++) {
        const hst_unit *u = &s->group.unit[i];
        rc = hst_infer_unit_pack(p, u, state, out[3 - s->group.n_units + i], err);
        state += hst_whole_lines(hst_infer_unit_floats(p, u));
    }
    return rc;
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_inverted_residual_runner = {.name = "inverted residual",
                                                       .prepare = prepare,
                                                       .pack = pack,
                                                       .infer = infer,
                                                       .memory = memory,
                                                       .clear = clear};
