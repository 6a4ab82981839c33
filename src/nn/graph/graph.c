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

size_t hst_scalar_bytes(enum hst_scalar s)
{
    return s == HST_SCALAR_F32 ? 4 : s == HST_SCALAR_BF16 ? 2 : 1;
}

hst_type hst_image_type(hst_shape s)
{
    return (hst_type){HST_SCALAR_F32, 3, {s.h, s.w, s.c}};
}

hst_type hst_vector_type(int c)
{
    return (hst_type){HST_SCALAR_F32, 1, {c}};
}

hst_shape hst_type_shape(const hst_type *t)
{
    const int n = t->n_dims;
    hst_shape s = {1, n > 1 ? t->dim[n - 2] : 1, n > 0 ? t->dim[n - 1] : 1};
    for (int i = 0; i < n - 2; i++)
        s.h *= t->dim[i];
    return s;
}

static int check_type(const hst_node *n, hst_err *err)
{
    uint64_t count = 1;
    int ok = n->type.n_dims >= 1 && n->type.n_dims <= HST_MAX_DIMS;
    for (int i = 0; ok && i < n->type.n_dims; i++) {
        ok = n->type.dim[i] >= 1 && n->type.dim[i] <= MAX_DIM;
        count *= ok ? (uint64_t)n->type.dim[i] : 1;
        ok = ok && count <= MAX_ACTIVATION;
    }
    const int *d = n->type.dim;
    return ok ? 0
              : hst_fail(err, HST_EMODEL, "%s %s: an activation of %d x %d x %d is out of bounds",
                         n->op->name, n->name, d[0], d[1], d[2]);
}

static int grow(hst_graph *g, hst_err *err)
{
    if (g->n_nodes < g->cap_nodes)
        return 0;
    int cap = g->cap_nodes ? g->cap_nodes * 2 : 64;
    hst_node *more = hst_resize(g->node, (size_t)cap, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    g->node = more;
    g->cap_nodes = cap;
    return 0;
}

static int count_inputs(const hst_op *op, const int *input)
{
    int n = op->takes_fewer ? 1 : op->n_inputs;
    while (n < op->n_inputs && input[n] >= 0)
        n++;
    return n;
}

int hst_graph_add_node(hst_graph *g, const hst_op *op, const int *input, const void *attrs,
                       const char *name, hst_err *err)
{
    hst_type in[HST_MAX_INPUTS] = {{0}};
    if (g->param || g->n_nodes == MAX_NODES)
        return hst_fail(err, HST_EMODEL, "the graph cannot take another layer");
    if (grow(g, err))
        return HST_EMEM;
    hst_node *n = &g->node[g->n_nodes];
    *n = (hst_node){.op = op};
    snprintf(n->name, sizeof n->name, "%s", name);
    if (attrs)
        memcpy(n->attrs, attrs, op->attr_bytes);
    n->n_inputs = count_inputs(op, input);
    for (int i = 0; i < HST_MAX_INPUTS; i++) {
        n->input[i] = i < n->n_inputs ? input[i] : -1;
        if (i >= n->n_inputs)
            continue;
        if (input[i] < 0 || input[i] >= g->n_nodes)
            return hst_fail(err, HST_EMODEL, "%s %s: input %d does not exist", op->name, name,
                            input[i]);
        in[i] = g->node[input[i]].type;
    }
    int rc = op->infer_type(n, in, err);
    rc = rc ? rc : check_type(n, err);
    return rc ? rc : g->n_nodes++;
}

int hst_graph_input(hst_graph *g, hst_shape s, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_input, NULL, &s, "", err);
}

int hst_graph_conv2d(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_conv2d, &x, c, name, err);
}

int hst_graph_depthwise(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_depthwise, &x, c, name, err);
}

int hst_graph_grouped(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_grouped, &x, c, name, err);
}

int hst_graph_standardised(hst_graph *g, int x, const hst_conv *c, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_standardised, &x, c, name, err);
}

int hst_graph_groupnorm(hst_graph *g, int x, const hst_group_norm *n, const char *name,
                        hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_groupnorm, &x, n, name, err);
}

int hst_graph_batchnorm(hst_graph *g, int x, double epsilon, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_batchnorm, &x, &epsilon, name, err);
}

int hst_graph_add(hst_graph *g, int x, int y, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_add, (int[]){x, y}, NULL, "", err);
}

int hst_graph_activation(hst_graph *g, int x, enum hst_act act, hst_err *err)
{
    const int word = (int)act;
    return act == HST_ACT_NONE ? x : hst_graph_add_node(g, &hst_op_activation, &x, &word, "", err);
}

int hst_graph_max_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_max_pool, &x, c, "", err);
}

int hst_graph_average_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_average_pool, &x, c, "", err);
}

int hst_graph_pick(hst_graph *g, int x, const hst_pick *p, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_pick, &x, p, "", err);
}

int hst_graph_times(hst_graph *g, int x, double by, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_times, &x, &by, "", err);
}

int hst_graph_scale(hst_graph *g, int x, int y, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_scale, (int[]){x, y}, NULL, "", err);
}

int hst_graph_concat(hst_graph *g, const int *x, int n, hst_err *err)
{
    int input[HST_MAX_INPUTS];
    if (n < 1 || n > HST_MAX_INPUTS)
        return hst_fail(err, HST_EMODEL, "concat of %d values, expected 1 to %d", n,
                        HST_MAX_INPUTS);
    for (int i = 0; i < HST_MAX_INPUTS; i++)
        input[i] = i < n ? x[i] : -1;
    return hst_graph_add_node(g, &hst_op_concat, input, NULL, "", err);
}

int hst_graph_affine(hst_graph *g, int x, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_affine, &x, NULL, name, err);
}

int hst_graph_global_average(hst_graph *g, int x, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_global_average, &x, NULL, "", err);
}

int hst_graph_layernorm(hst_graph *g, int x, double epsilon, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_layernorm, &x, &epsilon, name, err);
}

int hst_graph_layer_scale(hst_graph *g, int x, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_layer_scale, &x, NULL, name, err);
}

int hst_graph_tokens(hst_graph *g, int x, const hst_tokens *t, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_tokens, &x, t, name, err);
}

int hst_graph_attention(hst_graph *g, int qkv, const hst_attention *t, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_attention, &qkv, t, "", err);
}

int hst_graph_cross_attention(hst_graph *g, int q, int kv, const hst_attention *t, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_cross_attention, (int[]){q, kv}, t, "", err);
}

int hst_graph_rotary(hst_graph *g, int qkv, const hst_rotary *r, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_rotary, &qkv, r, "", err);
}

int hst_graph_gate(hst_graph *g, int x, enum hst_act act, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_gate, &x, &(int){(int)act}, "", err);
}

int hst_graph_probe(hst_graph *g, int x, const char *name, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_probe, &x, NULL, name, err);
}

int hst_graph_token_pool(hst_graph *g, int x, const hst_token_pool *p, hst_err *err)
{
    return hst_graph_add_node(g, &hst_op_token_pool, &x, p, "", err);
}

int hst_needs_same(const hst_node *n, int pixels)
{
    (void)n;
    return pixels;
}

size_t hst_slot_count(const hst_slot *s)
{
    size_t n = 1;
    for (int i = 0; i < s->n_dims; i++)
        n *= (size_t)s->dim[i]; /* dims are bounded by check_type: at most 64 * 64 * 2^16 * 2^16 */
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
            floats[s->statistic] += hst_slot_count(s);
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

hst_type hst_graph_type(const hst_graph *g, int node)
{
    return g->node[node].type;
}

hst_shape hst_graph_shape(const hst_graph *g, int node)
{
    return hst_node_shape(&g->node[node]);
}

const char *hst_graph_op_name(const hst_graph *g, int node)
{
    return g->node[node].op->name;
}

const char *hst_graph_node_name(const hst_graph *g, int node)
{
    return g->node[node].name;
}

int hst_graph_n_inputs(const hst_graph *g, int node)
{
    return g->node[node].n_inputs;
}

int hst_graph_input_of(const hst_graph *g, int node, int i)
{
    return g->node[node].input[i];
}

size_t hst_graph_node_params(const hst_graph *g, int node, size_t *first)
{
    *first = (size_t)g->node[node].first_param;
    return (size_t)g->node[node].n_slots;
}

int hst_graph_attr(const hst_graph *g, int node, int i, hst_attr_value *out)
{
    const hst_node *n = &g->node[node];
    if (i < 0 || i >= n->op->n_attrs)
        return 0;
    const hst_attr *a = &n->op->attrs[i];
    *out = (hst_attr_value){.name = a->name};
    int whole;
    if (a->kind == HST_ATTR_REAL) {
        memcpy(&out->number, n->attrs + a->offset, sizeof out->number);
        return 1;
    }
    memcpy(&whole, n->attrs + a->offset, sizeof whole);
    out->number = whole;
    out->word = a->kind == HST_ATTR_WORD ? a->words[whole] : NULL;
    return 1;
}

double hst_graph_node_flops(const hst_graph *g, int node)
{
    const hst_node *n = &g->node[node];
    hst_shape in[HST_MAX_INPUTS] = {{0}};
    for (int k = 0; k < n->n_inputs; k++)
        in[k] = hst_node_shape(&g->node[n->input[k]]);
    return hst_node_has_weights(n) || n->op->counts ? n->op->flops(n, in) : 0;
}

double hst_graph_flops(const hst_graph *g)
{
    double sum = 0;
    for (int i = 0; i < g->n_nodes; i++)
        sum += hst_graph_node_flops(g, i);
    return sum;
}
