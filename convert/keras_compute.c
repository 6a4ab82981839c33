/* keras_compute.c - what layers of Keras compute, of those that exports have. What a configuration
 * does not say is as Keras has it (https://keras.io/api/layers). */
#include "formats/probe.h"
#include "keras_run.h"

#include <math.h>
#include <string.h>

/* ---- configuration ---- */

static const json_t *member(const keras_run *r, const char *key)
{
    return json_object_get(r->config, key);
}

static double real_of(const keras_run *r, const char *key, double absent)
{
    const json_t *v = member(r, key);
    return json_is_number(v) ? json_number_value(v) : absent;
}

/* Of a list, or of a list in a list; else otherwise. */
static int64_t whole_at(const json_t *list, size_t i, int64_t otherwise)
{
    const json_t *v = json_array_get(list, i);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* A number for both axes, or one for each. */
static void two_of(const keras_run *r, const char *key, const int64_t absent[2], int64_t out[2])
{
    const json_t *v = member(r, key);
    for (size_t i = 0; i < 2; i++)
        out[i] = json_is_integer(v) ? json_integer_value(v) : whole_at(v, i, absent[i]);
}

static int has_bias(const keras_run *r)
{
    return !json_is_false(member(r, "use_bias"));
}

/* ---- element by element ---- */

/* r->out behind the activation of that name. */
static int activate(keras_run *r, const char *word, hst_err *err)
{
    static const struct {
        const char *word;
        enum ev_function f;
    } known[] = {{"relu", EV_RELU},
                 {"relu6", EV_RELU6},
                 {"sigmoid", EV_SIGMOID},
                 {"hard_sigmoid", EV_HARD_SIGMOID},
                 {"hard_silu", EV_HARD_SWISH},
                 {"silu", EV_SWISH},
                 {"gelu", EV_GELU}};
    ev_array x = r->out;
    size_t i = 0;
    int rc;
    if (!*word || strcmp(word, "linear") == 0)
        return 0;
    r->out = (ev_array){0};
    while (i < sizeof known / sizeof *known && strcmp(known[i].word, word) != 0)
        i++;
    if (i < sizeof known / sizeof *known)
        rc = ev_unary(&r->e, known[i].f, &x, &r->out, err);
    else if (strcmp(word, "softmax") == 0)
        rc = ev_softmax(&r->e, &x, x.n_dims - 1, &r->out, err);
    else
        rc = keras_odd(r, "has an activation that is not known", err);
    ev_free(&x);
    return rc;
}

static int own_activation(keras_run *r, hst_err *err)
{
    return activate(r, keras_text(r->config, "activation"), err);
}

static int activation(keras_run *r, int how, hst_err *err)
{
    (void)how;
    const int rc = ev_reshape(&r->e, r->in[0], r->in[0]->n_dims, r->in[0]->dim, &r->out, err);
    return rc ? rc : own_activation(r, err);
}

/* An operation of keras.ops. */
static int gelu_of(keras_run *r, int how, hst_err *err)
{
    (void)how;
    const enum ev_function f = json_is_false(member(r, "approximate")) ? EV_GELU : EV_GELU_TANH;
    return ev_unary(&r->e, f, r->in[0], &r->out, err);
}

/* All inputs taken together, each of them as the first one or with axes of length 1. */
static int merge(keras_run *r, int how, hst_err *err)
{
    int rc = ev_binary(&r->e, (char)how, r->in[0], r->in[1], &r->out, err);
    for (int i = 2; rc == 0 && i < r->n_in; i++) {
        ev_array before = r->out;
        r->out = (ev_array){0};
        rc = ev_binary(&r->e, (char)how, &before, r->in[i], &r->out, err);
        ev_free(&before);
    }
    for (int i = 0; rc == 0 && i < r->n_in; i++)
        if (r->in[i]->n_dims != r->in[0]->n_dims)
            rc = keras_odd(r, "takes values of different shapes together", err);
    return rc;
}

/* A number, or one for each channel. */
static int numbers(keras_run *r, const char *key, double absent, ev_array *out, hst_err *err)
{
    const json_t *v = member(r, key);
    const int64_t n = json_is_array(v) ? (int64_t)json_array_size(v) : 1;
    int rc = ev_new(&r->e, 1, &n, out, err);
    if (rc == 0 && !json_is_array(v))
        out->own[0] = (float)real_of(r, key, absent);
    for (size_t i = 0; rc == 0 && i < json_array_size(v); i++)
        out->own[i] = (float)json_number_value(json_array_get(v, i));
    return rc;
}

/* x by + plus, of the last axes; plus NULL: nothing. */
static int scale(keras_run *r, const ev_array *x, const ev_array *by, const ev_array *plus,
                 hst_err *err)
{
    ev_array product = {0};
    int rc = ev_binary(&r->e, '*', x, by, plus ? &product : &r->out, err);
    rc = rc || !plus ? rc : ev_binary(&r->e, '+', &product, plus, &r->out, err);
    ev_free(&product);
    if (rc == 0 && (r->out.n_dims != x->n_dims || ev_count(&r->out) != ev_count(x)))
        rc = keras_odd(r, "has not as many numbers as its input", err);
    return rc;
}

static int rescaling(keras_run *r, int how, hst_err *err)
{
    ev_array by = {0}, plus = {0};
    (void)how;
    int rc = numbers(r, "scale", 1, &by, err);
    rc = rc ? rc : numbers(r, "offset", 0, &plus, err);
    rc = rc ? rc : scale(r, r->in[0], &by, &plus, err);
    ev_free(&by);
    ev_free(&plus);
    return rc;
}

/* The layer's tensor as an array. */
static int weight(keras_run *r, const char *part, ev_array *out, hst_err *err)
{
    hst_tensor *t;
    const int rc = keras_part(r, part, &t, err);
    return rc ? rc : keras_array(r, t, out, err);
}

/* x[1][n][heads][d] by[n][d] */
static int by_position(keras_run *r, hst_err *err)
{
    ev_array by = {0}, each = {0};
    int rc = weight(r, "kernel", &by, err);
    if (rc == 0 && (by.n_dims != 2 || r->in[0]->n_dims != 4 || *keras_text(r->config, "bias_axes")))
        rc = keras_odd(r, "is not of heads", err);
    rc =
        rc ? rc : ev_reshape(&r->e, &by, 3, (const int64_t[]){by.dim[0], 1, by.dim[1]}, &each, err);
    rc = rc ? rc : scale(r, r->in[0], &each, NULL, err);
    ev_free(&by);
    ev_free(&each);
    return rc;
}

/* Channel by channel, or head by head the same, which is all that exports have of it. */
static int einsum_dense(keras_run *r, int how, hst_err *err)
{
    static const char *const equation[] = {"ab,b->ab", "abc,c->abc", "abcd,d->abcd"};
    const char *axes = keras_text(r->config, "bias_axes"), all[] = "abcd";
    const char *what = keras_text(r->config, "equation");
    const int n = r->in[0]->n_dims;
    ev_array by = {0}, plus = {0};
    (void)how;
    if (strcmp(what, "abcd,bd->abcd") == 0)
        return by_position(r, err);
    if (n < 2 || n > 4 || strcmp(equation[n - 2], what) != 0)
        return keras_odd(r, "is none of channels", err);
    int rc = weight(r, "kernel", &by, err);
    rc = rc || !*axes ? rc : weight(r, "bias", &plus, err);
    if (rc == 0 && *axes &&
        (plus.n_dims >= n || strlen(axes) != (size_t)plus.n_dims ||
         memcmp(all + n - plus.n_dims, axes, (size_t)plus.n_dims) != 0))
        rc = keras_odd(r, "adds along other axes", err);
    rc = rc ? rc : scale(r, r->in[0], &by, *axes ? &plus : NULL, err);
    ev_free(&by);
    ev_free(&plus);
    return rc;
}

/* ---- norms ---- */

/* gamma and beta, to which nothing or moving mean and variance are added: x by + plus. */
static int batch_norm(keras_run *r, int how, hst_err *err)
{
    static const char *const parts[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    const double epsilon = real_of(r, "epsilon", 1e-3);
    ev_array of[4] = {{0}};
    int rc = 0;
    (void)how;
    for (int i = 0; rc == 0 && i < 4; i++)
        rc = weight(r, parts[i], &of[i], err);
    for (int i = 1; rc == 0 && i < 4; i++)
        if (of[i].n_dims != 1 || ev_count(&of[i]) != ev_count(&of[0]))
            rc = keras_odd(r, "has not a number for a channel", err);
    for (size_t c = 0; rc == 0 && c < ev_count(&of[0]); c++) {
        const double by = (double)of[0].x[c] / sqrt((double)of[3].x[c] + epsilon);
        of[0].own[c] = (float)by;
        of[1].own[c] = (float)((double)of[1].x[c] - (double)of[2].x[c] * by);
    }
    rc = rc ? rc : scale(r, r->in[0], &of[0], &of[1], err);
    for (int i = 0; i < 4; i++)
        ev_free(&of[i]);
    return rc;
}

/* [batch][h][w][c]: every run of c / groups channels over all pixels. */
static int normalise_groups(keras_run *r, const ev_array *x, ev_array *out, hst_err *err)
{
    static const int swapped[] = {0, 2, 1, 3};
    const int64_t groups = (int64_t)real_of(r, "groups", 32);
    ev_array apart = {0}, runs = {0}, normal = {0}, back = {0};
    if (x->n_dims != 4 || groups < 1 || x->dim[3] % groups)
        return keras_odd(r, "has other groups than its channels are", err);
    const int64_t own = x->dim[3] / groups, pixels = x->dim[1] * x->dim[2];
    int rc = ev_reshape(&r->e, x, 4, (int64_t[]){x->dim[0], pixels, groups, own}, &apart, err);
    rc = rc ? rc : ev_transpose(&r->e, &apart, swapped, &runs, err);
    rc = rc ? rc
            : ev_normalise(&r->e, &runs, (size_t)(pixels * own), real_of(r, "epsilon", 1e-3),
                           &normal, err);
    rc = rc ? rc : ev_transpose(&r->e, &normal, swapped, &back, err);
    rc = rc ? rc : ev_reshape(&r->e, &back, 4, x->dim, out, err);
    ev_free(&apart);
    ev_free(&runs);
    ev_free(&normal);
    ev_free(&back);
    return rc;
}

/* how: 1: a group norm */
static int norm(keras_run *r, int how, hst_err *err)
{
    const ev_array *x = r->in[0];
    ev_array normal = {0}, by = {0}, plus = {0};
    int rc = how ? normalise_groups(r, x, &normal, err)
                 : ev_normalise(&r->e, x, (size_t)x->dim[x->n_dims - 1],
                                real_of(r, "epsilon", 1e-3), &normal, err);
    rc = rc ? rc : weight(r, "gamma", &by, err);
    rc = rc ? rc : weight(r, "beta", &plus, err);
    rc = rc ? rc : scale(r, &normal, &by, &plus, err);
    ev_free(&normal);
    ev_free(&by);
    ev_free(&plus);
    return rc;
}

/* ---- products ---- */

int keras_product(keras_run *r, const ev_array *x, const hst_tensor *m, const hst_tensor *b,
                  ev_array *out, hst_err *err)
{
    ev_array by = {0}, plus = {0}, product = {0};
    int rc = keras_array(r, m, &by, err);
    rc = rc || !b ? rc : keras_array(r, b, &plus, err);
    rc = rc ? rc : ev_matmul(&r->e, x, &by, b ? &product : out, err);
    rc = rc || !b ? rc : ev_binary(&r->e, '+', &product, &plus, out, err);
    ev_free(&by);
    ev_free(&plus);
    ev_free(&product);
    return rc;
}

static int dense(keras_run *r, int how, hst_err *err)
{
    hst_tensor *m, *b = NULL;
    (void)how;
    int rc = keras_part(r, "kernel", &m, err);
    rc = rc || !has_bias(r) ? rc : keras_part(r, "bias", &b, err);
    if (rc == 0 && (m->n_dims != 2 || m->dim[1] != (int64_t)real_of(r, "units", 0) ||
                    (b && (b->n_dims != 1 || b->dim[0] != m->dim[1]))))
        rc = keras_odd(r, "has weights of another shape", err);
    rc = rc ? rc : keras_product(r, r->in[0], m, b, &r->out, err);
    return rc ? rc : own_activation(r, err);
}

/* ---- windows ---- */

/* Zeros as TensorFlow lays them: the odd one behind. */
static int window_of(keras_run *r, const int64_t strides[2], ev_window *w, hst_err *err)
{
    const char *padding = keras_text(r->config, "padding");
    const int same = strcmp(padding, "same") == 0;
    if (!same && *padding && strcmp(padding, "valid") != 0)
        return keras_odd(r, "has a padding that is not known", err);
    two_of(r, "strides", strides, w->stride);
    for (int i = 0; i < 2 && r->in[0]->n_dims == 4; i++) {
        const int64_t size = r->in[0]->dim[1 + i], s = w->stride[i];
        const int64_t total = s > 0 ? ((size + s - 1) / s - 1) * s + w->kernel[i] - size : 0;
        w->pad[i] = same && total > 0 ? total / 2 : 0;
        w->pad[2 + i] = same && total > 0 ? total - total / 2 : 0;
    }
    return r->in[0]->n_dims == 4 ? 0 : keras_odd(r, "is not of pictures", err);
}

/* [1][h][w][c] as [1][c][h][w], and back. */
static int as_maps(keras_run *r, const ev_array *x, ev_array *out, hst_err *err)
{
    return ev_transpose(&r->e, x, (const int[]){0, 3, 1, 2}, out, err);
}

static int as_pixels(keras_run *r, const ev_array *x, ev_array *out, hst_err *err)
{
    return ev_transpose(&r->e, x, (const int[]){0, 2, 3, 1}, out, err);
}

/* k [out][in / groups][h][w] */
static int convolve(keras_run *r, const ev_array *k, const ev_array *bias, ev_window *w,
                    hst_err *err)
{
    ev_array maps = {0}, made = {0};
    w->kernel[0] = k->dim[2];
    w->kernel[1] = k->dim[3];
    int rc = window_of(r, (const int64_t[]){1, 1}, w, err);
    rc = rc ? rc : as_maps(r, r->in[0], &maps, err);
    rc = rc ? rc : ev_conv(&r->e, &maps, k, bias, w, &made, err);
    rc = rc ? rc : as_pixels(r, &made, &r->out, err);
    ev_free(&maps);
    ev_free(&made);
    return rc ? rc : own_activation(r, err);
}

/* Kernels [h][w][in][out]; depthwise [h][w][c][1]. */
static int convolution(keras_run *r, int depthwise, hst_err *err)
{
    static const int order[2][4] = {{3, 2, 0, 1}, {2, 3, 0, 1}};
    ev_array k = {0}, turned = {0}, bias = {0};
    ev_window w = {.groups = (int64_t)real_of(r, "groups", 1)};
    int64_t size[2];
    two_of(r, "kernel_size", (const int64_t[]){0, 0}, size);
    int rc = weight(r, depthwise ? "depthwise_kernel" : "kernel", &k, err);
    rc = rc || !has_bias(r) ? rc : weight(r, "bias", &bias, err);
    if (rc == 0 && (k.n_dims != 4 || k.dim[0] != size[0] || k.dim[1] != size[1] ||
                    (depthwise ? k.dim[3] != 1 : k.dim[3] != (int64_t)real_of(r, "filters", 0))))
        rc = keras_odd(r, "has weights of another shape", err);
    if (rc == 0 && depthwise)
        w.groups = k.dim[2];
    rc = rc ? rc : ev_transpose(&r->e, &k, order[depthwise], &turned, err);
    rc = rc ? rc : convolve(r, &turned, has_bias(r) ? &bias : NULL, &w, err);
    ev_free(&k);
    ev_free(&turned);
    ev_free(&bias);
    return rc;
}

/* What is outside of the picture does not count. */
static int pool(keras_run *r, int largest, hst_err *err)
{
    ev_array maps = {0}, made = {0};
    ev_window w = {0};
    two_of(r, "pool_size", (const int64_t[]){2, 2}, w.kernel);
    int rc = window_of(r, w.kernel, &w, err);
    rc = rc ? rc : as_maps(r, r->in[0], &maps, err);
    rc = rc ? rc : ev_pool(&r->e, &maps, &w, largest, &made, err);
    rc = rc ? rc : as_pixels(r, &made, &r->out, err);
    ev_free(&maps);
    ev_free(&made);
    return rc;
}

/* Over all axes between the picture's and the channels. */
static int average(keras_run *r, int n_dims, hst_err *err)
{
    if (r->in[0]->n_dims != n_dims)
        return keras_odd(r, "is not of such a value", err);
    return ev_reduce(&r->e, 'm', r->in[0], ((1u << (n_dims - 1)) - 1) & ~1u,
                     json_is_true(member(r, "keepdims")), &r->out, err);
}

/* ---- places ---- */

static int input(keras_run *r, int how, hst_err *err)
{
    const json_t *shape = member(r, "batch_shape");
    const int64_t h = whole_at(shape, 1, 0), w = whole_at(shape, 2, 0);
    const int64_t dim[] = {1, h, w, 3};
    (void)how;
    if (json_array_size(shape) != 4 || whole_at(shape, 3, 0) != 3 || h < 1 || w < 1 ||
        h > INT16_MAX || w > INT16_MAX)
        return keras_odd(r, "takes no picture of a known size", err);
    const int rc = ev_new(&r->e, 4, dim, &r->out, err);
    if (rc == 0)
        hst_probe_draw((int)h, (int)w, 0, r->out.own);
    return rc ? rc
              : weights_say(r->w, err, HST_PROBE_FACT, "pixels %lld %lld", (long long)h,
                            (long long)w);
}

static int reshape(keras_run *r, int how, hst_err *err)
{
    const json_t *shape = member(r, "target_shape");
    const size_t n = json_array_size(shape);
    int64_t dim[EV_DIMS] = {1};
    (void)how;
    for (size_t i = 0; i < n && i < EV_DIMS - 1; i++)
        dim[1 + i] = whole_at(shape, i, -1);
    return n < EV_DIMS ? ev_reshape(&r->e, r->in[0], 1 + (int)n, dim, &r->out, err)
                       : keras_odd(r, "has too many axes", err);
}

/* How many in front of an axis and behind it: [1, 2], or a list of such. */
static const json_t *sides(const json_t *list, int axis)
{
    return json_is_array(json_array_get(list, 0)) ? json_array_get(list, (size_t)axis) : list;
}

/* Zeros around axes 1 .. axes. */
static int pad(keras_run *r, int axes, hst_err *err)
{
    const int n = r->in[0]->n_dims;
    int64_t width[2 * EV_DIMS] = {0};
    if (n != axes + 2)
        return keras_odd(r, "is not of such a value", err);
    for (int i = 0; i < axes; i++)
        for (int k = 0; k < 2; k++)
            width[k * n + 1 + i] = whole_at(sides(member(r, "padding"), i), (size_t)k, -1);
    for (int i = 0; i < 2 * n; i++)
        if (width[i] < 0 || width[i] > INT16_MAX)
            return keras_odd(r, "has a padding that is not known", err);
    return ev_pad(&r->e, r->in[0], width, 0, &r->out, err);
}

/* x without the first and last places of an axis. */
static int cut(keras_run *r, const ev_array *x, int axis, ev_array *out, hst_err *err)
{
    const json_t *by = sides(member(r, "cropping"), axis - 1);
    const int64_t before = whole_at(by, 0, -1), behind = whole_at(by, 1, -1);
    const ev_cut c = {axis, before, 1, x->dim[axis] - before - behind};
    return before < 0 || behind < 0 || before > INT16_MAX || behind > INT16_MAX || c.count < 1
               ? keras_odd(r, "cuts off what is not there", err)
               : ev_slice(&r->e, x, &c, out, err);
}

static int crop(keras_run *r, int axes, hst_err *err)
{
    ev_array rows = {0};
    if (r->in[0]->n_dims != axes + 2)
        return keras_odd(r, "is not of such a value", err);
    if (axes == 1)
        return cut(r, r->in[0], 1, &r->out, err);
    int rc = cut(r, r->in[0], 1, &rows, err);
    rc = rc ? rc : cut(r, &rows, 2, &r->out, err);
    ev_free(&rows);
    return rc;
}

static int concat(keras_run *r, int how, hst_err *err)
{
    const int64_t axis = (int64_t)real_of(r, "axis", -1), n = r->in[0]->n_dims;
    (void)how;
    return axis < -n || axis >= n
               ? keras_odd(r, "is along no axis", err)
               : ev_concat(&r->e, r->in, r->n_in, (int)(axis < 0 ? axis + n : axis), &r->out, err);
}

/* ---- all of them ---- */

/* keys: members of a configuration that are known here, besides its name and whether it learns. */
static const struct {
    const char *class;
    int (*compute)(keras_run *r, int how, hst_err *err);
    int how;         /* which operation, or how many axes */
    int least, most; /* inputs */
    const char *keys;
} rows[] = {
    {"Activation", activation, 0, 1, 1, " activation "},
    {"Add", merge, '+', 2, KERAS_MOST_INPUTS, ""},
    {"AveragePooling2D", pool, 0, 1, 1, " pool_size strides padding "},
    {"BatchNormalization", batch_norm, 0, 1, 1, " epsilon "},
    {"Concatenate", concat, 0, 1, KERAS_MOST_INPUTS, " axis "},
    {"Conv2D", convolution, 0, 1, 1,
     " filters kernel_size strides padding groups use_bias activation "},
    {"Cropping1D", crop, 1, 1, 1, " cropping "},
    {"Cropping2D", crop, 2, 1, 1, " cropping "},
    {"Dense", dense, 0, 1, 1, " units use_bias activation "},
    {"DepthwiseConv2D", convolution, 1, 1, 1, " kernel_size strides padding use_bias activation "},
    {"Einsum", keras_einsum, 0, 2, 2, " subscripts "},
    {"EinsumDense", einsum_dense, 0, 1, 1, " equation output_shape bias_axes "},
    {"Gelu", gelu_of, 0, 1, 1, " approximate "},
    {"GlobalAveragePooling1D", average, 3, 1, 1, " keepdims "},
    {"GlobalAveragePooling2D", average, 4, 1, 1, " keepdims "},
    {"GroupNormalization", norm, 1, 1, 1, " epsilon groups "},
    {"InputLayer", input, 0, 0, 0, " batch_shape dtype "},
    {"LayerNormalization", norm, 0, 1, 1, " epsilon "},
    {"MaxPooling2D", pool, 1, 1, 1, " pool_size strides padding "},
    {"MultiHeadAttention", keras_attention, 0, 3, 3, " num_heads key_dim "},
    {"Multiply", merge, '*', 2, KERAS_MOST_INPUTS, ""},
    {"Rescaling", rescaling, 0, 1, 1, " scale offset "},
    {"Reshape", reshape, 0, 1, 1, " target_shape "},
    {"ZeroPadding1D", pad, 1, 1, 1, " padding "},
    {"ZeroPadding2D", pad, 2, 1, 1, " padding "},
};

/* A word between spaces, as keys has them. */
static int is_known(const char *keys, const char *key)
{
    const size_t n = strlen(key);
    for (const char *at = strstr(keys, key); n && at; at = strstr(at + 1, key))
        if (at[-1] == ' ' && at[n] == ' ')
            return 1;
    return strcmp(key, "name") == 0 || strcmp(key, "trainable") == 0;
}

int keras_compute(keras_run *r, hst_err *err)
{
    const char *class = keras_text(r->layer, "class_name"), *key;
    json_t *value;
    size_t i = 0;
    while (i < sizeof rows / sizeof *rows && strcmp(rows[i].class, class) != 0)
        i++;
    if (i == sizeof rows / sizeof *rows)
        return keras_odd(r, "is none that exports have", err);
    if (r->n_in < rows[i].least || r->n_in > rows[i].most)
        return keras_odd(r, "reads too many values, or too few", err);
    json_object_foreach(r->config, key, value)
    {
        if (!is_known(rows[i].keys, key))
            return keras_odd(r, "is configured in a way that exports have not", err);
    }
    return rows[i].compute(r, rows[i].how, err);
}
