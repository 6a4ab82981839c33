/* keras_config.c - the facts in a Keras model's configuration. It is data: nothing in it is run. */
#include "base/json.h"
#include "keras.h"

#include <string.h>

enum {
    MAX_DEPTH = 8,      /* of models in models */
    MAX_LISTS = 60000,  /* lists and objects: a few hundred bytes each in memory */
    MAX_VALUES = 600000 /* some tens of bytes each; the largest models have a tenth */
};

json_t *keras_parse(const char *text, size_t n, const char *what, hst_err *err)
{
    size_t lists = 0, values = 0;
    for (size_t i = 0; i < n; i++) {
        lists += text[i] == '{' || text[i] == '[';
        values += text[i] == ',';
    }
    if (lists <= MAX_LISTS && values <= MAX_VALUES)
        return hst_json_parse(text, n, what, err);
    hst_fail(err, HST_EMODEL, "%s is too complex to be a network", what);
    return NULL;
}

const char *keras_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

const json_t *keras_layers(const json_t *config)
{
    const json_t *layers = json_object_get(json_object_get(config, "config"), "layers");
    return json_is_array(layers) ? layers : NULL;
}

/* What was found so far. */
typedef struct facts {
    double epsilon; /* 0: none */
    int px;         /* 0: not said */
    int rescalings;
    double scale, offset;
} facts;

/* [null, 224, 224, 3] */
static void see_input(facts *f, const json_t *config)
{
    const json_t *shape = json_object_get(config, "batch_shape");
    if (!shape)
        shape = json_object_get(config, "batch_input_shape");
    json_int_t h = json_integer_value(json_array_get(shape, 1));
    json_int_t w = json_integer_value(json_array_get(shape, 2));
    json_int_t c = json_integer_value(json_array_get(shape, 3));
    if (f->px == 0 && h == w && c == 3 && h > 0 && h < 100000)
        f->px = (int)h;
}

static int see_batch_norm(facts *f, const json_t *config, hst_err *err)
{
    const json_t *epsilon = json_object_get(config, "epsilon");
    double e = json_number_value(epsilon);
    if (!epsilon)
        return 0;
    if (!(e > 0 && e < 1))
        return hst_fail(err, HST_EMODEL, "layer '%.100s' has no usable epsilon",
                        keras_text(config, "name"));
    if (f->epsilon > 0 && f->epsilon != e)
        return hst_fail(err, HST_EMODEL,
                        "its batch norms have different epsilons (%g and %g), which no network "
                        "known here has",
                        f->epsilon, e);
    f->epsilon = e;
    return 0;
}

static int see_layers(facts *f, const json_t *model, int depth, hst_err *err);

static int see_layer(facts *f, const json_t *layer, int depth, hst_err *err)
{
    const char *class = keras_text(layer, "class_name");
    const json_t *config = json_object_get(layer, "config");
    if (strcmp(class, "Lambda") == 0)
        return hst_fail(err, HST_EMODEL,
                        "layer '%.100s' is a Lambda: it holds a program, which is not run; save "
                        "the model without it",
                        keras_text(config, "name"));
    if (strcmp(class, "InputLayer") == 0)
        see_input(f, config);
    if (strcmp(class, "BatchNormalization") == 0)
        return see_batch_norm(f, config, err);
    if (strcmp(class, "Rescaling") == 0) {
        f->rescalings++;
        f->scale = json_number_value(json_object_get(config, "scale"));
        f->offset = json_number_value(json_object_get(config, "offset"));
    }
    return see_layers(f, layer, depth + 1, err);
}

static int see_layers(facts *f, const json_t *model, int depth, hst_err *err)
{
    const json_t *layers = keras_layers(model);
    if (layers && depth > MAX_DEPTH)
        return hst_fail(err, HST_EMODEL, "its models lie more than %d deep in one another",
                        MAX_DEPTH);
    for (size_t i = 0; i < json_array_size(layers); i++) {
        int rc = see_layer(f, json_array_get(layers, i), depth, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* A layer Rescaling computes pixel * scale + offset = (pixel - mean) / deviation. */
static int say_scaling(weights *w, const facts *f, hst_err *err)
{
    double deviation = 1 / f->scale, mean = -f->offset / f->scale;
    if (f->rescalings != 1 || !(f->scale > 1e-6 && f->scale < 1e3))
        return 0;
    int rc = weights_say(w, err, "mean", "%.9g %.9g %.9g", mean, mean, mean);
    return rc ? rc : weights_say(w, err, "std", "%.9g %.9g %.9g", deviation, deviation, deviation);
}

int keras_say_config(weights *w, const json_t *config, hst_err *err)
{
    facts f = {0};
    int rc = see_layers(&f, config, 0, err);
    if (rc == 0 && f.px)
        rc = weights_say(w, err, "image_px", "%d", f.px);
    if (rc == 0 && f.epsilon > 0)
        rc = weights_say(w, err, "bn_epsilon", "%.9g", f.epsilon);
    return rc ? rc : say_scaling(w, &f, err);
}
