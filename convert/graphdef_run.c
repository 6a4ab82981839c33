/* Source of the operators: https://www.tensorflow.org/api_docs/python/tf/raw_ops */
#include "graphdef_run.h"
#include "answers.h"
#include "tf_compute.h"

#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

/* What a node gives. */
typedef struct run_value {
    ev_array *out; /* [n_out] */
    int n_out;
    int readers; /* that still will read of it */
    int varies;  /* 1: with the picture */
} run_value;

typedef struct graph_run {
    weights *w;
    graphdef *def;
    const tfjs_weights *have;
    evaluator e;
    answers answers;
    run_value *value; /* [nodes] */
    names taken;      /* of tensors of the result */
    tf_operation o;   /* being computed; its inputs are borrowed from values */
} graph_run;

/* ---- attributes ---- */

static int is_true(const graphdef_node *n, const char *name)
{
    return json_is_true(json_object_get(graphdef_attribute(n, name), "b"));
}

static const json_t *text_of(const graphdef_node *n, const char *name)
{
    return json_object_get(graphdef_attribute(n, name), "s");
}

/* What is done behind a sum or product that is one node with it; its bias is an input. */
static enum ev_function fused(const graphdef_node *n)
{
    static const struct {
        const char *name;
        enum ev_function f;
    } known[] = {{"Relu", EV_RELU}, {"Relu6", EV_RELU6}, {"Sigmoid", EV_SIGMOID}};
    const json_t *ops =
        json_object_get(json_object_get(graphdef_attribute(n, "fused_ops"), "list"), "s");
    enum ev_function f = EV_ITSELF;
    for (size_t i = 0; i < json_array_size(ops); i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (graphdef_is_text(json_array_get(ops, i), known[k].name))
                f = known[k].f;
    return f;
}

static int read_window(const graphdef_node *n, tf_operation *o, hst_err *err)
{
    int64_t stride[4] = {1, 1, 1, 1}, kernel[4] = {1, 1, 1, 1}, apart[4] = {1, 1, 1, 1};
    const json_t *format = text_of(n, "data_format"), *padding = text_of(n, "padding");
    if (graphdef_list(n, "strides", stride, 4) < 0 || graphdef_list(n, "ksize", kernel, 4) < 0 ||
        graphdef_list(n, "dilations", apart, 4) < 0 || apart[1] != 1 || apart[2] != 1 ||
        (format && !graphdef_is_text(format, "NHWC")) ||
        (padding && !graphdef_is_text(padding, "SAME") && !graphdef_is_text(padding, "VALID")))
        return tf_odd(o, "is of an unknown kind", err);
    o->same = padding && graphdef_is_text(padding, "SAME");
    o->window = (ev_window){.stride = {stride[1], stride[2]}, .kernel = {kernel[1], kernel[2]}};
    return 0;
}

static int read_attributes(const graphdef_node *n, tf_operation *o, hst_err *err)
{
    static const int oihw[2][4] = {{3, 2, 0, 1}, {2, 3, 0, 1}}; /* of [h][w][i][o], [h][w][c][1] */
    o->name = n->op;
    o->depthwise = strstr(n->op, "Depthwise") != NULL;
    o->oihw = oihw[o->depthwise];
    o->keeps = is_true(n, "keep_dims");
    o->turned[0] = is_true(n, "transpose_a") || is_true(n, "adj_x");
    o->turned[1] = is_true(n, "transpose_b") || is_true(n, "adj_y");
    o->f = fused(n);
    o->n_out = 1;
    return read_window(n, o, err);
}

/* ---- operators ---- */

/* The axis is behind what is put together. */
static int concat(tf_operation *o, int how, hst_err *err)
{
    const ev_array *axis = &o->in[o->n_in - 1];
    if (o->n_in < 2 || ev_count(axis) != 1 || !(axis->x[0] >= -EV_DIMS && axis->x[0] <= EV_DIMS))
        return tf_odd(o, "is along no axis", err);
    o->axis = (int64_t)axis->x[0];
    o->n_in--;
    return tf_concat(o, how, err);
}

static const tf_row operators[] = {
    {"Add", 0, tf_binary, '+', 2},
    {"AddV2", 0, tf_binary, '+', 2},
    {"AvgPool", 0, tf_pool, 0, 1},
    {"BatchMatMulV2", 0, tf_product, 0, 2},
    {"BiasAdd", 0, tf_binary, '+', 2},
    {"Cast", 0, tf_cast, 0, 1},
    {"ConcatV2", 0, concat, 0, 1},
    {"Conv2D", 0, tf_conv, 0, 2},
    {"DepthwiseConv2dNative", 0, tf_conv, 0, 2},
    {"Erf", 0, tf_unary, EV_ERF, 1},
    {"FusedDepthwiseConv2dNative", 0, tf_conv, 0, 2},
    {"Identity", 0, tf_unary, EV_ITSELF, 1},
    {"MatMul", 0, tf_product, 0, 2},
    {"MaxPool", 0, tf_pool, 1, 1},
    {"Mean", 0, tf_mean, 0, 2},
    {"Mul", 0, tf_binary, '*', 2},
    {"Pad", 0, tf_pad, 0, 2},
    {"PadV2", 0, tf_pad, 0, 3},
    {"ReadVariableOp", 0, tf_unary, EV_ITSELF, 1},
    {"RealDiv", 0, tf_binary, '/', 2},
    {"Relu", 0, tf_unary, EV_RELU, 1},
    {"Relu6", 0, tf_unary, EV_RELU6, 1},
    {"Reshape", 0, tf_reshape, 0, 2},
    {"Rsqrt", 0, tf_unary, EV_RSQRT, 1},
    {"Sigmoid", 0, tf_unary, EV_SIGMOID, 1},
    {"Slice", 0, tf_slice, 0, 3},
    {"Softmax", 0, tf_softmax, 0, 1},
    {"Split", 0, tf_split, 0, 2},
    {"Sub", 0, tf_binary, '-', 2},
    {"Tanh", 0, tf_unary, EV_TANH, 1},
    {"Transpose", 0, tf_transpose, 0, 2},
    {"_FusedConv2D", 0, tf_conv, 0, 2},
    {"_FusedMatMul", 0, tf_product, 0, 2},
};

static const tf_row *find_row(const char *name, hst_err *err)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    hst_fail(err, HST_EMODEL,
             "its graph cannot be computed: the TensorFlow operator '%.100s' is not known", name);
    return NULL;
}

/* ---- nodes ---- */

/* Numbers are used where they lie; whole ones are widened. Texts give nothing. */
static int constant(graph_run *r, const graphdef_node *n, ev_array *out, hst_err *err)
{
    const hst_tensor *t = tfjs_weight(r->have, n->name);
    if (!t || (t->dtype != HST_F32 && t->dtype != HST_I32) || t->n_dims > EV_DIMS)
        return 0;
    if (t->dtype == HST_F32) {
        *out = (ev_array){.n_dims = t->n_dims, .x = t->data};
        memcpy(out->dim, t->dim, sizeof out->dim);
        return 0;
    }
    const int rc = ev_new(&r->e, t->n_dims, t->dim, out, err);
    out->whole = 1;
    for (size_t i = 0; rc == 0 && i < ev_count(out); i++)
        out->own[i] = (float)((const int32_t *)t->data)[i];
    return rc;
}

/* [batch][height][width][3], or [batch][3][height][width]. */
static int picture(graph_run *r, const int64_t size[4], ev_array *out, hst_err *err)
{
    ev_array x = {0};
    const int planes = size[1] == 3 && size[3] != 3;
    int rc = answers_draw(&r->e, r->w, size + 1 + planes, 0, &x, err);
    if (rc || !planes) {
        *out = x;
        return rc;
    }
    rc = ev_transpose(&r->e, &x, (const int[]){0, 3, 1, 2}, out, err);
    ev_free(&x);
    return rc;
}

static void forget_input(graph_run *r, int node)
{
    run_value *v = &r->value[node];
    if (--v->readers == 0)
        for (int i = 0; i < v->n_out; i++)
            ev_free(&v->out[i]);
}

static int find_inputs(graph_run *r, const graphdef_node *n, int *varies, hst_err *err)
{
    tf_operation *o = &r->o;
    o->n_in = (int)n->n_in;
    *varies = 0;
    for (int i = 0; i < o->n_in; i++) {
        const run_value *v = &r->value[n->in[i].node];
        if (n->in[i].port >= v->n_out)
            return tf_odd(o, "reads what is not made", err);
        o->in[i] = v->out[n->in[i].port];
        o->in[i].own = NULL;
        *varies |= v->varies;
    }
    return 0;
}

/* The node gives r->o.out[], of which [0] is empty where it gives nothing: one that saves variables
 * does not depend on the picture and need not be known. */
static int compute(graph_run *r, const graphdef_node *n, int *varies, hst_err *err)
{
    const int64_t parts = graphdef_whole(json_object_get(graphdef_attribute(n, "num_split"), "i"));
    hst_err why = {0};
    int rc = find_inputs(r, n, varies, &why);
    const tf_row *row = find_row(n->op, rc ? NULL : &why);
    rc = rc || !row ? HST_EMODEL : read_attributes(n, &r->o, &why);
    if (rc == 0 && row->compute == tf_split)
        r->o.n_out = parts >= 1 && parts <= TF_MAX_PORTS ? (int)parts : 0;
    rc = rc ? rc : tf_run(&r->o, row, &why);
    if (rc)
        return *varies || rc != HST_EMODEL ? hst_fail(err, rc, "%s", why.msg) : 0;
    for (int i = 0; rc == 0 && *varies && i < r->o.n_out; i++)
        rc = answers_keep(&r->answers, r->w, &r->o.out[i], 0, err);
    return rc;
}

static int keep_outputs(graph_run *r, run_value *v, hst_err *err)
{
    if (!v->readers || !r->o.out[0].x)
        return 0;
    v->out = hst_arena_alloc(r->w->arena, (size_t)r->o.n_out, sizeof *v->out, err);
    for (; v->out && v->n_out < r->o.n_out; v->n_out++) {
        v->out[v->n_out] = r->o.out[v->n_out];
        r->o.out[v->n_out] = (ev_array){0};
    }
    return v->out ? 0 : HST_EMEM;
}

static int run_node(void *to, int at, hst_err *err)
{
    graph_run *r = to;
    const graphdef_node *n = &r->def->node[at];
    run_value *v = &r->value[at];
    int64_t size[4];
    int rc = 0;
    r->o = (tf_operation){.e = &r->e, .name = n->op, .n_out = 1, .f = EV_ITSELF};
    if (strcmp(n->op, "Const") == 0 || strcmp(n->op, "VarHandleOp") == 0)
        rc = constant(r, n, &r->o.out[0], err);
    else if (strcmp(n->op, "Placeholder") != 0)
        rc = compute(r, n, &v->varies, err);
    else if (graphdef_picture(n, size)) {
        v->varies = 1;
        rc = picture(r, size, &r->o.out[0], err);
    }
    rc = rc ? rc : keep_outputs(r, v, err);
    tf_end(&r->o);
    for (size_t i = 0; i < n->n_in; i++)
        forget_input(r, n->in[i].node);
    return rc;
}

/* ---- results ---- */

/* Unless one has its name. */
static int add(graph_run *r, const hst_tensor *t, hst_err *err)
{
    if (names_get(&r->taken, (bytes){(const uint8_t *)t->name, strlen(t->name)}) >= 0)
        return 0;
    char *name = hst_arena_strdup(r->w->arena, t->name, err);
    const int rc = name ? names_put(&r->taken, (bytes){(const uint8_t *)name, strlen(name)}, 1, err)
                        : HST_EMEM;
    return rc ? rc : weights_add(r->w, t, err);
}

/* Where a convolution of groups is written as one a group: "x/kernel_0" and so on as "x/kernel". */
static int join_groups(graph_run *r, const hst_tensor *first, hst_err *err)
{
    char name[1100];
    ev_array part[GRAPHDEF_MAX_PORTS], whole = {0};
    const ev_array *all[GRAPHDEF_MAX_PORTS];
    const hst_tensor *t = first;
    const int front = (int)strlen(first->name) - 1;
    int n = 0;
    for (; t && n < GRAPHDEF_MAX_PORTS && t->dtype == HST_F32 && t->n_dims == 4; n++) {
        part[n] = (ev_array){.n_dims = 4, .x = t->data};
        memcpy(part[n].dim, t->dim, sizeof part[n].dim);
        all[n] = &part[n];
        snprintf(name, sizeof name, "%.*s%d", front, first->name, n + 1);
        t = tfjs_weight(r->have, name);
    }
    int rc = n ? ev_concat(&r->e, all, n, 3, &whole, err) : 0;
    if (n == 0 || rc)
        return rc;
    const size_t count = ev_count(&whole);
    float *x = hst_arena_alloc(r->w->arena, count, sizeof *x, err);
    hst_tensor joined = {.name = name, .n_dims = 4, .data = x, .n_bytes = count * sizeof *x};
    memcpy(joined.dim, whole.dim, sizeof whole.dim);
    snprintf(name, sizeof name, "%.*s", front - 1, first->name);
    if (x)
        memcpy(x, whole.x, joined.n_bytes);
    ev_free(&whole);
    return x ? add(r, &joined, err) : HST_EMEM;
}

static int add_tensors(graph_run *r, hst_err *err)
{
    static const char of_groups[] = "/kernel_0";
    const size_t e = sizeof of_groups - 1;
    int rc = answers_taken(r->w, 2 * r->have->n, &r->taken, err);
    for (size_t i = 0; rc == 0 && i < r->have->n; i++) {
        const hst_tensor *t = &r->have->t[i];
        const size_t n = strlen(t->name);
        if (t->dtype != HST_F32)
            continue;
        rc = add(r, t, err);
        if (rc == 0 && n > e && strcmp(t->name + n - e, of_groups) == 0)
            rc = join_groups(r, t, err);
    }
    return rc ? rc : weights_say(r->w, err, HST_NAMES_FACT, "tensorflow");
}

static void count_readers(graph_run *r)
{
    for (size_t i = 0; i < r->def->n; i++)
        for (size_t k = 0; k < r->def->node[i].n_in; k++)
            r->value[r->def->node[i].in[k].node].readers++;
}

int graphdef_run(weights *w, graphdef *g, const tfjs_weights *have, const hst_source *s,
                 hst_err *err)
{
    graph_run *r = hst_arena_alloc(w->arena, 1, sizeof *r, err);
    if (!r)
        return HST_EMEM;
    *r = (graph_run){.w = w, .def = g, .have = have, .e = answers_budget(s)};
    r->value = hst_arena_alloc(w->arena, g->n, sizeof *r->value, err);
    if (!r->value)
        return HST_EMEM;
    count_readers(r);
    int rc = graphdef_walk(g, run_node, r, err);
    for (size_t i = 0; i < g->n; i++)
        for (int k = 0; k < r->value[i].n_out; k++)
            ev_free(&r->value[i].out[k]);
    rc = rc ? rc : add_tensors(r, err);
    return rc ? rc : answers_add(&r->answers, w, err);
}
