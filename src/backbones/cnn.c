/* cnn.c - lists of layers, and what an architecture says of convolutional networks. */
#include "backbones/cnn.h"
#include "backbones/facts.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

/* Bounds of what a file may say. */
#define WIDTH_MIN   0.1
#define WIDTH_MAX   4.0
#define EPSILON_MIN 1e-12
#define EPSILON_MAX 1.0

/* ---- layers ---- */

int hst_layer_has_norm(const hst_layer *l)
{
    return l->behind == HST_BATCH_NORM;
}

void hst_layers_add(hst_layers *l, hst_layer layer)
{
    if (l->n == l->cap && !l->failed) {
        hst_layer *more = hst_resize(l->layer, (size_t)l->cap + 128, sizeof *more, NULL);
        l->failed = !more;
        l->layer = more ? more : l->layer;
        l->cap += more ? 128 : 0;
    }
    if (l->failed)
        return;
    const int depthwise = layer.role == HST_DEPTHWISE;
    if (layer.role == HST_SQUEEZE || layer.role == HST_EXCITE)
        layer.behind = HST_BIAS_ALONE;
    layer.number = l->n;
    layer.of_kind = depthwise ? l->n_depthwise : l->n - l->n_depthwise - l->n_alone;
    layer.of_norm = l->n_norms;
    l->n_depthwise += depthwise;
    l->n_alone += layer.role == HST_NORM;
    l->n_norms += hst_layer_has_norm(&layer);
    l->layer[l->n++] = layer;
}

void hst_layers_free(hst_layers *l)
{
    free(l->layer);
    *l = (hst_layers){0};
}

const hst_cnn_family *hst_cnn_of(const hst_arch *a)
{
    return hst_family_find(a->family)->own;
}

int hst_cnn_layers(const hst_arch *a, hst_layers *out, hst_err *err)
{
    *out = (hst_layers){0};
    hst_cnn_of(a)->layers(a, out);
    if (!out->failed)
        return 0;
    hst_layers_free(out);
    return hst_fail(err, HST_EMEM, "out of memory");
}

/* ---- the architecture ---- */

static void usual(const hst_origin *o, hst_arch *a)
{
    const hst_cnn_family *f = o->family->own;
    const hst_cnn_dialect *d = o->dialect->own;
    a->cnn = (hst_cnn_arch){f->width != 0 ? f->width : 1, d->padding, d->bn_epsilon};
}

static int check(const hst_arch *a, hst_err *err)
{
    const hst_cnn_arch *c = &a->cnn;
    const double width = hst_cnn_of(a)->width;
    if (!(c->width >= WIDTH_MIN && c->width <= WIDTH_MAX))
        return hst_fail(err, HST_EMODEL, "width %g, expected %g to %g", c->width, WIDTH_MIN,
                        WIDTH_MAX);
    if (width != 0 && c->width != width)
        return hst_fail(err, HST_EMODEL, "width %g, but %s has width %g", c->width, a->family,
                        width);
    if (c->padding != HST_PAD_TF && c->padding != HST_PAD_SYMMETRIC)
        return hst_fail(err, HST_EMODEL, "unknown padding %d", (int)c->padding);
    if (!(c->bn_epsilon >= EPSILON_MIN && c->bn_epsilon <= EPSILON_MAX))
        return hst_fail(err, HST_EMODEL, "batch-norm epsilon %g, expected %g to %g", c->bn_epsilon,
                        EPSILON_MIN, EPSILON_MAX);
    return 0;
}

static const char *padding_name(const hst_arch *a)
{
    return a->cnn.padding == HST_PAD_TF ? "tf" : "symmetric";
}

static int parse_padding(const char *name, hst_arch *a, hst_err *err)
{
    if (strcmp(name, "tf") != 0 && strcmp(name, "symmetric") != 0)
        return hst_fail(err, HST_EMODEL, "unknown padding '%.40s'", name);
    a->cnn.padding = strcmp(name, "tf") == 0 ? HST_PAD_TF : HST_PAD_SYMMETRIC;
    return 0;
}

static int parse(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *padding = NULL;
    int rc = hst_json_text(o, "padding", &padding, err);
    rc = rc ? rc : parse_padding(padding, a, err);
    rc = rc ? rc : hst_json_real(o, "width", WIDTH_MIN, WIDTH_MAX, &a->cnn.width, err);
    return rc ? rc
              : hst_json_real(o, "bn_epsilon", EPSILON_MIN, EPSILON_MAX, &a->cnn.bn_epsilon, err);
}

static int write(const hst_arch *a, json_t *o)
{
    return json_object_set_new(o, "width", json_real(a->cnn.width)) ||
                   json_object_set_new(o, "padding", json_string(padding_name(a))) ||
                   json_object_set_new(o, "bn_epsilon", json_real(a->cnn.bn_epsilon))
               ? -1
               : 0;
}

/* The width is left out: the shapes say it, and several widths make the same network. */
static int hash(const hst_arch *a, hst_sha256 *h, hst_err *err)
{
    const int32_t padding = (int32_t)a->cnn.padding;
    int rc = hst_sha256_add(h, &padding, sizeof padding, err);
    return rc ? rc : hst_sha256_add(h, &a->cnn.bn_epsilon, sizeof a->cnn.bn_epsilon, err);
}

static void describe(const hst_arch *a, hst_backbone_info *info)
{
    info->width = a->cnn.width;
    info->padding = padding_name(a);
    info->bn_epsilon = a->cnn.bn_epsilon;
}

static int facts(const hst_tensors *t, hst_arch *a, hst_err *err)
{
    const char *padding = hst_tensors_meta(t, "padding");
    int rc = hst_fact_real(t, "bn_epsilon", EPSILON_MIN, EPSILON_MAX, &a->cnn.bn_epsilon, err);
    return rc || !padding ? rc : parse_padding(padding, a, err);
}

static int pool(hst_arch *a, const char *name, hst_err *err)
{
    return strcmp(name, "mean") == 0
               ? 0
               : hst_fail(err, HST_EARG,
                          "the features of %s are the mean over its last map (pool \"mean\"), not "
                          "'%.40s'",
                          a->family, name);
}

const hst_kind hst_cnn = {.usual = usual,
                          .check = check,
                          .parse = parse,
                          .write = write,
                          .hash = hash,
                          .describe = describe,
                          .facts = facts,
                          .fit = hst_cnn_fit,
                          .build = hst_cnn_build,
                          .map = hst_cnn_map,
                          .pool = pool};
