/* exported.c - the tensors of a file that headstart has exported, by our names, as parameters.
 *
 * An export has norms drawn into the weights in front of them (exports/lower.c), and a step
 * scale x + shift where there are none: a batch norm becomes one of mean 0 and variance
 * 1 - epsilon, whose beta is what came to be the bias in front of it. */
#include "backbones/probed.h"
#include "base/mem.h"
#include "formats/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const hst_tensors *t;
    const hst_graph *g;
    int as_onnx;    /* 1: kernels' axes are in ONNX' order, else in ours */
    char *has_bias; /* [nodes] 1: the bias of its weights is a parameter already */
    hst_param_maps maps;
    hst_err *err;
} reading;

/* "block_0_fc1/" of "block_0_fc1/kernel". */
static void front_of(const hst_param *p, char front[HST_MAX_TENSOR_NAME])
{
    const char *slash = strrchr(p->name, '/');
    snprintf(front, HST_MAX_TENSOR_NAME, "%.*s", slash ? (int)(slash + 1 - p->name) : 0, p->name);
}

static const char *ending_of(const hst_param *p)
{
    const char *slash = strrchr(p->name, '/');
    return slash ? slash + 1 : p->name;
}

static const hst_tensor *find(const reading *r, const char *front, const char *ending,
                              char name[HST_MAX_FILE_NAME])
{
    snprintf(name, HST_MAX_FILE_NAME, "%s%s", front, ending);
    return hst_tensors_find(r->t, name);
}

/* p from the tensor of that name; "": from one number. */
static hst_param_map *add(reading *r, const hst_param *p, const char *theirs)
{
    hst_param_map *m = hst_param_maps_add(&r->maps, p->name, theirs, r->err);
    if (m)
        m->squeezes = 1;
    return m;
}

static int constant(reading *r, const hst_param *p, double value)
{
    hst_param_map *m = add(r, p, "");
    if (m)
        m->value = (float)value;
    return m ? 0 : HST_EMEM;
}

static double real_of(const hst_graph *g, int node, const char *attribute)
{
    hst_attr_value a;
    for (int i = 0; hst_graph_attr(g, node, i, &a); i++)
        if (strcmp(a.name, attribute) == 0)
            return a.number;
    return 0;
}

/* ---- weights ---- */

/* As it is, [H][W][I][O]; of ONNX [O][I][H][W] and [C][1][H][W], but of a product [I][O] too. */
static int kernel(reading *r, const hst_param *p, const char *front, int is_depthwise)
{
    char name[HST_MAX_FILE_NAME];
    const hst_tensor *x = find(r, front, ending_of(p), name);
    x = x ? x : find(r, front, "kernel", name);
    hst_param_map *m = add(r, p, name);
    if (m && x && x->n_dims == 4 && r->as_onnx) {
        m->permutes = 1;
        memcpy(m->order, is_depthwise ? (int[4]){2, 3, 0, 1} : (int[4]){2, 3, 1, 0},
               sizeof m->order);
    }
    return m ? 0 : HST_EMEM;
}

/* Tokens in front stand in rows of their own before zeros, or alone. */
static int table(reading *r, const hst_param *p)
{
    char name[HST_MAX_FILE_NAME];
    hst_param_map *m;
    if (find(r, p->name, "/front", name)) {
        m = add(r, p, name);
        if (m)
            m->rows = p->dim[0];
        return m ? 0 : HST_EMEM;
    }
    (void)find(r, p->name, "/value", name);
    return add(r, p, name) ? 0 : HST_EMEM;
}

/* ---- norms ---- */

static int is_norm(const reading *r, int node)
{
    const char *op = hst_graph_op_name(r->g, node);
    return strcmp(op, "batchnorm") == 0 || strcmp(op, "layer_scale") == 0 ||
           strcmp(op, "affine") == 0;
}

/* Its own numbers for each channel are there: nothing drew it in. */
static int stands_alone(const reading *r, int node, char front[HST_MAX_TENSOR_NAME])
{
    char name[HST_MAX_FILE_NAME];
    size_t first;
    (void)hst_graph_node_params(r->g, node, &first);
    front_of(hst_graph_param(r->g, first), front);
    return find(r, front, "scale", name) != NULL;
}

/* The bias of the weights that drew norm `node` in, unless it is somebody's already. */
static int bias_in_front(reading *r, int node, char name[HST_MAX_FILE_NAME])
{
    char front[HST_MAX_TENSOR_NAME];
    size_t first;
    do
        node = hst_graph_input_of(r->g, node, 0);
    while (is_norm(r, node) && !stands_alone(r, node, front));
    if (!hst_graph_node_params(r->g, node, &first) || is_norm(r, node) || r->has_bias[node])
        return 0;
    front_of(hst_graph_param(r->g, first), front);
    r->has_bias[node] = 1;
    return find(r, front, "bias", name) != NULL;
}

/* One number of a tensor that has it for every channel. */
static int first_number(reading *r, const hst_param *p, const char *theirs)
{
    hst_param_map *m = add(r, p, theirs);
    const hst_tensor *x = hst_tensors_find(r->t, theirs);
    if (m && x && x->n_dims && x->dim[0] > 1 && hst_tensor_count(x) == (size_t)x->dim[0]) {
        m->slice.part = 0;
        m->slice.of = (int)x->dim[0];
    }
    return m ? 0 : HST_EMEM;
}

static int norm_param(reading *r, int node, const hst_param *p, int alone, const char *front)
{
    const char *ending = ending_of(p);
    const double epsilon = real_of(r->g, node, "epsilon");
    const int adds = strcmp(ending, "beta") == 0 || strcmp(ending, "shift") == 0;
    char name[HST_MAX_FILE_NAME];
    if (strcmp(ending, "moving_mean") == 0)
        return constant(r, p, 0);
    if (strcmp(ending, "moving_variance") == 0)
        return constant(r, p, 1 - epsilon);
    if (alone) {
        (void)find(r, front, adds ? "shift" : "scale", name);
        return hst_param_count(p) == 1 ? first_number(r, p, name) : add(r, p, name) ? 0 : HST_EMEM;
    }
    if (adds && bias_in_front(r, node, name))
        return add(r, p, name) ? 0 : HST_EMEM;
    return constant(r, p, adds ? 0 : 1);
}

/* ---- nodes ---- */

static int param(reading *r, int node, const hst_param *p)
{
    char front[HST_MAX_TENSOR_NAME];
    const char *ending = ending_of(p);
    front_of(p, front);
    if (is_norm(r, node)) {
        const int alone = stands_alone(r, node, front);
        return norm_param(r, node, p, alone, front);
    }
    if (strcmp(ending, "kernel") == 0 || strcmp(ending, "depthwise_kernel") == 0)
        return kernel(r, p, front, *ending == 'd');
    if (strcmp(ending, "prefix") == 0 || strcmp(ending, "positions") == 0 ||
        strcmp(ending, "probe") == 0)
        return table(r, p);
    r->has_bias[node] |= strcmp(ending, "bias") == 0;
    return add(r, p, p->name) ? 0 : HST_EMEM;
}

/* Weights that are multiplied by one number behind them have drawn that in: it is taken out. */
static void undo_times(const hst_graph *g)
{
    for (int i = 1; i < hst_graph_n_nodes(g); i++) {
        size_t first = 0;
        const int is = strcmp(hst_graph_op_name(g, i), "times") == 0;
        const size_t n = is ? hst_graph_node_params(g, hst_graph_input_of(g, i, 0), &first) : 0;
        for (size_t k = first; k < first + n; k++)
            for (size_t j = 0; j < hst_param_count(hst_graph_param(g, k)); j++)
                hst_graph_param(g, k)->data[j] /= (float)real_of(g, i, "by");
    }
}

int hst_exported_read(const hst_tensors *t, const hst_graph *g, hst_err *err)
{
    const char *names = hst_tensors_meta(t, HST_NAMES_FACT);
    reading r = {.t = t, .g = g, .as_onnx = names && strcmp(names, "onnx") == 0, .err = err};
    const int n = hst_graph_n_nodes(g);
    if (names && strcmp(names, "keras") == 0)
        return hst_exported_read_keras(t, g, err);
    char *used = hst_alloc(hst_tensors_count(t) + 1, 1, err);
    r.has_bias = used ? hst_alloc((size_t)n, 1, err) : NULL;
    int rc = r.has_bias ? 0 : HST_EMEM;
    for (int i = 0; rc == 0 && i < n; i++) {
        size_t first, params = hst_graph_node_params(g, i, &first);
        for (size_t k = 0; rc == 0 && k < params; k++)
            rc = param(&r, i, hst_graph_param(g, first + k));
    }
    rc = rc ? rc : hst_params_import(t, &r.maps, g, used, err);
    if (rc == 0)
        undo_times(g);
    hst_param_maps_free(&r.maps);
    free(r.has_bias);
    free(used);
    return rc;
}
