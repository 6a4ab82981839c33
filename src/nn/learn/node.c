/* node.c - any op by itself, image by image, with its own loops (op.h). */
#include "nn/infer/unit.h"
#include "nn/learn/step.h"

#include <string.h>

static int prepare(const hst_plan *p, hst_step *s, hst_err *err)
{
    const hst_node *n = hst_graph_node(p->graph, s->group.first);
    (void)err;
    if (!n->op->backward)
        return 0;
    memcpy(s->input, n->input, sizeof s->input);
    s->reads = n->op->reads;
    hst_shape in[HST_MAX_INPUTS] = {{0}};
    for (int k = 0; k < n->n_inputs; k++)
        in[k] = hst_graph_shape(p->graph, n->input[k]);
    if (n->op->scratch)
        s->scratch_floats = n->op->scratch(n, in, p->kernels);
    return 1;
}

static const hst_node *node_of(const hst_learn_task *t)
{
    return hst_graph_node(t->learn->plan.graph, t->step->group.first);
}

/* The op's view of image i. */
static hst_op_args args_of(const hst_learn_task *t, int i, hst_shape in[HST_MAX_INPUTS])
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    const hst_node *n = node_of(t);
    hst_op_args a = {.node = n, .in = in, .kernels = l->plan.kernels, .scratch = t->scratch};
    for (int k = 0; k < n->n_inputs; k++) {
        in[k] = l->plan.value[s->input[k]].shape;
        a.x[k] = hst_learn_value(l, s->input[k], i);
    }
    for (int k = 0; k < n->n_slots; k++)
        a.param[k] = hst_plan_param(&l->plan, s->group.first, k);
    a.y = hst_learn_value_mut(l, s->output, i);
    return a;
}

/* The loop of inference, over the whole image. */
static void infer(const hst_op_args *a)
{
    hst_infer_unit u = {
        .node = *a->node, .in = a->in[0], .in2 = a->in[1], .out = hst_node_shape(a->node)};
    hst_run_args run = {
        .kernels = a->kernels, .y = a->y, .scratch = a->scratch, .threads = 1, .images = 1};
    memcpy(run.x, a->x, sizeof run.x);
    memcpy(u.param, a->param, sizeof u.param);
    a->node->op->infer(&u, &run);
}

static void forward_image(const hst_learn_task *t)
{
    hst_shape in[HST_MAX_INPUTS] = {{0}};
    hst_op_args a = args_of(t, t->first, in);
    if (a.node->op->forward)
        a.node->op->forward(&a);
    else
        infer(&a);
}

static void forward(hst_learn *l, hst_step *s)
{
    hst_learn_images(l, s, 0, forward_image);
}

static void backward_group(const hst_learn_task *t)
{
    const hst_learn *l = t->learn;
    const hst_step *s = t->step;
    for (int i = t->first; i < t->first + t->count; i++) {
        hst_shape in[HST_MAX_INPUTS] = {{0}};
        hst_op_args a = args_of(t, i, in);
        a.dy = hst_learn_grad(l, s->output, i);
        for (int k = 0; k < a.node->n_inputs; k++) {
            a.dx[k] = hst_learn_grad(l, s->input[k], i);
            if (a.dx[k] && !s->adds[k])
                memset(a.dx[k], 0, l->plan.grad[s->input[k]].floats * sizeof(float));
        }
        for (int k = 0; k < a.node->n_slots; k++)
            a.dparam[k] = hst_learn_param_grad(t, s->group.first, k);
        a.node->op->backward(&a);
    }
}

static void backward(hst_learn *l, hst_step *s)
{
    hst_learn_groups(l, s, 0, hst_learn_all(s), backward_group);
}

const hst_runner hst_learn_node_runner = {
    .name = "node", .prepare = prepare, .forward = forward, .backward = backward};
