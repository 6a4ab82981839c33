/* keras_steps.c - the steps of a program -> layers of Keras. Layers are called as the network's own
 * parameters are, which are the names of keras.applications where that has such a network. */
#include "exports/keras.h"

#include <stdio.h>
#include <string.h>

int hst_keras_refuse(hst_keras *k, const char *what)
{
    return hst_fail(k->err, HST_EUNSUP, "%s cannot be written to Keras: it has no layer for that",
                    what);
}

static json_t *no_config(void)
{
    return json_object();
}

/* ---- activations ---- */

static const char *activation_word(enum hst_act act)
{
    static const char *const words[HST_ACTS] = {
        [HST_ACT_NONE] = "linear",
        [HST_ACT_RELU6] = "relu6",
        [HST_ACT_RELU] = "relu",
        [HST_ACT_SIGMOID] = "sigmoid",
        [HST_ACT_HSIGMOID] = "hard_sigmoid",
        [HST_ACT_HSWISH] = "hard_silu",
        [HST_ACT_SWISH] = "silu",
        [HST_ACT_GELU] = "gelu",
    };
    return words[act];
}

/* x sigmoid(1.702 x) */
static int quick_gelu(hst_keras *k, int x, const char *name)
{
    const int scaled = hst_keras_after(
        k, x,
        (hst_keras_layer){"Rescaling", "", json_pack("{s:f, s:f}", "scale", 1.702, "offset", 0.0)});
    const int gate = hst_keras_after(
        k, scaled,
        (hst_keras_layer){"Activation", "", json_pack("{s:s}", "activation", "sigmoid")});
    hst_keras_layer by = {"Multiply", name, no_config(), 2, {x, gate}};
    if (gate < 0) {
        json_decref(by.config);
        return gate;
    }
    by.rank = k->value[x].rank;
    memcpy(by.dim, k->value[x].dim, sizeof by.dim);
    return hst_keras_add(k, &by);
}

static int activate(hst_keras *k, int x, enum hst_act act, const char *name)
{
    const char *word = activation_word(act);
    if (x < 0 || act == HST_ACT_NONE)
        return x;
    if (act == HST_ACT_GELU_QUICK)
        return quick_gelu(k, x, name);
    return hst_keras_after(
        k, x,
        word ? (hst_keras_layer){"Activation", name, json_pack("{s:s}", "activation", word)}
             : (hst_keras_layer){"Gelu", name, json_pack("{s:b}", "approximate", 1)});
}

int hst_keras_finish(hst_keras *k, const hst_do_step *s, int x)
{
    char name[HST_KERAS_NAME];
    hst_keras_name_activation(k->x->program, s, name);
    return activate(k, x, s->act, name);
}

/* The activation as a layer's own, where it has one. */
static const char *own_activation(const hst_do_step *s)
{
    const char *word = activation_word(s->act);
    return word ? word : "linear";
}

static int finish_own(hst_keras *k, const hst_do_step *s, int x)
{
    return activation_word(s->act) ? x : hst_keras_finish(k, s, x);
}

/* ---- windows ---- */

/* Where the zeros around a picture are: as TensorFlow lays them, or otherwise. */
enum zeros { ZEROS_NONE, ZEROS_SAME, ZEROS_OTHER };

static int is_same(int before, int behind, int in, int kernel, int stride)
{
    const int total = ((in + stride - 1) / stride - 1) * stride + kernel - in;
    return total > 0 ? before == total / 2 && behind == total - before : !before && !behind;
}

static enum zeros zeros_of(const hst_keras *k, const hst_do_step *s)
{
    const hst_do_window *w = &s->window;
    const int *in = k->value[hst_keras_input(k, s, 0)].dim;
    if (!w->top && !w->left && !w->bottom && !w->right)
        return ZEROS_NONE;
    return is_same(w->top, w->bottom, in[0], w->kernel_h, w->stride_h) &&
                   is_same(w->left, w->right, in[1], w->kernel_w, w->stride_w)
               ? ZEROS_SAME
               : ZEROS_OTHER;
}

static int lay_zeros(hst_keras *k, const hst_do_step *s, const char *name)
{
    const hst_do_window *w = &s->window;
    const int x = hst_keras_input(k, s, 0), *in = k->value[x].dim;
    return hst_keras_after(
        k, x,
        (hst_keras_layer){
            "ZeroPadding2D", name,
            json_pack("{s:[[ii][ii]]}", "padding", w->top, w->bottom, w->left, w->right), .rank = 3,
            .dim = {in[0] + w->top + w->bottom, in[1] + w->left + w->right, in[2]}});
}

static int pad(hst_keras *k, const hst_do_step *s)
{
    return lay_zeros(k, s, s->name);
}

/* The layer of a step with a window; more: what its config has beside. */
static int windowed(hst_keras *k, const hst_do_step *s, const char *class, json_t *more)
{
    const hst_do_window *w = &s->window;
    const enum zeros zeros = zeros_of(k, s);
    char name[HST_KERAS_NAME] = "";
    if (*s->name)
        snprintf(name, sizeof name, "%s_pad", s->name);
    const int x = zeros == ZEROS_OTHER ? lay_zeros(k, s, name) : hst_keras_input(k, s, 0);
    json_t *config = json_pack("{s:[ii], s:[ii], s:s}",
                               hst_keras_ends_in(class, "Pooling2D") ? "pool_size" : "kernel_size",
                               w->kernel_h, w->kernel_w, "strides", w->stride_h, w->stride_w,
                               "padding", zeros == ZEROS_SAME ? "same" : "valid");
    if (json_object_update(config, more)) {
        json_decref(config);
        config = NULL;
    }
    json_decref(more);
    return hst_keras_after(k, x,
                           (hst_keras_layer){class, s->name, config, .rank = s->rank,
                                             .dim = {s->dim[0], s->dim[1], s->dim[2]}});
}

/* Kernel and, where there is one, bias of the layer that makes x. */
static int variables(hst_keras *k, const hst_do_step *s, int n_dims, const int *dim, int x)
{
    const int n = (int)s->n_b;
    int rc = x < 0 ? x : hst_keras_variable(k, NULL, 0, s->w, n_dims, dim);
    rc = rc < 0 || !s->b ? rc : hst_keras_variable(k, NULL, 1, s->b, 1, &n);
    return rc < 0 ? rc : x;
}

static int convolution(hst_keras *k, const hst_do_step *s)
{
    const int in = k->value[hst_keras_input(k, s, 0)].dim[2], out = s->dim[2];
    const int dim[4] = {s->window.kernel_h, s->window.kernel_w, in / s->groups, out};
    const int x = windowed(k, s, "Conv2D",
                           json_pack("{s:i, s:i, s:b, s:s}", "filters", out, "groups", s->groups,
                                     "use_bias", s->b != NULL, "activation", own_activation(s)));
    return finish_own(k, s, variables(k, s, 4, dim, x));
}

/* One without a name picks pixels: there is nothing to learn. */
static int depthwise(hst_keras *k, const hst_do_step *s)
{
    const int dim[4] = {s->window.kernel_h, s->window.kernel_w, s->dim[2], 1};
    const int x = windowed(k, s, "DepthwiseConv2D",
                           json_pack("{s:b, s:s, s:b}", "use_bias", s->b != NULL, "activation",
                                     own_activation(s), "trainable", *s->name != 0));
    return finish_own(k, s, variables(k, s, 4, dim, x));
}

/* Zeros that Keras has to lay by a layer of its own count, which is no matter behind a ReLU. */
static int max_pool(hst_keras *k, const hst_do_step *s)
{
    const enum hst_act before = hst_keras_step(k, s->input[0])->act;
    if (zeros_of(k, s) == ZEROS_OTHER && before != HST_ACT_RELU && before != HST_ACT_RELU6)
        return hst_keras_refuse(k, "a max pooling with such a padding");
    return hst_keras_finish(k, s, windowed(k, s, "MaxPooling2D", json_object()));
}

static int average_pool(hst_keras *k, const hst_do_step *s)
{
    if (zeros_of(k, s) == ZEROS_OTHER)
        return hst_keras_refuse(k, "an average pooling with such a padding");
    return hst_keras_finish(k, s, windowed(k, s, "AveragePooling2D", json_object()));
}

/* ---- shapes ---- */

/* Of rank 3 what Reshape calls (rows, columns, channels). */
int hst_keras_shape(hst_keras *k, int x, const char *name, int rank, const int *dim)
{
    json_t *to = json_array();
    hst_keras_layer l = {"Reshape", name, NULL, .rank = rank};
    for (int i = 0; i < rank; i++) {
        l.dim[i] = dim[i];
        if (json_array_append_new(to, json_integer(dim[i]))) {
            json_decref(to);
            to = NULL;
        }
    }
    l.config = json_pack("{s:o}", "target_shape", to);
    return hst_keras_after(k, x, l);
}

static int reshape(hst_keras *k, const hst_do_step *s)
{
    return hst_keras_shape(k, hst_keras_input(k, s, 0), s->name, s->rank, s->dim);
}

/* A vector as a picture of one pixel. */
static int as_pixel(hst_keras *k, int x, const char *name)
{
    return hst_keras_shape(k, x, name, 3, (int[3]){1, 1, k->value[x].dim[0]});
}

/* And back. */
static int as_vector(hst_keras *k, int x)
{
    return k->value[x].rank == 3 ? hst_keras_shape(k, x, "", 1, &k->value[x].dim[2]) : x;
}

int hst_keras_channels(hst_keras *k, int x, const char *name, int first, int n)
{
    if (x < 0)
        return x;
    hst_keras_value v = k->value[x];
    const int positions = v.rank == 3 ? v.dim[0] * v.dim[1] : v.dim[0];
    int *c = &v.dim[v.rank - 1];
    int y = hst_keras_shape(k, x, "", 3, (int[3]){positions, *c, 1});
    y = hst_keras_after(
        k, y,
        (hst_keras_layer){"Cropping2D", "",
                          json_pack("{s:[[ii][ii]]}", "cropping", 0, 0, first, *c - first - n),
                          .rank = 3, .dim = {positions, n, 1}});
    *c = n;
    return y < 0 ? y : hst_keras_shape(k, y, name, v.rank, v.dim);
}

static int slice(hst_keras *k, const hst_do_step *s)
{
    const int x = hst_keras_input(k, s, 0);
    const hst_keras_value v = k->value[x];
    const int behind = v.dim[s->axis] - s->begin - s->dim[s->axis];
    if (v.rank == 2 && s->axis == 0)
        return hst_keras_after(
            k, x,
            (hst_keras_layer){"Cropping1D", s->name,
                              json_pack("{s:[ii]}", "cropping", s->begin, behind), .rank = 2,
                              .dim = {s->dim[0], s->dim[1]}});
    if (v.rank < 2 || s->axis != v.rank - 1)
        return hst_keras_refuse(k, "such a slice");
    return hst_keras_channels(k, x, s->name, s->begin, s->dim[s->axis]);
}

static int mean(hst_keras *k, const hst_do_step *s)
{
    const int i = (int)(s - k->x->program->step);
    const int x = hst_keras_input(k, s, 0), c = s->dim[0];
    char name[HST_KERAS_NAME] = "";
    if (k->value[x].rank == 2)
        return hst_keras_after(
            k, x,
            (hst_keras_layer){"GlobalAveragePooling1D", "", no_config(), .rank = 1, .dim = {c}});
    if (i == k->x->program->features)
        return hst_keras_after(k, x,
                               (hst_keras_layer){"GlobalAveragePooling2D", "avg_pool", no_config(),
                                                 .rank = 1, .dim = {c}});
    /* what squeezes and excites is convolutions of one pixel */
    for (int n = i + 1; n < k->x->program->n && !*name; n++)
        if (hst_keras_step(k, n)->n_inputs == 1 && hst_keras_step(k, n)->input[0] == i)
            hst_keras_name_like(hst_keras_step(k, n)->name, name);
    return hst_keras_after(k, x,
                           (hst_keras_layer){"GlobalAveragePooling2D", name,
                                             json_pack("{s:b}", "keepdims", 1), .rank = 3,
                                             .dim = {1, 1, c}});
}

/* ---- several values ---- */

static int several(hst_keras *k, const hst_do_step *s, const char *class, const char *name,
                   json_t *config, const int *input)
{
    hst_keras_layer l = {class, name, config, s->n_inputs, .rank = s->rank};
    memcpy(l.dim, s->dim, sizeof l.dim);
    memcpy(l.input, input, (size_t)s->n_inputs * sizeof *input);
    return hst_keras_finish(k, s, hst_keras_add(k, &l));
}

static void inputs_of(const hst_keras *k, const hst_do_step *s, int out[HST_MAX_INPUTS])
{
    for (int i = 0; i < s->n_inputs; i++)
        out[i] = hst_keras_input(k, s, i);
}

static int sum(hst_keras *k, const hst_do_step *s)
{
    int in[HST_MAX_INPUTS];
    char name[HST_KERAS_NAME];
    inputs_of(k, s, in);
    hst_keras_name_sum(k->x->program, s, "add", name);
    return several(k, s, "Add", name, no_config(), in);
}

static int product(hst_keras *k, const hst_do_step *s)
{
    int in[HST_MAX_INPUTS];
    char name[HST_KERAS_NAME];
    inputs_of(k, s, in);
    hst_keras_name_like(hst_keras_step(k, s->input[1])->name, name);
    if (k->value[in[1]].rank == 1 && s->rank == 3)
        in[1] = as_pixel(k, in[1], "");
    if (k->value[in[0]].rank == 2 && k->value[in[1]].rank == 1)
        in[1] = hst_keras_shape(k, in[1], "", 2, (int[2]){1, s->dim[1]});
    return in[1] < 0 ? in[1] : several(k, s, "Multiply", name, no_config(), in);
}

static int concat(hst_keras *k, const hst_do_step *s)
{
    int in[HST_MAX_INPUTS];
    inputs_of(k, s, in);
    return several(k, s, "Concatenate", s->name, json_pack("{s:i}", "axis", s->axis + 1), in);
}

/* ---- numbers of channels ---- */

static json_t *reals(const float *x, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        if (json_array_append_new(list, json_real((double)x[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* x w[c] + b, of b's own rank: numbers that learn. */
static int by_channel(hst_keras *k, int x, const hst_do_step *s, const float *w, const float *b,
                      int b_rank)
{
    static const char *const equation[] = {"ab,b->ab", "abc,c->abc", "abcd,d->abcd"};
    if (x < 0)
        return x;
    const hst_keras_value v = k->value[x];
    char axes[4];
    snprintf(axes, sizeof axes, "%.*s", b_rank, &"abcd"[v.rank + 1 - b_rank]);
    json_t *to = json_array();
    for (int i = 0; i < v.rank; i++)
        if (json_array_append_new(to, json_integer(v.dim[i])))
            return hst_fail(k->err, HST_EMEM, "out of memory");
    json_t *config = json_pack("{s:s, s:o, s:o}", "equation", equation[v.rank - 1], "output_shape",
                               to, "bias_axes", b ? json_string(axes) : json_null());
    const int y = hst_keras_after(k, x, (hst_keras_layer){"EinsumDense", s->name, config});
    int rc = y < 0 ? y : hst_keras_variable(k, NULL, 0, w, 1, &v.dim[v.rank - 1]);
    rc = rc < 0 || !b ? rc : hst_keras_variable(k, NULL, 1, b, b_rank, &v.dim[v.rank - b_rank]);
    return rc < 0 ? rc : y;
}

/* The pixels' scaling, a factor that does not learn, or numbers of a layer. */
static int affine(hst_keras *k, const hst_do_step *s)
{
    const int x = hst_keras_input(k, s, 0), c = (int)s->n_w;
    const int is_first = s->input[0] == 0 && strcmp(s->name, "scaling") == 0;
    const float *b = NULL;
    for (int i = 0; i < c && !b; i++)
        b = s->b[i] != 0 ? s->b : NULL;
    if (!is_first && *s->name)
        return hst_keras_finish(k, s, by_channel(k, x, s, s->w, b, 1));
    json_t *config =
        is_first ? json_pack("{s:o, s:o}", "scale", reals(s->w, c), "offset", reals(s->b, c))
                 : json_pack("{s:f, s:f}", "scale", (double)s->w[0], "offset", 0.0);
    return hst_keras_finish(k, s,
                            hst_keras_after(k, x, (hst_keras_layer){"Rescaling", s->name, config}));
}

/* Numbers that are the same for every photo, and learn: zeros as many, to which they are added. The
 * zeros are laid behind tokens, which then are cut off. */
static int constant(hst_keras *k, const hst_do_step *s)
{
    const int x = k->tokens, rows = s->dim[0], c = s->dim[1];
    if (x < 0 || k->value[x].dim[1] != c)
        return hst_keras_refuse(k, "a constant in such a place");
    const int n = k->value[x].dim[0];
    float *w = hst_arena_alloc(k->arena, (size_t)c, sizeof *w, k->err);
    int y = !w ? HST_EMEM
               : hst_keras_after(k, x,
                                 (hst_keras_layer){"ZeroPadding1D", "",
                                                   json_pack("{s:[ii]}", "padding", 0, rows),
                                                   .rank = 2, .dim = {n + rows, c}});
    y = hst_keras_after(k, y,
                        (hst_keras_layer){"Cropping1D", "", json_pack("{s:[ii]}", "cropping", n, 0),
                                          .rank = 2, .dim = {rows, c}});
    return by_channel(k, y, s, w, s->w, 2);
}

static int batch_norm(hst_keras *k, const hst_do_step *s)
{
    const int c = (int)s->n_w / 4;
    int x = hst_keras_after(k, hst_keras_input(k, s, 0),
                            (hst_keras_layer){"BatchNormalization", s->name,
                                              json_pack("{s:f}", "epsilon", s->epsilon)});
    for (int i = 0; i < 4 && x >= 0; i++)
        if (hst_keras_variable(k, NULL, i, s->w + i * c, 1, &c) < 0)
            x = HST_EMEM;
    return hst_keras_finish(k, s, x);
}

static int layer_norm(hst_keras *k, const hst_do_step *s)
{
    const int c = (int)s->n_w;
    const int x = hst_keras_after(k, hst_keras_input(k, s, 0),
                                  (hst_keras_layer){"LayerNormalization", s->name,
                                                    json_pack("{s:f}", "epsilon", s->epsilon)});
    return hst_keras_finish(k, s, variables(k, s, 1, &c, x));
}

static int group_norm(hst_keras *k, const hst_do_step *s)
{
    const int c = (int)s->n_w;
    const int x = hst_keras_after(
        k, hst_keras_input(k, s, 0),
        (hst_keras_layer){"GroupNormalization", s->name,
                          json_pack("{s:i,s:f}", "groups", s->groups, "epsilon", s->epsilon)});
    return hst_keras_finish(k, s, variables(k, s, 1, &c, x));
}

/* ---- dense layers ---- */

static int is_head(const hst_keras *k, const hst_do_step *s)
{
    return s->input[0] == k->x->program->features && strcmp(s->name, "head") == 0;
}

static int head(hst_keras *k, const hst_do_step *s)
{
    const int dim[2] = {(int)(s->n_w / s->n_b), (int)s->n_b};
    const hst_do_step *last = hst_keras_step(k, k->x->program->n - 1);
    const char *act = last->what == HST_DO_SOFTMAX ? "softmax" : own_activation(s);
    const int x = as_vector(k, hst_keras_input(k, s, 0));
    return variables(k, s, 2, dim,
                     hst_keras_after(k, x,
                                     (hst_keras_layer){"Dense", "predictions",
                                                       json_pack("{s:i, s:s}", "units", dim[1],
                                                                 "activation", act),
                                                       .rank = 1, .dim = {dim[1]}}));
}

/* Of a pixel a convolution; of tokens and vectors a dense layer. */
static int dense(hst_keras *k, const hst_do_step *s)
{
    if (hst_keras_ends_attention(k, s))
        return hst_keras_attention(k, s);
    if (is_head(k, s))
        return head(k, s);
    const int x = hst_keras_input(k, s, 0), out = s->dim[s->rank - 1];
    const hst_keras_value v = k->value[x];
    const int dim[4] = {1, 1, v.dim[v.rank - 1], out}, is_pixel = v.rank == 3;
    json_t *config = is_pixel ? json_pack("{s:i, s:i, s:b, s:s}", "filters", out, "kernel_size", 1,
                                          "use_bias", s->b != NULL, "activation", own_activation(s))
                              : json_pack("{s:i, s:b, s:s}", "units", out, "use_bias", s->b != NULL,
                                          "activation", own_activation(s));
    hst_keras_layer l = {is_pixel ? "Conv2D" : "Dense", s->name, config, .rank = v.rank};
    memcpy(l.dim, v.dim, sizeof l.dim);
    l.dim[v.rank - 1] = out;
    const int y = hst_keras_after(k, x, l);
    return finish_own(k, s, variables(k, s, is_pixel ? 4 : 2, is_pixel ? dim : dim + 2, y));
}

/* ---- all of them ---- */

static int input(hst_keras *k, const hst_do_step *s)
{
    const int batch = k->x->ends.batch;
    const hst_keras_layer l = {
        "InputLayer", s->name,
        json_pack("{s:[oiii], s:s}", "batch_shape", batch ? json_integer(batch) : json_null(),
                  s->dim[0], s->dim[1], 3, "dtype", k->x->ends.uint8 ? "uint8" : "float32"),
        .rank = 3, .dim = {s->dim[0], s->dim[1], 3}};
    const int x = hst_keras_add(k, &l);
    /* the layer that scales makes float32 of them; else one does that alone */
    return !k->x->ends.uint8 || strcmp(hst_keras_step(k, 1)->name, "scaling") == 0
               ? x
               : hst_keras_after(
                     k, x,
                     (hst_keras_layer){"Rescaling", "scaling",
                                       json_pack("{s:f, s:f}", "scale", 1.0, "offset", 0.0)});
}

static int activation(hst_keras *k, const hst_do_step *s)
{
    return hst_keras_finish(k, s, hst_keras_input(k, s, 0));
}

/* Merged with the head. */
static int softmax(hst_keras *k, const hst_do_step *s)
{
    return hst_keras_input(k, s, 0);
}

static const struct {
    int (*write)(hst_keras *k, const hst_do_step *s);
} rows[HST_DOS] = {
    [HST_DO_INPUT] = {input},
    [HST_DO_CONST] = {constant},
    [HST_DO_CONV] = {convolution},
    [HST_DO_DEPTHWISE] = {depthwise},
    [HST_DO_DENSE] = {dense},
    [HST_DO_AFFINE] = {affine},
    [HST_DO_BATCH_NORM] = {batch_norm},
    [HST_DO_ADD] = {sum},
    [HST_DO_MULTIPLY] = {product},
    [HST_DO_ACTIVATE] = {activation},
    [HST_DO_PAD] = {pad},
    [HST_DO_MAX_POOL] = {max_pool},
    [HST_DO_AVERAGE_POOL] = {average_pool},
    [HST_DO_MEAN] = {mean},
    [HST_DO_LAYER_NORM] = {layer_norm},
    [HST_DO_GROUP_NORM] = {group_norm},
    [HST_DO_ATTENTION] = {hst_keras_attention_alone},
    [HST_DO_TURN] = {hst_keras_turn},
    [HST_DO_CONCAT] = {concat},
    [HST_DO_SLICE] = {slice},
    [HST_DO_SHAPE] = {reshape},
    [HST_DO_SOFTMAX] = {softmax},
};

int hst_keras_steps(hst_keras *k)
{
    for (int i = 0; i < k->x->program->n; i++) {
        const hst_do_step *s = hst_keras_step(k, i);
        if (hst_keras_is_in_attention(k, i))
            continue;
        if (!rows[s->what].write)
            return hst_keras_refuse(k, hst_do_names[s->what]);
        k->made[i] = rows[s->what].write(k, s);
        if (k->made[i] < 0)
            return k->made[i];
    }
    return 0;
}
