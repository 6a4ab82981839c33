/* keras3.c - Keras 3's layout: groups by class and count, numbered variables. */
#include "base/json.h"
#include "hdf5.h"
#include "keras.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 12, MAX_PATH = 512, MAX_LAYERS = 5000 };

/* ---- names from config.json ----
 * Keras walks the layers of a model in order and names each by its class; the second of a class is
 * class_1. Models in models the same again. */

typedef struct replayed {
    char path[MAX_PATH]; /* "functional/conv2d_3" */
    const char *layer;   /* its name; borrowed from the configuration */
    int is_model;        /* of layers, which have entries of their own */
} replayed;

typedef struct replay {
    replayed *at;
    size_t n;
} replay;

/* BatchNormalization -> batch_normalization, as keras.src.utils.naming.to_snake_case. */
static void snake_case(const char *class, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; class[i] && n + 2 < cap; i++) {
        unsigned char c = (unsigned char)class[i], before = i ? (unsigned char)class[i - 1] : 0;
        if (before && isupper(c) && (islower((unsigned char)class[i + 1]) || islower(before)))
            out[n++] = '_';
        if (isalnum(c) || c == '_')
            out[n++] = (char)tolower(c);
    }
    out[n] = 0;
}

static size_t count_layers(const json_t *model, int depth)
{
    const json_t *layers = keras_layers(model);
    size_t n = json_array_size(layers);
    for (size_t i = 0; depth < MAX_DEPTH && i < json_array_size(layers); i++)
        n += count_layers(json_array_get(layers, i), depth + 1);
    return n;
}

/* How many of the first n layers have the class of the n-th. */
static int count_before(const json_t *layers, size_t n)
{
    const char *class = keras_text(json_array_get(layers, n), "class_name");
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += strcmp(keras_text(json_array_get(layers, i), "class_name"), class) == 0;
    return count;
}

static void replay_model(replay *r, const json_t *model, const char *prefix, int depth)
{
    const json_t *layers = keras_layers(model);
    for (size_t i = 0; depth < MAX_DEPTH && i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        char class[128], count[16] = "", inside[MAX_PATH];
        int before = count_before(layers, i);
        replayed *x = &r->at[r->n++];
        snake_case(keras_text(layer, "class_name"), class, sizeof class);
        if (before)
            snprintf(count, sizeof count, "_%d", before);
        int n = snprintf(x->path, sizeof x->path, "%s%s%s", prefix, class, count);
        x->layer = keras_text(json_object_get(layer, "config"), "name");
        x->is_model = keras_layers(layer) != NULL;
        if (n < MAX_PATH - 2 && x->is_model) {
            snprintf(inside, sizeof inside, "%.*s/", MAX_PATH - 2, x->path);
            replay_model(r, layer, inside, depth + 1);
        }
    }
}

/* ---- variables ---- */

typedef struct job {
    weights *w;
    h5 *f;
    replay names;
} job;

/* The name that the file or the configuration gives a layer, of one inside another ("query_dense"
 * of attention) behind the other's; else its path. */
static int layer_name(const job *j, uint64_t vars, const char *path, char out[2 * MAX_PATH],
                      hst_err *err)
{
    h5_texts name;
    int rc = h5_attribute(j->f, vars, "name", &name, err);
    snprintf(out, 2 * MAX_PATH, "%s", path);
    if (rc)
        return rc;
    if (name.n == 1 && *name.text[0]) {
        snprintf(out, 2 * MAX_PATH, "%s", name.text[0]);
        return 0;
    }
    for (size_t i = 0; i < j->names.n; i++) {
        const replayed *x = &j->names.at[i];
        const size_t n = strlen(x->path);
        if (*x->layer && strncmp(x->path, path, n) == 0 &&
            (!path[n] || (path[n] == '/' && !x->is_model)))
            snprintf(out, 2 * MAX_PATH, "%.500s%s", x->layer, path + n);
    }
    return 0;
}

/* What variable i of n of a layer is called, by the layer's class; NULL: not known. */
static const char *variable_name(const char *class, size_t n_class, size_t i, size_t n)
{
    static const struct {
        const char *class;
        size_t least, most; /* variables */
        const char *name[4];
    } known[] = {
        {"conv2d", 1, 2, {"kernel", "bias"}},
        {"dense", 1, 2, {"kernel", "bias"}},
        {"depthwise_conv2d", 1, 2, {"depthwise_kernel", "bias"}},
        {"batch_normalization", 4, 4, {"gamma", "beta", "moving_mean", "moving_variance"}},
        {"batch_normalization", 3, 3, {"beta", "moving_mean", "moving_variance"}}, /* no scale */
        {"separable_conv2d", 2, 3, {"depthwise_kernel", "pointwise_kernel", "bias"}},
        {"normalization", 3, 3, {"mean", "variance", "count"}},
        {"layer_normalization", 2, 2, {"gamma", "beta"}},
        {"group_normalization", 2, 2, {"gamma", "beta"}},
        {"einsum_dense", 1, 2, {"kernel", "bias"}},
        /* of MultiHeadAttention */
        {"query_dense", 1, 2, {"kernel", "bias"}},
        {"key_dense", 1, 2, {"kernel", "bias"}},
        {"value_dense", 1, 2, {"kernel", "bias"}},
        {"output_dense", 1, 2, {"kernel", "bias"}},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (strlen(known[k].class) == n_class && memcmp(known[k].class, class, n_class) == 0 &&
            n >= known[k].least && n <= known[k].most)
            return known[k].name[i];
    return NULL;
}

/* "functional/conv2d_3" -> "conv2d". */
static const char *class_of(const char *path, size_t *n)
{
    const char *slash = strrchr(path, '/'), *class = slash ? slash + 1 : path;
    size_t end = strlen(class), digits = end;
    while (digits && isdigit((unsigned char)class[digits - 1]))
        digits--;
    *n = digits && digits < end && class[digits - 1] == '_' ? digits - 1 : end;
    return class;
}

static int add_variables(const job *j, uint64_t vars, const char *path, hst_err *err)
{
    h5_links l;
    char layer[2 * MAX_PATH];
    size_t n_class;
    const char *class = class_of(path, &n_class);
    int rc = h5_list(j->f, vars, &l, err);
    rc = rc ? rc : layer_name(j, vars, path, layer, err);
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        char name[2 * MAX_PATH];
        hst_tensor t = {.name = name};
        size_t number = strtoul(l.link[i].name, NULL, 10);
        const char *part = number < l.n ? variable_name(class, n_class, number, l.n) : NULL;
        if (part)
            snprintf(name, sizeof name, "%.500s/%s", layer, part);
        else
            snprintf(name, sizeof name, "%.500s/vars/%.100s", layer, l.link[i].name);
        rc = h5_data(j->f, l.link[i].at, &t, err);
        if (rc)
            hst_err_at(err, name);
        rc = rc ? rc : weights_add(j->w, &t, err);
    }
    return rc;
}

/* A layer or model and all that is in it. Containers ("layers") are no part of the path. */
static int add_group(const job *j, uint64_t group, const char *path, int depth, hst_err *err)
{
    static const char *const passed[] = {"layers", "_layer_checkpoint_dependencies"};
    h5_links l;
    int rc = h5_list(j->f, group, &l, err);
    if (rc == 0 && depth > MAX_DEPTH)
        rc = h5_refuse(err, "its groups lie too deep in one another");
    for (size_t i = 0; rc == 0 && i < l.n; i++) {
        const char *name = l.link[i].name;
        char below[MAX_PATH];
        if (strcmp(name, "vars") == 0) {
            rc = add_variables(j, l.link[i].at, path, err);
            continue;
        }
        int container = strcmp(name, passed[0]) == 0 || strcmp(name, passed[1]) == 0;
        int n = container ? snprintf(below, sizeof below, "%s", path)
                          : snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", name);
        if (n >= (int)sizeof below)
            return h5_refuse(err, "its groups lie too deep in one another");
        if (depth > 0 || strcmp(name, "optimizer") != 0)
            rc = add_group(j, l.link[i].at, below, depth + 1, err);
    }
    return rc;
}

int keras3_add(weights *w, h5 *f, const json_t *config, hst_err *err)
{
    job j = {.w = w, .f = f};
    size_t n = config ? count_layers(config, 0) : 0;
    int rc = weights_say(w, err, "source_format", "Keras 3 weights");
    if (rc == 0 && n > MAX_LAYERS)
        rc = hst_fail(err, HST_EMODEL, "its configuration has more than %d layers", MAX_LAYERS);
    if (rc)
        return rc;
    j.names.at = hst_arena_alloc(w->arena, n, sizeof *j.names.at, err);
    if (!j.names.at)
        return err->code;
    replay_model(&j.names, config, "", 0);
    return add_group(&j, f->root, "", 0, err);
}
