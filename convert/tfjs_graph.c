/* The graph of a TensorFlow.js graph model: TensorFlow's GraphDef as JSON.
 *
 *   {"name": "Conv1_relu/Relu6", "op": "_FusedConv2D", "input": ["images", "Conv1/weights", ...],
 *    "attr": {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": "U0FNRQ=="}, ...}}
 *
 * Texts in attributes are base64, whole numbers are texts. Nodes may stand in any order; they are
 * read in the order in which they are computed. */
#include "network.h"
#include "tfjs.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 20000, MAX_PORTS = 16 };

typedef struct graph_node {
    const json_t *json;
    const char *op;
    int in[MAX_PORTS]; /* numbers of nodes */
    size_t n_in;
    size_t next_in;             /* how many inputs the walk has seen to */
    int seen, done;             /* of the walk */
    int value;                  /* of the network; -1: none */
    const hst_tensor *constant; /* NULL: none */
} graph_node;

typedef struct graph {
    weights *w;
    network net;
    graph_node *node;
    size_t n;
    names names; /* -> node */
    int *stack;
    int ours;
} graph;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TensorFlow graph is refused: %s", why);
}

/* ---- attributes ---- */

static const json_t *attribute(const graph_node *n, const char *name)
{
    return json_object_get(json_object_get(n->json, "attr"), name);
}

/* base64 of a short text; 0: it is not. Some writers leave the text as it is. */
static int is_text(const json_t *s, const char *want)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = json_string_value(s);
    char coded[64];
    size_t n = strlen(want), out = 0;
    if (!text)
        return 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned char c[3] = {0};
        memcpy(c, want + i, n - i < 3 ? n - i : 3);
        unsigned v = (unsigned)c[0] << 16 | (unsigned)c[1] << 8 | c[2];
        for (int k = 0; k < 4; k++)
            coded[out++] = i + (size_t)k > n ? '=' : digits[v >> (18 - 6 * k) & 63];
    }
    coded[out] = 0;
    return strcmp(text, coded) == 0 || strcmp(text, want) == 0;
}

/* Whole numbers come as texts or numbers. */
static int64_t whole(const json_t *v)
{
    const char *text = json_string_value(v);
    if (!text)
        return json_is_integer(v) ? json_integer_value(v) : INT64_MIN;
    char *end;
    long long x = strtoll(text, &end, 10);
    return *text && !*end ? x : INT64_MIN;
}

/* The numbers of a list attribute; their count, -1 where it is none or too long. */
static int list(const graph_node *n, const char *name, int64_t *out, size_t most)
{
    const json_t *i = json_object_get(json_object_get(attribute(n, name), "list"), "i");
    size_t count = json_array_size(i);
    if (count > most)
        return -1;
    for (size_t k = 0; k < count; k++)
        out[k] = whole(json_array_get(i, k));
    return (int)count;
}

/* ---- inputs ---- */

static const hst_tensor *constant(const graph *g, const graph_node *n, size_t i)
{
    return i < n->n_in ? g->node[n->in[i]].constant : NULL;
}

static int value(const graph *g, const graph_node *n, size_t i)
{
    return i < n->n_in ? g->node[n->in[i]].value : -1;
}

/* The int32 numbers of input i; their count, or -1. */
static int numbers(const graph *g, const graph_node *n, size_t i, int32_t *out, size_t most)
{
    const hst_tensor *t = constant(g, n, i);
    if (!t || t->dtype != HST_I32 || hst_tensor_count(t) > most)
        return -1;
    if (t->n_bytes)
        memcpy(out, t->data, t->n_bytes);
    return (int)hst_tensor_count(t);
}

/* ---- operators: each returns the number of its result or an error ---- */

static int window(const graph_node *n, net_conv *c, hst_err *err)
{
    int64_t v[8] = {0};
    const json_t *padding = json_object_get(attribute(n, "padding"), "s");
    const json_t *format = json_object_get(attribute(n, "data_format"), "s");
    if (format && !is_text(format, "NHWC"))
        return refuse(err, "a convolution has its channels first");
    int dilations = list(n, "dilations", v, 4);
    if (dilations < 0 || (dilations == 4 && (v[1] != 1 || v[2] != 1)))
        return refuse(err, "a convolution is dilated");
    if (list(n, "strides", v, 4) != 4 || v[1] != v[2] || v[0] != 1 || v[3] != 1)
        return refuse(err, "a convolution has no stride, or two");
    c->stride = v[1];
    if (is_text(padding, "SAME"))
        c->same = 1;
    else if (is_text(padding, "EXPLICIT")) {
        if (list(n, "explicit_paddings", v, 8) != 8 || v[0] || v[1] || v[6] || v[7])
            return refuse(err, "a convolution pads in an unknown way");
        memcpy(c->pad, (int64_t[4]){v[2], v[4], v[3], v[5]}, sizeof c->pad);
    } else if (!is_text(padding, "VALID"))
        return refuse(err, "a convolution pads in an unknown way");
    return 0;
}

/* What is fused behind a convolution, in its order: BiasAdd, then an activation. */
static int fused(graph *g, const graph_node *n, int x, hst_err *err)
{
    const json_t *ops = json_object_get(json_object_get(attribute(n, "fused_ops"), "list"), "s");
    for (size_t i = 0; i < json_array_size(ops) && x >= 0; i++) {
        const json_t *op = json_array_get(ops, i);
        if (is_text(op, "BiasAdd") && constant(g, n, 2))
            x = net_bias(&g->net, x, constant(g, n, 2), err);
        else if (is_text(op, "Relu6"))
            x = net_activate(&g->net, x, NET_RELU6, err);
        else if (is_text(op, "Relu"))
            x = net_activate(&g->net, x, NET_RELU, err);
        else if (is_text(op, "Sigmoid"))
            x = net_activate(&g->net, x, NET_SIGMOID, err);
        else
            return refuse(err, "something unknown is fused into a convolution");
    }
    return x;
}

enum { DEPTHWISE = 1 };

static int conv(graph *g, const graph_node *n, int x, int how, hst_err *err)
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
static int classifier(graph *g, const graph_node *product, int x, const hst_tensor *bias,
                      hst_err *err)
{
    const struct net_head head = {.kernel = constant(g, product, 1), .bias = bias};
    if (!head.kernel || !head.bias)
        return refuse(err, "a product stands at an odd place");
    return net_head(&g->net, x, &head, err);
}

static int bias(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const hst_tensor *t = constant(g, n, 1);
    const graph_node *of = n->n_in ? &g->node[n->in[0]] : NULL;
    if (g->ours && of && strcmp(of->op, "MatMul") == 0)
        return classifier(g, of, x, t, err);
    return t ? net_bias(&g->net, x, t, err) : refuse(err, "a bias is not constant");
}

static int batchnorm(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const hst_tensor *of[4] = {constant(g, n, 1), constant(g, n, 2), constant(g, n, 3),
                               constant(g, n, 4)};
    const json_t *epsilon = json_object_get(attribute(n, "epsilon"), "f");
    if (!of[0] || !of[1] || !of[2] || !of[3])
        return refuse(err, "batch norm has no constant statistics");
    return net_batchnorm(&g->net, x, of, epsilon ? json_number_value(epsilon) : 1e-4, err);
}

static int activate(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)n;
    return net_activate(&g->net, x, (enum net_act)how, err);
}

/* An operator on two values, or on one and a constant: + - * /. */
static int binary(graph *g, const graph_node *n, int x, int how, hst_err *err)
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

static int pad(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int32_t p[8];
    if (numbers(g, n, 1, p, 8) != 8 || p[0] || p[1] || p[6] || p[7])
        return refuse(err, "a Pad is not around the picture");
    return net_pad(&g->net, x, (int64_t[4]){p[2], p[4], p[3], p[5]}, err);
}

static int mean(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int32_t axes[2];
    if (numbers(g, n, 1, axes, 2) != 2 || axes[0] + axes[1] != 3 || axes[0] * axes[1] != 2)
        return refuse(err, "a Mean is not over height and width");
    return net_average(&g->net, x, err);
}

static int max_pool(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    int64_t k[4];
    net_conv c = {0};
    int rc = window(n, &c, err);
    if (rc)
        return rc;
    if (list(n, "ksize", k, 4) != 4 || k[0] != 1 || k[3] != 1 || k[1] != k[2])
        return refuse(err, "a MaxPool is of an unknown kind");
    return net_max_pool(&g->net, x, &c, k[1], err);
}

static int reshape(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)n;
    return net_reshape(&g->net, x, err);
}

static int same(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)g;
    (void)n;
    (void)err;
    return x;
}

/* Of an exported model the bias behind it says that it is the classifier. */
static int matmul(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    const int turned = json_is_true(json_object_get(attribute(n, "transpose_b"), "b"));
    const net_step s = {.kernel = constant(g, n, 1), .transposed = turned};
    if (!g->ours)
        return fused(g, n, net_dense(&g->net, x, &s, err), err);
    if (turned)
        return refuse(err, "a product turns its matrix");
    return strcmp(n->op, "MatMul") == 0 ? x : classifier(g, n, x, constant(g, n, 2), err);
}

static int softmax(graph *g, const graph_node *n, int x, int how, hst_err *err)
{
    (void)how;
    (void)n;
    return net_softmax(&g->net, x, err);
}

static const struct {
    const char *name;
    int (*read)(graph *g, const graph_node *n, int x, int how, hst_err *err);
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
static int placeholder(graph *g, graph_node *n, hst_err *err)
{
    const json_t *dims = json_object_get(json_object_get(attribute(n, "shape"), "shape"), "dim");
    int64_t size[4];
    if (json_array_size(dims) != 4)
        return 0; /* a switch between training and use */
    for (size_t i = 0; i < 4; i++) {
        size[i] = whole(json_object_get(json_array_get(dims, i), "size"));
        size[i] = size[i] == -1 ? 0 : size[i];
    }
    const int planes = size[1] == 3 && size[3] != 3; /* of which a Transpose makes pictures */
    n->value = planes ? net_input(&g->net, size[2], size[3], size[1], err)
                      : net_input(&g->net, size[1], size[2], size[3], err);
    return n->value < 0 ? n->value : 0;
}

static int run_operator(graph *g, const graph_node *n, int x, hst_err *err)
{
    for (int i = 0; i < N_OPERATORS; i++)
        if (strcmp(operators[i].name, n->op) == 0)
            return operators[i].read(g, n, x, operators[i].how, err);
    return hst_fail(err, HST_EMODEL,
                    "the TensorFlow operator '%.100s' is none that the networks known here have",
                    n->op);
}

static int run_node(graph *g, graph_node *n, const tfjs_weights *have, hst_err *err)
{
    const char *name = json_string_value(json_object_get(n->json, "name"));
    int x = -1, at;
    for (size_t i = n->n_in; i-- > 0;)
        x = net_operand(&g->net, value(g, n, i), x);
    if (strcmp(n->op, "Const") == 0 || strcmp(n->op, "VarHandleOp") == 0) {
        at = names_get(&have->names, (bytes){(const uint8_t *)name, strlen(name)});
        n->constant = at >= 0 ? &have->t[at] : NULL; /* where it matters, its user misses it */
        return 0;
    }
    if (strcmp(n->op, "Placeholder") == 0)
        return placeholder(g, n, err);
    if (x < 0) {
        if (strcmp(n->op, "Identity") == 0 || strcmp(n->op, "ReadVariableOp") == 0)
            n->constant = constant(g, n, 0);
        return 0; /* computed from constants alone */
    }
    if (strcmp(n->op, "Shape") == 0)
        return 0; /* numbers that only a new shape is made of */
    int y = run_operator(g, n, x, err);
    n->value = y < 0 ? net_other(&g->net, x, y, err) : y;
    return n->value < 0 ? n->value : 0;
}

/* ---- order ---- */

/* "name", "name:0" or "^name" (only to be computed before). */
static int find_input(const graph *g, const char *text)
{
    if (!text)
        return -1;
    text += *text == '^';
    size_t n = strlen(text);
    if (n > 2 && strcmp(text + n - 2, ":0") == 0)
        n -= 2;
    return names_get(&g->names, (bytes){(const uint8_t *)text, n});
}

static int link_node(graph *g, graph_node *n, hst_err *err)
{
    const json_t *inputs = json_object_get(n->json, "input");
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const char *text = json_string_value(json_array_get(inputs, i));
        int at = find_input(g, text);
        if (at < 0)
            return hst_fail(err, HST_EMODEL, "a node reads '%.200s', which is not there",
                            text ? text : "");
        if (*text == '^')
            continue;
        if (n->n_in == MAX_PORTS)
            return refuse(err, "a node has too many inputs");
        n->in[n->n_in++] = at;
    }
    return 0;
}

/* Runs everything that node number at needs, then it: depth first, without recursion. */
static int walk(graph *g, int at, const tfjs_weights *have, hst_err *err)
{
    size_t depth = 0;
    if (g->node[at].done)
        return 0;
    g->stack[depth++] = at;
    g->node[at].seen = 1;
    while (depth) {
        graph_node *n = &g->node[g->stack[depth - 1]];
        if (n->next_in < n->n_in) {
            int to = n->in[n->next_in++];
            if (g->node[to].seen && !g->node[to].done)
                return refuse(err, "it goes round in a circle");
            if (g->node[to].done)
                continue;
            g->node[to].seen = 1;
            g->stack[depth++] = to; /* each node once: at most n deep */
            continue;
        }
        int rc = run_node(g, n, have, err);
        if (rc)
            return rc;
        n->done = 1;
        depth--;
    }
    return 0;
}

static int read_nodes(graph *g, const json_t *nodes, hst_err *err)
{
    for (; g->n < json_array_size(nodes); g->n++) {
        graph_node *n = &g->node[g->n];
        *n = (graph_node){.json = json_array_get(nodes, g->n), .value = -1};
        const char *name = json_string_value(json_object_get(n->json, "name"));
        n->op = json_string_value(json_object_get(n->json, "op"));
        if (!name || !n->op)
            return refuse(err, "a node has no name or no operator");
        bytes key = {(const uint8_t *)name, strlen(name)};
        int rc = names_put(&g->names, key, (int)g->n, err);
        if (rc)
            return rc;
    }
    return 0;
}

int tfjs_graph(weights *w, const json_t *topology, const tfjs_weights *have, size_t file_bytes,
               hst_err *err)
{
    const json_t *nodes = json_object_get(topology, "node");
    size_t n = json_array_size(nodes);
    graph g = {.w = w, .ours = have->ours};
    if (n == 0 || n > MAX_NODES)
        return refuse(err, "it has no nodes, or too many");
    g.node = hst_arena_alloc(w->arena, n, sizeof *g.node, err);
    g.stack = g.node ? hst_arena_alloc(w->arena, n, sizeof *g.stack, err) : NULL;
    int rc = g.stack ? names_init(&g.names, n, w->arena, err) : HST_EMEM;
    rc = rc ? rc : net_init(&g.net, w->arena, file_bytes, err);
    rc = rc ? rc : read_nodes(&g, nodes, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = link_node(&g, &g.node[i], err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = walk(&g, (int)i, have, err);
    rc = rc ? rc : weights_say(w, err, "source_format", "TensorFlow.js graph model");
    return rc ? rc : net_finish(&g.net, w, err);
}
