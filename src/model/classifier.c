/* classifier.c - what lies behind the features in the file of another program, as layers of ours:
 * products in a row are made one, norms are drawn into the products beside them. */
#include "base/json.h"
#include "base/mem.h"
#include "model/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its classifier cannot be read: %s", why);
}

void hst_classifier_clear(hst_classifier *c)
{
    for (int i = 0; i < c->n; i++) {
        free(c->layer[i].kernel);
        free(c->layer[i].bias);
    }
    *c = (hst_classifier){0};
}

/* The reading of a list of steps. */
typedef struct reading {
    const hst_tensors *t;
    hst_classifier *c;
    int open;              /* 1: the last layer has no activation yet */
    int wide;              /* of scale and shift */
    double *scale, *shift; /* [wide] what the next product's input is multiplied by, and added;
                              NULL: nothing */
} reading;

/* A tensor's numbers, to be freed; *n: how many. NULL: it is not there. */
static float *floats(const hst_tensors *t, const char *name, size_t *n, hst_err *err)
{
    const hst_tensor *x = name ? hst_tensors_find(t, name) : NULL;
    *n = x ? hst_tensor_count(x) : 0;
    if (!*n || *n > INT32_MAX / 8) {
        refuse(err, "a tensor that it names is not there");
        return NULL;
    }
    float *v = hst_alloc(*n, sizeof *v, err);
    int rc = v ? hst_tensor_floats(x, v, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < *n; i++)
        if (!isfinite(v[i]))
            rc = refuse(err, "it holds a value that is not a finite number");
    if (rc == 0)
        return v;
    free(v);
    return NULL;
}

/* [n] of the layer's vector of that name; `absent` where none is named. */
static float *vector(const reading *r, const json_t *step, const char *key, size_t n, float absent,
                     hst_err *err)
{
    const char *name = json_string_value(json_object_get(step, key));
    size_t have = n;
    float *v = name ? floats(r->t, name, &have, err) : hst_alloc(n, sizeof *v, err);
    for (size_t i = 0; v && !name && i < n; i++)
        v[i] = absent;
    if (!v || have == n)
        return v;
    free(v);
    refuse(err, "its layers do not fit one another");
    return NULL;
}

/* The kernel as [in][out]: of a matrix, or of a convolution of one pixel, whose channels come last
 * where it is not transposed, else first. */
static float *kernel(const reading *r, const json_t *step, int *in, int *out, hst_err *err)
{
    const char *name = json_string_value(json_object_get(step, "kernel"));
    const hst_tensor *x = name ? hst_tensors_find(r->t, name) : NULL;
    const int turned = json_is_true(json_object_get(step, "transposed"));
    const int n = x ? x->n_dims : 0, at = n == 4 && !turned ? 2 : 0;
    const int64_t *dim = x ? x->dim + at : NULL;
    size_t count;
    if ((n != 2 && n != 4) || dim[0] < 1 || dim[1] < 1 || dim[0] > HST_MAX_CLASSES ||
        dim[1] > HST_MAX_CLASSES || (n == 4 && (x->dim[2 - at] != 1 || x->dim[3 - at] != 1))) {
        refuse(err, "a kernel is no matrix");
        return NULL;
    }
    float *raw = floats(r->t, name, &count, err);
    *in = (int)dim[turned ? 1 : 0];
    *out = (int)dim[turned ? 0 : 1];
    if (!raw || !turned)
        return raw;
    float *w = hst_alloc(count, sizeof *w, err);
    for (size_t i = 0, rows = (size_t)*in, columns = (size_t)*out; w && i < count; i++)
        w[i] = raw[i % columns * rows + i / columns];
    free(raw);
    return w;
}

/* x scale + shift in front of kernel and bias becomes part of them. */
static int draw_in(reading *r, hst_hidden *h, hst_err *err)
{
    if (!r->scale)
        return 0;
    if (r->wide != h->in)
        return refuse(err, "its layers do not fit one another");
    for (int k = 0; k < h->out; k++) {
        double sum = (double)h->bias[k];
        for (int i = 0; i < h->in; i++) {
            float *w = &h->kernel[(size_t)i * (size_t)h->out + (size_t)k];
            sum += (double)*w * r->shift[i];
            *w = (float)((double)*w * r->scale[i]);
        }
        h->bias[k] = (float)sum;
    }
    free(r->scale);
    r->scale = NULL;
    return 0;
}

/* a, then b, as one layer in a's place; b ends. */
static int join(hst_hidden *a, hst_hidden *b, hst_err *err)
{
    const size_t n = (size_t)b->out;
    float *w = hst_alloc((size_t)a->in + 1, n * sizeof *w, err);
    for (size_t i = 0; w && i <= (size_t)a->in; i++)
        for (size_t k = 0; k < n; k++) {
            const float *row = i < (size_t)a->in ? a->kernel + i * (size_t)a->out : a->bias;
            double sum = i < (size_t)a->in ? 0 : (double)b->bias[k];
            for (size_t j = 0; j < (size_t)a->out; j++)
                sum += (double)row[j] * (double)b->kernel[j * n + k];
            w[i * n + k] = (float)sum;
        }
    if (w)
        memcpy(b->bias, w + (size_t)a->in * n, n * sizeof *w);
    free(a->kernel);
    free(a->bias);
    free(b->kernel);
    *a = (hst_hidden){.in = a->in, .out = b->out, .kernel = w, .bias = b->bias};
    return w ? 0 : HST_EMEM;
}

static int add_dense(reading *r, const json_t *step, hst_err *err)
{
    hst_classifier *c = r->c;
    hst_hidden h = {0};
    if (c->n == HST_MOST_HIDDEN + 1)
        return refuse(err, "it has too many layers");
    h.kernel = kernel(r, step, &h.in, &h.out, err);
    h.bias = h.kernel ? vector(r, step, "bias", (size_t)h.out, 0, err) : NULL;
    int rc = h.bias ? draw_in(r, &h, err) : err->code;
    if (rc == 0 && c->n && c->layer[c->n - 1].out != h.in)
        rc = refuse(err, "its layers do not fit one another");
    if (rc) {
        free(h.kernel);
        free(h.bias);
        return rc;
    }
    const int joins = r->open;
    r->open = 1;
    if (joins)
        return join(&c->layer[c->n - 1], &h, err);
    c->layer[c->n++] = h;
    return 0;
}

/* gamma (x - mean) / sqrt(variance + epsilon) + beta: into the product before it, or kept for the
 * one behind. */
static int add_norm(reading *r, const json_t *step, hst_err *err)
{
    static const char *const keys[] = {"gamma", "beta", "mean", "variance"};
    const char *mean = json_string_value(json_object_get(step, "mean"));
    const hst_tensor *x = mean ? hst_tensors_find(r->t, mean) : NULL;
    const size_t n = x ? hst_tensor_count(x) : 0;
    const double epsilon = json_number_value(json_object_get(step, "epsilon"));
    float *v[4] = {0};
    int rc = n && n <= HST_MAX_CLASSES && epsilon > 0 ? 0 : refuse(err, "a norm has no numbers");
    for (int i = 0; rc == 0 && i < 4; i++) {
        v[i] = vector(r, step, keys[i], n, i == 0 || i == 3 ? 1 : 0, err);
        rc = v[i] ? 0 : err->code;
    }
    hst_hidden *h = r->open ? &r->c->layer[r->c->n - 1] : NULL;
    if (rc == 0 && (r->scale || (h && (size_t)h->out != n)))
        rc = refuse(err, "a norm stands at an odd place");
    if (rc == 0 && !h) {
        r->scale = hst_alloc(2 * n, sizeof *r->scale, err);
        r->shift = r->scale ? r->scale + n : NULL;
        r->wide = (int)n;
        rc = r->scale ? 0 : HST_EMEM;
    }
    for (size_t k = 0; rc == 0 && k < n; k++) {
        const double scale = (double)v[0][k] / sqrt((double)v[3][k] + epsilon);
        const double shift = (double)v[1][k] - (double)v[2][k] * scale;
        if (!isfinite(scale) || !isfinite(shift))
            rc = refuse(err, "a norm has no numbers");
        else if (!h) {
            r->scale[k] = scale;
            r->shift[k] = shift;
        } else {
            h->bias[k] = (float)((double)h->bias[k] * scale + shift);
            for (int i = 0; i < h->in; i++)
                h->kernel[(size_t)i * n + k] =
                    (float)((double)h->kernel[(size_t)i * n + k] * scale);
        }
    }
    for (int i = 0; i < 4; i++)
        free(v[i]);
    return rc;
}

static int add_activation(reading *r, const char *op, hst_err *err)
{
    static const struct {
        const char *name;
        enum hst_act act;
    } known[] = {{"gelu", HST_ACT_GELU},
                 {"hswish", HST_ACT_HSWISH},
                 {"relu", HST_ACT_RELU},
                 {"relu6", HST_ACT_RELU6},
                 {"swish", HST_ACT_SWISH}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, op) != 0)
            continue;
        if (!r->open)
            return refuse(err, "an activation stands at an odd place");
        r->c->layer[r->c->n - 1].act = known[i].act;
        r->open = 0;
        return 0;
    }
    return hst_fail(err, HST_EMODEL, "its classifier cannot be read: '%.100s' is not known", op);
}

static int add_step(reading *r, const json_t *step, int last, hst_err *err)
{
    const char *op = json_string_value(json_object_get(step, "op"));
    if (!op)
        return refuse(err, "a step has no name");
    if (strcmp(op, "dense") == 0)
        return add_dense(r, step, err);
    if (strcmp(op, "norm") == 0)
        return add_norm(r, step, err);
    const int softmax = strcmp(op, "softmax") == 0;
    if (!softmax && strcmp(op, "sigmoid") != 0)
        return add_activation(r, op, err);
    if (!last || !r->open)
        return refuse(err, "probabilities stand at an odd place");
    r->c->end = softmax ? HST_ENDS_IN_SOFTMAX : HST_ENDS_IN_SIGMOID;
    return 0;
}

static int read_steps(const hst_tensors *t, const json_t *steps, hst_classifier *c, hst_err *err)
{
    reading r = {.t = t, .c = c};
    const size_t n = json_array_size(steps);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_step(&r, json_array_get(steps, i), i + 1 == n, err);
    if (rc == 0 && (!r.open || r.scale))
        rc = refuse(err, "it does not end in a product");
    free(r.scale);
    return rc;
}

/* ---- weights without a graph ---- */

/* The last part of a name's first n characters that is no number ("classifier.1": "classifier"). */
static const char *last_part(const char *name, size_t n, size_t *length)
{
    size_t at = n;
    do {
        *length = at;
        while (at && name[at - 1] != '.')
            at--;
        *length -= at;
    } while (at-- && strspn(name + at + 1, "0123456789") >= *length);
    return name + at + 1;
}

/* A matrix by one of the names that classifiers have; that of a side branch is none. */
static int is_classifier(const hst_tensor *x)
{
    static const char *const usual[] = {"classifier", "fc", "head", "heads", "_fc", "last_linear"};
    static const char end[] = ".weight";
    const size_t all = strlen(x->name), n_end = sizeof end - 1;
    size_t n;
    if (x->n_dims != 2 || all <= n_end || strcmp(x->name + all - n_end, end) != 0 ||
        strncmp(x->name, "AuxLogits.", 10) == 0)
        return 0;
    const char *part = last_part(x->name, all - n_end, &n);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strlen(usual[i]) == n && memcmp(part, usual[i], n) == 0)
            return 1;
    return 0;
}

static int append_dense(json_t *steps, const hst_tensors *t, const hst_tensor *weight)
{
    char bias[HST_MAX_TENSOR_NAME];
    const int n = (int)strlen(weight->name) - (int)strlen("weight");
    json_t *step =
        json_pack("{s:s, s:s, s:b}", "op", "dense", "kernel", weight->name, "transposed", 1);
    if (snprintf(bias, sizeof bias, "%.*sbias", n, weight->name) < (int)sizeof bias &&
        hst_tensors_find(t, bias))
        json_object_set_new(step, "bias", json_string(bias));
    return json_array_append_new(steps, step);
}

/* timm's MobileNetV3 has a convolution of the features with a bias, and hard swish, in front of its
 * classifier, torchvision's a matrix. */
static const hst_tensor *before_it(const hst_tensors *t, const hst_tensor *const of[2], size_t n)
{
    const hst_tensor *x = n == 1 ? hst_tensors_find(t, "conv_head.weight") : of[0];
    const int is_conv = x && x->n_dims == 4 && hst_tensors_find(t, "conv_head.bias");
    return x && (n == 2 || is_conv) ? x : NULL;
}

/* The steps that the names tell; NULL: HST_EMODEL. */
static json_t *usual_steps(const hst_tensors *t, const char *family, hst_err *err)
{
    const hst_tensor *found[2];
    size_t n = 0;
    const int is_v3 = strncmp(family, "mobilenet_v3", 12) == 0;
    for (size_t i = 0; i < hst_tensors_count(t); i++)
        if (is_classifier(hst_tensors_at(t, i)) && n++ < 2)
            found[n - 1] = hst_tensors_at(t, i);
    if (n == 2 && strcmp(found[0]->name, found[1]->name) > 0) {
        const hst_tensor *first = found[1];
        found[1] = found[0];
        found[0] = first;
    }
    if (n == 0 || n > 2 || (n == 2 && !is_v3)) {
        hst_fail(err, HST_EMODEL, "%s",
                 n ? "its classifier has several layers, and weights alone do not say what is "
                     "between them: export it as ONNX"
                   : "a network without a classifier: it names no classes, but can be a backbone "
                     "(headstart train --backbone)");
        return NULL;
    }
    json_t *steps = json_array();
    const hst_tensor *before = is_v3 ? before_it(t, found, n) : NULL;
    int rc = before ? append_dense(steps, t, before) ||
                          json_array_append_new(steps, json_pack("{s:s}", "op", "hswish"))
                    : 0;
    if (rc == 0 && append_dense(steps, t, found[n - 1]) == 0)
        return steps;
    json_decref(steps);
    hst_fail(err, HST_EMEM, "out of memory");
    return NULL;
}

/* ---- the whole ---- */

int hst_classifier_read(const hst_tensors *t, const char *family, int by_graph, hst_classifier *out,
                        hst_err *err)
{
    const char *computed = by_graph ? NULL : hst_tensors_meta(t, "classifier_computed"),
               *text = computed ? computed : hst_tensors_meta(t, "classifier"),
               *refused = hst_tensors_meta(t, "classifier_refused");
    *out = (hst_classifier){0};
    if (!text && refused)
        return hst_fail(err, HST_EMODEL, "its classifier cannot be read: %s", refused);
    json_t *steps = text ? hst_json_list(text, "classifier", err) : usual_steps(t, family, err);
    int rc = steps ? read_steps(t, steps, out, err) : err->code;
    json_decref(steps);
    if (rc)
        hst_classifier_clear(out);
    return rc;
}

int hst_classifier_make_two(hst_classifier *c, hst_err *err)
{
    hst_hidden *h = &c->layer[c->n - 1];
    float *kernel = hst_alloc(2 * (size_t)h->in, sizeof *kernel, err);
    float *bias = kernel ? hst_alloc(2, sizeof *bias, err) : NULL;
    if (!bias) {
        free(kernel);
        return HST_EMEM;
    }
    for (int i = 0; i < h->in; i++)
        kernel[2 * i + 1] = h->kernel[i];
    bias[1] = h->bias[0];
    free(h->kernel);
    free(h->bias);
    *h = (hst_hidden){.in = h->in, .out = 2, .kernel = kernel, .bias = bias};
    return 0;
}
