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
 * neither bands nor threads. Their error is below that of the direct sum, which is longer.
 *
 * In lower precision v and the transformed weights are rounded, each once; sums and what is made of
 * them stay float32. Weights are then packed place by place. */
#include "nn/infer/low.h"

#include "base/finite.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>

enum { PLACES = HST_WINOGRAD_PLACES, TAPS = 9, PAD = 16 /* floats */ };

typedef struct layer {
    hst_infer_unit unit; /* weights: packed, then bias, then zeros in place of a bias */
    const float *zeros;
    int valid;      /* 1: no padding */
    int high, wide; /* tiles of the output */
    int band;       /* the most rows of tiles at a time */
    int panel;      /* channels */
    int streams;    /* the weights are larger than the cache */
    size_t ldv;     /* between tiles: rows of a power of two would meet in few sets of the cache */
    size_t place_bytes; /* of lower precision: packed weights of a place, with their zero bias */
} layer;

/* Where a run's matrices are: of tile rows first .. end-1. */
typedef struct part {
    const layer *l;
    const hst_run_args *a;
    float *v, *p;
    float *row; /* v of a row of tiles, in front of its rounding */
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

static size_t row_floats(const layer *l)
{
    return l->unit.products ? PLACES * (size_t)l->wide * (size_t)l->unit.in.c : 0;
}

/* ---- running ---- */

/* A row of tiles from r->row to v, rounded. */
static void round_row(const part *r, float *v, size_t place)
{
    const layer *l = r->l;
    const size_t c = (size_t)l->unit.in.c, wide = (size_t)l->wide;
    for (size_t i = 0; i < PLACES; i++)
        l->unit.products->convert(&(hst_low_rows){r->row + i * wide * c, c, wide, l->unit.in.c,
                                                  v + i * place, l->ldv * sizeof *v,
                                                  l->unit.quanta});
}

/* v of the tile rows from .. to. */
static void take_rows(const part *r, int from, int to)
{
    const layer *l = r->l;
    const hst_shape in = l->unit.in;
    const size_t place = tiles_of(l, r->end - r->first) * l->ldv;
    for (int t = from; t < to; t++) {
        float *v = r->v + tiles_of(l, t - r->first) * l->ldv;
        const float *x = r->a->x[0] + (size_t)(t / l->high) * hst_shape_floats(in);
        const int rounds = l->unit.products != NULL;
        hst_winograd_in w = {.v = rounds ? r->row : v,
                             .v_step = rounds ? (size_t)in.c : l->ldv,
                             .place = rounds ? (size_t)l->wide * (size_t)in.c : place,
                             .width = in.w,
                             .tiles = l->wide,
                             .channels = in.c,
                             .valid = l->valid};
        for (int i = 0; i < HST_WINOGRAD_SIDE; i++) {
            const int y = 2 * (t % l->high) + i - !l->valid;
            w.row[i] = y < 0 || y >= in.h ? NULL : x + (size_t)y * hst_shape_row_floats(in);
        }
        r->a->kernels->winograd_in(&w);
        if (rounds)
            round_row(r, v, place);
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
        const int y = 2 * (t % l->high), top = t / l->high * out.h + y;
        for (int i = 0; i < 2 && y + i < out.h; i++) {
            const size_t at = (size_t)(top + i) * hst_shape_row_floats(out) + (size_t)c;
            w.row[i] = r->a->y + at;
            w.residual[i] = r->a->x[1] ? r->a->x[1] + at : NULL;
        }
        r->a->kernels->winograd_out(&w);
    }
}

/* The products g of all places, of which the first is at g.x and g.y, for channels from c on. */
static void multiply(const part *r, hst_gemm g, int c)
{
    const layer *l = r->l;
    const size_t place = tiles_of(l, r->end - r->first) * l->ldv;
    const size_t weights = (size_t)g.k * (size_t)l->panel;
    g.w = l->unit.weights + (size_t)c * PLACES * (size_t)g.k;
    for (int i = 0; i < PLACES; i++, g.x += place, g.y += g.rows * g.ldy, g.w += weights)
        r->a->kernels->gemm(&g);
}

/* The same from rounded rows. */
static void multiply_low(const part *r, hst_gemm g, int c)
{
    const layer *l = r->l;
    const hst_products *products = l->unit.products;
    const size_t place = tiles_of(l, r->end - r->first) * l->ldv;
    const char *w = (const char *)l->unit.weights + (size_t)c * products->column_bytes(g.k);
    for (int i = 0; i < PLACES; i++, g.x += place, g.y += g.rows * g.ldy, w += l->place_bytes) {
        hst_low_gemm p = hst_low_of(&g, g.x, l->ldv * sizeof *g.x);
        p.w = w;
        products->multiply(&p);
    }
}

/* Panel `i` of the outputs of tile rows from .. to. */
static void panel_rows(const part *r, int i, int from, int to)
{
    const layer *l = r->l;
    const int c = i * l->panel, left = l->unit.out.c - c, n = left < l->panel ? left : l->panel;
    hst_gemm g = {.x = r->v + tiles_of(l, from - r->first) * l->ldv,
                  .ldx = l->ldv,
                  .bias = l->zeros,
                  .y = r->p,
                  .ldy = (size_t)l->panel,
                  .rows = tiles_of(l, to - from),
                  .k = l->unit.in.c,
                  .n = n,
                  .streams = l->streams};
    if (l->unit.products)
        multiply_low(r, g, c);
    else
        multiply(r, g, c);
    give_rows(r, c, n, from, to);
}

static int n_panels(const layer *l)
{
    return (l->unit.out.c + l->panel - 1) / l->panel;
}

/* The first output row of tile row t; tile rows of several images are one row of tiles. */
static size_t output_row(const layer *l, int t)
{
    return (size_t)(t / l->high * l->unit.out.h + 2 * (t % l->high));
}

/* The activation that is left for later, of the outputs of tile rows from .. to. */
static void activate_rows(const part *r, int from, int to)
{
    const size_t row = hst_shape_row_floats(r->l->unit.out), first = output_row(r->l, from);
    hst_infer_activate(&r->l->unit, r->a, r->a->y + first * row,
                       (output_row(r->l, to) - first) * row);
}

/* Cut into bands of equal size. */
static int band_for(const layer *l, int images)
{
    const int high = l->high * images, bands = (high + l->band - 1) / l->band;
    return (high + bands - 1) / bands;
}

/* Every thread takes a part of the rows, band by band. */
static void run_bands(part *r)
{
    const layer *l = r->l;
    const hst_share rows = hst_share_of(r->a, l->high * r->a->images);
    const int band = band_for(l, r->a->images);
    for (int t = rows.first; t < rows.end; t = r->end) {
        r->first = t;
        r->end = rows.end - t < band ? rows.end : t + band;
        take_rows(r, r->first, r->end);
        for (int i = 0; i < n_panels(l); i++)
            panel_rows(r, i, r->first, r->end);
        activate_rows(r, r->first, r->end);
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
    activate_rows(r, rows.first, rows.end);
}

/* A thread's own tiles would be too few beside the weights that each reads. */
static int by_panels(const layer *l, int threads)
{
    enum { LEAST_TILES = 56 };
    return threads > 1 && tiles_of(l, l->high) < (size_t)(LEAST_TILES * threads);
}

static hst_step_memory memory(const hst_step *s, int threads, int images)
{
    const layer *l = s->own;
    /* not band_for: bands of fewer images may be larger */
    const int high = l->high * images, band = l->band < high ? l->band : high;
    if (by_panels(l, threads))
        return (hst_step_memory){.own = p_floats(l, l->high) + row_floats(l),
                                 .shared = v_floats(l, l->high)};
    return (hst_step_memory){.own = v_floats(l, band) + p_floats(l, band) + row_floats(l)};
}

static void infer(const hst_step *s, const hst_run_args *a)
{
    const layer *l = s->own;
    const int panels = by_panels(l, a->threads);
    part r = {.l = l, .a = a, .row = a->scratch, .p = a->scratch + row_floats(l)};
    r.v = panels ? a->shared : r.p + p_floats(l, band_for(l, a->images));
    if (panels)
        run_panels(&r);
    else
        run_bands(&r);
}

/* ---- planning ---- */

/* Whatever the size of the map, so that a network's bits are those of one way at all sizes. */
static int is_taken(const hst_conv *c, hst_shape in)
{
    return c->kernel == 3 && hst_conv_wide(c) == 3 && c->stride == 1 &&
           in.c % HST_WINOGRAD_CHANNELS == 0 && c->channels % HST_WINOGRAD_CHANNELS == 0;
}

/* The most rows of tiles whose matrices leave half of the cache to weights. */
static int band_of(const layer *l, size_t cache_bytes)
{
    const size_t a_row = (v_floats(l, 1) + p_floats(l, 1)) * sizeof(float);
    const size_t most = cache_bytes / 2 / a_row;
    return most < 1 ? 1 : most < INT_MAX / 2 ? (int)most : INT_MAX / 2;
}

static size_t columns_of(const layer *l)
{
    return (size_t)n_panels(l) * (size_t)l->panel;
}

static size_t weight_floats(const layer *l)
{
    return PLACES * (l->unit.products ? l->place_bytes / sizeof(float)
                                      : columns_of(l) * (size_t)l->unit.in.c);
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_unit *u = &s->group.unit[0];
    hst_infer_unit unit;
    hst_infer_unit_describe(p, u, &unit);
    const hst_products *low = unit.products;
    if (u->kind != HST_UNIT_CONV || (low && !low->winograd) ||
        !is_taken(hst_node_conv(&unit.node), unit.in))
        return 0;
    layer *l = hst_alloc(1, sizeof *l, err);
    s->own = l;
    if (!l)
        return HST_EMEM;
    *l = (layer){.unit = unit,
                 .valid = hst_node_conv(&unit.node)->padding == HST_PAD_VALID,
                 .high = (unit.out.h + 1) / 2,
                 .wide = (unit.out.w + 1) / 2,
                 .panel = low ? low->panel : p->kernels->panel,
                 .ldv = low ? hst_low_ld(low, unit.in.c) / sizeof(float) : (size_t)unit.in.c + PAD,
                 .place_bytes = low ? low->packed_bytes(unit.in.c, unit.out.c) : 0};
    l->band = band_of(l, p->request.cache_bytes);
    s->input[0] = u->x;
    s->input[1] = u->added;
    s->state_floats = weight_floats(l) + columns_of(l) + (size_t)l->panel;
    s->several = 1;
    s->scratch_floats = memory(s, 1, 1).own;
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

/* u as products of lower precision want it, place by place; of[2][out]: ones, zeros. */
static int pack_low(const layer *l, const float *u, const double *of, char *out)
{
    const hst_products *products = l->unit.products;
    const int k = l->unit.in.c, n = l->unit.out.c;
    int finite = 1;
    for (int i = 0; i < PLACES; i++, u += (size_t)k * (size_t)n, out += l->place_bytes)
        finite &=
            products->pack(&(hst_low_weights){u, of, of + n, k, n, out, l->unit.quanta}) != NULL;
    return finite;
}

/* Weights, bias, zeros. d[4][out]: scale and shift, ones and zeros. */
static int pack_all(layer *l, const hst_kernels *kernels, const float *u, const double *d,
                    float *state)
{
    const int n = l->unit.out.c;
    float *bias = state + weight_floats(l), *zeros = bias + columns_of(l);
    int finite = 1;
    if (l->unit.products)
        finite = pack_low(l, u, d + 2 * (size_t)n, (char *)state);
    else
        hst_gemm_pack(kernels, u, NULL, PLACES * l->unit.in.c, n, state);
    for (size_t c = 0; c < columns_of(l); c++)
        bias[c] = c < (size_t)n ? (float)d[n + (int)c] : 0;
    for (int c = 0; c < l->panel; c++)
        zeros[c] = 0;
    l->unit.weights = state;
    l->unit.bias = bias;
    l->zeros = zeros;
    return finite;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    layer *l = s->own;
    const hst_unit *unit = &s->group.unit[0];
    const size_t k = PLACES * (size_t)l->unit.in.c, n = (size_t)l->unit.out.c;
    float *u = hst_alloc(k * n, sizeof *u, err);
    double *d = u ? hst_alloc(n, 4 * sizeof *d, err) : NULL;
    int finite = 0;
    (void)scratch;
    for (size_t c = 0; d && c < n; c++)
        d[2 * n + c] = 1;
    if (d) {
        hst_infer_unit_affine(p, unit, d, d + n);
        make_weights(l, hst_plan_param(p, unit->first, 0), d, u);
        finite = pack_all(l, p->kernels, u, d, s->state);
    }
    free(u);
    if (!d)
        return HST_EMEM;
    free(d);
    const size_t first = l->unit.products ? weight_floats(l) : 0;
    return finite ? hst_infer_unit_finite(&l->unit, s->state + first, s->state_floats - first, err)
                  : hst_infer_unit_infinite(&l->unit, err);
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
