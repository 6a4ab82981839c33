/* learn_chain.c - which nodes are a chain, its memory and its packed weights. */
#include "nn/learn_chain.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    TILE_FLOATS = 48 * 1024, /* of a tile's input and output: they share a 512 KB cache */
    TILE_LEAST = 28,         /* pixels: two tiles of the widest kernel */
    RING_FLOATS = 48 * 1024
};

static size_t row_floats(hst_shape s)
{
    return (size_t)s.w * (size_t)s.c;
}

static size_t pixels(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

int hst_link_tile(const hst_link *u)
{
    size_t n = pixels(u->view.out), most = TILE_FLOATS / (size_t)(u->k + u->view.out.c);
    most = most < TILE_LEAST ? TILE_LEAST : most;
    size_t tiles = (n + most - 1) / most;
    return (int)((n + tiles - 1) / tiles);
}

int hst_link_band(const hst_link *u)
{
    const hst_conv *c = &u->view.conv;
    int rows = (int)(RING_FLOATS / row_floats(u->view.in));
    int band = rows <= c->kernel ? 1 : (rows - c->kernel) / c->stride + 1;
    return band < u->view.out.h ? band : u->view.out.h;
}

int hst_link_ring(const hst_link *u)
{
    return hst_link_band(u) * u->view.conv.stride + u->view.conv.kernel;
}

int hst_link_back_ring(const hst_link *u)
{
    return hst_link_band(u) + u->view.conv.kernel;
}

hst_norm_state hst_link_norm(const hst_learn_step *s, const hst_link *u)
{
    return hst_norm_state_at(s->state + u->norm_state, (size_t)u->view.out.c);
}

/* ---- which nodes ---- */

static const hst_node *node(const hst_learn *l, int i)
{
    return hst_graph_node(l->graph, i);
}

/* 1: node i exists, is op, and is the only one to read the node before it. */
static int follows(const hst_learn *l, int i, int limit, const hst_op *op)
{
    return i < limit && node(l, i)->op == op && node(l, i)->input[0] == i - 1 &&
           l->readers[i - 1] == 1;
}

/* The unit that begins at node i, or 0. Returns the node behind it. */
static int match_unit(const hst_learn *l, int i, int limit, hst_link *u)
{
    const hst_node *n = node(l, i);
    *u = (hst_link){.conv = i, .norm = i + 1, .deep = n->op == &hst_op_depthwise};
    if (i >= limit || (!u->deep && n->op != &hst_op_conv2d) ||
        !follows(l, i + 1, limit, &hst_op_batchnorm))
        return 0;
    u->view = (hst_step){.in = node(l, n->input[0])->out, .out = n->out, .conv = n->conv};
    u->windows = !u->deep && (n->conv.kernel > 1 || n->conv.stride > 1);
    u->k = n->conv.kernel * n->conv.kernel * (u->deep ? 1 : u->view.in.c);
    u->relu6 = follows(l, i + 2, limit, &hst_op_relu6);
    return i + 2 + u->relu6;
}

/* Fills the units; returns the node behind them. */
static int match_units(const hst_learn *l, int i, int limit, hst_chain_step *c)
{
    int end = match_unit(l, i, limit, &c->unit[0]);
    for (c->n = end > 0; c->n > 0 && c->n < HST_CHAIN_MOST; c->n++) {
        hst_link *u = &c->unit[c->n];
        int next = end < limit ? match_unit(l, end, limit, u) : 0;
        if (next == 0 || !c->unit[c->n - 1].relu6 || u->windows || l->readers[end - 1] != 1 ||
            node(l, end)->input[0] != end - 1)
            break;
        u->lazy = 1;
        end = next;
    }
    return end;
}

/* The value that is added to the chain's output by the node behind it, or -1. */
static int added(const hst_learn *l, const hst_learn_step *s, int limit)
{
    if (s->end >= limit || node(l, s->end)->op != &hst_op_add || l->readers[s->end - 1] != 1)
        return -1;
    const int *in = node(l, s->end)->input;
    int other = in[0] == s->end - 1 ? in[1] : in[1] == s->end - 1 ? in[0] : -1;
    return other < s->node ? other : -1;
}

/* ---- memory ---- */

static size_t rounded(size_t n)
{
    enum { TO = HST_ALIGN / sizeof(float) };
    return (n + TO - 1) / TO * TO;
}

static size_t take(size_t *at, size_t n)
{
    size_t offset = *at;
    *at += rounded(n);
    return offset;
}

/* Floats of a loop over the unit, forward or backward. */
static size_t scratch_of(const hst_link *u)
{
    size_t in = row_floats(u->view.in), out = row_floats(u->view.out), c = (size_t)u->view.out.c;
    size_t sums = 2 * rounded(c > (size_t)u->view.in.c ? c : (size_t)u->view.in.c);
    if (u->deep)
        return rounded((size_t)hst_link_ring(u) * in) +
               rounded((size_t)hst_link_back_ring(u) * out) + rounded(in) + sums;
    size_t rows = u->windows ? (size_t)u->view.out.w : (size_t)hst_link_tile(u), k = (size_t)u->k;
    return (u->windows ? 2 : 1) * rounded(rows * k) + rounded(rows * c) + sums;
}

static void plan_memory(const hst_learn *l, hst_learn_step *s, hst_chain_step *c)
{
    size_t params = 0;
    for (int i = 0; i < c->n; i++) {
        hst_link *u = &c->unit[i];
        size_t n = (size_t)u->view.out.c, scratch = scratch_of(u);
        u->z = take(&s->keep_floats, pixels(u->view.out) * n);
        if (i + 1 < c->n)
            u->g = take(&s->temp_floats, pixels(u->view.out) * n);
        if (u->deep) {
            u->bias = take(&s->state_floats, n);
        } else {
            u->w = take(&s->state_floats, hst_gemm_packed(l->kernels, u->k, u->view.out.c));
            u->back = take(&s->state_floats, hst_gemm_packed(l->kernels, u->view.out.c, u->k));
        }
        u->norm_state = take(&s->state_floats, (HST_NORM_FLOATS + 3) * n);
        u->sums = s->state_doubles;
        s->state_doubles += 2 * n;
        u->first_param = params;
        u->n_params = (size_t)u->k * n + (u->view.conv.bias ? n : 0) + 2 * n;
        params += u->n_params;
        s->scratch_floats = scratch > s->scratch_floats ? scratch : s->scratch_floats;
        s->sum_doubles = 2 * n > s->sum_doubles ? 2 * n : s->sum_doubles;
    }
}

static int match(hst_learn *l, int limit, hst_learn_step *s, hst_err *err)
{
    hst_chain_step c = {0};
    if (!l->options.fuse)
        return 0;
    s->end = match_units(l, s->node, limit, &c);
    if (c.n == 0)
        return 0;
    s->input[HST_CHAIN_X] = node(l, s->node)->input[0];
    s->input[HST_CHAIN_ADDED] = added(l, s, limit);
    s->end += s->input[HST_CHAIN_ADDED] >= 0;
    s->reads = HST_READS_INPUT;
    plan_memory(l, s, &c);
    s->own = hst_alloc(1, sizeof c, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &c, sizeof c);
    return 1;
}

/* ---- weights ---- */

static void changed(hst_learn *l, hst_learn_step *s)
{
    const hst_chain_step *c = s->own;
    for (int i = 0; i < c->n; i++) {
        const hst_link *u = &c->unit[i];
        const float *w = hst_learn_param(l, u->conv, 0);
        const float *bias = u->view.conv.bias ? hst_learn_param(l, u->conv, 1) : NULL;
        hst_norm_state norm = hst_link_norm(s, u);
        if (!hst_learn_is_batch(l, u->norm))
            hst_norm_fix(l, u->norm, NULL, NULL, &norm);
        if (u->deep && bias)
            memcpy(s->state + u->bias, bias, (size_t)u->view.out.c * sizeof *bias);
        if (u->deep)
            continue;
        (void)hst_gemm_pack(l->kernels, w, bias, u->k, u->view.out.c, s->state + u->w);
        if (s->active)
            hst_gemm_pack_transposed(l->kernels, w, u->k, u->view.out.c, s->state + u->back);
    }
}

static void clear(hst_learn_step *s)
{
    free(s->own);
}

const hst_learn_kind hst_learn_chain_kind = {.name = "chain",
                                             .match = match,
                                             .forward = hst_chain_forward,
                                             .backward = hst_chain_backward,
                                             .changed = changed,
                                             .clear = clear};
