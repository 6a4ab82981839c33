/* onnx_steps.c - a program's steps as ONNX nodes.
 *
 * Convolutions take [batch][channels][height][width]; layer norms, and products over channels
 * behind them, want the channels last. A value is kept in the layout in which it was made, and
 * brought to the other one where a node wants that, once. A vector is [batch][c], or, where it
 * comes from maps and goes to them, [batch][c][1][1]. */
#include "exports/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum layout { FLAT, MAP }; /* channels last, or directly behind the batch */

typedef struct value {
    const char *name[2]; /* by layout; NULL: not there (yet) */
    enum layout made;    /* in this one */
} value;

typedef struct writer {
    hst_onnx *o;
    const hst_program *program;
    const char *output;
    value *value; /* [steps] */
} writer;

#define NODE(w, op, attributes, output, ...)                                                       \
    hst_onnx_node((w)->o, op, attributes, (const char *const[]){output, NULL},                     \
                  (const char *const[]){__VA_ARGS__, NULL})
#define INTS(...) (const int64_t[]){__VA_ARGS__}, (sizeof((const int64_t[]){__VA_ARGS__}) / 8)
#define WHOLE(w, ...)                                                                              \
    hst_onnx_whole((w)->o, (const int64_t[]){__VA_ARGS__},                                         \
                   (int)(sizeof((const int64_t[]){__VA_ARGS__}) / 8))

static const hst_do_step *step(const writer *w, int i)
{
    return &w->program->step[i];
}

/* What its nodes and tensors are called by. */
static const char *base_of(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    char kind[32];
    if (s->name[0])
        return s->name;
    snprintf(kind, sizeof kind, "%s", hst_do_names[s->what]);
    for (char *p = kind; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    return hst_onnx_name(w->o, "%s_%d", kind, i);
}

/* ---- layouts ---- */

static int fits_map(const hst_do_step *s)
{
    return s->rank != 2;
}

/* Value i in that layout. */
static const char *want(writer *w, int i, enum layout layout)
{
    value *v = &w->value[i];
    const hst_do_step *s = step(w, i);
    if (v->name[layout])
        return v->name[layout];
    const char *from = v->name[!layout];
    const char *to = hst_onnx_name(w->o, "%s/%s", from, layout == MAP ? "nchw" : "nhwc");
    hst_buf a = HST_BUF(1 << 16);
    if (s->rank == 3) {
        if (layout == MAP)
            hst_onnx_ints(&a, "perm", INTS(0, 3, 1, 2));
        else
            hst_onnx_ints(&a, "perm", INTS(0, 2, 3, 1));
        NODE(w, "Transpose", &a, to, from);
    } else if (layout == MAP) {
        NODE(w, "Unsqueeze", NULL, to, from, WHOLE(w, 2, 3));
    } else {
        hst_onnx_int(&a, "axis", 1);
        NODE(w, "Flatten", &a, to, from);
    }
    v->name[layout] = to;
    return to;
}

/* The layout that two values are brought to: that of maps where either was made in it. */
static enum layout common(const writer *w, const hst_do_step *s)
{
    int map = fits_map(s);
    int any = 0;
    for (int k = 0; k < s->n_inputs; k++)
        any |= w->value[s->input[k]].made == MAP && step(w, s->input[k])->rank == s->rank;
    return map && any ? MAP : FLAT;
}

/* ---- what a step makes ---- */

/* The name of the value of step i, and that of what comes before its activation. */
static const char *final_name(writer *w, int i)
{
    return i == w->program->n - 1 ? w->output : hst_onnx_name(w->o, "%s/out", base_of(w, i));
}

static const char *raw_name(writer *w, int i)
{
    return step(w, i)->act == HST_ACT_NONE ? final_name(w, i)
                                           : hst_onnx_name(w->o, "%s/linear", base_of(w, i));
}

/* `raw` was made, in that layout: the activation behind it, and the value is there. */
static void made(writer *w, int i, enum layout layout, const char *raw)
{
    const hst_do_step *s = step(w, i);
    const char *name = raw;
    if (s->act != HST_ACT_NONE) {
        name = final_name(w, i);
        hst_onnx_activate(w->o, s->act, raw, name);
    }
    w->value[i].made = layout;
    w->value[i].name[layout] = name;
}

static const char *named_tensor(writer *w, const char *name, const hst_onnx_tensor *like)
{
    hst_onnx_tensor t = *like;
    t.name = name;
    return hst_onnx_tensor_add(w->o, &t);
}

static const char *tensor(writer *w, int i, const char *part, const hst_onnx_tensor *like)
{
    return named_tensor(w, hst_onnx_name(w->o, "%s/%s", base_of(w, i), part), like);
}

static const char *vector(writer *w, int i, const char *part, const float *x)
{
    return tensor(w, i, part,
                  &(hst_onnx_tensor){.n_dims = 1, .dim = {hst_do_channels(step(w, i))}, .data = x});
}

/* ---- steps ---- */

/* As maps from the beginning: bytes are transposed faster than floats, and numbers of channels go
 * faster with whole planes than with three numbers each. */
static void input(writer *w, int i, const char *name, const hst_ends *ends)
{
    hst_buf a = HST_BUF(1 << 16), b = HST_BUF(1 << 16);
    if (!ends->nchw) {
        const char *planes = hst_onnx_name(w->o, "%s/nchw", name);
        hst_onnx_ints(&a, "perm", INTS(0, 3, 1, 2));
        NODE(w, "Transpose", &a, planes, name);
        name = planes;
    }
    if (ends->uint8) {
        const char *real = hst_onnx_name(w->o, "%s/float", name);
        hst_onnx_int(&b, "to", 1);
        NODE(w, "Cast", &b, real, name);
        name = real;
    }
    w->value[i].made = MAP;
    w->value[i].name[MAP] = name;
}

/* x w + b of the last axis, as two nodes. */
static void product(writer *w, int i, const char *x)
{
    const hst_do_step *s = step(w, i);
    const int64_t out = hst_do_channels(s), in = (int64_t)s->n_w / out;
    const char *sum = raw_name(w, i), *by = hst_onnx_name(w->o, "%s/product", base_of(w, i));
    const char *kernel =
        tensor(w, i, "kernel", &(hst_onnx_tensor){.n_dims = 2, .dim = {in, out}, .data = s->w});
    NODE(w, "MatMul", NULL, by, x, kernel);
    NODE(w, "Add", NULL, sum, by, vector(w, i, "bias", s->b));
    made(w, i, FLAT, sum);
}

static void convolution(writer *w, int i, const hst_do_window *k, int groups, const char *x)
{
    const hst_do_step *s = step(w, i);
    const int depthwise = s->what == HST_DO_DEPTHWISE;
    const int64_t out = hst_do_channels(s), taps = k->kernel_h * k->kernel_w;
    const hst_onnx_tensor kernel = {
        .n_dims = 4,
        .dim = {out, (int64_t)s->n_w / (taps * out), k->kernel_h, k->kernel_w},
        .data = s->w,
        .order = depthwise ? HST_ONNX_C1HW : HST_ONNX_OIHW};
    const char *to = raw_name(w, i);
    hst_buf a = HST_BUF(1 << 16);
    hst_onnx_ints(&a, "dilations", INTS(1, 1));
    hst_onnx_int(&a, "group", groups);
    hst_onnx_ints(&a, "kernel_shape", INTS(k->kernel_h, k->kernel_w));
    hst_onnx_ints(&a, "pads", INTS(k->top, k->left, k->bottom, k->right));
    hst_onnx_ints(&a, "strides", INTS(k->stride_h, k->stride_w));
    NODE(w, "Conv", &a, to, x, tensor(w, i, "kernel", &kernel), vector(w, i, "bias", s->b));
    made(w, i, MAP, to);
}

static void conv(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    convolution(w, i, &s->window, s->groups, want(w, s->input[0], MAP));
}

/* Of a vector that is between maps a convolution, of any other one Gemm; of tokens a product. */
static void dense(writer *w, int i)
{
    static const hst_do_window one = {1, 1, 1, 1, 0, 0, 0, 0};
    const hst_do_step *s = step(w, i);
    const int x = s->input[0];
    if (s->rank == 2) {
        product(w, i, want(w, x, FLAT));
        return;
    }
    if (w->value[x].made == MAP && i <= w->program->features) {
        convolution(w, i, &one, 1, want(w, x, MAP));
        return;
    }
    const char *to = raw_name(w, i);
    const int64_t out = s->dim[0], in = (int64_t)s->n_w / out;
    const char *kernel =
        tensor(w, i, "kernel", &(hst_onnx_tensor){.n_dims = 2, .dim = {in, out}, .data = s->w});
    NODE(w, "Gemm", NULL, to, want(w, x, FLAT), kernel, vector(w, i, "bias", s->b));
    made(w, i, FLAT, to);
}

/* Channel by channel, in the layout that there is. */
static const char *channels(writer *w, int i, enum layout layout, const char *part, const float *x)
{
    const int64_t c = hst_do_channels(step(w, i));
    const hst_onnx_tensor t = {.n_dims = layout == MAP ? 3 : 1, .dim = {c, 1, 1}, .data = x};
    return tensor(w, i, part, &t);
}

static void affine(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const enum layout layout = w->value[s->input[0]].made;
    const char *by = hst_onnx_name(w->o, "%s/scaled", base_of(w, i)), *to = raw_name(w, i);
    NODE(w, "Mul", NULL, by, want(w, s->input[0], layout), channels(w, i, layout, "scale", s->w));
    NODE(w, "Add", NULL, to, by, channels(w, i, layout, "shift", s->b));
    made(w, i, layout, to);
}

/* A run of channels as one channel, which an instance norm is over. */
static void group_norm(writer *w, int i)
{
    static const char *const parts[] = {"groups", "normal", "map", "scaled"};
    const hst_do_step *s = step(w, i);
    const char *to = raw_name(w, i), *name[4];
    float *ones = hst_onnx_floats(w->o, (size_t)s->groups);
    float *zeros = hst_onnx_floats(w->o, (size_t)s->groups);
    hst_onnx_tensor t = {.n_dims = 1, .dim = {s->groups}, .data = ones};
    hst_buf a = HST_BUF(1 << 16);
    if (!ones || !zeros)
        return;
    for (int g = 0; g < s->groups; g++)
        ones[g] = 1;
    for (int k = 0; k < 4; k++)
        name[k] = hst_onnx_name(w->o, "%s/%s", base_of(w, i), parts[k]);
    NODE(w, "Reshape", NULL, name[0], want(w, s->input[0], MAP), WHOLE(w, 0, s->groups, -1));
    const char *by = tensor(w, i, "ones", &t);
    t.data = zeros;
    hst_onnx_float(&a, "epsilon", (float)s->epsilon);
    NODE(w, "InstanceNormalization", &a, name[1], name[0], by, tensor(w, i, "zeros", &t));
    NODE(w, "Reshape", NULL, name[2], name[1], WHOLE(w, 0, s->dim[2], s->dim[0], s->dim[1]));
    NODE(w, "Mul", NULL, name[3], name[2], channels(w, i, MAP, "gamma", s->w));
    NODE(w, "Add", NULL, to, name[3], channels(w, i, MAP, "beta", s->b));
    made(w, i, MAP, to);
}

static void two(writer *w, int i, const char *op)
{
    const hst_do_step *s = step(w, i);
    const enum layout layout = common(w, s);
    const char *x = want(w, s->input[0], layout), *to = raw_name(w, i), *y;
    const hst_do_step *other = step(w, s->input[1]);
    if (other->rank == s->rank || layout == MAP) {
        y = want(w, s->input[1], layout);
    } else { /* numbers of channels, against what has positions too */
        y = hst_onnx_name(w->o, "%s/numbers", base_of(w, i));
        NODE(w, "Unsqueeze", NULL, y, want(w, s->input[1], FLAT),
             s->rank == 3 ? WHOLE(w, 1, 2) : WHOLE(w, 1));
    }
    NODE(w, op, NULL, to, x, y);
    made(w, i, layout, to);
}

static void pad(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const hst_do_window *k = &s->window;
    const char *to = raw_name(w, i);
    NODE(w, "Pad", NULL, to, want(w, s->input[0], MAP),
         WHOLE(w, 0, 0, k->top, k->left, 0, 0, k->bottom, k->right));
    made(w, i, MAP, to);
}

/* Of averages what is outside does not count, which is what ONNX does unless it is told. */
static void pool(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const hst_do_window *k = &s->window;
    const char *to = raw_name(w, i);
    hst_buf a = HST_BUF(1 << 16);
    hst_onnx_ints(&a, "kernel_shape", INTS(k->kernel_h, k->kernel_w));
    hst_onnx_ints(&a, "pads", INTS(k->top, k->left, k->bottom, k->right));
    hst_onnx_ints(&a, "strides", INTS(k->stride_h, k->stride_w));
    NODE(w, s->what == HST_DO_MAX_POOL ? "MaxPool" : "AveragePool", &a, to,
         want(w, s->input[0], MAP));
    made(w, i, MAP, to);
}

static void mean(writer *w, int i)
{
    const hst_do_step *s = step(w, i), *in = step(w, s->input[0]);
    const char *to = raw_name(w, i);
    if (in->rank == 3 && w->value[s->input[0]].made == MAP) {
        NODE(w, "GlobalAveragePool", NULL, to, want(w, s->input[0], MAP));
        made(w, i, MAP, to);
        return;
    }
    hst_buf a = HST_BUF(1 << 16);
    if (in->rank == 3)
        hst_onnx_ints(&a, "axes", INTS(1, 2));
    else
        hst_onnx_ints(&a, "axes", INTS(1));
    hst_onnx_int(&a, "keepdims", 0);
    NODE(w, "ReduceMean", &a, to, want(w, s->input[0], FLAT));
    made(w, i, FLAT, to);
}

static void layer_norm(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const char *to = raw_name(w, i);
    hst_buf a = HST_BUF(1 << 16);
    hst_onnx_int(&a, "axis", -1);
    hst_onnx_float(&a, "epsilon", (float)s->epsilon);
    NODE(w, "LayerNormalization", &a, to, want(w, s->input[0], FLAT), vector(w, i, "gamma", s->w),
         vector(w, i, "beta", s->b));
    made(w, i, FLAT, to);
}

/* [batch][n][c] of a head's queries, keys or values as [batch][heads][n][d], of keys [d][n]. */
static const char *heads(writer *w, int i, const char *what, const char *x, int n, int is_keys)
{
    const hst_do_step *s = step(w, i);
    const char *parts = hst_onnx_name(w->o, "%s/%s/heads", base_of(w, i), what);
    const char *to = hst_onnx_name(w->o, "%s/%s/turned", base_of(w, i), what);
    hst_buf a = HST_BUF(1 << 16);
    NODE(w, "Reshape", NULL, parts, x, WHOLE(w, 0, n, s->heads, s->dim[1] / s->heads));
    if (is_keys)
        hst_onnx_ints(&a, "perm", INTS(0, 2, 3, 1));
    else
        hst_onnx_ints(&a, "perm", INTS(0, 2, 1, 3));
    NODE(w, "Transpose", &a, to, parts);
    return to;
}

/* Queries, keys and values [batch][n][c] each, from what has them side by side. */
static void take_apart(writer *w, int i, const char *part[3])
{
    const hst_do_step *s = step(w, i);
    const int cross = s->n_inputs == 2;
    const int64_t c = s->dim[1];
    static const char *const names[] = {"query", "key", "value"};
    hst_buf a = HST_BUF(1 << 16);
    for (int k = 0; k < 3; k++)
        part[k] = hst_onnx_name(w->o, "%s/%s", base_of(w, i), names[k]);
    if (cross)
        part[0] = want(w, s->input[0], FLAT);
    const char *const out[] = {part[cross], part[1 + cross], cross ? NULL : part[2], NULL};
    const char *const in[] = {want(w, s->input[cross], FLAT),
                              cross ? WHOLE(w, c, c) : WHOLE(w, c, c, c), NULL};
    hst_onnx_int(&a, "axis", 2);
    hst_onnx_node(w->o, "Split", &a, out, in);
}

static void attention(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const int n = s->dim[0], of = step(w, s->input[s->n_inputs - 1])->dim[0];
    const char *part[3], *base = base_of(w, i), *to = raw_name(w, i);
    const char *scaled = hst_onnx_name(w->o, "%s/query/scaled", base);
    const char *scores = hst_onnx_name(w->o, "%s/scores", base);
    const char *shares = hst_onnx_name(w->o, "%s/shares", base);
    const char *sum = hst_onnx_name(w->o, "%s/heads", base);
    const char *turned = hst_onnx_name(w->o, "%s/turned", base);
    hst_buf a = HST_BUF(1 << 16), b = HST_BUF(1 << 16);
    take_apart(w, i, part);
    NODE(w, "Mul", NULL, scaled, part[0], hst_onnx_number(w->o, s->scale));
    const char *q = heads(w, i, "query", scaled, n, 0), *k = heads(w, i, "key", part[1], of, 1);
    const char *v = heads(w, i, "value", part[2], of, 0);
    NODE(w, "MatMul", NULL, scores, q, k);
    hst_onnx_int(&a, "axis", -1);
    NODE(w, "Softmax", &a, shares, scores);
    NODE(w, "MatMul", NULL, sum, shares, v);
    hst_onnx_ints(&b, "perm", INTS(0, 2, 1, 3));
    NODE(w, "Transpose", &b, turned, sum);
    NODE(w, "Reshape", NULL, to, turned, WHOLE(w, 0, n, s->dim[1]));
    made(w, i, FLAT, to);
}

/* x w + x' b, head by head: of x' every group is taken apart into halves, and put together the
 * other way round. */
static void turn(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const int64_t n = s->dim[0], heads = s->heads, d = s->dim[1] / heads, half = s->group / 2;
    const char *base = base_of(w, i), *to = raw_name(w, i), *name[9];
    static const char *const parts[] = {"groups", "first",  "second",  "swapped", "other",
                                        "heads",  "scaled", "crossed", "sum"};
    hst_onnx_tensor same = {.n_dims = 4, .dim = {1, n, 1, d}, .data = s->w}, other = same;
    hst_buf a = HST_BUF(1 << 16), b = HST_BUF(1 << 16);
    other.data = s->b;
    for (int k = 0; k < 9; k++)
        name[k] = hst_onnx_name(w->o, "%s/%s", base, parts[k]);
    const char *x = want(w, s->input[0], FLAT);
    NODE(w, "Reshape", NULL, name[0], x, WHOLE(w, 0, n, s->dim[1] / s->group, s->group));
    hst_onnx_int(&a, "axis", 3);
    hst_onnx_node(w->o, "Split", &a, (const char *const[]){name[1], name[2], NULL},
                  (const char *const[]){name[0], WHOLE(w, half, half), NULL});
    hst_onnx_int(&b, "axis", 3);
    NODE(w, "Concat", &b, name[3], name[2], name[1]);
    NODE(w, "Reshape", NULL, name[4], name[3], WHOLE(w, 0, n, heads, d));
    NODE(w, "Reshape", NULL, name[5], x, WHOLE(w, 0, n, heads, d));
    NODE(w, "Mul", NULL, name[6], name[5], tensor(w, i, "same", &same));
    NODE(w, "Mul", NULL, name[7], name[4], tensor(w, i, "cross", &other));
    NODE(w, "Add", NULL, name[8], name[6], name[7]);
    NODE(w, "Reshape", NULL, to, name[8], WHOLE(w, 0, n, s->dim[1]));
    made(w, i, FLAT, to);
}

/* The same tokens in front of those of every image: room is made for them, and they are added. */
static void concat_constant(writer *w, int i)
{
    const hst_do_step *s = step(w, i), *front = step(w, s->input[0]);
    const char *padded = hst_onnx_name(w->o, "%s/padded", base_of(w, i)), *to = raw_name(w, i);
    float *x = hst_onnx_floats(w->o, hst_do_floats(s));
    if (!x)
        return;
    memcpy(x, front->w, front->n_w * sizeof *x);
    const hst_onnx_tensor t = {.n_dims = 3, .dim = {1, s->dim[0], s->dim[1]}, .data = x};
    NODE(w, "Pad", NULL, padded, want(w, s->input[1], FLAT),
         WHOLE(w, 0, front->dim[0], 0, 0, 0, 0));
    const char *name = hst_onnx_name(w->o, "%s/front", base_of(w, s->input[0]));
    NODE(w, "Add", NULL, to, padded, named_tensor(w, name, &t));
    made(w, i, FLAT, to);
}

static void concat(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const char *in[HST_MAX_INPUTS + 1] = {NULL}, *to = raw_name(w, i);
    if (step(w, s->input[0])->what == HST_DO_CONST) {
        concat_constant(w, i);
        return;
    }
    const enum layout layout = common(w, s);
    hst_buf a = HST_BUF(1 << 16);
    for (int k = 0; k < s->n_inputs; k++)
        in[k] = want(w, s->input[k], layout);
    hst_onnx_int(&a, "axis", layout == MAP ? 1 : s->axis + 1);
    hst_onnx_node(w->o, "Concat", &a, (const char *const[]){to, NULL}, in);
    made(w, i, layout, to);
}

static void slice(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const char *to = raw_name(w, i);
    NODE(w, "Slice", NULL, to, want(w, s->input[0], FLAT), WHOLE(w, s->begin),
         WHOLE(w, s->begin + s->dim[s->axis]), WHOLE(w, s->axis + 1));
    made(w, i, FLAT, to);
}

static void shape(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    const char *to = raw_name(w, i);
    NODE(w, "Reshape", NULL, to, want(w, s->input[0], FLAT),
         s->rank == 1   ? WHOLE(w, 0, s->dim[0])
         : s->rank == 2 ? WHOLE(w, 0, s->dim[0], s->dim[1])
                        : WHOLE(w, 0, s->dim[0], s->dim[1], s->dim[2]));
    made(w, i, FLAT, to);
}

static void constant(writer *w, int i)
{
    const hst_do_step *s = step(w, i);
    hst_onnx_tensor t = {.n_dims = s->rank + 1, .dim = {1}, .data = s->w};
    for (int k = 0; k < s->rank; k++)
        t.dim[k + 1] = s->dim[k];
    if (s->readers == 1 && step(w, i + 1)->what == HST_DO_CONCAT)
        return; /* concat_constant() has its numbers */
    w->value[i].name[FLAT] = tensor(w, i, "value", &t);
}

static void softmax(writer *w, int i)
{
    const char *to = raw_name(w, i);
    hst_buf a = HST_BUF(1 << 16);
    hst_onnx_int(&a, "axis", -1);
    NODE(w, "Softmax", &a, to, want(w, step(w, i)->input[0], FLAT));
    made(w, i, FLAT, to);
}

static void alone(writer *w, int i)
{
    const int x = step(w, i)->input[0];
    const enum layout layout = w->value[x].made;
    made(w, i, layout, want(w, x, layout));
}

static void write_step(writer *w, int i, const char *in, const hst_ends *ends)
{
    static void (*const rows[HST_DOS])(writer * w, int i) = {
        [HST_DO_CONST] = constant,
        [HST_DO_CONV] = conv,
        [HST_DO_DEPTHWISE] = conv,
        [HST_DO_DENSE] = dense,
        [HST_DO_AFFINE] = affine,
        [HST_DO_ACTIVATE] = alone,
        [HST_DO_PAD] = pad,
        [HST_DO_MAX_POOL] = pool,
        [HST_DO_AVERAGE_POOL] = pool,
        [HST_DO_TURN] = turn,
        [HST_DO_MEAN] = mean,
        [HST_DO_LAYER_NORM] = layer_norm,
        [HST_DO_GROUP_NORM] = group_norm,
        [HST_DO_ATTENTION] = attention,
        [HST_DO_CONCAT] = concat,
        [HST_DO_SLICE] = slice,
        [HST_DO_SHAPE] = shape,
        [HST_DO_SOFTMAX] = softmax,
    };
    const enum hst_do what = step(w, i)->what;
    if (what == HST_DO_INPUT)
        input(w, i, in, ends);
    else if (what == HST_DO_ADD || what == HST_DO_MULTIPLY)
        two(w, i, what == HST_DO_ADD ? "Add" : "Mul");
    else if (rows[what])
        rows[what](w, i);
    else
        w->o->rc =
            hst_fail(w->o->err, HST_EUNSUP, "a %s cannot be written to ONNX", hst_do_names[what]);
}

int hst_onnx_steps(hst_onnx *o, const hst_exporting *x, const char *input_name, const char *output)
{
    writer w = {.o = o, .program = x->program, .output = output};
    w.value = hst_arena_alloc(o->arena, (size_t)x->program->n, sizeof *w.value, o->err);
    if (!w.value)
        return HST_EMEM;
    for (int i = 0; i < x->program->n && o->rc == 0; i++)
        write_step(&w, i, input_name, &x->ends);
    return o->rc;
}
