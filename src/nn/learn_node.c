/* learn_node.c - any op by itself, image by image, with its own loops (op.h). */
#include "nn/learn_step.h"

#include <string.h>

static int match(hst_learn *l, int limit, hst_learn_step *s, hst_err *err)
{
    const hst_node *n = hst_graph_node(l->graph, s->node);
    (void)limit;
    (void)err;
    if (!n->op->backward)
        return 0;
    s->end = s->node + 1;
    memcpy(s->input, n->input, sizeof s->input);
    s->reads = n->op->reads;
    return 1;
}

/* The op's view of image i. */
static hst_op_args args_of(const hst_learn_task *t, int i, hst_shape in[HST_MAX_INPUTS])
{
    const hst_learn *l = t->learn;
    const hst_learn_step *s = t->step;
    const hst_node *n = hst_graph_node(l->graph, s->node);
    hst_op_args a = {.node = n, .in = in, .kernels = l->kernels};
    for (int k = 0; k < HST_MAX_INPUTS; k++) {
        if (s->input[k] < 0)
            continue;
        in[k] = l->value[s->input[k]].shape;
        a.x[k] = hst_learn_value(l, s->input[k], i);
    }
    for (int k = 0; k < n->n_slots; k++)
        a.param[k] = hst_learn_param(l, s->node, k);
    a.y = hst_learn_place(l, s->node, i);
    return a;
}

/* The loop of plans for inference, over all rows. */
static void run_step(const hst_op_args *a)
{
    const hst_step s = {.in = a->in[0], .out = a->node->out, .conv = a->node->conv};
    a->node->op->step(
        &s, &(hst_run_args){
                .kernels = a->kernels, .x = a->x[0], .z = a->x[1], .y = a->y, .threads = 1});
}

static void forward_image(const hst_learn_task *t)
{
    hst_shape in[HST_MAX_INPUTS] = {{0}};
    hst_op_args a = args_of(t, t->first, in);
    if (a.node->op->forward)
        a.node->op->forward(&a);
    else
        run_step(&a);
}

static void forward(hst_learn *l, hst_learn_step *s)
{
    hst_learn_images(l, s, forward_image);
}

static void backward_group(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_learn_step *s = t->step;
    for (int i = t->first; i < t->first + t->count; i++) {
        hst_shape in[HST_MAX_INPUTS] = {{0}};
        hst_op_args a = args_of(t, i, in);
        a.dy = hst_learn_grad(l, s->node, i);
        for (int k = 0; k < HST_MAX_INPUTS; k++) {
            a.dx[k] = s->input[k] < 0 ? NULL : hst_learn_grad(l, s->input[k], i);
            if (a.dx[k] && !s->adds[k])
                memset(a.dx[k], 0, l->grad[s->input[k]].floats * sizeof(float));
        }
        for (int k = 0; k < a.node->n_slots; k++)
            a.dparam[k] = hst_learn_param_grad(t, s->node, k);
        a.node->op->backward(&a);
    }
}

static void backward(hst_learn *l, hst_learn_step *s)
{
    hst_learn_groups(l, s, backward_group);
}

const hst_learn_kind hst_learn_node_kind = {
    .name = "node", .match = match, .forward = forward, .backward = backward};
