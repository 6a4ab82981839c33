/* keras_graph.c - the layers of a functional model that headstart has exported, as a graph of
 * operators. */
#include "base/json.h"
#include "keras.h"
#include "name_table.h"
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = 5000, MAX_NAME = 512, BOTH = 2 };

typedef struct graph {
    weights *w;
    network net;
    names tensors; /* of the file -> t */
    names layers;  /* -> the value that a layer makes */
    const hst_tensor *t;
    hst_err *err;
} graph;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the layers cannot be followed: %s", why);
}

/* ---- parts of a layer ---- */

static const json_t *config_of(const json_t *layer)
{
    return json_object_get(layer, "config");
}

static const hst_tensor *part(const graph *g, const json_t *layer, const char *name)
{
    char full[MAX_NAME];
    const int n = snprintf(full, sizeof full, "%s/%s", keras_text(layer, "name"), name);
    const int at =
        n < MAX_NAME ? names_get(&g->tensors, (bytes){(const uint8_t *)full, (size_t)n}) : -1;
    return at < 0 ? NULL : &g->t[at];
}

/* The whole number at that place of a list, or of lists in a list; else otherwise. */
static int64_t whole_at(const json_t *list, size_t i, int64_t otherwise)
{
    const json_t *v = json_array_get(list, i);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* Inputs of a layer's one call: tensors, or one list of them. -1 behind the last. */
static int inputs(const graph *g, const json_t *layer, int x[BOTH])
{
    const json_t *calls = json_object_get(layer, "inbound_nodes");
    const json_t *args = json_object_get(json_array_get(calls, 0), "args");
    if (json_is_array(json_array_get(args, 0)))
        args = json_array_get(args, 0);
    for (size_t i = 0; i < BOTH; i++) {
        const json_t *v = json_array_get(args, i);
        const char *from =
            json_string_value(json_array_get(json_object_get(config_of(v), "keras_history"), 0));
        x[i] = from ? names_get(&g->layers, (bytes){(const uint8_t *)from, strlen(from)}) : -1;
        if (v && x[i] < 0)
            return refuse(g->err, "one reads what is not there");
    }
    if (json_array_size(calls) > 1 || json_array_size(args) > BOTH)
        return refuse(g->err, "one has too many inputs");
    return 0;
}

static int activate(graph *g, int x, const char *word)
{
    static const struct {
        const char *word;
        enum net_act act;
    } known[] = {{"linear", NET_LINEAR},
                 {"relu", NET_RELU},
                 {"relu6", NET_RELU6},
                 {"sigmoid", NET_SIGMOID},
                 {"hard_sigmoid", NET_HSIGMOID},
                 {"hard_silu", NET_HSWISH},
                 {"silu", NET_SWISH}};
    for (size_t i = 0; x >= 0 && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].word, word) == 0)
            return known[i].act == NET_LINEAR ? x : net_activate(&g->net, x, known[i].act, g->err);
    return x < 0 ? x : refuse(g->err, "an activation is none that the networks known here have");
}

/* ---- layers ---- */

static int input(graph *g, const json_t *layer, int x, int y)
{
    const json_t *shape = json_object_get(config_of(layer), "batch_shape");
    (void)x;
    (void)y;
    return net_input(&g->net, whole_at(shape, 1, 0), whole_at(shape, 2, 0), whole_at(shape, 3, -1),
                     g->err);
}

/* x op the number or numbers of a member. */
static int constant(graph *g, const json_t *layer, const char *key, char op, int x)
{
    const json_t *v = json_object_get(config_of(layer), key);
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;
    float *p = hst_arena_alloc(g->w->arena, n, sizeof *p, g->err);
    hst_tensor *t = p ? hst_arena_alloc(g->w->arena, 1, sizeof *t, g->err) : NULL;
    if (!t)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        p[i] = (float)json_number_value(json_is_array(v) ? json_array_get(v, i) : v);
    *t = (hst_tensor){.n_dims = n > 1, .dim = {(int64_t)n}, .data = p, .n_bytes = n * sizeof *p};
    return net_constant(&g->net, x, op, t, g->err);
}

static int rescaling(graph *g, const json_t *layer, int x, int y)
{
    (void)y;
    x = constant(g, layer, "scale", '*', x);
    return x < 0 || !json_object_get(config_of(layer), "offset")
               ? x
               : constant(g, layer, "offset", '+', x);
}

static int zero_padding(graph *g, const json_t *layer, int x, int y)
{
    const json_t *p = json_object_get(config_of(layer), "padding");
    const json_t *rows = json_array_get(p, 0), *columns = json_array_get(p, 1);
    (void)y;
    return net_pad(&g->net, x,
                   (int64_t[4]){whole_at(rows, 0, -1), whole_at(columns, 0, -1),
                                whole_at(rows, 1, -1), whole_at(columns, 1, -1)},
                   g->err);
}

/* What a window has beside its kernel. Strides that are not there are 1. */
static int window(const graph *g, const json_t *layer, net_conv *c)
{
    const json_t *config = config_of(layer), *strides = json_object_get(config, "strides");
    const char *padding = keras_text(config, "padding");
    c->stride = whole_at(strides, 0, 1);
    c->same = strcmp(padding, "same") == 0;
    if (whole_at(strides, 1, c->stride) != c->stride)
        return refuse(g->err, "a convolution has two strides");
    if (json_object_get(config, "groups") &&
        json_integer_value(json_object_get(config, "groups")) != 1)
        return refuse(g->err, "a convolution is of groups");
    return 0;
}

static int convolution(graph *g, const json_t *layer, int x, int y)
{
    const int depthwise = strcmp(keras_text(layer, "class_name"), "DepthwiseConv2D") == 0;
    const hst_tensor *kernel = part(g, layer, depthwise ? "depthwise_kernel" : "kernel");
    const hst_tensor *bias = part(g, layer, "bias");
    net_conv c = {
        .kernel = kernel, .layout = depthwise ? NET_HWC1 : NET_HWIO, .depthwise = depthwise};
    (void)y;
    if (!kernel)
        return refuse(g->err, "a convolution has no kernel");
    if (window(g, layer, &c))
        return HST_EMODEL;
    x = net_conv2d(&g->net, x, &c, g->err);
    x = x < 0 || !bias ? x : net_bias(&g->net, x, bias, g->err);
    return activate(g, x, keras_text(config_of(layer), "activation"));
}

static int batch_norm(graph *g, const json_t *layer, int x, int y)
{
    const hst_tensor *of[4] = {part(g, layer, "gamma"), part(g, layer, "beta"),
                               part(g, layer, "moving_mean"), part(g, layer, "moving_variance")};
    (void)y;
    if (!of[0] || !of[1] || !of[2] || !of[3])
        return refuse(g->err, "a batch norm has no numbers");
    return net_batchnorm(&g->net, x, of,
                         json_number_value(json_object_get(config_of(layer), "epsilon")), g->err);
}

static int activation(graph *g, const json_t *layer, int x, int y)
{
    (void)y;
    return activate(g, x, keras_text(config_of(layer), "activation"));
}

static int sum(graph *g, const json_t *layer, int x, int y)
{
    (void)layer;
    return y < 0 ? refuse(g->err, "a sum is of one value") : net_add(&g->net, x, y, g->err);
}

static int product(graph *g, const json_t *layer, int x, int y)
{
    (void)layer;
    return y < 0 ? refuse(g->err, "a product is of one value")
                 : net_multiply(&g->net, x, y, g->err);
}

static int average(graph *g, const json_t *layer, int x, int y)
{
    (void)layer;
    (void)y;
    return net_average(&g->net, x, g->err);
}

static int max_pool(graph *g, const json_t *layer, int x, int y)
{
    const json_t *size = json_object_get(config_of(layer), "pool_size");
    net_conv c = {0};
    (void)y;
    if (window(g, layer, &c))
        return HST_EMODEL;
    if (whole_at(size, 0, -1) != whole_at(size, 1, -2))
        return refuse(g->err, "a max pooling is no square");
    return net_max_pool(&g->net, x, &c, whole_at(size, 0, -1), g->err);
}

static int reshape(graph *g, const json_t *layer, int x, int y)
{
    (void)layer;
    (void)y;
    return net_reshape(&g->net, x, g->err);
}

static int dense(graph *g, const json_t *layer, int x, int y)
{
    const struct net_head head = {.kernel = part(g, layer, "kernel"),
                                  .bias = part(g, layer, "bias")};
    (void)y;
    return head.kernel && head.bias ? net_head(&g->net, x, &head, g->err)
                                    : refuse(g->err, "the classifier has no numbers");
}

static const struct {
    const char *class;
    int (*read)(graph *g, const json_t *layer, int x, int y); /* its value, or an error */
} classes[] = {
    {"Activation", activation},
    {"Add", sum},
    {"BatchNormalization", batch_norm},
    {"Conv2D", convolution},
    {"Dense", dense},
    {"DepthwiseConv2D", convolution},
    {"GlobalAveragePooling2D", average},
    {"InputLayer", input},
    {"MaxPooling2D", max_pool},
    {"Multiply", product},
    {"Rescaling", rescaling},
    {"Reshape", reshape},
    {"ZeroPadding2D", zero_padding},
};

static int read_layer(graph *g, const json_t *layer)
{
    const char *class = keras_text(layer, "class_name"), *name = keras_text(layer, "name");
    const bytes key = {(const uint8_t *)name, strlen(name)};
    int x[BOTH], value = HST_EMODEL;
    size_t i = 0;
    while (i < sizeof classes / sizeof *classes && strcmp(classes[i].class, class) != 0)
        i++;
    if (i == sizeof classes / sizeof *classes)
        return hst_fail(g->err, HST_EMODEL,
                        "the layer '%.100s' is none that the networks known here have", class);
    if (inputs(g, layer, x))
        return HST_EMODEL;
    if ((x[0] < 0) != (classes[i].read == input))
        return refuse(g->err, "one has no input");
    value = classes[i].read(g, layer, x[0], x[1]);
    return value < 0 ? value : names_put(&g->layers, key, value, g->err);
}

int keras_graph(weights *w, const json_t *config, size_t file_bytes, hst_err *err)
{
    const json_t *layers = keras_layers(config);
    const size_t n = json_array_size(layers);
    graph g = {.w = w, .t = w->t, .err = err};
    hst_tensor *named = w->t;
    const size_t n_named = w->n, cap = w->cap;
    if (n == 0 || n > MAX_LAYERS)
        return refuse(err, "there are none, or too many");
    int rc = names_init(&g.tensors, n_named + 1, w->arena, err);
    rc = rc ? rc : names_init(&g.layers, n + 1, w->arena, err);
    for (size_t i = 0; rc == 0 && i < n_named; i++)
        rc = names_put(&g.tensors, (bytes){(const uint8_t *)named[i].name, strlen(named[i].name)},
                       (int)i, err);
    rc = rc ? rc : net_init(&g.net, w->arena, file_bytes, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_layer(&g, json_array_get(layers, i));
    if (rc == 0 && net_goes_on(&g.net))
        rc = refuse(err, "a convolution behind the average may be a part of the network");
    if (rc)
        return rc;
    w->t = NULL;
    w->n = w->cap = 0;
    rc = net_finish(&g.net, w, err);
    free(rc ? w->t : named);
    if (rc) {
        w->t = named;
        w->n = n_named;
        w->cap = cap;
    }
    return rc;
}
