/* keras.c - Keras' files, and the names of Keras 2. */
#include "keras.h"
#include "base/json.h"
#include "hdf5.h"
#include "name_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CHUNKS = 1000, MAX_NAME = 512, MAX_DEPTH = 8 };

/* A list of names; long ones are split into name0, name1... since an attribute has at most 64 KiB.
 */
static int read_names(h5 *f, uint64_t object, const char *name, h5_texts *out, hst_err *err)
{
    int rc = h5_attribute(f, object, name, out, err);
    for (int i = 0; rc == 0 && !out->found && i < MAX_CHUNKS; i++) {
        char part[64];
        h5_texts more;
        snprintf(part, sizeof part, "%s%d", name, i);
        rc = h5_attribute(f, object, part, &more, err);
        if (rc || !more.found)
            break;
        const char **all = h5_alloc(f, (out->n + more.n) * sizeof *all, err);
        if (!all)
            return err->code;
        if (out->n)
            memcpy(all, out->text, out->n * sizeof *all);
        memcpy(all + out->n, more.text, more.n * sizeof *all);
        *out = (h5_texts){all, out->n + more.n, 0};
    }
    out->found |= out->n > 0;
    return rc;
}

/* "Conv1/kernel:0" without the number of the output behind the colon. */
static int tensor_name(const char *name, char out[MAX_NAME], hst_err *err)
{
    const char *colon = strrchr(name, ':');
    size_t n = strlen(name);
    if (colon && colon[1] && colon[1 + strspn(colon + 1, "0123456789")] == 0)
        n = (size_t)(colon - name);
    if (n == 0 || n >= MAX_NAME)
        return hst_fail(err, HST_EMODEL, "a weight has no usable name: '%.200s'", name);
    memcpy(out, name, n);
    out[n] = 0;
    return 0;
}

/* A file in Keras 2's layout. */
typedef struct keras2 {
    weights *w;
    h5 *f;
    names depthwise; /* layers of the configuration that are such convolutions */
} keras2;

/* Keras 3 calls their kernels "kernel", as all others, behind the layer's name or its path. */
static int is_depthwise(const keras2 *in, const char *name)
{
    const char *end = strrchr(name, '/'), *layer = end;
    if (!end || strcmp(end, "/kernel") != 0)
        return 0;
    while (layer > name && layer[-1] != '/')
        layer--;
    return names_get(&in->depthwise, (bytes){(const uint8_t *)layer, (size_t)(end - layer)}) > 0;
}

/* "scope/Conv1/kernel" of layer Conv1 without the scopes that it was made in, as NASNet's are. */
static const char *without_scopes(const char *name, const char *layer)
{
    const char *end = strrchr(name, '/');
    const size_t n = strlen(layer), front = end ? (size_t)(end - name) : 0;
    const int is_within = front > n && name[front - n - 1] == '/' && memcmp(end - n, layer, n) == 0;
    return is_within ? end - n : name;
}

static int add_weight(const keras2 *in, uint64_t layer, const char *name, const char *layer_name,
                      hst_err *err)
{
    char clean[MAX_NAME], other[MAX_NAME + 16];
    hst_tensor t = {.name = clean};
    uint64_t at = 0;
    int rc = tensor_name(without_scopes(name, layer_name), clean, err);
    rc = rc ? rc : h5_find(in->f, layer, name, &at, err);
    if (rc == 0 && !at)
        rc = hst_fail(err, HST_EMODEL, "weight '%.200s' is named but not there", name);
    if (rc)
        return rc;
    rc = h5_data(in->f, at, &t, err);
    if (rc) {
        hst_err_at(err, clean);
        return rc;
    }
    if (is_depthwise(in, clean)) {
        snprintf(other, sizeof other, "%.*s/depthwise_kernel",
                 (int)(strlen(clean) - strlen("/kernel")), clean);
        t.name = other;
    }
    return weights_add(in->w, &t, err);
}

static int add_layer(const keras2 *in, uint64_t group, const char *name, hst_err *err)
{
    h5_texts of;
    uint64_t layer = 0;
    int rc = h5_find(in->f, group, name, &layer, err);
    if (rc == 0 && !layer)
        rc = hst_fail(err, HST_EMODEL, "layer '%.200s' is named but not there", name);
    rc = rc ? rc : read_names(in->f, layer, "weight_names", &of, err);
    for (size_t i = 0; rc == 0 && i < of.n; i++)
        rc = add_weight(in, layer, of.text[i], name, err);
    return rc;
}

/* *o stays NULL where the file holds weights alone. */
static int read_config(h5 *f, json_t **o, hst_err *err)
{
    h5_texts config;
    int rc = h5_attribute(f, f->root, "model_config", &config, err);
    if (rc || config.n != 1)
        return rc;
    *o = keras_parse(config.text[0], strlen(config.text[0]), "model_config", err);
    return *o ? 0 : err->code;
}

static int say_version(weights *w, h5 *f, uint64_t group, hst_err *err)
{
    h5_texts version;
    int rc = h5_attribute(f, group, "keras_version", &version, err);
    return rc || version.n != 1 ? rc : weights_say(w, err, "producer", "Keras %s", version.text[0]);
}

/* Depthwise convolutions of a configuration, and of the models in it: how many, and, where `to` is
 * not NULL, their names. */
static int find_depthwise(const json_t *model, int depth, names *to, size_t *n, hst_err *err)
{
    const json_t *layers = keras_layers(model);
    int rc = 0;
    for (size_t i = 0; rc == 0 && depth < MAX_DEPTH && i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        rc = find_depthwise(layer, depth + 1, to, n, err);
        if (rc || strcmp(keras_text(layer, "class_name"), "DepthwiseConv2D") != 0)
            continue;
        const char *name = keras_text(json_object_get(layer, "config"), "name");
        const bytes key = {(const uint8_t *)name, strlen(name)};
        ++*n;
        if (to && names_get(to, key) < 0)
            rc = names_put(to, key, 1, err);
    }
    return rc;
}

static int know_depthwise(keras2 *in, const json_t *config, hst_err *err)
{
    size_t n = 0;
    int rc = find_depthwise(config, 0, NULL, &n, err);
    rc = rc ? rc : names_init(&in->depthwise, n + 1, in->w->arena, err);
    return rc ? rc : find_depthwise(config, 0, &in->depthwise, &n, err);
}

/* Keras 2's layout from the group that holds the layers. */
static int read_layers(weights *w, h5 *f, uint64_t group, const h5_texts *layers, hst_err *err)
{
    int rc = weights_say(w, err, "source_format", "Keras HDF5 (%s)",
                         group == f->root ? "weights" : "whole model");
    json_t *config = NULL;
    rc = rc ? rc : say_version(w, f, group, err);
    rc = rc ? rc : read_config(f, &config, err);
    keras2 in = {.w = w, .f = f};
    rc = rc ? rc : know_depthwise(&in, config, err);
    for (size_t i = 0; rc == 0 && i < layers->n; i++)
        rc = add_layer(&in, group, layers->text[i], err);
    if (rc == 0)
        rc = config ? keras_say_config(w, config, err) : keras_say_normalization(w, err);
    json_decref(config);
    return rc;
}

static int read_weights(weights *w, h5 *f, const json_t *config, hst_err *err)
{
    h5_texts layers;
    uint64_t whole = 0, group = f->root;
    int rc = h5_find(f, f->root, "model_weights", &whole, err);
    if (rc == 0 && whole)
        group = whole;
    rc = rc ? rc : read_names(f, group, "layer_names", &layers, err);
    if (rc == 0)
        rc = layers.found ? read_layers(w, f, group, &layers, err) : keras3_add(w, f, config, err);
    if (rc == 0 && !layers.found && !config)
        rc = keras_say_normalization(w, err);
    if (rc == 0 && !w->n)
        rc = hst_fail(err, HST_EMODEL, "the HDF5 file holds no weights of Keras");
    return rc;
}

static int read_file(weights *w, hst_source_file *file, const json_t *config, hst_err *err)
{
    h5 f;
    int rc = hst_source_load(file, err);
    rc = rc ? rc : h5_open(&f, file->data, (size_t)file->n_bytes, w->arena, err);
    rc = rc ? rc : read_weights(w, &f, config, err);
    return rc ? rc : keras_count_from_none(w, err);
}

int keras_read_h5(weights *w, hst_source *s, hst_err *err)
{
    return read_file(w, &s->file[0], NULL, err);
}

/* The JSON file of that name; *o stays NULL where there is none. */
static int read_json(const hst_source *s, const char *name, json_t **o, hst_err *err)
{
    hst_source_file *file = hst_source_find(s, name);
    int rc = file ? hst_source_load(file, err) : 0;
    if (rc || !file)
        return rc;
    *o = keras_parse((const char *)file->data, (size_t)file->n_bytes, name, err);
    return *o ? 0 : err->code;
}

/* What headstart has exported says what it is; its layers are followed where all operators of the
 * network have words (network.h), and computed else. */
static int read_exported(weights *w, const hst_source *s, const json_t *config, hst_err *err)
{
    hst_source_file *file = hst_source_find(s, "headstart.json");
    const size_t n_bytes = (size_t)hst_source_bytes(s);
    hst_err why = {0};
    int rc = file ? hst_source_load(file, err) : 0;
    if (rc || !file)
        return rc;
    rc = weights_say_model(w, (const char *)file->data, (size_t)file->n_bytes, err);
    rc = rc ? rc : keras_graph(w, config, n_bytes, &why);
    if (rc == HST_EMODEL && why.code)
        return keras_run_graph(w, config, n_bytes, err);
    return rc && why.code ? hst_fail(err, rc, "%s", why.msg) : rc;
}

int keras_read_archive(weights *w, hst_source *s, hst_err *err)
{
    json_t *config = NULL, *metadata = NULL;
    hst_source_file *file = hst_source_find(s, "model.weights.h5");
    int rc = weights_say(w, err, "source_format", "Keras 3 archive");
    rc = rc ? rc : read_json(s, "config.json", &config, err);
    rc = rc ? rc : read_json(s, "metadata.json", &metadata, err);
    if (rc == 0 && *keras_text(metadata, "keras_version"))
        rc = weights_say(w, err, "producer", "Keras %s", keras_text(metadata, "keras_version"));
    rc = rc ? rc : read_file(w, file, config, err);
    rc = rc ? rc : read_exported(w, s, config, err);
    rc = rc ? rc : keras_say_config(w, config, err);
    json_decref(config);
    json_decref(metadata);
    return rc;
}
