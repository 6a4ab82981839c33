/* learn_fused.c - recognises inverted residuals with frozen batch norm among the nodes that learn,
 * cuts them for the cache and keeps their weights packed; the loops are in learn_fused_run.c. */
#include "nn/learn_fused.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const hst_node *node_of(const hst_learn *l, const hst_unit *u)
{
    return hst_graph_node(l->graph, u->conv);
}

static hst_shape shape_of(const hst_learn *l, int node)
{
    return hst_graph_node(l->graph, node)->out;
}

/* ---- what is a block ---- */

static int is_pointwise(const hst_node *n)
{
    return n->op == &hst_op_conv2d && n->conv.kernel == 1 && n->conv.stride == 1;
}

static int is_deep(const hst_node *n)
{
    const hst_conv *c = &n->conv;
    return n->op == &hst_op_depthwise && (c->kernel == 3 || c->kernel == 5) &&
           (c->stride == 1 || c->stride == 2);
}

/* The value at `node` is read by the node behind alone. */
static int leads_on(const hst_learn *l, int node)
{
    return l->readers[node] == 1 && hst_graph_node(l->graph, node + 1)->input[0] == node;
}

/* An expansion, or a stem on the network's input, which needs no gradient. */
static int match_expand(const hst_learn *l, int node, int limit, hst_learn_block *b)
{
    int next = hst_unit_match(l, node, limit, 1, &b->expand);
    const hst_node *n = next ? node_of(l, &b->expand) : NULL;
    if (n && next < limit && leads_on(l, next - 1) && n->op == &hst_op_conv2d &&
        (is_pointwise(n) || n->input[0] == 0)) {
        b->windows = !is_pointwise(n);
        b->front = n->conv;
        return next;
    }
    b->expand = (hst_unit){0};
    return node;
}

/* The block's input added to its output: the node behind it. */
static int match_residual(const hst_learn *l, int node, int limit, int input)
{
    const hst_node *n = node < limit ? hst_graph_node(l->graph, node) : NULL;
    if (!n || n->op != &hst_op_add || l->readers[node - 1] != 1 || input == 0)
        return 0;
    return (n->input[0] == input && n->input[1] == node - 1) ||
           (n->input[1] == input && n->input[0] == node - 1);
}

/* Returns the node behind the block, 0: there is none. */
static int match_block(const hst_learn *l, int node, int limit, hst_learn_block *b)
{
    int at = match_expand(l, node, limit, b);
    at = hst_unit_match(l, at, limit, 1, &b->deep);
    if (!at || at >= limit || !is_deep(node_of(l, &b->deep)) || !leads_on(l, at - 1))
        return 0;
    at = hst_unit_match(l, at, limit, 0, &b->project);
    if (!at || !is_pointwise(node_of(l, &b->project)))
        return 0;
    int input = hst_graph_node(l->graph, node)->input[0];
    b->residual = match_residual(l, at, limit, input);
    return at + b->residual;
}

/* ---- cutting ---- */

/* As many images as fit while a band is a whole one, else as many rows, shared out evenly. */
static void choose_cut(hst_learn_block *b, hst_fused_cut *cut,
                       size_t (*size)(const hst_learn_block *), size_t most)
{
    int out = b->rows.out, band = out < HST_FUSED_BAND ? out : HST_FUSED_BAND, images = 1;
    *cut = hst_fused_cut_of(b, 1, band);
    while (band > 1 && size(b) > most)
        *cut = hst_fused_cut_of(b, 1, --band);
    for (; band == out && images < HST_LEARN_GROUP; images++) {
        *cut = hst_fused_cut_of(b, images + 1, band);
        if (size(b) > most)
            break;
    }
    int bands = (out + band - 1) / band;
    *cut = hst_fused_cut_of(b, images, (out + bands - 1) / bands);
}

/* Whether to keep the expanded rows rather than compute them again: one number is eight bytes to
 * and from memory, or as many multiply-adds as the block has inputs. At some 10 GB/s and 50
 * multiply-adds a nanosecond the two cost the same near 40 inputs. */
static int keeps(const hst_learn_block *b)
{
    enum { INPUTS = 48 };
    return !b->windows && b->expand.rows >= INPUTS;
}

static void describe(const hst_learn *l, const hst_learn_step *s, hst_learn_block *b)
{
    const hst_node *deep = node_of(l, &b->deep);
    const size_t cache = l->options.cache_bytes / sizeof(float);
    b->conv = deep->conv;
    b->in = shape_of(l, s->input[0]);
    b->wide = shape_of(l, deep->input[0]);
    b->out = shape_of(l, s->end - 1);
    b->rows = hst_conv_span(&b->conv, b->wide.h);
    b->cols = hst_conv_span(&b->conv, b->wide.w);
    b->keeps = keeps(b);
    b->group = hst_unit_group(b->wide.c, l->kernels->panel);
    choose_cut(b, &b->forward, hst_fused_forward_floats, cache / 2);
    choose_cut(b, &b->backward, hst_fused_backward_floats, cache * 5 / 8);
}

/* ---- weights ---- */

/* Packed kernels in s->state, and the folded ones they are made from. */
typedef struct sizes {
    size_t expand, expand_t, deep, project, project_t, folded;
} sizes;

static sizes sizes_of(const hst_kernels *k, const hst_learn_block *b)
{
    const int hidden = b->wide.c;
    sizes z = {.deep = (b->deep.rows + 1) * b->deep.n,
               .project = hst_gemm_packed(k, hidden, b->out.c),
               .project_t = hst_gemm_packed(k, b->out.c, hidden)};
    size_t most = (b->project.rows + 1) * b->project.n;
    if (b->expand.n > 0) {
        z.expand = hst_gemm_packed(k, (int)b->expand.rows, hidden);
        z.expand_t = b->windows ? 0 : hst_unit_packed_groups(k, &b->expand, b->group);
        size_t wide = (b->expand.rows + 1) * b->expand.n;
        most = most > wide ? most : wide;
    }
    z.folded = 2 * most; /* and transposed */
    return z;
}

static float *pack_expand(hst_learn *l, hst_learn_block *b, float *state, const sizes *z)
{
    const hst_unit *u = &b->expand;
    float *w = l->scratch, *turned = w + (u->rows + 1) * u->n;
    hst_unit_fold(l, u, w);
    b->expand_w = state;
    b->expand_b = hst_gemm_pack(l->kernels, w, w + u->rows * u->n, (int)u->rows, b->wide.c, state);
    state += z->expand;
    b->expand_t = state;
    if (b->windows)
        return state;
    hst_unit_pack_groups(l->kernels, u, w, b->group, turned, state);
    return state + z->expand_t;
}

static float *pack_project(hst_learn *l, hst_learn_block *b, float *state, const sizes *z)
{
    const hst_unit *u = &b->project;
    float *w = l->scratch, *turned = w + (u->rows + 1) * u->n;
    hst_unit_fold(l, u, w);
    b->project_w = state;
    b->project_b = hst_gemm_pack(l->kernels, w, w + u->rows * u->n, b->wide.c, b->out.c, state);
    state += z->project;
    hst_unit_transpose(u, w, turned);
    b->project_t = state;
    b->zero = hst_gemm_pack(l->kernels, turned, NULL, b->out.c, b->wide.c, state);
    return state + z->project_t;
}

static void changed(hst_learn *l, hst_learn_step *s)
{
    hst_learn_block *b = s->own;
    const sizes z = sizes_of(l->kernels, b);
    float *state = s->state;
    if (b->expand.n > 0)
        state = pack_expand(l, b, state, &z);
    state = pack_project(l, b, state, &z);
    hst_unit_fold(l, &b->deep, state);
    b->deep_w = state;
    b->deep_b = state + b->deep.rows * b->deep.n;
}

/* ---- the step ---- */

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int match(hst_learn *l, int limit, hst_learn_step *s, hst_err *err)
{
    hst_learn_block b = {0};
    const int end = l->options.fuse ? match_block(l, s->node, limit, &b) : 0;
    if (!end)
        return 0;
    s->end = end;
    s->input[0] = hst_graph_node(l->graph, s->node)->input[0];
    s->reads = HST_READS_INPUT;
    describe(l, s, &b);
    s->keep_floats = b.keeps ? (size_t)b.wide.h * (size_t)b.wide.w * (size_t)b.wide.c : 0;
    const sizes z = sizes_of(l->kernels, &b);
    s->state_floats = z.expand + z.expand_t + z.deep + z.project + z.project_t;
    s->scratch_floats =
        most(most(hst_fused_forward_floats(&b), hst_fused_backward_floats(&b)), z.folded);
    s->own = hst_alloc(1, sizeof b, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &b, sizeof b);
    return 1;
}

static void forward(hst_learn *l, hst_learn_step *s)
{
    hst_learn_images(l, s, hst_fused_forward);
}

static void backward(hst_learn *l, hst_learn_step *s)
{
    const hst_learn_block *b = s->own;
    hst_learn_groups(l, s, hst_fused_backward);
    if (b->expand.n > 0)
        hst_unit_unfold(l, &b->expand);
    hst_unit_unfold(l, &b->deep);
    hst_unit_unfold(l, &b->project);
}

static void clear(hst_learn_step *s)
{
    free(s->own);
}

const hst_learn_kind hst_learn_fused_kind = {.name = "inverted residual",
                                             .match = match,
                                             .forward = forward,
                                             .backward = backward,
                                             .changed = changed,
                                             .clear = clear};
