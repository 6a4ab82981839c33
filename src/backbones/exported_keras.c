/* exported_keras.c - the tensors of a Keras file that headstart has exported as parameters. Layers
 * are called as ours are, and norms are as they were; what several of our layers do is a layer of
 * Keras' own in two places:
 *
 *   MultiHeadAttention   "block_0_qkv" and "block_0_proj" are block_0_attention's query_dense,
 *                        key_dense, value_dense and output_dense (as matrices: keras_attention.c
 *                        of the import helper)
 *   EinsumDense          scales and shifts are its kernel and bias; tokens and positions are its
 *                        bias */
#include "backbones/probed.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const hst_tensors *t;
    const hst_graph *g;
    hst_param_maps maps;
    hst_err *err;
} reading;

/* p from the tensor of that layer and name. NULL: no memory. */
static hst_param_map *add(reading *r, const hst_param *p, const char *layer, const char *name)
{
    char theirs[HST_MAX_FILE_NAME];
    snprintf(theirs, sizeof theirs, "%s/%s", layer, name);
    hst_param_map *m = hst_param_maps_add(&r->maps, p->name, theirs, r->err);
    if (m)
        m->squeezes = 1;
    return m;
}

/* ---- attention ---- */

/* Behind rotary positions it is no layer of Keras', and the products around it are dense ones. */
static int is_attention(const reading *r, int node)
{
    const char *op = hst_graph_op_name(r->g, node);
    return strcmp(op, "cross_attention") == 0 ||
           (strcmp(op, "attention") == 0 &&
            strcmp(hst_graph_op_name(r->g, hst_graph_input_of(r->g, node, 0)), "rotary") != 0);
}

/* The node that first reads node x; -1: none does. */
static int reader_of(const reading *r, int x)
{
    for (int i = x + 1; i < hst_graph_n_nodes(r->g); i++)
        for (int k = 0; k < hst_graph_n_inputs(r->g, i); k++)
            if (hst_graph_input_of(r->g, i, k) == x)
                return i;
    return -1;
}

/* "block_0_attention" of the product block_0_proj behind it. */
static void attention_of(const reading *r, int node, char layer[HST_MAX_TENSOR_NAME])
{
    static const char ending[] = "_proj";
    const char *name = hst_graph_node_name(r->g, node);
    const size_t n = strlen(name), e = sizeof ending - 1;
    if (n > e && strcmp(name + n - e, ending) == 0)
        snprintf(layer, HST_MAX_TENSOR_NAME, "%.*s_attention", (int)(n - e), name);
}

/* Parts of a parameter of the product in front of attention, by what reads them. */
static int projections(reading *r, int node, const hst_param *p, const char *ending, int attention)
{
    static const char *const parts[] = {"query_dense", "key_dense", "value_dense"};
    const int is_query = hst_graph_input_of(r->g, attention, 0) == node;
    const int is_all = hst_graph_n_inputs(r->g, attention) == 1;
    const int first = is_query ? 0 : 1, n = is_all ? 3 : is_query ? 1 : 2;
    const int axis = p->n_dims - 1, width = (int)p->dim[axis] / n;
    char layer[HST_MAX_TENSOR_NAME] = "", name[HST_MAX_TENSOR_NAME];
    const int behind = reader_of(r, attention);
    if (behind >= 0)
        attention_of(r, behind, layer);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%.32s", parts[first + i], ending);
        hst_param_map *m = add(r, p, layer, name);
        if (!m)
            return HST_EMEM;
        m->into.axis = axis;
        m->into.first = i * width;
        m->into.n = width;
    }
    return 0;
}

/* ---- norms ---- */

/* A factor or a term for each channel, of which the parameter may be one number. What is not there
 * adds nothing. */
static int channels(reading *r, const hst_param *p, const char *layer, int adds)
{
    char theirs[HST_MAX_FILE_NAME];
    snprintf(theirs, sizeof theirs, "%s/%s", layer, adds ? "bias" : "kernel");
    const hst_tensor *x = hst_tensors_find(r->t, theirs);
    hst_param_map *m = hst_param_maps_add(&r->maps, p->name, x || !adds ? theirs : "", r->err);
    if (m && x && hst_param_count(p) == 1 && x->n_dims == 1 && x->dim[0] <= INT16_MAX)
        m->slice.of = (int)x->dim[0];
    return m ? 0 : HST_EMEM;
}

/* ---- nodes ---- */

static int param(reading *r, int node, const hst_param *p)
{
    const char *op = hst_graph_op_name(r->g, node), *slash = strrchr(p->name, '/');
    const char *ending = slash ? slash + 1 : p->name;
    const int reader = reader_of(r, node);
    char layer[HST_MAX_TENSOR_NAME], name[HST_MAX_TENSOR_NAME];
    snprintf(layer, sizeof layer, "%.*s", (int)(ending - p->name) - (slash != NULL), p->name);
    if (strcmp(op, "tokens") == 0 || strcmp(op, "probe") == 0) {
        snprintf(name, sizeof name, "%.60s_%.60s", layer, ending);
        return add(r, p, name, "bias") ? 0 : HST_EMEM;
    }
    if (strcmp(op, "layer_scale") == 0 || strcmp(op, "affine") == 0)
        return channels(r, p, layer, strcmp(ending, "shift") == 0);
    if (reader >= 0 && is_attention(r, reader))
        return projections(r, node, p, ending, reader);
    if (is_attention(r, hst_graph_input_of(r->g, node, 0))) {
        attention_of(r, node, layer);
        snprintf(name, sizeof name, "output_dense/%.32s", ending);
        return add(r, p, layer, name) ? 0 : HST_EMEM;
    }
    return add(r, p, layer, ending) ? 0 : HST_EMEM;
}

int hst_exported_read_keras(const hst_tensors *t, const hst_graph *g, hst_err *err)
{
    reading r = {.t = t, .g = g, .err = err};
    char *used = hst_alloc(hst_tensors_count(t) + 1, 1, err);
    int rc = used ? 0 : HST_EMEM;
    for (int i = 1; rc == 0 && i < hst_graph_n_nodes(g); i++) {
        size_t first, n = hst_graph_node_params(g, i, &first);
        for (size_t k = 0; rc == 0 && k < n; k++)
            rc = param(&r, i, hst_graph_param(g, first + k));
    }
    rc = rc ? rc : hst_params_import(t, &r.maps, g, used, err);
    hst_param_maps_free(&r.maps);
    free(used);
    return rc;
}
