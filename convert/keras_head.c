/* keras_head.c - the layers behind the last average over the picture, as the fact "classifier". */
#include "base/json.h"
#include "keras.h"

#include <string.h>

enum { MAX_DEPTH = 8, MAX_LAYERS = 5000, STRIDE = 32 /* of all networks here */ };

/* All layers, those of models in models in their places. */
typedef struct flat {
    const json_t *layer[MAX_LAYERS];
    size_t n;
} flat;

static void flatten(const json_t *model, int depth, flat *f)
{
    const json_t *layers = keras_layers(model);
    for (size_t i = 0; depth < MAX_DEPTH && i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        if (keras_layers(layer))
            flatten(layer, depth + 1, f);
        else if (f->n < MAX_LAYERS)
            f->layer[f->n++] = layer;
    }
}

static int is_one_of(const char *class, const char *const *list)
{
    while (*list && strcmp(*list, class) != 0)
        list++;
    return *list != NULL;
}

/* An average pooling whose window is the whole of what the network leaves of the picture. */
static int is_whole(const json_t *layer, int width, int height)
{
    const json_t *of = json_object_get(json_object_get(layer, "config"), "pool_size");
    const json_int_t h = json_integer_value(json_array_get(of, 0)),
                     w = json_integer_value(json_array_get(of, 1));
    return width && h == (height + STRIDE - 1) / STRIDE && w == (width + STRIDE - 1) / STRIDE;
}

/* What the head is read from, from behind: where it begins. */
typedef struct head {
    size_t first;        /* the layer behind the average */
    int found, is_dense; /* it was; there is a Dense or the like behind it */
    const json_t *odd;   /* the last layer that is not understood; NULL: none */
    const json_t *map;   /* one that reads the whole map; NULL: none */
} head;

static head find_head(const flat *f, int width, int height)
{
    static const char *const known[] = {"Activation",
                                        "BatchNormalization",
                                        "Dropout",
                                        "ActivityRegularization",
                                        "GaussianDropout",
                                        "GaussianNoise",
                                        "InputLayer",
                                        "ReLU",
                                        "Reshape",
                                        "Softmax",
                                        NULL},
                             *const maps[] = {"Flatten", "GlobalMaxPooling2D", NULL};
    head h = {0};
    for (size_t i = f->n; i-- > 0 && !h.found && !h.odd;) {
        const char *class = keras_text(f->layer[i], "class_name");
        h.first = i + 1;
        h.found = strcmp(class, "GlobalAveragePooling2D") == 0 ||
                  (strcmp(class, "AveragePooling2D") == 0 && is_whole(f->layer[i], width, height));
        if (h.found)
            break;
        h.is_dense |= strcmp(class, "Dense") == 0;
        if (is_one_of(class, maps))
            h.map = f->layer[i];
        else if (strcmp(class, "Dense") != 0 && strcmp(class, "Conv2D") != 0 &&
                 !is_one_of(class, known))
            h.odd = f->layer[i];
    }
    return h;
}

/* ---- its steps ---- */

/* What is said of the head while its steps are told. */
typedef struct telling {
    weights *w;
    json_t *steps;
    int n; /* of layers with weights */
} telling;

/* Adds the layer's tensor once more by the name that the step has for it. 0: it is not there. */
static int add_part(telling *t, json_t *step, const char *layer, const char *part, const char *key,
                    hst_err *err)
{
    char name[64];
    const hst_tensor *of = keras_find(t->w, layer, part);
    if (!of)
        return 0;
    hst_tensor copy = *of;
    snprintf(name, sizeof name, "classifier/%d/%s", t->n, part);
    copy.name = name;
    json_object_set_new(step, key, json_string(name));
    const int rc = weights_add(t->w, &copy, err);
    return rc ? rc : 1;
}

static int tell_op(telling *t, const char *op)
{
    return json_array_append_new(t->steps, json_pack("{s:s}", "op", op));
}

/* The name here of Keras' activation, which may be written as an object. NULL: none known. */
static int tell_activation(telling *t, const json_t *v, hst_err *err)
{
    static const struct {
        const char *keras, *op;
    } known[] = {{"linear", NULL},        {"softmax", "softmax"}, {"sigmoid", "sigmoid"},
                 {"relu", "relu"},        {"relu6", "relu6"},     {"swish", "swish"},
                 {"silu", "swish"},       {"gelu", "gelu"},       {"hard_swish", "hswish"},
                 {"hard_silu", "hswish"}, {"Softmax", "softmax"}, {"ReLU", "relu"}};
    const char *name = json_is_string(v) ? json_string_value(v) : keras_text(v, "class_name");
    if (!v || json_is_null(v))
        return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].keras, name) == 0)
            return known[i].op && tell_op(t, known[i].op) ? hst_fail(err, HST_EMEM, "out of memory")
                                                          : 0;
    return hst_fail(err, HST_EMODEL, "it has the activation '%.100s'", name);
}

static int tell_dense(telling *t, const json_t *config, hst_err *err)
{
    const char *name = keras_text(config, "name");
    json_t *step = json_pack("{s:s}", "op", "dense");
    int rc = step ? add_part(t, step, name, "kernel", "kernel", err) : HST_EMEM;
    if (rc == 0)
        rc = hst_fail(err, HST_EMODEL, "the weights of layer '%.100s' are not there", name);
    rc = rc < 0 ? rc : add_part(t, step, name, "bias", "bias", err);
    t->n++;
    if (json_array_append_new(t->steps, step) && rc >= 0)
        rc = hst_fail(err, HST_EMEM, "out of memory");
    return rc < 0 ? rc : tell_activation(t, json_object_get(config, "activation"), err);
}

static int tell_norm(telling *t, const json_t *config, hst_err *err)
{
    static const char *const part[][2] = {{"gamma", "gamma"},
                                          {"beta", "beta"},
                                          {"moving_mean", "mean"},
                                          {"moving_variance", "variance"}};
    json_t *step = json_pack("{s:s, s:f}", "op", "norm", "epsilon",
                             json_number_value(json_object_get(config, "epsilon")));
    int rc = step ? 0 : HST_EMEM;
    for (int i = 0; rc >= 0 && i < 4; i++)
        rc = add_part(t, step, keras_text(config, "name"), part[i][0], part[i][1], err);
    t->n++;
    if (json_array_append_new(t->steps, step) && rc >= 0)
        rc = hst_fail(err, HST_EMEM, "out of memory");
    return rc < 0 ? rc : 0;
}

static int tell_layer(telling *t, const json_t *layer, hst_err *err)
{
    const char *class = keras_text(layer, "class_name");
    const json_t *config = json_object_get(layer, "config");
    const double most = json_number_value(json_object_get(config, "max_value"));
    if (strcmp(class, "Dense") == 0 || strcmp(class, "Conv2D") == 0)
        return tell_dense(t, config, err);
    if (strcmp(class, "BatchNormalization") == 0)
        return tell_norm(t, config, err);
    if (strcmp(class, "Activation") == 0)
        return tell_activation(t, json_object_get(config, "activation"), err);
    if (strcmp(class, "Softmax") == 0)
        return tell_op(t, "softmax") ? hst_fail(err, HST_EMEM, "out of memory") : 0;
    if (strcmp(class, "ReLU") == 0 && (most == 0 || most == 6) &&
        json_number_value(json_object_get(config, "negative_slope")) == 0 &&
        json_number_value(json_object_get(config, "threshold")) == 0)
        return tell_op(t, most == 6 ? "relu6" : "relu") ? hst_fail(err, HST_EMEM, "out of memory")
                                                        : 0;
    return strcmp(class, "ReLU") == 0 ? hst_fail(err, HST_EMODEL, "it has a ReLU of another kind")
                                      : 0;
}

static int tell_steps(weights *w, const flat *f, const head *h, hst_err *err)
{
    telling t = {.w = w, .steps = json_array()};
    int rc = t.steps ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (size_t i = h->first; rc == 0 && i < f->n; i++)
        rc = tell_layer(&t, f->layer[i], err);
    rc = rc ? rc : weights_say_json(w, "classifier", t.steps, err);
    json_decref(t.steps);
    return rc;
}

static int say(weights *w, const flat *f, int width, int height, hst_err *err)
{
    const head h = find_head(f, width, height);
    const json_t *odd = h.map ? h.map : h.odd;
    if (!h.is_dense && !(h.found && h.first < f->n))
        return 0; /* a network without one */
    if (h.found)
        return tell_steps(w, f, &h, err);
    return hst_fail(err, HST_EMODEL,
                    h.map ? "layer '%.100s' (%.100s) reads the whole map of features; only their "
                            "average over the picture (GlobalAveragePooling2D) is known here"
                          : "layer '%.100s' (%.100s) is none that is known there",
                    keras_text(json_object_get(odd, "config"), "name"),
                    keras_text(odd, "class_name"));
}

int keras_say_classifier(weights *w, const json_t *config, int width, int height, hst_err *err)
{
    hst_err why = {0};
    if (weights_said(w, "exported"))
        return 0; /* of ours the head is known */
    flat *f = hst_arena_alloc(w->arena, 1, sizeof *f, err);
    if (!f)
        return err->code;
    flatten(config, 0, f);
    int rc = say(w, f, width, height, &why);
    if (rc == HST_EMODEL)
        return weights_say(w, err, "classifier_refused", "%s", why.msg);
    for (size_t i = 0; i < f->n; i++) /* as TensorFlow.js counted it there */
        if (strcmp(keras_text(json_object_get(f->layer[i], "config"), "name"), "dense_Dense1") == 0)
            rc = rc ? rc : weights_say_teachable(w, err);
    return rc ? hst_fail(err, rc, "%s", why.code ? why.msg : err->msg) : 0;
}
