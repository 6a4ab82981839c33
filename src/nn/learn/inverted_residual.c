/* inverted_residual.c - inverted residuals with frozen batch norm among the nodes that learn: cut
 * for the cache, their weights packed; the loops are in inverted_residual_loops.c. */
#include "nn/learn/inverted_residual.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is a block ---- */

/* A convolution and its frozen norm, and the clamp behind them: 1, or 0: they are others. */
static int part_of(const hst_plan *p, const hst_unit *u, hst_conv_norm *out, float *top)
{
    const enum hst_act act = hst_unit_act(p->graph, u);
    *top = hst_act_clamp(act);
    return hst_act_late(act) == HST_ACT_NONE && hst_conv_norm_of(p, u, out);
}

/* An expansion, or a stem on the network's input, which needs no gradient. */
static int expand_of(const hst_plan *p, const hst_unit *u, hst_learn_block *b)
{
    b->front = (hst_geometry){*hst_unit_conv(p->graph, u), hst_graph_shape(p->graph, u->x),
                              hst_graph_shape(p->graph, u->first)};
    b->im2col = !hst_unit_is_pointwise(p->graph, u);
    return part_of(p, u, &b->expand, &b->expand_top) && b->expand_top > 0 &&
           (!b->im2col || u->x == 0);
}

static int block_of(const hst_plan *p, const hst_group *g, hst_learn_block *b)
{
    const hst_unit *project = &g->unit[g->n_units - 1], *depthwise = project - 1;
    const hst_conv *c = hst_unit_conv(p->graph, depthwise);
    if (g->n_units == 3 && !expand_of(p, &g->unit[0], b))
        return 0;
    b->conv = *c;
    b->residual = project->added >= 0;
    return (c->kernel == 3 || c->kernel == 5) && (c->stride == 1 || c->stride == 2) &&
           part_of(p, depthwise, &b->depthwise, &b->depthwise_top) && b->depthwise_top > 0 &&
           part_of(p, project, &b->project, &b->top) &&
           (!b->residual || (project->added == g->unit[0].x && project->added > 0));
}

/* ---- cutting ---- */

/* As many images as fit while a band is a whole one, else as many rows, shared out evenly. */
static void choose_cut(hst_learn_block *b, hst_block_cut *cut,
                       size_t (*size)(const hst_learn_block *), size_t most)
{
    int out = b->rows.out, band = out < HST_BLOCK_BAND ? out : HST_BLOCK_BAND, images = 1;
    *cut = hst_block_cut_of(b, 1, band);
    while (band > 1 && size(b) > most)
        *cut = hst_block_cut_of(b, 1, --band);
    for (; band == out && images < HST_LEARN_GROUP; images++) {
        *cut = hst_block_cut_of(b, images + 1, band);
        if (size(b) > most)
            break;
    }
    int bands = (out + band - 1) / band;
    *cut = hst_block_cut_of(b, images, (out + bands - 1) / bands);
}

/* Whether to save the expanded rows rather than compute them again: one number is eight bytes to
 * and from memory, or as many multiply-adds as the block has inputs. At some 10 GB/s and 50
 * multiply-adds a nanosecond the two cost the same near 40 inputs. */
static int saves_expanded(const hst_learn_block *b)
{
    enum { INPUTS = 48 };
    return !b->im2col && b->expand.rows >= INPUTS;
}

/* The multiplier of lower precision, where one of the two is. */
static hst_multiplier is_low(const hst_learn_block *b)
{
    return b->by_expand.low ? b->by_expand : b->by_project;
}

static void describe(const hst_plan *p, const hst_group *g, hst_learn_block *b)
{
    const size_t cache = p->request.cache_bytes / sizeof(float);
    b->in = hst_graph_shape(p->graph, g->unit[0].x);
    b->wide = hst_graph_shape(p->graph, g->unit[g->n_units - 2].x);
    b->out = hst_graph_shape(p->graph, g->end - 1);
    b->rows = hst_conv_span(&b->conv, b->wide.h);
    b->cols = hst_conv_span(&b->conv, b->wide.w);
    b->saves_expanded = saves_expanded(b);
    b->by_project = hst_multiplier_of(p, &g->unit[g->n_units - 1]);
    b->by_expand = g->n_units == 3 ? hst_multiplier_of(p, &g->unit[0]) : b->by_project;
    b->group = hst_conv_norm_group(b->wide.c, is_low(b));
    choose_cut(b, &b->forward, hst_block_forward_floats, cache / 2);
    choose_cut(b, &b->backward, hst_block_backward_floats, cache * 5 / 8);
}

/* ---- weights ---- */

/* Packed kernels in s->state, and the folded ones they are made from. */
typedef struct sizes {
    size_t expand, expand_t, depthwise, project, project_t, folded;
} sizes;

static sizes sizes_of(const hst_learn_block *b)
{
    const int hidden = b->wide.c;
    sizes z = {.depthwise = (b->depthwise.rows + 1) * b->depthwise.n,
               .project = hst_matrix_floats(b->by_project, hidden, b->out.c),
               .project_t = hst_matrix_floats(b->by_project, b->out.c, hidden)};
    size_t most = (b->project.rows + 1) * b->project.n;
    if (b->expand.n > 0) {
        z.expand = hst_matrix_floats(b->by_expand, (int)b->expand.rows, hidden);
        z.expand_t =
            b->im2col ? 0 : hst_conv_norm_packed_groups(b->by_expand, &b->expand, b->group);
        most = hst_larger(most, (b->expand.rows + 1) * b->expand.n);
    }
    z.folded = 2 * most; /* and transposed */
    return z;
}

/* Both return where the next part's place begins; w: scratch. */
static float *pack_expand(const hst_plan *p, hst_learn_block *b, float *state, float *w)
{
    const hst_conv_norm *u = &b->expand;
    const sizes z = sizes_of(b);
    float *transposed = w + (u->rows + 1) * u->n;
    hst_conv_norm_fold(p, u, w);
    b->expand_w = state;
    b->expand_b =
        hst_matrix_pack(b->by_expand, w, w + u->rows * u->n, (int)u->rows, b->wide.c, state);
    state += z.expand;
    b->expand_t = state;
    if (!b->im2col)
        hst_conv_norm_pack_groups(b->by_expand, u, w, b->group, transposed, state);
    return state + z.expand_t;
}

static float *pack_project(const hst_plan *p, hst_learn_block *b, float *state, float *w)
{
    const hst_conv_norm *u = &b->project;
    const sizes z = sizes_of(b);
    float *transposed = w + (u->rows + 1) * u->n;
    hst_conv_norm_fold(p, u, w);
    b->project_w = state;
    b->project_b =
        hst_matrix_pack(b->by_project, w, w + u->rows * u->n, b->wide.c, b->out.c, state);
    state += z.project;
    hst_conv_norm_transpose(u, w, transposed);
    b->project_t = state;
    (void)hst_matrix_pack(b->by_project, transposed, NULL, b->out.c, b->wide.c, state);
    return state + z.project_t;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    hst_learn_block *b = s->own;
    float *state = s->state;
    (void)err;
    if (b->expand.n > 0)
        state = pack_expand(p, b, state, scratch);
    state = pack_project(p, b, state, scratch);
    hst_conv_norm_fold(p, &b->depthwise, state);
    b->depthwise_w = state;
    b->depthwise_b = state + b->depthwise.rows * b->depthwise.n;
    return 0;
}

/* ---- the step ---- */

/* Floats of a thread: of the loops, then of products and of gradients. */
static size_t take_scratch(hst_learn_block *b)
{
    const int group = b->group < b->wide.c ? b->group : b->wide.c;
    size_t at = hst_larger(hst_block_forward_floats(b), hst_block_backward_floats(b));
    size_t product = hst_larger(hst_multiply_floats(b->by_project, b->wide.c),
                                hst_multiply_floats(b->by_project, b->out.c));
    if (b->expand.n > 0) {
        const int rows = (int)b->expand.rows;
        product = hst_larger(product, hst_multiply_floats(b->by_expand, rows));
        product = hst_larger(product, hst_multiply_floats(b->by_expand, group));
    }
    at = hst_whole_lines(at);
    b->rounded = hst_learn_take(&at, product);
    b->gathered = hst_learn_take(&at, hst_gradient_floats(b->by_project, group, b->out.c));
    if (b->expand.n > 0)
        b->gathered_expand =
            hst_learn_take(&at, hst_gradient_floats(b->by_expand, (int)b->expand.rows, group));
    return at;
}

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    hst_learn_block b = {0};
    if (!block_of(p, &s->group, &b))
        return 0;
    describe(p, &s->group, &b);
    s->input[0] = s->group.unit[0].x;
    s->reads = HST_READS_INPUT | (b.top > 0 ? HST_READS_OUTPUT : 0);
    s->saved_floats = b.saves_expanded ? hst_shape_floats(b.wide) : 0;
    const sizes z = sizes_of(&b);
    s->state_floats = z.expand + z.expand_t + z.depthwise + z.project + z.project_t;
    s->scratch_floats = hst_larger(take_scratch(&b), z.folded);
    s->own = hst_alloc(1, sizeof b, err);
    if (!s->own)
        return HST_EMEM;
    memcpy(s->own, &b, sizeof b);
    return 1;
}

static void forward(hst_learn *l, hst_step *s)
{
    hst_learn_images(l, s, 0, hst_block_forward);
}

static void backward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, hst_learn_all(s), hst_block_backward);
}

static void settle(hst_learn *l, hst_step *s)
{
    const hst_learn_block *b = s->own;
    if (b->expand.n > 0)
        hst_conv_norm_unfold(l, &b->expand);
    hst_conv_norm_unfold(l, &b->depthwise);
    hst_conv_norm_unfold(l, &b->project);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_learn_inverted_residual_runner = {.name = "inverted residual",
                                                       .prepare = prepare,
                                                       .pack = pack,
                                                       .forward = forward,
                                                       .backward = backward,
                                                       .settle = settle,
                                                       .clear = clear};
