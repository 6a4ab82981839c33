/* convolution.c - full convolutions as matrix products.
 *
 * Rows of the matrix are the windows of output pixels: pixels themselves for a 1x1 convolution;
 * other windows are laid out (im2col), a block of them at a time: as many as the cache holds, and
 * more where the weights are large, which each block reads once.
 *
 * Rows a power of two apart meet in few sets of the first-level cache, fewer than a tile has rows
 * (4096 bytes: in one): such pixels are copied with a gap as well. */
#include "nn/infer/unit.h"

#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct layer {
    hst_infer_unit unit;
    hst_geometry geometry; /* its ld: between rows of the matrix */
    int k;                 /* terms of a sum */
    int lays_out;          /* 1: rows of the matrix are made from the input */
    int items, wide;       /* output rows of so many pixels; of a 1x1 convolution: pixels */
    int block;             /* the most items at a time */
    int streams;           /* the weights are larger than the cache */
} layer;

/* ---- running ---- */

static size_t matrix_floats(const layer *l, int items)
{
    return l->lays_out ? (size_t)items * (size_t)l->wide * l->geometry.ld : 0;
}

/* Items of several images are one row of items; they are cut into blocks of equal size. */
static int block_for(const layer *l, int images)
{
    const int items = l->items * images, blocks = (items + l->block - 1) / l->block;
    return (items + blocks - 1) / blocks;
}

/* Rows of the matrix of items from .. to. */
static void lay_out(const layer *l, const hst_run_args *a, int from, int to, float *out)
{
    const size_t c = (size_t)l->unit.in.c, step = (size_t)l->wide * l->geometry.ld;
    const size_t image = hst_shape_floats(l->unit.in);
    for (int i = from; i < to; i++, out += step)
        if (l->wide > 1 || !hst_conv_is_pointwise(&l->geometry.conv))
            hst_im2col(&l->geometry, a->x[0] + (size_t)(i / l->items) * image, i % l->items, out);
        else
            memcpy(out, a->x[0] + (size_t)i * c, c * sizeof *out);
}

/* The product of items from .. to, whose rows are at x. */
static hst_gemm product(const layer *l, const hst_run_args *a, int from, int to, const float *x)
{
    const size_t n = (size_t)l->unit.out.c, at = (size_t)from * (size_t)l->wide * n;
    return (hst_gemm){.x = x,
                      .ldx = l->geometry.ld,
                      .w = l->unit.weights,
                      .bias = l->unit.bias,
                      .y = a->y + at,
                      .ldy = n,
                      .residual = a->x[1] ? a->x[1] + at : NULL,
                      .rows = (size_t)(to - from) * (size_t)l->wide,
                      .k = l->k,
                      .n = (int)n,
                      .clamp = hst_act_clamp(l->unit.act),
                      .streams = l->streams};
}

/* Every thread takes a part of the items, block by block. */
static void run_blocks(const layer *l, const hst_run_args *a)
{
    const hst_share items = hst_share_of(a, l->items * a->images);
    const int block = block_for(l, a->images);
    for (int i = items.first, end; i < items.end; i = end) {
        end = items.end - i < block ? items.end : i + block;
        const float *x = l->lays_out ? a->scratch : a->x[0] + (size_t)i * l->geometry.ld;
        if (l->lays_out)
            lay_out(l, a, i, end, a->scratch);
        const hst_gemm g = product(l, a, i, end, x);
        a->kernels->gemm(&g);
        hst_infer_activate(&l->unit, a, g.y, g.rows * g.ldy);
    }
}

/* All threads on one matrix with few rows, of which each takes panels of columns. */
static void run_panels(const layer *l, const hst_run_args *a)
{
    const hst_share items = hst_share_of(a, l->items);
    if (l->lays_out) {
        lay_out(l, a, items.first, items.end, a->shared + matrix_floats(l, items.first));
        hst_barrier_wait(a->barrier);
    }
    const hst_gemm g = product(l, a, 0, l->items, l->lays_out ? a->shared : a->x[0]);
    hst_infer_product(a, &g);
    if (hst_act_late(l->unit.act) == HST_ACT_NONE)
        return;
    hst_barrier_wait(a->barrier);
    const size_t row = (size_t)l->wide * g.ldy;
    hst_infer_activate(&l->unit, a, g.y + (size_t)items.first * row,
                       (size_t)(items.end - items.first) * row);
}

static int by_panels(const layer *l, int threads)
{
    return threads > 1 && hst_infer_shares_panels((size_t)l->items * (size_t)l->wide, threads);
}

static hst_step_memory memory(const hst_step *s, int threads, int images)
{
    const layer *l = s->own;
    if (by_panels(l, threads))
        return (hst_step_memory){.shared = matrix_floats(l, l->items)};
    /* not block_for: blocks of fewer images may be larger */
    const int items = l->items * images;
    return (hst_step_memory){.own = matrix_floats(l, l->block < items ? l->block : items)};
}

static void infer(const hst_step *s, const hst_run_args *a)
{
    const layer *l = s->own;
    if (by_panels(l, a->threads))
        run_panels(l, a);
    else
        run_blocks(l, a);
}

/* ---- planning ---- */

/* Blocks of rows for a quarter of the cache; for all of it where the weights, which every block
 * reads, are larger still. Where an activation comes behind the product and few weights are read
 * again, as many outputs as the first-level cache holds in between. */
static int block_of(const layer *l, size_t weights, size_t cache)
{
    enum { TILE_ROWS = 14, LATE_FLOATS = 4096 };
    const size_t n = (size_t)l->unit.out.c, wide = (size_t)l->wide;
    const int late = hst_act_late(l->unit.act) != HST_ACT_NONE;
    if (!l->lays_out && !late)
        return INT_MAX / 2;
    const size_t most = weights > cache ? cache : cache / 4;
    size_t block = most / (wide * (l->geometry.ld + (late ? n : 0)));
    if (late && !l->lays_out && weights < cache / 4)
        block = LATE_FLOATS / n / TILE_ROWS * TILE_ROWS;
    const size_t least = l->wide == 1 ? TILE_ROWS : 1;
    return (int)(block < least ? least : block);
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    enum { APART = 1024, GAP = 16 }; /* floats */
    const hst_unit *u = &s->group.unit[0];
    hst_infer_unit unit;
    hst_infer_unit_describe(p, u, &unit);
    if (u->kind != HST_UNIT_CONV || unit.products)
        return 0;
    layer *l = hst_alloc(1, sizeof *l, err);
    s->own = l;
    if (!l)
        return HST_EMEM;
    l->unit = unit;
    const hst_conv *c = hst_node_conv(&l->unit.node);
    const int pixels = hst_conv_is_pointwise(c);
    l->k = hst_conv_taps(c) * l->unit.in.c;
    l->geometry = (hst_geometry){*c, l->unit.in, l->unit.out, (size_t)l->k};
    l->items = pixels ? l->unit.out.h * l->unit.out.w : l->unit.out.h;
    l->wide = pixels ? 1 : l->unit.out.w;
    l->lays_out = !pixels || l->k % APART == 0;
    if (l->k % APART == 0)
        l->geometry.ld += GAP;
    s->input[0] = u->x;
    s->input[1] = u->added;
    s->state_floats = hst_infer_unit_floats(p, u);
    const size_t cache = p->request.cache_bytes / sizeof(float);
    l->streams = s->state_floats > cache / 2;
    l->block = block_of(l, s->state_floats, cache);
    s->several = 1;
    s->scratch_floats = memory(s, 1, 1).own;
    return 1;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    layer *l = s->own;
    (void)scratch;
    return hst_infer_unit_pack(p, &s->group.unit[0], s->state, &l->unit, err);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_convolution_runner = {.name = "convolution",
                                                 .prepare = prepare,
                                                 .pack = pack,
                                                 .infer = infer,
                                                 .memory = memory,
                                                 .clear = clear};
