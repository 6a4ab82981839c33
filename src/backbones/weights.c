/* weights.c - tensors of a file -> parameters of a graph. The one place that turns PyTorch's
 * layouts into ours. */
#include "backbones/family.h"
#include "base/finite.h"
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
    if (!hst_all_finite(p->data, n))
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

/* Where a layer's tensors go; all but the kernel are [out]. */
static const hst_param *our_param(const hst_graph *g, const hst_origin *o, const hst_layer *l,
                                  enum hst_part part)
{
    static const hst_dialect ours = {.style = &hst_style_keras};
    char name[3 * HST_MAX_TENSOR_NAME];
    hst_foreign_name(&(hst_origin){.family = o->family, .dialect = &ours}, l, part, name,
                     sizeof name);
    return hst_graph_find(g, name);
}

static const hst_named *find_part(const hst_tensors *t, const hst_origin *o, const hst_layer *l,
                                  enum hst_part part)
{
    char name[3 * HST_MAX_TENSOR_NAME];
    hst_foreign_name(o, l, part, name, sizeof name);
    return hst_tensors_find(t, name);
}

/* 1 when batch norm was drawn into the convolution, which then has a bias. */
static int is_folded(const hst_tensors *t, const hst_origin *o, const hst_layer *l)
{
    return !find_part(t, o, l, HST_GAMMA) && find_part(t, o, l, HST_BIAS);
}

static int import_part(const hst_tensors *t, const hst_origin *o, const hst_layer *l,
                       enum hst_part part, const hst_param *p, hst_err *err)
{
    int64_t depthwise = l->role == HST_DEPTHWISE;
    int64_t oihw[4] = {l->out, depthwise ? 1 : l->in, l->kernel, l->kernel};
    int64_t hwio[4] = {l->kernel, l->kernel, l->in, depthwise ? 1 : l->out};
    int64_t vector[1] = {l->out};
    int is_oihw = o->dialect->style->oihw, is_kernel = part == HST_KERNEL;
    char name[3 * HST_MAX_TENSOR_NAME];
    hst_foreign_name(o, l, part, name, sizeof name);
    const hst_named *x = find(t, name,
                              !is_kernel ? vector
                              : is_oihw  ? oihw
                                         : hwio,
                              is_kernel ? 4 : 1, err);
    if (!x)
        return HST_EMODEL;
    return is_kernel && is_oihw ? read_kernel(x, p, err) : read_values(x, p, err);
}

/* The stem's kernel [H][W][I][O] for red, green, blue, where it was for blue, green, red. */
static void swap_red_and_blue(const hst_param *p)
{
    size_t no = (size_t)p->dim[3], taps = (size_t)p->dim[0] * (size_t)p->dim[1];
    for (size_t i = 0; i < taps * no; i++) {
        float *red = p->data + i / no * 3 * no + i % no, blue = red[2 * no];
        red[2 * no] = red[0];
        red[0] = blue;
    }
}

/* (x + bias - mean) is (x - (mean - bias)). */
static int import_bias(const hst_tensors *t, const hst_origin *o, const hst_layer *l,
                       const hst_graph *g, hst_err *err)
{
    const hst_param *mean = our_param(g, o, l, HST_MEAN);
    size_t n = hst_param_count(mean);
    float *of_file = hst_alloc(n, sizeof *of_file, err);
    if (!of_file)
        return HST_EMEM;
    memcpy(of_file, mean->data, n * sizeof *of_file);
    int rc = import_part(t, o, l, HST_BIAS, mean, err);
    for (size_t i = 0; i < n; i++)
        mean->data[i] = of_file[i] - mean->data[i];
    free(of_file);
    return rc;
}

static void fill(const hst_param *p, float value)
{
    for (size_t i = 0; i < hst_param_count(p); i++)
        p->data[i] = value;
}

/* The batch norm that does nothing but add the bias: (x - 0) / sqrt(1 - epsilon + epsilon) * 1 +
 * bias. */
static int import_folded(const hst_tensors *t, const hst_origin *o, const hst_layer *l,
                         double epsilon, const hst_graph *g, hst_err *err)
{
    fill(our_param(g, o, l, HST_GAMMA), 1);
    fill(our_param(g, o, l, HST_MEAN), 0);
    fill(our_param(g, o, l, HST_VARIANCE), (float)(1 - epsilon));
    return import_part(t, o, l, HST_BIAS, our_param(g, o, l, HST_BETA), err);
}

static int import_layer(const hst_tensors *t, const hst_origin *o, const hst_layer *l,
                        double epsilon, const hst_graph *g, hst_err *err)
{
    int rc = import_part(t, o, l, HST_KERNEL, our_param(g, o, l, HST_KERNEL), err);
    if (rc == 0 && o->dialect->blue_first && l->role == HST_STEM && !hst_facts_say_norm(t))
        swap_red_and_blue(our_param(g, o, l, HST_KERNEL));
    const hst_param *bias = our_param(g, o, l, HST_BIAS);
    if (rc == 0 && bias) /* no batch norm is behind it */
        return import_part(t, o, l, HST_BIAS, bias, err);
    if (rc == 0 && is_folded(t, o, l))
        return import_folded(t, o, l, epsilon, g, err);
    for (enum hst_part part = HST_GAMMA; rc == 0 && part <= HST_VARIANCE; part++)
        rc = import_part(t, o, l, part, our_param(g, o, l, part), err);
    return rc || !o->dialect->biased ? rc : import_bias(t, o, l, g, err);
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

/* 1 when the layer uses a part: kernel and bias, or kernel and batch norm. */
static int uses(int folded, enum hst_part part)
{
    return part == HST_KERNEL || (part == HST_BIAS) == folded;
}

static int is_expected(const hst_tensors *t, const hst_origin *o, const hst_layer *layer, int n,
                       const char *name)
{
    char want[3 * HST_MAX_TENSOR_NAME];
    for (int i = 0; i < n * HST_N_PARTS; i++) {
        const hst_layer *l = &layer[i / HST_N_PARTS];
        enum hst_part part = (enum hst_part)(i % HST_N_PARTS);
        hst_foreign_name(o, l, part, want, sizeof want);
        if (strcmp(want, name) == 0)
            return o->dialect->biased || uses(is_folded(t, o, l), part);
    }
    return 0;
}

/* A tensor more (a bias, squeeze-and-excitation) means another network that would only seem to run.
 * Every expected one was found, so counting is enough to know. */
static int check_superfluous(const hst_tensors *t, const hst_origin *o, const hst_layer *layer,
                             int n, hst_err *err)
{
    int left = 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++)
        left += in_body(o, hst_tensors_at(t, i)->name);
    for (int i = 0; i < n; i++)
        left -= is_folded(t, o, &layer[i]) ? 2 : 5 + o->dialect->biased;
    for (size_t i = 0; left && i < hst_tensors_count(t); i++) {
        const char *name = hst_tensors_at(t, i)->name;
        if (in_body(o, name) && !is_expected(t, o, layer, n, name))
            return hst_fail(err, HST_EMODEL, "tensor '%s' is not part of %s", name,
                            o->family->name);
    }
    return 0;
}

int hst_weights_import(const hst_tensors *t, const hst_origin *o, const hst_arch *a, hst_graph *g,
                       hst_err *err)
{
    hst_layer layer[HST_MAX_LAYERS];
    int n = hst_family_layers(a, layer), rc = 0;
    for (int i = 0; rc == 0 && i < n; i++)
        rc = import_layer(t, o, &layer[i], a->bn_epsilon, g, err);
    return rc ? rc : check_superfluous(t, o, layer, n, err);
}
