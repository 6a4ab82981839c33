#include "training/thaw.h"

#include "base/mem.h"
#include "nn/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hst_thaw_layers(const hst_graph *g, int *layer)
{
    int n = 0;
    for (int i = 0; i < hst_graph_n_nodes(g); i++) {
        n += hst_node_has_weights(hst_graph_node(g, i));
        layer[i] = n > 0 ? n - 1 : 0;
    }
    return n;
}

/* The node that layer number k begins with. */
static int layer_node(const hst_graph *g, int k)
{
    int i = 0;
    for (;; i++)
        if (hst_node_has_weights(hst_graph_node(g, i)) && k-- == 0)
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

/* The node that the last N layers begin with; text: N. */
static int find_last(const hst_graph *g, const char *text, int n_layers, int *node, hst_err *err)
{
    char *end = NULL;
    long n = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
    if (n < 1 || n > n_layers || *end)
        return hst_fail(err, HST_EARG, "last:%s cannot be thawed: the network has %d layers", text,
                        n_layers);
    *node = layer_node(g, n_layers - (int)n);
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
    int rc = 0;
    if (!layer)
        return HST_EMEM;
    t.n_layers = hst_thaw_layers(g, layer);
    if (strcmp(text, "all") == 0)
        t.first_node = layer_node(g, 0);
    else if (strncmp(text, "last:", 5) == 0)
        rc = find_last(g, text + 5, t.n_layers, &t.first_node, err);
    else if (strncmp(text, "from:", 5) == 0)
        rc = find_layer(g, text + 5, &t.first_node, err);
    else
        rc = hst_fail(err, HST_EARG, "'%s' cannot be thawed: all, last:N or from:LAYER", text);
    if (rc == 0) {
        t.first_layer = layer[t.first_node];
        t.n_learn = count(g, t.first_node);
        *out = t;
    }
    free(layer);
    return rc;
}
