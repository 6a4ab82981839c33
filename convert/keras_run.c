#include "keras_run.h"
#include "base/json.h"

#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LAYERS = 5000, MAX_NAME = 512 };

/* The layer of an exported model that its features go into. */
static const char head[] = "predictions";

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its layers cannot be computed: %s", why);
}

static bytes key_of(const char *text)
{
    return (bytes){(const uint8_t *)text, strlen(text)};
}

int keras_odd(const keras_run *r, const char *why, hst_err *err)
{
    return hst_fail(err, HST_EMODEL, "its layers cannot be computed: '%.100s' (%.60s) %s",
                    keras_text(r->layer, "name"), keras_text(r->layer, "class_name"), why);
}

int keras_part(const keras_run *r, const char *part, hst_tensor **out, hst_err *err)
{
    char name[MAX_NAME];
    const int n = snprintf(name, sizeof name, "%s/%s", keras_text(r->layer, "name"), part);
    const int at = n < MAX_NAME ? names_get(&r->tensors, key_of(name)) : -1;
    *out = at < 0 ? NULL : &r->w->t[at];
    return *out ? 0 : keras_odd(r, "lacks weights", err);
}

int keras_array(keras_run *r, const hst_tensor *t, ev_array *out, hst_err *err)
{
    const int rc = ev_new(&r->e, t->n_dims, t->dim, out, err);
    return rc ? rc : hst_tensor_floats(t, out->own, err);
}

/* ---- inputs ---- */

/* The arguments of the layer's one call, which may be a list of them. NULL: it reads nothing. */
static const json_t *arguments(const json_t *layer)
{
    const json_t *call = json_array_get(json_object_get(layer, "inbound_nodes"), 0);
    const json_t *args = json_object_get(call, "args");
    return json_is_array(json_array_get(args, 0)) ? json_array_get(args, 0) : args;
}

/* The value that argument i is. */
static int find_input(const keras_run *r, const json_t *layer, size_t i, int *value, hst_err *err)
{
    const json_t *of = json_object_get(json_array_get(arguments(layer), i), "config");
    const char *from = json_string_value(json_array_get(json_object_get(of, "keras_history"), 0));
    *value = from ? names_get(&r->layers, key_of(from)) : -1;
    return *value < 0 ? refuse(err, "one reads what is not there") : 0;
}

static int count_readers(keras_run *r, const json_t *layer, hst_err *err)
{
    const size_t n = json_array_size(arguments(layer));
    int rc = 0, value = 0;
    if (json_array_size(json_object_get(layer, "inbound_nodes")) > 1 || n > KERAS_MOST_INPUTS)
        return refuse(err, "one has too many inputs");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = find_input(r, layer, i, &value, err);
        if (rc == 0)
            r->readers[value]++;
    }
    return rc;
}

/* ---- layers ---- */

/* Features are what the head alone reads: [1][C]. */
static int keep_features(keras_run *r, const ev_array *x, hst_err *err)
{
    if (x->n_dims != 2 || x->dim[0] != 1)
        return keras_odd(r, "reads no features", err);
    const size_t n = ev_count(x);
    float *copy = hst_arena_alloc(r->w->arena, n + 1, sizeof *copy, err);
    if (!copy)
        return HST_EMEM;
    memcpy(copy, x->x, n * sizeof *copy);
    const hst_tensor t = {.name = HST_PROBE_ANSWER "0",
                          .n_dims = 2,
                          .dim = {1, (int64_t)n},
                          .data = copy,
                          .n_bytes = n * sizeof *copy};
    return weights_add(r->w, &t, err);
}

static int keep_head(keras_run *r, hst_err *err)
{
    static const char *const parts[] = {"kernel", "bias"};
    int rc =
        r->n_in == 1 ? keep_features(r, r->in[0], err) : keras_odd(r, "reads no features", err);
    for (int i = 0; rc == 0 && i < 2; i++) {
        hst_tensor *of;
        char name[16];
        rc = keras_part(r, parts[i], &of, err);
        if (rc)
            break;
        hst_tensor t = *of;
        snprintf(name, sizeof name, "head/%s", parts[i]);
        t.name = name;
        rc = weights_add(r->w, &t, err);
    }
    return rc;
}

static void forget_inputs(keras_run *r)
{
    for (int i = 0; i < r->n_in; i++) {
        const int at = (int)(r->in[i] - r->value);
        if (--r->readers[at] == 0)
            ev_free(&r->value[at]);
    }
}

/* Layer number i makes value i. */
static int run_layer(keras_run *r, const json_t *layer, int i, hst_err *err)
{
    int rc = 0, value = 0;
    r->layer = layer;
    r->config = json_object_get(layer, "config");
    r->n_in = 0;
    r->out = (ev_array){0};
    for (size_t k = 0; rc == 0 && k < json_array_size(arguments(layer)); k++) {
        rc = find_input(r, layer, k, &value, err);
        if (rc == 0 && !r->value[value].x)
            rc = keras_odd(r, "reads what is made later", err);
        if (rc == 0)
            r->in[r->n_in++] = &r->value[value];
    }
    rc = rc ? rc : keras_compute(r, err);
    if (rc == 0 && strcmp(keras_text(layer, "name"), head) == 0)
        rc = keep_head(r, err);
    r->value[i] = r->out;
    if (rc == 0 && r->readers[i] == 0)
        ev_free(&r->value[i]);
    forget_inputs(r);
    return rc;
}

/* ---- all of them ---- */

static int prepare(keras_run *r, const json_t *layers, size_t file_bytes, hst_err *err)
{
    const double per_byte = 1000, least = 2e7;
    const size_t n = json_array_size(layers);
    hst_arena *arena = r->w->arena;
    r->e.left = least + per_byte * (double)file_bytes;
    r->value = hst_arena_alloc(arena, n + 1, sizeof *r->value, err);
    r->readers = r->value ? hst_arena_alloc(arena, n + 1, sizeof *r->readers, err) : NULL;
    int rc = r->readers ? names_init(&r->tensors, r->w->n + 1, arena, err) : HST_EMEM;
    rc = rc ? rc : names_init(&r->layers, n + 1, arena, err);
    for (size_t i = 0; rc == 0 && i < r->w->n; i++)
        rc = names_put(&r->tensors, key_of(r->w->t[i].name), (int)i, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = names_put(&r->layers, key_of(keras_text(json_array_get(layers, i), "name")), r->n++,
                       err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = count_readers(r, json_array_get(layers, i), err);
    return rc;
}

/* The model gives what its head makes. */
static int check_output(const json_t *config, hst_err *err)
{
    const json_t *out = json_object_get(json_object_get(config, "config"), "output_layers");
    const char *name = json_string_value(json_array_get(out, 0));
    return name && strcmp(name, head) == 0 ? 0 : refuse(err, "the last one is no classifier");
}

int keras_run_graph(weights *w, const json_t *config, size_t file_bytes, hst_err *err)
{
    const json_t *layers = keras_layers(config);
    const size_t n = json_array_size(layers);
    keras_run r = {.w = w};
    if (n == 0 || n > MAX_LAYERS)
        return refuse(err, "there are none, or too many");
    int rc = check_output(config, err);
    rc = rc ? rc : prepare(&r, layers, file_bytes, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = run_layer(&r, json_array_get(layers, i), (int)i, err);
    for (int i = 0; i < r.n; i++)
        ev_free(&r.value[i]);
    return rc ? rc : weights_say(w, err, HST_NAMES_FACT, "keras");
}
