/* keras_config.c - the facts in a Keras model's configuration. It is data: nothing in it is run. */
#include "base/json.h"
#include "keras.h"

#include <math.h>
#include <string.h>

enum {
    MAX_DEPTH = 8,      /* of models in models */
    MAX_STEPS = 16,     /* layers in front of the network */
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
    double epsilon;    /* 0: none */
    int width, height; /* 0: not said */
    const weights *w;
    /* What the layers in front of the network make of a pixel: pixel * scale + offset. */
    double scale[3], offset[3];
    int steps;   /* layers that did */
    int inside;  /* the network has begun */
    int unknown; /* one whose numbers are not there */
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
    if (f->width || c != 3 || h < 1 || h >= 100000 || w < 1 || w >= 100000)
        return;
    f->width = (int)w;
    f->height = (int)h;
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

/* value * factor + term, channel by channel. */
static void see_step(facts *f, const double factor[3], const double term[3])
{
    for (int c = 0; c < 3; c++) {
        f->scale[c] *= factor[c];
        f->offset[c] = f->offset[c] * factor[c] + term[c];
    }
    f->steps++;
}

/* A number for all channels, or a list of three, which may lie in lists of one. 0: neither. */
static int three(const json_t *v, double out[3])
{
    while (json_array_size(v) == 1)
        v = json_array_get(v, 0);
    for (size_t c = 0; c < 3; c++) {
        const json_t *x = json_is_array(v) ? json_array_get(v, c) : v;
        if (!json_is_number(x))
            return 0;
        out[c] = json_number_value(x);
    }
    return !json_is_array(v) || json_array_size(v) == 3;
}

/* Whether a tensor is a layer's part: "normalization/mean", "sequential/normalization/mean". */
static int is_part(const char *tensor, const char *layer, const char *part)
{
    const size_t n = strlen(tensor), n_layer = strlen(layer), n_part = strlen(part);
    if (n < n_layer + 1 + n_part || strcmp(tensor + n - n_part, part) != 0)
        return 0;
    const char *at = tensor + n - n_part - 1 - n_layer;
    return at[n_layer] == '/' && memcmp(at, layer, n_layer) == 0 && (at == tensor || at[-1] == '/');
}

const hst_tensor *keras_find(const weights *w, const char *layer, const char *part)
{
    for (size_t i = 0; i < w->n; i++)
        if (is_part(w->t[i].name, layer, part))
            return &w->t[i];
    return NULL;
}

/* Three numbers of a layer among the tensors. 0: not there. */
static int three_of(const weights *w, const char *layer, const char *part, double out[3])
{
    float x[3];
    hst_err why;
    for (size_t i = 0; i < w->n; i++) {
        if (!is_part(w->t[i].name, layer, part) || hst_tensor_count(&w->t[i]) != 3 ||
            hst_tensor_floats(&w->t[i], x, &why))
            continue;
        for (int c = 0; c < 3; c++)
            out[c] = (double)x[c];
        return 1;
    }
    return 0;
}

/* pixel * scale + offset */
static void see_rescaling(facts *f, const json_t *config)
{
    double scale[3], offset[3] = {0};
    const json_t *added = json_object_get(config, "offset");
    if (!three(json_object_get(config, "scale"), scale) || (added && !three(added, offset)))
        f->unknown = 1;
    else
        see_step(f, scale, offset);
}

/* (pixel - mean) / sqrt(variance), as Keras' Normalization, whose numbers are its own or weights.
 */
static void see_normalization(facts *f, const double mean[3], const double variance[3])
{
    double factor[3], term[3];
    for (int c = 0; c < 3; c++) {
        factor[c] = 1 / fmax(sqrt(variance[c]), 1e-7);
        term[c] = -mean[c] * factor[c];
    }
    see_step(f, factor, term);
}

static void see_normalization_layer(facts *f, const json_t *config)
{
    double mean[3], variance[3];
    const char *name = keras_text(config, "name");
    if ((three(json_object_get(config, "mean"), mean) &&
         three(json_object_get(config, "variance"), variance)) ||
        (three_of(f->w, name, "mean", mean) && three_of(f->w, name, "variance", variance)))
        see_normalization(f, mean, variance);
    else
        f->unknown = 1;
}

/* The constant operand of a function that Keras keeps as a layer. Keras 2: [["layer", 0, 0, {"y":
 * constant}]], perhaps in a list more; Keras 3: [{"args": [tensor, constant]}]. */
static const json_t *operand(const json_t *layer)
{
    const json_t *v = json_array_get(json_object_get(layer, "inbound_nodes"), 0);
    if (json_is_object(v))
        return json_array_get(json_object_get(v, "args"), 1);
    while (json_is_array(json_array_get(v, 0)))
        v = json_array_get(v, 0);
    return json_object_get(json_array_get(v, 3), "y");
}

/* +, -, *, / of a pixel and a constant: Keras 2's TFOpLambda names a function of TensorFlow, in
 * Keras 3 the layer's class is called like it. 0: it is none of them. */
static int see_function(facts *f, const char *name, const json_t *layer)
{
    static const double one[3] = {1, 1, 1}, none[3] = {0};
    static const struct {
        const char *name;
        char does;
    } known[] = {{"math.multiply", '*'}, {"Multiply", '*'},   {"math.truediv", '/'},
                 {"math.divide", '/'},   {"TrueDivide", '/'}, {"Divide", '/'},
                 {"math.add", '+'},      {"Add", '+'},        {"__operators__.add", '+'},
                 {"math.subtract", '-'}, {"Subtract", '-'}};
    double v[3];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char does = known[i].does;
        if (strcmp(known[i].name, name) != 0)
            continue;
        if (!three(operand(layer), v)) {
            f->unknown = 1;
            return 1;
        }
        for (int c = 0; c < 3; c++)
            v[c] = does == '/' ? 1 / v[c] : does == '-' ? -v[c] : v[c];
        see_step(f, does == '*' || does == '/' ? v : one, does == '+' || does == '-' ? v : none);
        return 1;
    }
    return 0;
}

/* Layers in front of the network; they end where it begins. */
static void see_front(facts *f, const char *class, const json_t *layer)
{
    const json_t *config = json_object_get(layer, "config");
    static const char *const body[] = {
        "Conv2D",       "DepthwiseConv2D",    "ZeroPadding2D", "SeparableConv2D",
        "MaxPooling2D", "BatchNormalization", "Dense"};
    for (size_t i = 0; i < sizeof body / sizeof *body; i++)
        f->inside |= strcmp(class, body[i]) == 0;
    if (f->inside || f->unknown)
        return;
    if (f->steps == MAX_STEPS) /* no network has so many */
        f->unknown = 1;
    if (strcmp(class, "Rescaling") == 0)
        see_rescaling(f, config);
    else if (strcmp(class, "Normalization") == 0)
        see_normalization_layer(f, config);
    else if (strcmp(class, "SlicingOpLambda") == 0 || strcmp(class, "GetItem") == 0)
        f->unknown = 1; /* colours in another order */
    else if (strcmp(class, "TFOpLambda") != 0)
        (void)see_function(f, class, layer);
    else if (!see_function(f, keras_text(config, "function"), layer) &&
             strcmp(keras_text(config, "function"), "cast") != 0)
        f->unknown = 1;
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
    see_front(f, class, layer);
    if (strcmp(class, "BatchNormalization") == 0)
        return see_batch_norm(f, config, err);
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

/* pixel * scale + offset = (pixel - mean) / deviation. Nothing where that is not known. */
static int say_scaling(weights *w, const facts *f, hst_err *err)
{
    double mean[3], deviation[3];
    if (!f->steps || f->unknown)
        return 0;
    for (int c = 0; c < 3; c++) {
        if (!(f->scale[c] > 1e-6 && f->scale[c] < 1e3 && fabs(f->offset[c]) < 1e4))
            return 0;
        deviation[c] = 1 / f->scale[c];
        mean[c] = f->offset[c] == 0 ? 0 : -f->offset[c] / f->scale[c];
    }
    int rc = weights_say(w, err, "mean", "%.9g %.9g %.9g", mean[0], mean[1], mean[2]);
    return rc ? rc
              : weights_say(w, err, "std", "%.9g %.9g %.9g", deviation[0], deviation[1],
                            deviation[2]);
}

int keras_say_config(weights *w, const json_t *config, hst_err *err)
{
    facts f = {.w = w, .scale = {1, 1, 1}};
    int rc = see_layers(&f, config, 0, err);
    if (rc == 0 && f.width)
        rc = weights_say_size(w, f.width, f.height, err);
    if (rc == 0 && f.epsilon > 0)
        rc = weights_say(w, err, "bn_epsilon", "%.9g", f.epsilon);
    rc = rc ? rc : say_scaling(w, &f, err);
    return rc || !config ? rc : keras_say_classifier(w, config, f.width, f.height, err);
}

/* Weights alone do not show the layer Rescaling that stands in front (1/255), nor the one that
 * keras.applications puts behind where they are ImageNet's: its EfficientNets were trained with
 * (x - mean) / deviation, the layer divides by the root of what it is given, the deviation, and
 * that Rescaling by the root again. */
int keras_say_normalization(weights *w, hst_err *err)
{
    static const double by_255[3] = {1 / 255.0, 1 / 255.0, 1 / 255.0}, none[3] = {0},
                        deviation[3] = {0.229, 0.224, 0.225};
    double mean[3], variance[3];
    facts f = {.w = w, .scale = {1, 1, 1}};
    int published = 1;
    if (!three_of(w, "normalization", "mean", mean) ||
        !three_of(w, "normalization", "variance", variance))
        return 0;
    for (int c = 0; c < 3; c++)
        published &= fabs(variance[c] - deviation[c]) < 1e-4;
    if (published)
        return weights_say(w, err, "scaling", "imagenet");
    see_step(&f, by_255, none);
    see_normalization(&f, mean, variance);
    return say_scaling(w, &f, err);
}
