/* winograd.c - 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3) (kernels.h).
 *
 * A band of rows of tiles at a time is made into 16 matrices; then, panel of output channels by
 * panel, these are multiplied and what comes out is made into outputs, which have not left the
 * cache:
 *
 *   x  --->  v [16][tiles][in]  --->  p [16][tiles][panel]  --->  y
 *                    weights [panel][16][in][panel channels]
 *
 * Tiles lie at even rows and columns of the output, whoever makes them, so that bits depend on
 * neither bands nor threads. Their error is below that of the direct sum, which is longer. */
#include "nn/infer/unit.h"

#include "base/finite.h"
#include "base/mem.h"

#include <stdlib.h>

enum { PLACES = HST_WINOGRAD_PLACES, TAPS = 9, PAD = 16 /* floats */ };

typedef struct layer {
    hst_infer_unit unit; /* weights: packed, then bias, then zeros in place of a bias */
    const float *zeros;
    int high, wide; /* tiles of the output */
    int band;       /* rows of tiles at a time */
    int panel;      /* channels */
    int streams;    /* the weights are larger than the cache */
    size_t ldv;     /* between tiles: rows of a power of two would meet in few sets of the cache */
} layer;

/* Where a run's matrices are: of tile rows first .. end-1. */
typedef struct part {
    const layer *l;
    const hst_run_args *a;
    float *v, *p;
    int first, end;
} part;

static size_t tiles_of(const layer *l, int rows)
{
    return (size_t)rows * (size_t)l->wide;
}

static size_t v_floats(const layer *l, int rows)
{
    return PLACES * tiles_of(l, rows) * l->ldv;
}

static size_t p_floats(const layer *l, int rows)
{
    return PLACES * tiles_of(l, rows) * (size_t)l->panel;
}

/* ---- running ---- */

/* v of the tile rows from .. to. */
static void take_rows(const part *r, int from, int to)
{
    const layer *l = r->l;
    const hst_shape in = l->unit.in;
    for (int t = from; t < to; t++) {
        hst_winograd_in w = {.v = r->v + tiles_of(l, t - r->first) * l->ldv,
                             .v_step = l->ldv,
                             .place = tiles_of(l, r->end - r->first) * l->ldv,
                             .width = in.w,
                             .tiles = l->wide,
                             .channels = in.c};
        for (int i = 0; i < HST_WINOGRAD_SIDE; i++) {
            const int y = 2 * t - 1 + i;
            w.row[i] =
                y < 0 || y >= in.h ? NULL : r->a->x[0] + (size_t)y * hst_shape_row_floats(in);
        }
        r->a->kernels->winograd_in(&w);
    }
}

/* Outputs of the tile rows from .. to, channels c .. c+n, from p of these rows. */
static void give_rows(const part *r, int c, int n, int from, int to)
{
    const layer *l = r->l;
    const hst_shape out = l->unit.out;
    for (int t = from; t < to; t++) {
        hst_winograd_out w = {.p = r->p + tiles_of(l, t - from) * (size_t)l->panel,
                              .p_step = (size_t)l->panel,
                              .place = tiles_of(l, to - from) * (size_t)l->panel,
                              .bias = l->unit.bias + c,
                              .y_step = (size_t)out.c,
                              .width = out.w,
                              .tiles = l->wide,
                              .channels = n,
                              .clamp = hst_act_clamp(l->unit.act)};
        for (int i = 0; i < 2 && 2 * t + i < out.h; i++) {
            const size_t at = (size_t)(2 * t + i) * hst_shape_row_floats(out) + (size_t)c;
            w.row[i] = r->a->y + at;
            w.residual[i] = r->a->x[1] ? r->a->x[1] + at : NULL;
        }
        r->a->kernels->winograd_out(&w);
    }
}

/* Panel `i` of the outputs of tile rows from .. to. */
static void panel_rows(const part *r, int i, int from, int to)
{
    const layer *l = r->l;
    const size_t k = (size_t)l->unit.in.c, panel = (size_t)l->panel;
    const int c = i * l->panel, left = l->unit.out.c - c, n = left < l->panel ? left : l->panel;
    hst_gemm g = {.x = r->v + tiles_of(l, from - r->first) * l->ldv,
                  .ldx = l->ldv,
                  .w = l->unit.weights + (size_t)c * PLACES * k,
                  .bias = l->zeros,
                  .y = r->p,
                  .ldy = panel,
                  .rows = tiles_of(l, to - from),
                  .k = l->unit.in.c,
                  .n = n,
                  .streams = l->streams};
    for (int place = 0; place < PLACES; place++) {
        r->a->kernels->gemm(&g);
        g.x += tiles_of(l, r->end - r->first) * l->ldv;
        g.w += k * panel;
        g.y += g.rows * panel;
    }
    give_rows(r, c, n, from, to);
}

static int n_panels(const layer *l)
{
    return (l->unit.out.c + l->panel - 1) / l->panel;
}

/* The activation that is left for later, of output rows that are there. */
static void activate_rows(const part *r, int from, int to)
{
    const hst_shape out = r->l->unit.out;
    const size_t row = hst_shape_row_floats(out);
    to = to < out.h ? to : out.h;
    hst_infer_activate(&r->l->unit, r->a, r->a->y + (size_t)from * row, (size_t)(to - from) * row);
}

/* Every thread takes a part of the rows, band by band. */
static void run_bands(part *r)
{
    const layer *l = r->l;
    const hst_share rows = hst_share_of(r->a, l->high);
    for (int t = rows.first; t < rows.end; t = r->end) {
        r->first = t;
        r->end = rows.end - t < l->band ? rows.end : t + l->band;
        take_rows(r, r->first, r->end);
        for (int i = 0; i < n_panels(l); i++)
            panel_rows(r, i, r->first, r->end);
        activate_rows(r, 2 * r->first, 2 * r->end);
    }
}

/* Several threads on few tiles share out panels, and rows of these where there are fewer panels
 * than threads. */
static void run_panels(part *r)
{
    const layer *l = r->l;
    const int panels = n_panels(l), threads = r->a->threads;
    const int most = (threads + panels - 1) / panels, chunks = most < l->high ? most : l->high;
    const hst_share rows = hst_share_of(r->a, l->high), work = hst_share_of(r->a, panels * chunks);
    r->first = 0;
    r->end = l->high;
    take_rows(r, rows.first, rows.end);
    hst_barrier_wait(r->a->barrier);
    for (int i = work.first; i < work.end; i++) {
        const int at = i % chunks;
        panel_rows(r, i / chunks, at * l->high / chunks, (at + 1) * l->high / chunks);
    }
    if (hst_act_late(l->unit.act) == HST_ACT_NONE)
        return;
    hst_barrier_wait(r->a->barrier);
    activate_rows(r, 2 * rows.first, 2 * rows.end);
}

/* A thread's own tiles would be too few beside the weights that each reads. */
static int by_panels(const layer *l, int threads)
{
    enum { LEAST_TILES = 56 };
    return threads > 1 && tiles_of(l, l->high) < (size_t)(LEAST_TILES * threads);
}

static hst_step_memory memory(const hst_step *s, int threads)
{
    const layer *l = s->own;
    if (by_panels(l, threads))
        return (hst_step_memory){.own = p_floats(l, l->high), .shared = v_floats(l, l->high)};
    return (hst_step_memory){.own = v_floats(l, l->band) + p_floats(l, l->band)};
}

static void infer(const hst_step *s, const hst_run_args *a)
{
    const layer *l = s->own;
    if (by_panels(l, a->threads))
        run_panels(&(part){.l = l, .a = a, .v = a->shared, .p = a->scratch});
    else
        run_bands(&(part){.l = l, .a = a, .v = a->scratch, .p = a->scratch + v_floats(l, l->band)});
}

/* ---- planning ---- */

/* Whatever the size of the map, so that a network's bits are those of one way at all sizes. */
static int is_taken(const hst_conv *c, hst_shape in)
{
    return c->kernel == 3 && c->stride == 1 && in.c % HST_WINOGRAD_CHANNELS == 0 &&
           c->channels % HST_WINOGRAD_CHANNELS == 0;
}

/* The most rows of tiles whose matrices leave half of the cache to weights, shared out evenly. */
static void choose_band(layer *l, size_t cache_bytes)
{
    const size_t most = cache_bytes / 2 / sizeof(float);
    int band = l->high;
    while (band > 1 && v_floats(l, band) + p_floats(l, band) > most)
        band--;
    const int bands = (l->high + band - 1) / band;
    l->band = (l->high + bands - 1) / bands;
}

static size_t packed_floats(const layer *l)
{
    return (size_t)n_panels(l) * (size_t)l->panel * (PLACES * (size_t)l->unit.in.c + 1);
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_unit *u = &s->group.unit[0];
    hst_infer_unit unit;
    hst_infer_unit_describe(p, u, &unit);
    if (u->kind != HST_UNIT_CONV || unit.products || !is_taken(hst_node_conv(&unit.node), unit.in))
        return 0;
    layer *l = hst_alloc(1, sizeof *l, err);
    s->own = l;
    if (!l)
        return HST_EMEM;
    *l = (layer){.unit = unit,
                 .high = (unit.in.h + 1) / 2,
                 .wide = (unit.in.w + 1) / 2,
                 .panel = p->kernels->panel,
                 .ldv = (size_t)unit.in.c + PAD};
    choose_band(l, p->request.cache_bytes);
    s->input[0] = u->x;
    s->input[1] = u->added;
    s->state_floats = packed_floats(l) + (size_t)l->panel;
    s->scratch_floats = memory(s, 1).own;
    l->streams = s->state_floats * sizeof(float) > p->request.cache_bytes / 2;
    return 1;
}

/* u[16][in][out] = G g G' of g[3][3][in][out], in double. */
static void make_weights(const layer *l, const float *g, const double *scale, float *u)
{
    static const double of[HST_WINOGRAD_SIDE][3] = {
        {1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};
    const size_t n = (size_t)l->unit.out.c, each = (size_t)l->unit.in.c * n;
    for (int place = 0; place < PLACES; place++)
        for (size_t i = 0; i < each; i++) {
            double sum = 0;
            for (int t = 0; t < TAPS; t++)
                sum += of[place / HST_WINOGRAD_SIDE][t / 3] * of[place % HST_WINOGRAD_SIDE][t % 3] *
                       (double)g[(size_t)t * each + i];
            *u++ = (float)(sum * scale[i % n]);
        }
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    layer *l = s->own;
    const hst_unit *unit = &s->group.unit[0];
    const int k = PLACES * l->unit.in.c, n = l->unit.out.c;
    float *u = hst_alloc((size_t)k * (size_t)n, sizeof *u, err);
    double *scale = u ? hst_alloc((size_t)n, 2 * sizeof *scale, err) : NULL, *shift = scale + n;
    (void)scratch;
    if (scale) {
        hst_infer_unit_affine(p, unit, scale, shift);
        make_weights(l, hst_plan_param(p, unit->first, 0), scale, u);
        float *bias = (float *)hst_gemm_pack(p->kernels, u, NULL, k, n, s->state);
        for (int c = 0; c < n; c++)
            bias[c] = (float)shift[c];
        float *zeros = s->state + packed_floats(l);
        for (int c = 0; c < l->panel; c++)
            zeros[c] = 0;
        l->unit.weights = s->state;
        l->unit.bias = bias;
        l->zeros = zeros;
    }
    free(u);
    if (!scale)
        return HST_EMEM;
    free(scale);
    return hst_infer_unit_finite(&l->unit, s->state, s->state_floats, err);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_winograd_runner = {.name = "3x3 by Winograd",
                                              .numerics = 1,
                                              .prepare = prepare,
                                              .pack = pack,
                                              .infer = infer,
                                              .memory = memory,
                                              .clear = clear};
