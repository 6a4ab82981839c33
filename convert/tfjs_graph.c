/* The graph of a TensorFlow.js graph model, or of a SavedModel, told to network.h. */
#include "answers.h"
#include "graphdef_run.h"
#include "network.h"
#include "tfjs.h"

#include <string.h>

typedef struct graph {
    weights *w;
    network net;
    graphdef def;
    const tfjs_weights *have;
    const hst_source *s;
    int *value;                  /* [nodes] of the network; -1: none */
    const hst_tensor **constant; /* [nodes] NULL: none */
} graph;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TensorFlow graph is refused: %s", why);
}

/* ---- inputs ---- */

static const hst_tensor *constant(const graph *g, const graphdef_node *n, size_t i)
{
    return i < n->n_in && !n->in[i].port ? g->constant[n->in[i].node] : NULL;
}

static int value(const graph *g, const graphdef_node *n, size_t i)
{
    return i < n->n_in && !n->in[i].port ? g->value[n->in[i].node] : -1;
}

/* The int32 numbers of input i; their count, or -1. */
static int numbers(const graph *g, const graphdef_node *n, size_t i, int32_t *out, size_t most)
{
    const hst_tensor *t = constant(g, n, i);
    if (!t || t->dtype != HST_I32 || hst_tensor_count(t) > most)
        return -1;
    if (t->n_bytes)
        memcpy(out, t->data, t->n_bytes);
    return (int)hst_tensor_count(t);
}

/* ---- operators: each returns the number of its result or an error ---- */

static int window(const graphdef_node *n, net_conv *c, hst_err *err)
{
    int64_t v[8] = {0};
    const json_t *padding = json_object_get(graphdef_attribute(n, "padding"), "s");
    const json_t *format = json_object_get(graphdef_attribute(n, "data_format"), "s");
    if (format && !graphdef_is_text(format, "NHWC"))
        return refuse(err, "a convolution has its channels first");
    int dilations = graphdef_list(n, "dilations", v, 4);
    if (dilations < 0 || (dilations == 4 && (v[1] != 1 || v[2] != 1)))
        return refuse(err, "a convolution is dilated");
    if (graphdef_list(n, "strides", v, 4) != 4 || v[1] != v[2] || v[0] != 1 || v[3] != 1)
        return refuse(err, "a convolution has no stride, or two");
    c->stride = v[1];
    if (graphdef_is_text(padding, "SAME"))
        c->same = 1;
    else if (graphdef_is_text(padding, "EXPLICIT")) {
        if (graphdef_list(n, "explicit_paddings", v, 8) != 8 || v[0] || v[1] || v[6] || v[7])
            return refuse(err, "a convolution pads in an unknown way");
        memcpy(c->pad, (int64_t[4]){v[2], v[4], v[3], v[5]}, sizeof c->pad);
    } else if (!graphdef_is_text(padding, "VALID"))
        return refuse(err, "a convolution pads in an unknown way");
    return 0;
}

/* What is fused behind a convolution, in its order: BiasAdd, then an activation. */
static int fused(graph *g, const graphdef_node *n, int x, hst_err *err)
{
    const json_t *ops =
        json_object_get(json_object_get(graphdef_attribute(n, "fused_ops"), "list"), "s");
    for (size_t i = 0; i < json_array_size(ops) && x >= 0; i++) {
        const json_t *op = json_array_get(ops, i);
        if (graphdef_is_text(op, "BiasAdd") && constant(g, n, 2))
            x = net_bias(&g->net, x, constant(g, n, 2), err);
        else if (graphdef_is_text(op, "Relu6"))
            x = net_activate(&g->net, x, NET_RELU6, err);
        else if (graphdef_is_text(op, "Relu"))
            x = net_activate(&g->net, x, NET_RELU, err);
        else if (graphdef_is_text(op, "Sigmoid"))
            x = net_activate(&g->net, x, NET_SIGMOID, err);
        else
            return refuse(err, "something unknown is fused into a convolution");
    }
    return x;
}

enum { DEPTHWISE = 1 };

static int conv(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    const int depthwise = how == DEPTHWISE;
    net_conv c = {.kernel = constant(g, n, 1),
                  .layout = depthwise ? NET_HWC1 : NET_HWIO,
                  .depthwise = depthwise};
    if (!c.kernel)
        return refuse(err, "a convolution has no constant kernel");
    int rc = window(n, &c, err);
    return rc ? rc : fused(g, n, net_conv2d(&g->net, x, &c, err), err);
}

/* The classifier of a model that headstart has exported: x kernel, then + bias. */
static int classifier(graph *g, const graphdef_node *product, int x, const hst_tensor *bias,
                      hst_err *err)
{
    const struct net_head head = {.kernel = constant(g, product, 1), .bias = bias};
    if (!head.kernel || !head.bias)
        return refuse(err, "a product stands at an odd place");
    return net_head(&g->net, x, &head, err);
}

static int bias(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const hst_tensor *t = constant(g, n, 1);
    const graphdef_node *of = n->n_in ? &g->def.node[n->in[0].node] : NULL;
    if (g->have->ours && of && strcmp(of->op, "MatMul") == 0)
        return classifier(g, of, x, t, err);
    return t ? net_bias(&g->net, x, t, err) : refuse(err, "a bias is not constant");
}

static int batchnorm(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const hst_tensor *of[4] = {constant(g, n, 1), constant(g, n, 2), constant(g, n, 3),
                               constant(g, n, 4)};
    const json_t *epsilon = json_object_get(graphdef_attribute(n, "epsilon"), "f");
    if (!of[0] || !of[1] || !of[2] || !of[3])
        return refuse(err, "batch norm has no constant statistics");
    return net_batchnorm(&g->net, x, of, epsilon ? json_number_value(epsilon) : 1e-4, err);
}

static int activate(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)n;
    return net_activate(&g->net, x, (enum net_act)how, err);
}

/* An operator on two values, or on one and a constant: + - * /. */
static int binary(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    const char op = (char)how;
    const int a = value(g, n, 0), b = value(g, n, 1), commutes = op == '+' || op == '*';
    const hst_tensor *c = constant(g, n, a < 0 ? 0 : 1);
    if (a >= 0 && b >= 0 && commutes)
        return op == '+' ? net_add(&g->net, a, b, err) : net_multiply(&g->net, a, b, err);
    if (!c || (a < 0 && !commutes))
        return refuse(err, "a sum or product is of values that are not known");
    return net_constant(&g->net, x, op, c, err);
}

static int pad(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int32_t p[8];
    if (numbers(g, n, 1, p, 8) != 8 || p[0] || p[1] || p[6] || p[7])
        return refuse(err, "a Pad is not around the picture");
    return net_pad(&g->net, x, (int64_t[4]){p[2], p[4], p[3], p[5]}, err);
}

static int mean(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int32_t axes[2];
    if (numbers(g, n, 1, axes, 2) != 2 || axes[0] + axes[1] != 3 || axes[0] * axes[1] != 2)
        return refuse(err, "a Mean is not over height and width");
    return net_average(&g->net, x, err);
}

static int max_pool(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int64_t k[4];
    net_conv c = {0};
    int rc = window(n, &c, err);
    if (rc)
        return rc;
    if (graphdef_list(n, "ksize", k, 4) != 4 || k[0] != 1 || k[3] != 1 || k[1] != k[2])
        return refuse(err, "a MaxPool is of an unknown kind");
    return net_max_pool(&g->net, x, &c, k[1], err);
}

static int reshape(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)n;
    return net_reshape(&g->net, x, err);
}

static int same(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)g;
    (void)n;
    (void)err;
    return x;
}

/* Of an exported model the bias behind it says that it is the classifier. */
static int matmul(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const int turned = json_is_true(json_object_get(graphdef_attribute(n, "transpose_b"), "b"));
    const net_step s = {.kernel = constant(g, n, 1), .transposed = turned};
    if (!g->have->ours)
        return fused(g, n, net_dense(&g->net, x, &s, err), err);
    if (turned)
        return refuse(err, "a product turns its matrix");
    return strcmp(n->op, "MatMul") == 0 ? x : classifier(g, n, x, constant(g, n, 2), err);
}

static int softmax(graph *g, const graphdef_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)n;
    return net_softmax(&g->net, x, err);
}

static const struct {
    const char *name;
    int (*read)(graph *g, const graphdef_node *n, int x, int how, hst_err *err);
    int how; /* an activation, which of + - * /, DEPTHWISE */
} operators[] = {{"_FusedConv2D", conv, 0},
                 {"Conv2D", conv, 0},
                 {"FusedDepthwiseConv2dNative", conv, DEPTHWISE},
                 {"DepthwiseConv2dNative", conv, DEPTHWISE},
                 {"BiasAdd", bias, 0},
                 {"FusedBatchNorm", batchnorm, 0},
                 {"FusedBatchNormV2", batchnorm, 0},
                 {"FusedBatchNormV3", batchnorm, 0},
                 {"Relu", activate, NET_RELU},
                 {"Relu6", activate, NET_RELU6},
                 {"Sigmoid", activate, NET_SIGMOID},
                 {"Add", binary, '+'},
                 {"AddV2", binary, '+'},
                 {"Sub", binary, '-'},
                 {"Mul", binary, '*'},
                 {"RealDiv", binary, '/'},
                 {"Pad", pad, 0},
                 {"MatMul", matmul, 0},
                 {"_FusedMatMul", matmul, 0},
                 {"Softmax", softmax, 0},
                 {"MaxPool", max_pool, 0},
                 {"Reshape", reshape, 0},
                 {"Squeeze", reshape, 0},
                 {"ExpandDims", reshape, 0},
                 {"Mean", mean, 0},
                 {"Cast", same, 0},
                 {"Transpose", same, 0},
                 {"Identity", same, 0}};
enum { N_OPERATORS = sizeof operators / sizeof *operators };

/* The picture: the one placeholder of four dimensions. */
static int placeholder(graph *g, int at, hst_err *err)
{
    int64_t size[4];
    if (!graphdef_picture(&g->def.node[at], size))
        return 0;                                    /* a switch between training and use */
    const int planes = size[1] == 3 && size[3] != 3; /* of which a Transpose makes pictures */
    g->value[at] = planes ? net_input(&g->net, size[2], size[3], size[1], err)
                          : net_input(&g->net, size[1], size[2], size[3], err);
    return g->value[at] < 0 ? g->value[at] : 0;
}

static int run_operator(graph *g, const graphdef_node *n, int x, hst_err *err)
{
    for (int i = 0; i < N_OPERATORS; i++)
        if (strcmp(operators[i].name, n->op) == 0)
            return operators[i].read(g, n, x, operators[i].how, err);
    return hst_fail(err, HST_EMODEL,
                    "the TensorFlow operator '%.100s' is none that the networks known here have",
                    n->op);
}

static int run_node(void *to, int at, hst_err *err)
{
    graph *g = to;
    const graphdef_node *n = &g->def.node[at];
    int x = -1;
    for (size_t i = n->n_in; i-- > 0;)
        x = net_operand(&g->net, value(g, n, i), x);
    if (strcmp(n->op, "Const") == 0 || strcmp(n->op, "VarHandleOp") == 0) {
        /* where there is none and it matters, its user misses it */
        g->constant[at] = tfjs_weight(g->have, n->name);
        return 0;
    }
    if (strcmp(n->op, "Placeholder") == 0)
        return placeholder(g, at, err);
    if (x < 0) {
        if (strcmp(n->op, "Identity") == 0 || strcmp(n->op, "ReadVariableOp") == 0)
            g->constant[at] = constant(g, n, 0);
        return 0; /* computed from constants alone */
    }
    if (strcmp(n->op, "Shape") == 0)
        return 0; /* numbers that only a new shape is made of */
    int y = run_operator(g, n, x, err);
    g->value[at] = y < 0 ? net_other(&g->net, x, y, err) : y;
    return g->value[at] < 0 ? g->value[at] : 0;
}

static int read_network(void *of, hst_err *err)
{
    graph *g = of;
    const size_t n = g->def.n;
    hst_arena *arena = g->w->arena;
    g->value = hst_arena_alloc(arena, n, sizeof *g->value, err);
    g->constant = g->value ? hst_arena_alloc(arena, n, sizeof *g->constant, err) : NULL;
    for (size_t i = 0; g->constant && i < n; i++)
        g->value[i] = -1;
    int rc = g->constant ? net_init(&g->net, arena, (size_t)hst_source_bytes(g->s), err) : HST_EMEM;
    rc = rc ? rc : graphdef_walk(&g->def, run_node, g, err);
    return rc ? rc : net_finish(&g->net, g->w, err);
}

static int run_graph(void *of, hst_err *err)
{
    graph *g = of;
    return graphdef_run(g->w, &g->def, g->have, g->s, err);
}

int tfjs_graph(weights *w, const json_t *topology, const tfjs_weights *have, const hst_source *s,
               hst_err *err)
{
    graph g = {.w = w, .have = have, .s = s};
    int rc = graphdef_read(&g.def, topology, w->arena, err);
    rc = rc ? rc : weights_say(w, err, "source_format", "TensorFlow.js graph model");
    return rc ? rc
              : answers_or_network(w, &g.net, read_network, have->ours ? run_graph : NULL, &g, err);
}
