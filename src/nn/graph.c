#include "base/mem.h"
#include "nn/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 4096, MAX_DIM = 65536, MAX_ACTIVATION = 1 << 28 };

struct hst_graph {
    hst_node *node;
    int n_nodes, cap_nodes;
    hst_param *param; /* after finish */
    size_t n_params;
    char *names;     /* of the parameters, end to end */
    float *learning; /* one block */
    float *statistics;
};

hst_graph *hst_graph_new(hst_err *err)
{
    return hst_alloc(1, sizeof(hst_graph), err);
}

void hst_graph_free(hst_graph *g)
{
    if (!g)
        return;
    free(g->node);
    free(g->param);
    free(g->names);
    free(g->learning);
    free(g->statistics);
    free(g);
}

const hst_node *hst_graph_node(const hst_graph *g, int i)
{
    return &g->node[i];
}

static int check_shape(const hst_node *n, hst_err *err)
{
    const hst_shape *s = &n->out;
    int ok = s->h >= 1 && s->h <= MAX_DIM && s->w >= 1 && s->w <= MAX_DIM && s->c >= 1 &&
             s->c <= MAX_DIM && (uint64_t)s->h * (uint64_t)s->w <= MAX_ACTIVATION &&
             (uint64_t)s->h * (uint64_t)s->w * (uint64_t)s->c <= MAX_ACTIVATION;
    return ok ? 0
              : hst_fail(err, HST_EMODEL, "%s %s: an activation of %d x %d x %d is out of bounds",
                         n->op->name, n->name, s->h, s->w, s->c);
}

/* Adds a copy of n with its shape worked out; returns its number. */
static int add_node(hst_graph *g, const hst_node *n, hst_err *err)
{
    hst_shape in[HST_MAX_INPUTS] = {{0}};
    hst_node made = *n;
    if (g->param || g->n_nodes == MAX_NODES)
        return hst_fail(err, HST_EMODEL, "the graph cannot take another layer");
    for (int i = 0; i < HST_MAX_INPUTS; i++) {
        if (n->input[i] < -1 || n->input[i] >= g->n_nodes)
            return hst_fail(err, HST_EMODEL, "%s %s: input %d does not exist", n->op->name, n->name,
                            n->input[i]);
        if (n->input[i] >= 0)
            in[i] = g->node[n->input[i]].out;
    }
    int rc = n->op->shape(&made, in, err);
    rc = rc ? rc : check_shape(&made, err);
    if (rc)
        return rc;
    if (g->n_nodes == g->cap_nodes) {
        int cap = g->cap_nodes ? g->cap_nodes * 2 : 64;
        hst_node *more = hst_resize(g->node, (size_t)cap, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        g->node = more;
        g->cap_nodes = cap;
    }
    g->node[g->n_nodes] = made;
    return g->n_nodes++;
}

static hst_node node_of(const hst_op *op, int x, int y, const char *name)
{
    hst_node n = {.op = op, .input = {x, y}};
    snprintf(n.name, sizeof n.name, "%s", name);
    return n;
}

int hst_graph_input(hst_graph *g, hst_shape s, hst_err *err)
{
    hst_node n = node_of(&hst_op_input, -1, -1, "");
    n.out = s;
    return add_node(g, &n, err);
}

int hst_graph_conv2d(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    hst_node n = node_of(&hst_op_conv2d, x, -1, name);
    n.conv = *c;
    return add_node(g, &n, err);
}

int hst_graph_depthwise(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    hst_node n = node_of(&hst_op_depthwise, x, -1, name);
    n.conv = *c;
    return add_node(g, &n, err);
}

int hst_graph_batchnorm(hst_graph *g, int x, double epsilon, const char *name, hst_err *err)
{
    hst_node n = node_of(&hst_op_batchnorm, x, -1, name);
    n.epsilon = epsilon;
    return add_node(g, &n, err);
}

int hst_graph_relu6(hst_graph *g, int x, hst_err *err)
{
    hst_node n = node_of(&hst_op_relu6, x, -1, "");
    return add_node(g, &n, err);
}

int hst_graph_add(hst_graph *g, int x, int y, hst_err *err)
{
    hst_node n = node_of(&hst_op_add, x, y, "");
    return add_node(g, &n, err);
}

int hst_graph_activation(hst_graph *g, int x, enum hst_activation a, hst_err *err)
{
    static const hst_op *const ops[] = {
        [HST_RELU6] = &hst_op_relu6,     [HST_RELU] = &hst_op_relu,
        [HST_SIGMOID] = &hst_op_sigmoid, [HST_HSIGMOID] = &hst_op_hsigmoid,
        [HST_HSWISH] = &hst_op_hswish,   [HST_SWISH] = &hst_op_swish};
    if (a == HST_LINEAR)
        return x;
    hst_node n = node_of(ops[a], x, -1, "");
    return add_node(g, &n, err);
}

int hst_graph_max_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err)
{
    hst_node n = node_of(&hst_op_max_pool, x, -1, "");
    n.conv = *c;
    return add_node(g, &n, err);
}

int hst_graph_scale(hst_graph *g, int x, int y, hst_err *err)
{
    hst_node n = node_of(&hst_op_scale, x, y, "");
    return add_node(g, &n, err);
}

int hst_graph_global_average(hst_graph *g, int x, hst_err *err)
{
    hst_node n = node_of(&hst_op_global_average, x, -1, "");
    return add_node(g, &n, err);
}

static size_t slot_count(const hst_slot *s)
{
    size_t n = 1;
    for (int i = 0; i < s->n_dims; i++)
        n *= (size_t)s->dim[i]; /* dims are bounded by check_shape: at most 15 * 15 * 2^16 * 2^16 */
    return n;
}

enum { NAME_BYTES = 96 }; /* "<63>/depthwise_kernel" and a NUL */

/* Names, shapes and sizes of the parameters; data comes after. */
static void list_params(hst_graph *g, size_t floats[2])
{
    size_t at = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        hst_node *n = &g->node[i];
        n->first_param = (int)at;
        for (int k = 0; k < n->n_slots; k++, at++) {
            const hst_slot *s = &n->slot[k];
            hst_param *p = &g->param[at];
            char *name = g->names + at * NAME_BYTES;
            snprintf(name, NAME_BYTES, "%s/%s", n->name, s->ending);
            *p = (hst_param){.name = name, .n_dims = s->n_dims, .statistic = s->statistic};
            memcpy(p->dim, s->dim, sizeof p->dim);
            floats[s->statistic] += slot_count(s);
        }
    }
}

int hst_graph_finish(hst_graph *g, hst_err *err)
{
    size_t n = 0, floats[2] = {0, 0};
    for (int i = 0; i < g->n_nodes; i++)
        n += (size_t)g->node[i].n_slots;
    if (g->n_nodes == 0 || g->param)
        return hst_fail(err, HST_EMODEL, "the graph is empty or already finished");
    g->param = hst_alloc(n, sizeof *g->param, err);
    g->names = g->param ? hst_alloc(n, NAME_BYTES, err) : NULL;
    if (!g->names)
        return HST_EMEM;
    g->n_params = n;
    list_params(g, floats);
    g->learning = hst_alloc(floats[0], sizeof(float), err);
    g->statistics = g->learning ? hst_alloc(floats[1], sizeof(float), err) : NULL;
    if (!g->statistics)
        return HST_EMEM;
    float *next[2] = {g->learning, g->statistics};
    for (size_t i = 0; i < n; i++) {
        hst_param *p = &g->param[i];
        p->data = next[p->statistic];
        next[p->statistic] += hst_param_count(p);
    }
    return 0;
}

size_t hst_graph_n_params(const hst_graph *g)
{
    return g->n_params;
}

const hst_param *hst_graph_param(const hst_graph *g, size_t i)
{
    return &g->param[i];
}

const hst_param *hst_graph_find(const hst_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_params; i++)
        if (strcmp(g->param[i].name, name) == 0)
            return &g->param[i];
    return NULL;
}

size_t hst_param_count(const hst_param *p)
{
    size_t n = 1;
    for (int i = 0; i < p->n_dims; i++)
        n *= (size_t)p->dim[i];
    return n;
}

int hst_graph_n_nodes(const hst_graph *g)
{
    return g->n_nodes;
}

hst_shape hst_graph_shape(const hst_graph *g, int node)
{
    return g->node[node].out;
}

const char *hst_graph_op_name(const hst_graph *g, int node)
{
    return g->node[node].op->name;
}

double hst_graph_flops(const hst_graph *g)
{
    double sum = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const hst_node *n = &g->node[i];
        hst_shape in[HST_MAX_INPUTS] = {{0}};
        for (int k = 0; k < HST_MAX_INPUTS; k++)
            if (n->input[k] >= 0)
                in[k] = g->node[n->input[k]].out;
        sum += n->conv.kernel > 0 ? n->op->flops(n, in) : 0;
    }
    return sum;
}
