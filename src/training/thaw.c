#include "training/thaw.h"

#include "base/mem.h"
#include "nn/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int has_op(const hst_graph *g, const hst_op *op)
{
    int has = 0;
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        has |= hst_graph_node(g, i)->op == op;
    return has;
}

/* The number in the name of a node of a transformer's block, "block_3_norm1"; -1: it is of none. */
static int block_of(const hst_node *n)
{
    int block = -1;
    return sscanf(n->name, "block_%d_", &block) == 1 ? block : -1;
}

int hst_thaw_layers(const hst_graph *g, int *layer)
{
    const int blocks = has_op(g, &hst_op_attention);
    int n = blocks;
    for (int i = 0; i < hst_graph_n_nodes(g); i++) {
        const hst_node *x = hst_graph_node(g, i);
        const int block = blocks ? block_of(x) : -1;
        if (blocks)
            n = block + 2 > n ? block + 2 : n;
        else
            n += hst_node_has_weights(x);
        layer[i] = n > 0 ? n - 1 : 0;
    }
    return n;
}

int hst_thaw_decays(const hst_graph *g, int node, int slot)
{
    const hst_node *n = hst_graph_node(g, node);
    return !has_op(g, &hst_op_layernorm) || (hst_node_has_weights(n) && n->slot[slot].n_dims > 1);
}

/* The node that layer number k begins with. */
static int layer_node(const hst_graph *g, const int *layer, int k)
{
    int i = 0;
    while (layer[i] < k || (k == 0 && !hst_node_has_weights(hst_graph_node(g, i))))
        i++;
    return i;
}

/* "block_1" names block_1_expand, but not block_12_expand. */
static int names(const char *wanted, const char *have)
{
    size_t n = strlen(wanted);
    return strncmp(have, wanted, n) == 0 && (have[n] == 0 || have[n] == '_' || have[n] == '.');
}

static int find_layer(const hst_graph *g, const char *name, int *node, hst_err *err)
{
    const char *first = NULL, *last = NULL, *middle = NULL;
    int n = hst_graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        const hst_node *x = hst_graph_node(g, i);
        if (x->name[0] && *name && names(name, x->name)) {
            *node = i;
            return 0;
        }
        if (!hst_node_has_weights(x))
            continue;
        first = first ? first : x->name;
        middle = middle || i < n / 2 ? middle : x->name;
        last = x->name;
    }
    return hst_fail(err, HST_EARG,
                    "the network has no layer '%s' to thaw from; it has %s .. %s .. "
                    "%s",
                    name, first, middle ? middle : last, last);
}

/* The number of the layer that the last N begin with; text: N. */
static int find_last(const char *text, int n_layers, int *first, hst_err *err)
{
    char *end = NULL;
    long n = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
    if (n < 1 || n > n_layers || *end)
        return hst_fail(err, HST_EARG, "last:%s cannot be thawed: the network has %d layers", text,
                        n_layers);
    *first = n_layers - (int)n;
    return 0;
}

/* Parameters that learn in nodes from `first` on. */
static uint64_t count(const hst_graph *g, int first)
{
    uint64_t n = 0;
    for (int i = first; i < hst_graph_n_nodes(g); i++) {
        const hst_node *x = hst_graph_node(g, i);
        for (int s = 0; s < x->n_slots; s++)
            if (!x->slot[s].statistic)
                n += hst_param_count(hst_graph_param(g, (size_t)(x->first_param + s)));
    }
    return n;
}

int hst_thaw_parse(const char *text, const hst_graph *g, hst_thaw *out, hst_err *err)
{
    int *layer = hst_alloc((size_t)hst_graph_n_nodes(g), sizeof *layer, err);
    hst_thaw t = {0};
    int rc = 0, first = -1;
    if (!layer)
        return HST_EMEM;
    t.n_layers = hst_thaw_layers(g, layer);
    if (strcmp(text, "all") == 0)
        t.first_node = layer_node(g, layer, 0);
    else if (strncmp(text, "last:", 5) == 0)
        rc = find_last(text + 5, t.n_layers, &first, err);
    else if (strncmp(text, "from:", 5) == 0)
        rc = find_layer(g, text + 5, &t.first_node, err);
    else
        rc = hst_fail(err, HST_EARG, "'%s' cannot be thawed: all, last:N or from:LAYER", text);
    if (rc == 0 && first >= 0)
        t.first_node = layer_node(g, layer, first);
    if (rc == 0) {
        t.first_layer = layer[t.first_node];
        t.n_learn = count(g, t.first_node);
        *out = t;
    }
    free(layer);
    return rc;
}
