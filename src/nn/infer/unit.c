/* unit.c - single units and nodes as steps of inference, their weights folded and packed. */
#include "nn/infer/low.h"

#include "base/finite.h"
#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

float hst_act_clamp(enum hst_act act)
{
    return act == HST_ACT_RELU6 ? 6 : act == HST_ACT_RELU ? INFINITY : 0;
}

enum hst_act hst_act_late(enum hst_act act)
{
    return hst_act_clamp(act) > 0 ? HST_ACT_NONE : act;
}

/* The unit's convolution, or whichever node it begins with. */
static const hst_node *head_of(const hst_graph *g, const hst_unit *u)
{
    return hst_graph_node(g, u->first);
}

/* A product that costs little in float32 and much in accuracy below: one of a single position, as
 * the gates of squeeze and excitation are, which scale whole channels; and one that makes few
 * numbers no more, as the first projection of MobileNets does: what is rounded there does not
 * average out and is in all that follows (docs/precision.md). In 8 bits also one that reads few
 * numbers of the picture itself. */
static int is_delicate(const hst_plan *p, const hst_unit *u, const hst_node *head)
{
    enum { FEW = 64 };
    const size_t n = (size_t)hst_node_shape(head).c, k = hst_slot_count(&head->slot[0]) / n;
    const int first = u->x == 0 && p->request.products->precision == HST_PRECISION_INT8;
    return hst_shape_pixels(hst_graph_shape(p->graph, u->x)) == 1 || (k < FEW && (first || n <= k));
}

/* What is known of the numbers that a unit's product reads; NULL: nothing. */
static const hst_range *range_of(const hst_plan *p, const hst_unit *u)
{
    const hst_range *r = p->request.ranges ? &p->request.ranges[u->first] : NULL;
    const float step = r ? (r->most - r->least) / 255 : 0;
    return step >= FLT_MIN && isfinite(step) ? r : NULL;
}

/* In 8 bits a product that makes few numbers of many, as the first projections of MobileNets do, is
 * in bf16: of these numbers all that follows is made, and errors in them do not average out. */
static int narrows(const hst_node *head)
{
    enum { FEW = 32 };
    const size_t n = (size_t)hst_node_shape(head).c;
    return n <= FEW && n < hst_slot_count(&head->slot[0]) / n;
}

const hst_products *hst_infer_unit_products(const hst_plan *p, const hst_unit *u)
{
    const hst_node *head = head_of(p->graph, u);
    const hst_products *products = p->request.products;
    const int can = products && hst_node_has_weights(head) &&
                    head->op->packed_bytes(head, p->kernels, products) > 0;
    if (can && products->precision == HST_PRECISION_INT8 && !range_of(p, u))
        return NULL;
    if (can && products->precision == HST_PRECISION_INT8 && narrows(head))
        products = p->kernels->products[HST_PRECISION_BF16];
    return can && !is_delicate(p, u, head) ? products : NULL;
}

/* 0 is one of the numbers, as padding is 0. */
static hst_quanta quanta_of(const hst_plan *p, const hst_unit *u)
{
    const hst_range *r = range_of(p, u);
    if (!r)
        return (hst_quanta){1, 0};
    const float least = r->least < 0 ? r->least : 0, most = r->most > 0 ? r->most : 0;
    const float scale = (most - least) / 255, zero = rintf(-least / scale);
    return (hst_quanta){scale, (int)(zero < 255 ? zero : 255)};
}

void hst_infer_unit_describe(const hst_plan *p, const hst_unit *u, hst_infer_unit *out)
{
    *out = (hst_infer_unit){.node = *head_of(p->graph, u),
                            .in = hst_graph_shape(p->graph, u->x),
                            .out = hst_graph_shape(p->graph, u->end - 1),
                            .act = hst_unit_act(p->graph, u),
                            .products = hst_infer_unit_products(p, u),
                            .quanta = quanta_of(p, u)};
    out->in.w = hst_plan_wide(p, u->x);
    if (u->kind == HST_UNIT_NODE && out->node.n_inputs > 1)
        out->in2 = hst_graph_shape(p->graph, u->added);
    out->out.w = hst_plan_wide(p, u->end - 1);
    if (out->out.w < hst_graph_shape(p->graph, u->end - 1).w)
        out->node.type = hst_image_type((hst_shape){1, out->out.w, hst_node_shape(&out->node).c});
    if (out->products)
        out->block = hst_low_block(out, p->request.cache_bytes);
}

size_t hst_infer_unit_floats(const hst_plan *p, const hst_unit *u)
{
    const hst_node *head = head_of(p->graph, u);
    if (hst_node_has_weights(head))
        return head->op->packed_bytes(head, p->kernels, hst_infer_unit_products(p, u)) /
               sizeof(float);
    if (u->node[HST_PART_NORM] >= 0)
        return 2 * (size_t)hst_node_shape(head).c;
    size_t floats = 0;
    for (int i = 0; i < head->n_slots; i++)
        floats += hst_whole_lines(hst_slot_count(&head->slot[i]));
    return floats;
}

/* The parameters of a node as ops take them. */
static void params_of(const hst_plan *p, int node, const float *param[HST_MAX_SLOTS])
{
    for (int i = 0; i < HST_MAX_SLOTS; i++)
        param[i] = hst_plan_param(p, node, i);
}

void hst_infer_unit_affine(const hst_plan *p, const hst_unit *u, double *scale, double *shift)
{
    const float *param[HST_MAX_SLOTS];
    const size_t n = (size_t)hst_node_shape(head_of(p->graph, u)).c;
    const hst_node *norm = hst_unit_node(p->graph, u, HST_PART_NORM);
    const float *bias = u->node[HST_PART_CONV] < 0 ? NULL : hst_plan_param(p, u->first, 1);
    for (size_t c = 0; c < n; c++) {
        scale[c] = 1;
        shift[c] = bias ? bias[c] : 0;
    }
    if (!norm)
        return;
    params_of(p, u->node[HST_PART_NORM], param);
    norm->op->fold(norm, param, scale, shift);
}

int hst_infer_unit_infinite(const hst_infer_unit *u, hst_err *err)
{
    return hst_fail(err, HST_EMODEL, "layer %s: its weights are not finite numbers", u->node.name);
}

int hst_infer_unit_finite(const hst_infer_unit *u, const float *state, size_t floats, hst_err *err)
{
    return hst_all_finite(state, floats) ? 0 : hst_infer_unit_infinite(u, err);
}

/* A copy of the node's parameters, since the graph may be freed. */
static void copy_params(const hst_plan *p, const hst_unit *u, float *state, hst_infer_unit *out)
{
    const hst_node *n = head_of(p->graph, u);
    for (int i = 0; i < n->n_slots; i++) {
        const size_t count = hst_slot_count(&n->slot[i]), whole = hst_whole_lines(count);
        memcpy(state, hst_plan_param(p, u->first, i), count * sizeof *state);
        memset(state + count, 0, (whole - count) * sizeof *state);
        out->param[i] = state;
        state += whole;
    }
}

int hst_infer_unit_pack(const hst_plan *p, const hst_unit *u, float *state, hst_infer_unit *out,
                        hst_err *err)
{
    const hst_node *head = head_of(p->graph, u);
    const size_t n = (size_t)hst_node_shape(head).c;
    const size_t floats = hst_infer_unit_floats(p, u);
    const float *param[HST_MAX_SLOTS];
    if (floats == 0)
        return 0;
    if (!hst_node_has_weights(head) && u->node[HST_PART_NORM] < 0) {
        copy_params(p, u, state, out);
        return hst_infer_unit_finite(out, state, floats, err);
    }
    double *scale = hst_alloc(n, 2 * sizeof *scale, err), *shift = scale + n;
    if (!scale)
        return HST_EMEM;
    hst_infer_unit_affine(p, u, scale, shift);
    out->weights = state;
    if (hst_node_has_weights(head)) {
        params_of(p, u->first, param);
        out->bias = head->op->pack(&(hst_packing){.node = head,
                                                  .kernels = p->kernels,
                                                  .products = out->products,
                                                  .quanta = out->quanta,
                                                  .param = param,
                                                  .scale = scale,
                                                  .shift = shift,
                                                  .out = state});
    } else {
        out->bias = state + n;
        for (size_t c = 0; c < n; c++) {
            state[c] = (float)scale[c];
            state[n + c] = (float)shift[c];
        }
    }
    free(scale);
    if (out->products && out->bias)
        return 0;
    return hst_infer_unit_finite(out, state, floats, err);
}

/* ---- steps ---- */

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_unit *u = &s->group.unit[0];
    hst_infer_unit *own = hst_alloc(1, sizeof *own, err);
    s->own = own;
    if (!own)
        return HST_EMEM;
    hst_infer_unit_describe(p, u, own);
    s->input[0] = u->x;
    s->input[1] = u->added;
    if (u->kind == HST_UNIT_NODE)
        memcpy(s->input, own->node.input, sizeof s->input);
    s->state_floats = hst_infer_unit_floats(p, u);
    s->several = own->products != NULL;
    if (own->node.op->scratch)
        s->scratch_floats =
            own->node.op->scratch(&own->node, (hst_shape[2]){own->in, own->in2}, p->kernels);
    return 1;
}

/* Convolutions in float32 have a runner of their own. */
static int prepare_single(const hst_plan *p, hst_step *s, hst_err *err)
{
    hst_infer_unit unit;
    hst_infer_unit_describe(p, &s->group.unit[0], &unit);
    return unit.node.op->infer || unit.products ? prepare(p, s, err) : 0;
}

static int prepare_pooled(const hst_plan *p, hst_step *s, hst_err *err)
{
    int rc = prepare(p, s, err);
    if (rc == 1)
        s->scratch_floats =
            hst_shape_pixels(((hst_infer_unit *)s->own)->in) * (size_t)p->kernels->panel;
    s->several = rc == 1;
    return rc;
}

static int pack(const hst_plan *p, hst_step *s, float *scratch, hst_err *err)
{
    (void)scratch;
    return hst_infer_unit_pack(p, &s->group.unit[0], s->state, s->own, err);
}

static hst_step_memory memory(const hst_step *s, int threads, int images)
{
    const hst_infer_unit *u = s->own;
    return u->products ? hst_low_memory(u, threads, images)
                       : (hst_step_memory){.own = s->scratch_floats};
}

static hst_step_memory memory_pooled(const hst_step *s, int threads, int images)
{
    const hst_infer_unit *u = s->own;
    (void)threads;
    return u->products ? hst_low_pooled_memory(u, images)
                       : (hst_step_memory){.own = s->scratch_floats * (size_t)images};
}

static void infer(const hst_step *s, const hst_run_args *a)
{
    const hst_infer_unit *u = s->own;
    if (u->products)
        hst_low_conv2d(u, a);
    else
        u->node.op->infer(u, a);
}

static void infer_pooled(const hst_step *s, const hst_run_args *a)
{
    const hst_infer_unit *u = s->own;
    if (u->products)
        hst_low_pooled(u, a);
    else
        hst_infer_pooled(u, a);
}

static void clear(hst_step *s)
{
    free(s->own);
}

const hst_runner hst_infer_unit_runner = {.name = "unit",
                                          .prepare = prepare_single,
                                          .pack = pack,
                                          .infer = infer,
                                          .memory = memory,
                                          .clear = clear};
const hst_runner hst_infer_pooled_runner = {.name = "1x1 and average",
                                            .prepare = prepare_pooled,
                                            .pack = pack,
                                            .infer = infer_pooled,
                                            .memory = memory_pooled,
                                            .clear = clear};
