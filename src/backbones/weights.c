/* weights.c - tensors of a file -> parameters of a graph. The one place that turns PyTorch's
 * layouts into ours. */
#include "backbones/family.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "[32, 3, 3, 3]" */
static void shape_text(const int64_t *dim, int n, char out[200])
{
    size_t at = 0;
    out[at++] = '[';
    for (int i = 0; i < n && at < 180; i++)
        at += (size_t)snprintf(out + at, 200 - at, "%s%lld", i ? ", " : "", (long long)dim[i]);
    snprintf(out + at, 200 - at, "]");
}

/* The tensor of that name, if its shape is dim[n]. */
static const hst_named *find(const hst_tensors *t, const char *name, const int64_t *dim, int n,
                             hst_err *err)
{
    char want[200], have[200];
    const hst_named *x = hst_tensors_find(t, name);
    if (x && x->n_dims == n && memcmp(x->dim, dim, (size_t)n * sizeof *dim) == 0)
        return x;
    shape_text(dim, n, want);
    if (!x) {
        hst_fail(err, HST_EMODEL, "tensor '%s' %s is missing", name, want);
        return NULL;
    }
    shape_text(x->dim, x->n_dims, have);
    hst_fail(err, HST_EMODEL, "tensor '%s' has shape %s, expected %s", name, have, want);
    return NULL;
}

/* What no network can hold: NaN, infinity, a variance below zero. name: the tensor's in its file.
 */
static int check_values(const hst_param *p, const char *name, hst_err *err)
{
    size_t n = hst_param_count(p), len = strlen(p->name);
    int variance = p->statistic && len > 8 && strcmp(p->name + len - 8, "variance") == 0;
    float bad = 0; /* stays 0 while all are finite: 0 * x is NaN otherwise */
    for (size_t i = 0; i < n; i++)
        bad += 0 * p->data[i];
    if (bad != 0)
        return hst_fail(err, HST_EMODEL, "tensor '%s' holds a value that is not a finite number",
                        name);
    for (size_t i = 0; variance && i < n; i++)
        if (p->data[i] < 0)
            return hst_fail(err, HST_EMODEL, "tensor '%s' holds a variance below zero (%g)", name,
                            (double)p->data[i]);
    return 0;
}

static int read_values(const hst_named *x, const hst_param *p, hst_err *err)
{
    if (hst_named_floats(x, p->data, err)) {
        (void)hst_err_at(err, x->name);
        return HST_EMODEL;
    }
    return check_values(p, x->name, err);
}

int hst_weights_read(const hst_tensors *t, const char *prefix, hst_graph *g, hst_err *err)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        char name[3 * HST_MAX_TENSOR_NAME];
        int64_t dim[4];
        for (int k = 0; k < p->n_dims; k++)
            dim[k] = p->dim[k];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const hst_named *x = find(t, name, dim, p->n_dims, err);
        int rc = x ? read_values(x, p, err) : HST_EMODEL;
        if (rc)
            return rc;
    }
    return 0;
}

/* [O][I][H][W] -> [H][W][I][O]. Depthwise [C][1][H][W] -> [H][W][C][1] is the case I = 1, O = C. */
static int read_kernel(const hst_named *x, const hst_param *p, hst_err *err)
{
    size_t no = (size_t)x->dim[0], ni = (size_t)x->dim[1], nk = (size_t)(x->dim[2] * x->dim[3]);
    float *oihw = hst_alloc(hst_param_count(p), sizeof *oihw, err);
    if (!oihw)
        return HST_EMEM;
    int rc = hst_named_floats(x, oihw, err);
    if (rc)
        (void)hst_err_at(err, x->name);
    for (size_t o = 0; rc == 0 && o < no; o++)
        for (size_t i = 0; i < ni; i++)
            for (size_t k = 0; k < nk; k++)
                p->data[(k * ni + i) * no + o] = oihw[(o * ni + i) * nk + k];
    free(oihw);
    return rc ? rc : check_values(p, x->name, err);
}

enum { N_PARTS = 5 };
static const struct {
    int of_bn;
    const char *ours, *theirs;                 /* behind the names of convolution or batch norm */
} parts[N_PARTS] = {{0, "/kernel", ".weight"}, /* a depthwise one of ours: /depthwise_kernel */
                    {1, "/gamma", ".weight"},
                    {1, "/beta", ".bias"},
                    {1, "/moving_mean", ".running_mean"},
                    {1, "/moving_variance", ".running_var"}};

static void foreign_name(const hst_origin *o, const hst_layer *l, int part, char *out, size_t cap)
{
    hst_layer_names names;
    o->dialect->names(l, &names);
    snprintf(out, cap, "%s%s%s", o->prefix, parts[part].of_bn ? names.bn : names.conv,
             parts[part].theirs);
}

static const hst_param *our_param(const hst_graph *g, const hst_origin *o, const hst_layer *l,
                                  int part)
{
    char name[2 * HST_MAX_TENSOR_NAME];
    hst_layer_names names;
    o->family->names(l, &names);
    snprintf(name, sizeof name, "%s%s", parts[part].of_bn ? names.bn : names.conv,
             part == 0 && l->role == HST_DEPTHWISE ? "/depthwise_kernel" : parts[part].ours);
    return hst_graph_find(g, name);
}

static int import_layer(const hst_tensors *t, const hst_origin *o, const hst_layer *l, hst_graph *g,
                        hst_err *err)
{
    int64_t kernel[4] = {l->out, l->role == HST_DEPTHWISE ? 1 : l->in, l->kernel, l->kernel};
    int64_t vector[1] = {l->out};
    for (int i = 0; i < N_PARTS; i++) {
        char name[3 * HST_MAX_TENSOR_NAME];
        foreign_name(o, l, i, name, sizeof name);
        const hst_named *x = find(t, name, i ? vector : kernel, i ? 1 : 4, err);
        if (!x)
            return HST_EMODEL;
        const hst_param *p = our_param(g, o, l, i);
        int rc = i ? read_values(x, p, err) : read_kernel(x, p, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* 1 when a tensor lies inside the network, by its name, and is no training counter. */
static int in_body(const hst_origin *o, const char *name)
{
    size_t np = strlen(o->prefix);
    if (strncmp(name, o->prefix, np) != 0 || strstr(name, ".num_batches_tracked"))
        return 0;
    for (const char *const *b = o->dialect->body; *b; b++)
        if (strncmp(name + np, *b, strlen(*b)) == 0)
            return 1;
    return 0;
}

static int is_expected(const hst_origin *o, const hst_layer *layer, int n, const char *name)
{
    char want[3 * HST_MAX_TENSOR_NAME];
    for (int i = 0; i < n * N_PARTS; i++) {
        foreign_name(o, &layer[i / N_PARTS], i % N_PARTS, want, sizeof want);
        if (strcmp(want, name) == 0)
            return 1;
    }
    return 0;
}

/* A tensor more (a bias, squeeze-and-excitation) means another network that would only seem to run.
 * Every expected one was found, so counting is enough to know. */
static int check_superfluous(const hst_tensors *t, const hst_origin *o, const hst_layer *layer,
                             int n, hst_err *err)
{
    int inside = 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++)
        inside += in_body(o, hst_tensors_at(t, i)->name);
    if (inside == n * N_PARTS)
        return 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++) {
        const char *name = hst_tensors_at(t, i)->name;
        if (in_body(o, name) && !is_expected(o, layer, n, name))
            return hst_fail(err, HST_EMODEL, "tensor '%s' is not part of %s", name,
                            o->family->name);
    }
    return 0;
}

int hst_weights_import(const hst_tensors *t, const hst_origin *o, const hst_arch *a, hst_graph *g,
                       hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = o->family->layers(a, layer), rc = 0;
    if (!o->dialect->names)
        return hst_weights_read(t, o->prefix, g, err);
    for (int i = 0; rc == 0 && i < n; i++)
        rc = import_layer(t, o, &layer[i], g, err);
    return rc ? rc : check_superfluous(t, o, layer, n, err);
}
