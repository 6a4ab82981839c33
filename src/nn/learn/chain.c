/* chain.c - which groups are a chain, its memory and its packed weights. */
#include "nn/learn/chain.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    TILE_FLOATS = 48 * 1024, /* of a tile's input and output: they share a 512 KB cache */
    TILE_LEAST = 28,         /* pixels: two tiles of the widest kernel */
    TILE_FREE = 126, /* the same where no sums are cut: large weights are read once for it */
    RING_FLOATS = 48 * 1024,
    ROWS_PIXELS = 56 /* of as many rows as are laid out at once: weights are read once for them */
};

int hst_link_tile(const hst_link *u)
{
    size_t n = hst_shape_pixels(u->geometry.out);
    size_t most = TILE_FLOATS / (size_t)(u->k + u->geometry.out.c);
    const size_t least = u->cuts_no_sums ? TILE_FREE : TILE_LEAST;
    most = most < least ? least : most;
    size_t tiles = (n + most - 1) / most;
    return (int)((n + tiles - 1) / tiles);
}

int hst_link_rows_at_once(const hst_link *u)
{
    const hst_shape out = u->geometry.out;
    const int rows = ROWS_PIXELS / out.w;
    return rows < 1 ? 1 : rows < out.h ? rows : out.h;
}

int hst_link_band(const hst_link *u)
{
    const hst_conv *c = &u->geometry.conv;
    int rows = (int)(RING_FLOATS / hst_shape_row_floats(u->geometry.in));
    int band = rows <= c->kernel ? 1 : (rows - c->kernel) / c->stride + 1;
    return band < u->geometry.out.h ? band : u->geometry.out.h;
}

int hst_link_ring(const hst_link *u)
{
    return hst_link_band(u) * u->geometry.conv.stride + u->geometry.conv.kernel;
}

int hst_link_back_ring(const hst_link *u)
{
    return hst_link_band(u) + u->geometry.conv.kernel;
}

hst_bn_state hst_link_norm(const hst_step *s, const hst_link *u)
{
    return hst_bn_state_at(s->state + u->norm_state, (size_t)u->geometry.out.c);
}

/* ---- which nodes ---- */

/* An activation behind a sum is found again from what it made: clamps only. */
static int link_of(const hst_plan *p, const hst_unit *unit, hst_link *u)
{
    const hst_graph *g = p->graph;
    const hst_node *conv = hst_unit_node(g, unit, HST_PART_CONV);
    *u = (hst_link){.conv = unit->first,
                    .norm = unit->node[HST_PART_NORM],
                    .depthwise = unit->kind == HST_UNIT_DEPTHWISE,
                    .act = hst_unit_act(g, unit)};
    u->act_after_add = unit->added >= 0 && u->act != HST_ACT_NONE;
    u->geometry =
        (hst_geometry){*hst_unit_conv(g, unit), hst_graph_shape(g, unit->x), hst_node_shape(conv)};
    u->by = hst_multiplier_of(p, unit);
    u->im2col = !u->depthwise && !hst_unit_is_pointwise(g, unit);
    u->k = (int)(hst_slot_count(&conv->slot[0]) / (size_t)u->geometry.out.c);
    const enum hst_norm_kind norm =
        u->norm < 0 ? HST_NORM_FACTOR : hst_graph_node(g, u->norm)->op->norm;
    u->norm_params = norm == HST_NORM_BATCH ? 2 : norm == HST_NORM_GAMMA;
    if (norm == HST_NORM_NONE)
        return 0;
    return !u->act_after_add || hst_act_late(u->act) == HST_ACT_NONE;
}

/* ---- memory ---- */

/* Floats of a loop over the link, forward or backward, without those of its products. */
static size_t loop_floats(const hst_link *u)
{
    const hst_shape in = u->geometry.in, out = u->geometry.out;
    size_t c = (size_t)out.c, sums = 2 * hst_whole_lines((size_t)(out.c > in.c ? out.c : in.c));
    if (u->depthwise)
        return hst_whole_lines((size_t)hst_link_ring(u) * hst_shape_row_floats(in)) +
               hst_whole_lines((size_t)hst_link_back_ring(u) * hst_shape_row_floats(out)) +
               hst_whole_lines(hst_shape_row_floats(in)) + sums;
    size_t rows = u->im2col ? (size_t)(hst_link_rows_at_once(u) * out.w) : (size_t)hst_link_tile(u);
    size_t k = (size_t)u->k;
    return (u->im2col ? 2 : 1) * hst_whole_lines(rows * k) + hst_whole_lines(rows * c) + sums;
}

/* The same with these, which get their places. */
static size_t scratch_of(hst_link *u)
{
    const int c = u->geometry.out.c;
    u->rounded = hst_whole_lines(loop_floats(u));
    if (u->depthwise)
        return u->rounded;
    u->gathered =
        u->rounded + hst_larger(hst_multiply_floats(u->by, u->k), hst_multiply_floats(u->by, c));
    return u->gathered + hst_gradient_floats(u->by, u->k, c);
}

static int is_batchnorm(const hst_plan *p, const hst_link *u)
{
    return u->norm >= 0 && hst_graph_node(p->graph, u->norm)->op->norm == HST_NORM_BATCH;
}

static void plan_memory(hst_step *s, hst_chain *c)
{
    size_t params = 0;
    for (int i = 0; i < c->n; i++) {
        hst_link *u = &c->link[i];
        size_t n = (size_t)u->geometry.out.c, scratch = scratch_of(u);
        u->z = hst_learn_take(&s->saved_floats, hst_shape_floats(u->geometry.out));
        if (i + 1 < c->n)
            u->g = hst_learn_take(&s->work_floats, hst_shape_floats(u->geometry.out));
        if (u->depthwise) {
            u->bias = hst_learn_take(&s->state_floats, n);
        } else {
            u->w = hst_learn_take(&s->state_floats, hst_matrix_floats(u->by, u->k, (int)n));
            u->back = hst_learn_take(&s->state_floats, hst_matrix_floats(u->by, (int)n, u->k));
        }
        u->norm_state = hst_learn_take(&s->state_floats, (HST_BN_FLOATS + 3) * n);
        u->sums = s->state_doubles;
        s->state_doubles += 2 * n;
        u->params.from = params;
        u->params.n =
            (size_t)u->k * n + (u->geometry.conv.bias ? n : 0) + (size_t)u->norm_params * n;
        params += u->params.n;
        s->scratch_floats = scratch > s->scratch_floats ? scratch : s->scratch_floats;
        s->sum_doubles = 2 * n > s->sum_doubles ? 2 * n : s->sum_doubles;
    }
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    hst_chain c = {.n = s->group.n_units};
    if (!p->request.fuse)
        return 0;
    for (int i = 0; i < c.n; i++) {
        if (!link_of(p, &s->group.unit[i], &c.link[i]))
            return 0;
        c.link[i].lazy = i > 0;
        c.link[i].cuts_no_sums =
            !is_batchnorm(p, &c.link[i]) && (i == 0 || !is_batchnorm(p, &c.link[i - 1]));
    }
    s->input[HST_CHAIN_X] = s->group.unit[0].x;
    s->input[HST_CHAIN_ADDED] = s->group.unit[c.n - 1].added;
    s->reads = HST_READS_INPUT | (c.link[c.n - 1].act_after_add ? HST_READS_OUTPUT : 0);
    plan_memory(s, &c);
    s->own = hst_alloc(1, sizeof c, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &c, sizeof c);
    return 1;
}

/* ---- weights ---- */

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    const hst_chain *c = s->own;
    (void)scratch;
    (void)err;
    for (int i = 0; i < c->n; i++) {
        const hst_link *u = &c->link[i];
        const float *w = hst_plan_param(p, u->conv, 0), *bias = hst_plan_param(p, u->conv, 1);
        const int n = u->geometry.out.c;
        hst_bn_state norm = hst_link_norm(s, u);
        if (!hst_plan_is_batch(p, u->norm))
            hst_bn_fix(p, u->norm, NULL, NULL, &norm);
        for (int k = 0; u->norm < 0 && k < n; k++)
            norm.scale[k] = norm.inverse[k] = 1; /* mean and shift are 0 */
        if (u->depthwise && bias)
            memcpy(s->state + u->bias, bias, (size_t)n * sizeof *bias);
        if (u->depthwise)
            continue;
        (void)hst_matrix_pack(u->by, w, bias, u->k, n, s->state + u->w);
        if (s->active)
            (void)hst_matrix_pack_transposed(u->by, w, u->k, n, s->state + u->back);
    }
    return 0;
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_learn_chain_runner = {.name = "chain",
                                           .prepare = prepare,
                                           .pack = pack,
                                           .forward = hst_chain_forward,
                                           .backward = hst_chain_backward,
                                           .clear = clear};
