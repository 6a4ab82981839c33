/* lower.c - the nodes of a graph -> steps of a program. A row of the table an op; a new op that is
 * to be exported is a row more, and a step in program.h only where it is made of none of those. */
#include "base/mem.h"
#include "exports/program.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lowering {
    hst_program *program;
    const hst_graph *graph;
    int *value;   /* [nodes] the step that makes what the node makes; -1: nothing reads it */
    int *readers; /* [nodes] that read it */
    hst_err *err;
} lowering;

static const float *param(const lowering *l, const hst_node *n, int slot)
{
    return slot < n->n_slots ? hst_graph_param(l->graph, (size_t)(n->first_param + slot))->data
                             : NULL;
}

static size_t param_count(const hst_node *n, int slot)
{
    return slot < n->n_slots ? hst_slot_count(&n->slot[slot]) : 0;
}

/* The step that makes input i of the node. */
static int value_of(const lowering *l, const hst_node *n, int i)
{
    return l->value[n->input[i]];
}

static const hst_do_step *input_of(const lowering *l, const hst_node *n, int i)
{
    return &l->program->step[value_of(l, n, i)];
}

static int add(lowering *l, const hst_do_step *s)
{
    return hst_program_add(l->program, s, l->err);
}

/* A step of all the node's inputs, named as it is. */
static hst_do_step step_of(const lowering *l, const hst_node *n, enum hst_do what)
{
    hst_do_step s = {.what = what, .n_inputs = n->n_inputs};
    for (int i = 0; i < n->n_inputs; i++)
        s.input[i] = value_of(l, n, i);
    memcpy(s.name, n->name, sizeof s.name);
    return s;
}

static void set_weights(const lowering *l, const hst_node *n, hst_do_step *s)
{
    s->w = (float *)param(l, n, 0); /* copied, not written to */
    s->n_w = param_count(n, 0);
    s->b = (float *)param(l, n, 1);
    s->n_b = param_count(n, 1);
}

static int constant(lowering *l, const hst_node *n, int slot, int rows)
{
    const size_t count = param_count(n, slot);
    hst_do_step s = {.what = HST_DO_CONST,
                     .rank = 2,
                     .dim = {rows, (int)(count / (size_t)rows)},
                     .w = (float *)param(l, n, slot),
                     .n_w = count};
    snprintf(s.name, sizeof s.name, "%.40s/%.20s", n->name, n->slot[slot].ending);
    return add(l, &s);
}

/* ---- ops ---- */

/* Zeros behind a length: of symmetric padding as many as in front, though the last ones may be read
 * by no window: so other programs know it as symmetric. */
static int behind(const hst_conv *c, int kernel, const hst_span *s, int in)
{
    const int symmetric = c->padding == HST_PAD_SYMMETRIC || c->padding == HST_PAD_SYMMETRIC_ZEROS;
    const int read = (s->out - 1) * c->stride + kernel - in - s->before;
    return symmetric ? s->before : read > 0 ? read : 0;
}

static hst_do_window window_of(const hst_node *n, const hst_do_step *in)
{
    const hst_conv *c = hst_node_conv(n);
    const hst_span h = hst_conv_span(c, in->dim[0]), w = hst_conv_span_across(c, in->dim[1]);
    return (hst_do_window){.kernel_h = c->kernel,
                           .kernel_w = hst_conv_wide(c),
                           .stride_h = c->stride,
                           .stride_w = c->stride,
                           .top = h.before,
                           .left = w.before,
                           .bottom = behind(c, c->kernel, &h, in->dim[0]),
                           .right = behind(c, hst_conv_wide(c), &w, in->dim[1])};
}

/* With a bias, which is zero where the node has none: norms are drawn into it. */
static int with_bias(lowering *l, hst_do_step *s, int channels)
{
    if (l->program->keeps_norms)
        return add(l, s);
    float *zeros = s->b ? NULL : hst_alloc((size_t)channels, sizeof *zeros, l->err);
    if (!s->b && !zeros)
        return HST_EMEM;
    s->b = zeros ? zeros : s->b;
    s->n_b = (size_t)channels;
    const int at = add(l, s);
    free(zeros);
    return at;
}

/* Of a picture a convolution; of tokens and vectors, where its kernel is 1, a dense layer. */
static int convolution(lowering *l, const hst_node *n, int groups)
{
    const hst_do_step *in = input_of(l, n, 0);
    const hst_shape out = hst_node_shape(n);
    hst_do_step s = step_of(l, n, in->rank == 3 ? HST_DO_CONV : HST_DO_DENSE);
    set_weights(l, n, &s);
    s.rank = in->rank;
    memcpy(s.dim, in->dim, sizeof s.dim);
    s.dim[s.rank - 1] = out.c;
    if (s.what == HST_DO_CONV) {
        s.window = window_of(n, in);
        s.groups = groups;
        s.dim[0] = out.h;
        s.dim[1] = out.w;
    }
    return with_bias(l, &s, out.c);
}

static int conv2d(lowering *l, const hst_node *n)
{
    return convolution(l, n, 1);
}

static int grouped(lowering *l, const hst_node *n)
{
    return convolution(l, n, hst_node_conv(n)->groups);
}

/* The weights as they are used. */
static int standardised(lowering *l, const hst_node *n)
{
    const int at = convolution(l, n, 1);
    if (at >= 0)
        hst_standardise(&n->slot[0], param(l, n, 0), l->program->step[at].w);
    return at;
}

static int depthwise(lowering *l, const hst_node *n)
{
    const hst_shape out = hst_node_shape(n);
    hst_do_step s = step_of(l, n, HST_DO_DEPTHWISE);
    set_weights(l, n, &s);
    s.window = window_of(n, input_of(l, n, 0));
    s.groups = out.c;
    s.rank = 3;
    memcpy(s.dim, (int[3]){out.h, out.w, out.c}, sizeof s.dim);
    return with_bias(l, &s, out.c);
}

static int sum(lowering *l, const hst_node *n)
{
    const hst_do_step s = step_of(l, n, HST_DO_ADD);
    return add(l, &s);
}

static int scale(lowering *l, const hst_node *n)
{
    const hst_do_step s = step_of(l, n, HST_DO_MULTIPLY);
    return add(l, &s);
}

/* Steps that compute, of whose result an activation may be a part. */
static int computes(const hst_do_step *s)
{
    return s->what != HST_DO_INPUT && s->what != HST_DO_CONST && s->what != HST_DO_SLICE &&
           s->what != HST_DO_SHAPE && s->what != HST_DO_CONCAT && s->what != HST_DO_PAD;
}

static int activation(lowering *l, const hst_node *n)
{
    hst_do_step *in = &l->program->step[value_of(l, n, 0)];
    if (computes(in) && in->act == HST_ACT_NONE && l->readers[n->input[0]] == 1) {
        in->act = hst_node_act(n);
        return value_of(l, n, 0);
    }
    hst_do_step s = step_of(l, n, HST_DO_ACTIVATE);
    s.act = hst_node_act(n);
    return add(l, &s);
}

/* A batch norm as it is, its four rows of numbers as one. */
static int batch_norm(lowering *l, const hst_node *n)
{
    const size_t c = param_count(n, 0);
    hst_do_step s = step_of(l, n, HST_DO_BATCH_NORM);
    float *w = hst_alloc_raw(4 * c, sizeof *w, l->err);
    if (!w)
        return HST_EMEM;
    for (int i = 0; i < 4; i++)
        memcpy(w + (size_t)i * c, param(l, n, i), c * sizeof *w);
    s.w = w;
    s.n_w = 4 * c;
    s.epsilon = hst_node_epsilon(n);
    const int at = add(l, &s);
    free(w);
    return at;
}

/* y = scale x + shift for each channel: into the weights before it where that is all that reads
 * them, else a step. */
static int norm(lowering *l, const hst_node *n)
{
    hst_do_step *in = &l->program->step[value_of(l, n, 0)];
    const size_t c = (size_t)hst_do_channels(in);
    const float *of[HST_MAX_SLOTS] = {param(l, n, 0), param(l, n, 1), param(l, n, 2),
                                      param(l, n, 3)};
    if (l->program->keeps_norms && n->op == &hst_op_batchnorm)
        return batch_norm(l, n);
    const int drawn_in =
        !l->program->keeps_norms &&
        (in->what == HST_DO_CONV || in->what == HST_DO_DEPTHWISE || in->what == HST_DO_DENSE) &&
        in->act == HST_ACT_NONE && l->readers[n->input[0]] == 1;
    double *by = hst_alloc(2 * c, sizeof *by, l->err), *plus = by + c;
    float *w = by ? hst_alloc(2 * c, sizeof *w, l->err) : NULL;
    int at = w ? value_of(l, n, 0) : HST_EMEM;
    for (size_t k = 0; w && k < c; k++) {
        by[k] = 1;
        plus[k] = drawn_in ? (double)in->b[k] : 0;
    }
    if (w)
        n->op->fold(n, of, by, plus);
    for (size_t i = 0; w && drawn_in && i < in->n_w; i++)
        in->w[i] = (float)((double)in->w[i] * by[i % c]); /* output channels are the last axis */
    for (size_t k = 0; w && k < c; k++) {
        w[k] = (float)by[k];
        w[c + k] = (float)plus[k];
    }
    if (w && drawn_in)
        memcpy(in->b, w + c, c * sizeof *w);
    if (w && !drawn_in) {
        hst_do_step s = step_of(l, n, HST_DO_AFFINE);
        s.w = w;
        s.b = w + c;
        s.n_w = s.n_b = c;
        at = add(l, &s);
    }
    free(w);
    free(by);
    return at;
}

static int has_zeros(const hst_conv *c)
{
    return c->padding == HST_PAD_ZEROS || c->padding == HST_PAD_SYMMETRIC_ZEROS;
}

/* Where the zeros around the picture count, they are put there first. */
static int pooling(lowering *l, const hst_node *n, enum hst_do what)
{
    const hst_do_step *in = input_of(l, n, 0);
    const hst_shape out = hst_node_shape(n);
    hst_do_step s = step_of(l, n, what), pad = step_of(l, n, HST_DO_PAD);
    s.window = window_of(n, in);
    pad.window = s.window;
    if (has_zeros(hst_node_conv(n)) &&
        (pad.window.top || pad.window.left || pad.window.bottom || pad.window.right)) {
        pad.rank = 3;
        pad.dim[0] = in->dim[0] + pad.window.top + pad.window.bottom;
        pad.dim[1] = in->dim[1] + pad.window.left + pad.window.right;
        pad.dim[2] = in->dim[2];
        s.input[0] = add(l, &pad);
        s.window.top = s.window.left = s.window.bottom = s.window.right = 0;
    }
    if (s.input[0] < 0)
        return s.input[0];
    s.rank = 3;
    memcpy(s.dim, (int[3]){out.h, out.w, out.c}, sizeof s.dim);
    return add(l, &s);
}

static int max_pool(lowering *l, const hst_node *n)
{
    return pooling(l, n, HST_DO_MAX_POOL);
}

static int average_pool(lowering *l, const hst_node *n)
{
    return pooling(l, n, HST_DO_AVERAGE_POOL);
}

/* Some pixels alone: a depthwise convolution whose last tap is 1, all others 0. */
static int pick(lowering *l, const hst_node *n)
{
    const hst_pick *p = (const void *)n->attrs;
    const hst_do_step *in = input_of(l, n, 0);
    const hst_shape out = hst_node_shape(n);
    const int side = p->first + 1, taps = side * side;
    hst_do_step s = step_of(l, n, HST_DO_DEPTHWISE);
    float *w = hst_alloc((size_t)taps, (size_t)out.c * sizeof *w, l->err);
    if (!w)
        return HST_EMEM;
    for (int c = 0; c < out.c; c++)
        w[(taps - 1) * out.c + c] = 1;
    const int below = (out.h - 1) * p->stride + side - in->dim[0];
    const int right = (out.w - 1) * p->stride + side - in->dim[1];
    s.window = (hst_do_window){.kernel_h = side,
                               .kernel_w = side,
                               .stride_h = p->stride,
                               .stride_w = p->stride,
                               .bottom = below > 0 ? below : 0,
                               .right = right > 0 ? right : 0};
    s.groups = out.c;
    s.rank = 3;
    memcpy(s.dim, (int[3]){out.h, out.w, out.c}, sizeof s.dim);
    s.w = w;
    s.n_w = (size_t)taps * (size_t)out.c;
    const int at = with_bias(l, &s, out.c);
    free(w);
    return at;
}

static int mean(lowering *l, int x)
{
    const hst_do_step s = {.what = HST_DO_MEAN,
                           .n_inputs = 1,
                           .input = {x},
                           .rank = 1,
                           .dim = {hst_do_channels(&l->program->step[x])}};
    return x < 0 ? x : add(l, &s);
}

static int average(lowering *l, const hst_node *n)
{
    return mean(l, value_of(l, n, 0));
}

static int concat(lowering *l, const hst_node *n)
{
    hst_do_step s = step_of(l, n, HST_DO_CONCAT);
    const hst_do_step *in = input_of(l, n, 0);
    s.rank = in->rank;
    memcpy(s.dim, in->dim, sizeof s.dim);
    s.axis = s.rank - 1;
    s.dim[s.axis] = hst_node_shape(n).c;
    return add(l, &s);
}

static int layer_norm(lowering *l, const hst_node *n)
{
    hst_do_step s = step_of(l, n, HST_DO_LAYER_NORM);
    set_weights(l, n, &s);
    s.epsilon = hst_node_epsilon(n);
    return add(l, &s);
}

static int group_norm(lowering *l, const hst_node *n)
{
    hst_do_step s = step_of(l, n, HST_DO_GROUP_NORM);
    set_weights(l, n, &s);
    s.epsilon = hst_node_epsilon(n);
    s.groups = ((const hst_group_norm *)(const void *)n->attrs)->groups;
    return add(l, &s);
}

/* x [h][w][c] as tokens [h w][c]. */
static int as_tokens(lowering *l, int x)
{
    const hst_do_step *in = &l->program->step[x];
    const hst_do_step s = {.what = HST_DO_SHAPE,
                           .n_inputs = 1,
                           .input = {x},
                           .rank = 2,
                           .dim = {(int)hst_do_positions(in), hst_do_channels(in)}};
    return in->rank == 2 ? x : add(l, &s);
}

/* Two values: their sum, or, along the tokens, one behind the other. */
static int both(lowering *l, enum hst_do what, int x, int y)
{
    hst_do_step s = {.what = what, .n_inputs = 2, .input = {x, y}, .rank = 2};
    if (x < 0 || y < 0)
        return x < 0 ? x : y;
    const hst_do_step *a = &l->program->step[x], *b = &l->program->step[y];
    s.dim[0] = what == HST_DO_CONCAT ? a->dim[0] + b->dim[0] : a->dim[0];
    s.dim[1] = a->dim[1];
    return add(l, &s);
}

static int tokens(lowering *l, const hst_node *n)
{
    const hst_tokens *t = (const void *)n->attrs;
    int x = as_tokens(l, value_of(l, n, 0));
    if (x >= 0 && t->positions) {
        const int rows = l->program->step[x].dim[0];
        x = both(l, HST_DO_ADD, x, constant(l, n, t->prefix > 0, rows));
    }
    if (x >= 0 && t->prefix > 0)
        x = both(l, HST_DO_CONCAT, constant(l, n, 0, t->prefix), x);
    return x;
}

static int probe(lowering *l, const hst_node *n)
{
    return constant(l, n, 0, 1);
}

static int attention(lowering *l, const hst_node *n)
{
    const hst_shape out = hst_node_shape(n);
    hst_do_step s = step_of(l, n, HST_DO_ATTENTION);
    s.heads = ((const hst_attention *)(const void *)n->attrs)->heads;
    s.scale = 1 / sqrt((double)(out.c / s.heads));
    s.rank = 2;
    s.dim[0] = out.w;
    s.dim[1] = out.c;
    return add(l, &s);
}

/* Channels from `first` on, so many. */
static int some_channels(lowering *l, int x, int first, int n)
{
    const hst_do_step *in = &l->program->step[x];
    hst_do_step s = {.what = HST_DO_SLICE, .n_inputs = 1, .input = {x}, .begin = first};
    s.rank = in->rank;
    memcpy(s.dim, in->dim, sizeof s.dim);
    s.axis = s.rank - 1;
    s.dim[s.axis] = n;
    return add(l, &s);
}

/* act(first half) times the other. */
static int gate(lowering *l, const hst_node *n)
{
    const int x = value_of(l, n, 0), c = hst_node_shape(n).c;
    hst_do_step act = {.what = HST_DO_ACTIVATE, .n_inputs = 1, .act = hst_node_act(n)};
    hst_do_step by = {.what = HST_DO_MULTIPLY, .n_inputs = 2};
    act.input[0] = some_channels(l, x, 0, c);
    by.input[0] = act.input[0] < 0 ? act.input[0] : add(l, &act);
    by.input[1] = by.input[0] < 0 ? by.input[0] : some_channels(l, x, c, c);
    return by.input[1] < 0 ? by.input[1] : add(l, &by);
}

/* Queries and keys turned, values as they are. */
static int rotary(lowering *l, const hst_node *n)
{
    const hst_rotary *r = (const void *)n->attrs;
    const int x = value_of(l, n, 0), c = hst_node_shape(n).c / 3, d = c / r->heads;
    const size_t floats = (size_t)hst_node_shape(n).w * (size_t)d;
    float *w = hst_alloc(floats, 2 * sizeof *w, l->err);
    hst_do_step turn = {.what = HST_DO_TURN, .n_inputs = 1, .heads = 2 * r->heads};
    hst_do_step whole = step_of(l, n, HST_DO_CONCAT);
    if (!w)
        return HST_EMEM;
    turn.group = r->way == HST_ROTARY_PAIRS ? 2 : d;
    turn.input[0] = some_channels(l, x, 0, 2 * c);
    turn.w = w;
    turn.b = w + floats;
    turn.n_w = turn.n_b = floats;
    hst_rotary_factors(n, turn.w, turn.b);
    whole.input[0] = turn.input[0] < 0 ? turn.input[0] : add(l, &turn);
    whole.input[1] = whole.input[0] < 0 ? whole.input[0] : some_channels(l, x, 2 * c, c);
    whole.n_inputs = 2;
    whole.rank = 2;
    whole.dim[0] = hst_node_shape(n).w;
    whole.dim[1] = 3 * c;
    whole.axis = 1;
    free(w);
    return whole.input[1] < 0 ? whole.input[1] : add(l, &whole);
}

/* Tokens from `first` on, so many. */
static int some_tokens(lowering *l, int x, int first, int n)
{
    const hst_do_step *in = &l->program->step[x];
    const hst_do_step s = {.what = HST_DO_SLICE,
                           .n_inputs = 1,
                           .input = {x},
                           .begin = first,
                           .rank = 2,
                           .dim = {n, in->dim[1]}};
    return n == in->dim[0] ? x : add(l, &s);
}

static int first_token(lowering *l, int x)
{
    x = some_tokens(l, x, 0, 1);
    const hst_do_step s = {.what = HST_DO_SHAPE,
                           .n_inputs = 1,
                           .input = {x},
                           .rank = 1,
                           .dim = {x < 0 ? 0 : hst_do_channels(&l->program->step[x])}};
    return x < 0 ? x : add(l, &s);
}

static int token_pool(lowering *l, const hst_node *n)
{
    const hst_token_pool *p = (const void *)n->attrs;
    const int x = value_of(l, n, 0), all = l->program->step[x].dim[0];
    const int first = p->pool == HST_POOL_MEAN ? 0 : first_token(l, x);
    const int rest = p->pool == HST_POOL_CLS || first < 0
                         ? first
                         : some_tokens(l, x, p->prefix, all - p->prefix);
    const int of_rest = p->pool == HST_POOL_CLS ? first : mean(l, rest);
    if (p->pool != HST_POOL_CLS_MEAN || first < 0 || of_rest < 0)
        return of_rest;
    const hst_do_step s = {.what = HST_DO_CONCAT,
                           .n_inputs = 2,
                           .input = {first, of_rest},
                           .rank = 1,
                           .dim = {hst_node_shape(n).c}};
    return add(l, &s);
}

static const struct {
    const hst_op *op;
    int (*lower)(lowering *l, const hst_node *n); /* the number of its value, or an error */
} rows[] = {
    {&hst_op_activation, activation},
    {&hst_op_add, sum},
    {&hst_op_affine, norm},
    {&hst_op_attention, attention},
    {&hst_op_average_pool, average_pool},
    {&hst_op_batchnorm, norm},
    {&hst_op_concat, concat},
    {&hst_op_conv2d, conv2d},
    {&hst_op_cross_attention, attention},
    {&hst_op_depthwise, depthwise},
    {&hst_op_global_average, average},
    {&hst_op_gate, gate},
    {&hst_op_grouped, grouped},
    {&hst_op_groupnorm, group_norm},
    {&hst_op_layer_scale, norm},
    {&hst_op_layernorm, layer_norm},
    {&hst_op_max_pool, max_pool},
    {&hst_op_probe, probe},
    {&hst_op_pick, pick},
    {&hst_op_rotary, rotary},
    {&hst_op_scale, scale},
    {&hst_op_standardised, standardised},
    {&hst_op_token_pool, token_pool},
    {&hst_op_times, norm},
    {&hst_op_tokens, tokens},
};

static int lower_node(lowering *l, const hst_node *n)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == n->op)
            return rows[i].lower(l, n);
    return hst_fail(l->err, HST_EMODEL, "the network has a layer '%s' that cannot be exported yet",
                    n->op->name);
}

static void is_made_by(hst_do_step *s, int node)
{
    s->node = node;
    if (s->act == HST_ACT_NONE)
        s->bare_node = node;
}

/* Nodes that the last one is made of; a learned token is made of nothing, its input is none. */
static void count_readers(const hst_graph *g, int *readers)
{
    const int last = hst_graph_n_nodes(g) - 1;
    readers[last] = 1;
    for (int i = last; i > 0; i--) {
        const hst_node *n = hst_graph_node(g, i);
        for (int k = 0; readers[i] && n->op != &hst_op_probe && k < n->n_inputs; k++)
            readers[n->input[k]]++;
    }
}

int hst_program_lower(hst_program *p, const hst_graph *g, int x, hst_err *err)
{
    const int n = hst_graph_n_nodes(g);
    int *value = hst_alloc((size_t)n, 2 * sizeof *value, err);
    lowering l = {.program = p, .graph = g, .value = value, .readers = value + n, .err = err};
    if (!value)
        return HST_EMEM;
    count_readers(g, l.readers);
    value[0] = x;
    int at = x;
    for (int i = 1; i < n && at >= 0; i++) {
        if (!l.readers[i])
            continue;
        at = lower_node(&l, hst_graph_node(g, i));
        value[i] = at;
        if (at >= 0)
            is_made_by(&p->step[at], i);
    }
    free(value);
    return at;
}
