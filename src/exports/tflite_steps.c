/* tflite_steps.c - a program's steps as TFLite operators.
 *
 * Everything is channels last, as the program has it, behind the batch. A vector is [batch][c], or,
 * where it is made of a map and goes to one, [batch][1][1][c], of which a convolution is. */
#include "exports/tflite_writer.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

/* ---- what a step makes ---- */

static const char *final_name(hst_tfl_writer *w, int i)
{
    return i == w->program->n - 1 ? w->output : hst_tfl_name(w->g, "%s/out", hst_tfl_base(w, i));
}

/* The name of what comes before the activation, where that is an operator of its own. */
static const char *raw_name(hst_tfl_writer *w, int i, int fuses)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const int none = s->act == HST_ACT_NONE || (fuses && hst_tfl_fused(s) != HST_TFL_LINEAR);
    return none ? final_name(w, i) : hst_tfl_name(w->g, "%s/linear", hst_tfl_base(w, i));
}

/* The dimensions of the step's value, as a map's where it has room for one. */
static int dims_of(const hst_do_step *s, int as_map, int32_t dim[HST_TFL_DIMS])
{
    const int n = s->rank == 1 && as_map ? 4 : s->rank + 1;
    for (int k = 0; k < n; k++)
        dim[k] = 1;
    for (int k = 0; k < s->rank; k++)
        dim[n - s->rank + k] = s->dim[k];
    return n;
}

static int result(hst_tfl_writer *w, int i, const char *name, int as_map)
{
    int32_t dim[HST_TFL_DIMS];
    const int n = dims_of(hst_tfl_step(w, i), as_map, dim);
    return hst_tfl_new(w, name, dim, n);
}

/* `raw` was made: the activation behind it, unless the operator did it, and the value is there. */
static void made(hst_tfl_writer *w, int i, int raw, int fuses)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    if (s->act != HST_ACT_NONE && !(fuses && hst_tfl_fused(s) != HST_TFL_LINEAR)) {
        if (w->range)
            hst_tfl_set_range(w, raw, w->range[i].bare);
        raw = hst_tfl_activate(w, s->act, final_name(w, i), raw);
    }
    if (w->range) {
        hst_tfl_set_range(w, raw, w->range[i].value);
        hst_tfl_set_mean(w, raw, w->range[i].mean);
    }
    w->value[i] = raw;
}

static int input_value(const hst_tfl_writer *w, int i, int k)
{
    return w->value[hst_tfl_step(w, i)->input[k]];
}

static int is_map(const hst_tfl_writer *w, int t)
{
    return hst_tfl_at(w, t)->n_dims == 4;
}

/* ---- steps ---- */

static void input(hst_tfl_writer *w, int i, int is_uint8)
{
    int t = result(w, i, "image", 1);
    w->g->input = t;
    hst_tfl_set_range(w, t, (hst_range){0, 255});
    if (is_uint8) {
        if (w->g->rc == 0)
            w->g->tensor[t].type = HST_TFL_U8;
        t = result(w, i, "image/float", 1);
        hst_tfl_operate(w, HST_TFL_CAST, t, IN(w->g->input), NULL, 0);
        hst_tfl_set_range(w, t, (hst_range){0, 255});
    }
    w->value[i] = t;
}

/* x with zeros around it, or with what is below every number. */
static int padded(hst_tfl_writer *w, const char *name, int x, const hst_do_window *k, int lowest)
{
    const hst_tfl_tensor t = *hst_tfl_at(w, x);
    const int32_t dim[] = {t.dim[0], t.dim[1] + k->top + k->bottom, t.dim[2] + k->left + k->right,
                           t.dim[3]};
    const int32_t around[] = {0, 0, k->top, k->bottom, k->left, k->right, 0, 0};
    const int to = hst_tfl_new(w, name, dim, 4);
    hst_tfl_tensor widths = {.n_dims = 2, .dim = {4, 2}, .type = HST_TFL_I32, .n_whole = 8};
    widths.name = hst_tfl_name(w->g, "%s/widths", name);
    memcpy(widths.whole, around, sizeof around);
    const int by = hst_tfl_tensor_add(w->g, &widths);
    if (lowest)
        hst_tfl_operate(w, HST_TFL_PADV2, to, IN(x, by, hst_tfl_scalar(w, -(double)FLT_MAX)), NULL,
                        0);
    else
        hst_tfl_operate(w, HST_TFL_PAD, to, IN(x, by), NULL, 0);
    hst_tfl_set_mean(w, to, t.mean); /* of what is inside */
    return to;
}

/* The operator's own padding, and in *x its input, for what it cannot do itself with zeros, or what
 * counts as -infinity, put around it before. */
static int padding_of(hst_tfl_writer *w, int i, int lowest, int *x)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    if (hst_do_pads_nothing(&s->window))
        return HST_TFL_VALID;
    if (hst_do_pads_same(hst_tfl_step(w, s->input[0]), s))
        return HST_TFL_SAME;
    *x = padded(w, hst_tfl_name(w->g, "%s/padded", hst_tfl_base(w, i)), *x, &s->window, lowest);
    return HST_TFL_VALID;
}

static void conv(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const hst_do_window *k = &s->window;
    const int32_t out = hst_do_channels(s), taps = k->kernel_h * k->kernel_w;
    const hst_tfl_tensor t = {.n_dims = 4,
                              .dim = {out, k->kernel_h, k->kernel_w, (int32_t)s->n_w / taps / out},
                              .data = s->w,
                              .turned = 1};
    int x = input_value(w, i, 0);
    const int padding = padding_of(w, i, 0, &x), weights = hst_tfl_kernel(w, i, &t, s->groups == 1);
    const int bias = hst_tfl_vector(w, i, "bias", s->b), to = result(w, i, raw_name(w, i, 1), 1);
    hst_tfl_operate(w, HST_TFL_CONV_2D, to, IN(x, weights, bias),
                    OPTIONS(BYTE(0, padding), INT(1, k->stride_w), INT(2, k->stride_h),
                            BYTE(3, hst_tfl_fused(s)), INT(4, 1), INT(5, 1)));
    made(w, i, to, 1);
}

static void depthwise(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const hst_do_window *k = &s->window;
    const hst_tfl_tensor t = {.n_dims = 4,
                              .dim = {1, k->kernel_h, k->kernel_w, hst_do_channels(s)},
                              .data = s->w,
                              .channel = 3};
    int x = input_value(w, i, 0);
    const int padding = padding_of(w, i, 0, &x), weights = hst_tfl_kernel(w, i, &t, 1);
    const int bias = hst_tfl_vector(w, i, "bias", s->b), to = result(w, i, raw_name(w, i, 1), 1);
    hst_tfl_operate(w, HST_TFL_DEPTHWISE_CONV_2D, to, IN(x, weights, bias),
                    OPTIONS(BYTE(0, padding), INT(1, k->stride_w), INT(2, k->stride_h), INT(3, 1),
                            BYTE(4, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

/* Of a vector that is between maps a convolution; else the operator for vectors and tokens. */
static void dense(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const int32_t out = hst_do_channels(s), in = (int32_t)s->n_w / out;
    const int x = input_value(w, i, 0), map = is_map(w, x) && i <= w->program->features;
    const hst_tfl_tensor flat = {.n_dims = 2, .dim = {out, in}, .data = s->w, .turned = 1};
    const hst_tfl_tensor one = {.n_dims = 4, .dim = {out, 1, 1, in}, .data = s->w, .turned = 1};
    const int weights = hst_tfl_kernel(w, i, map ? &one : &flat, 1),
              bias = hst_tfl_vector(w, i, "bias", s->b);
    const int to = result(w, i, raw_name(w, i, 1), map);
    if (map)
        hst_tfl_operate(w, HST_TFL_CONV_2D, to, IN(x, weights, bias),
                        OPTIONS(BYTE(0, HST_TFL_VALID), INT(1, 1), INT(2, 1),
                                BYTE(3, hst_tfl_fused(s)), INT(4, 1), INT(5, 1)));
    else
        hst_tfl_operate(w, HST_TFL_FULLY_CONNECTED, to, IN(x, weights, bias),
                        OPTIONS(BYTE(0, hst_tfl_fused(s)), BYTE(2, s->rank == 2)));
    made(w, i, to, 1);
}

/* In 8 bits a map is scaled and shifted in one go, which rounds once. */
static void affine_as_convolution(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const hst_tfl_tensor t = {
        .n_dims = 4, .dim = {1, 1, 1, hst_do_channels(s)}, .data = s->w, .channel = 3};
    const int by = hst_tfl_constant(w, i, "scale", &t);
    const int shift = hst_tfl_vector(w, i, "shift", s->b), to = result(w, i, raw_name(w, i, 1), 1);
    hst_tfl_operate(w, HST_TFL_DEPTHWISE_CONV_2D, to, IN(input_value(w, i, 0), by, shift),
                    OPTIONS(BYTE(0, HST_TFL_VALID), INT(1, 1), INT(2, 1), INT(3, 1),
                            BYTE(4, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

static void affine(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    if (w->range && s->rank == 3) {
        affine_as_convolution(w, i);
        return;
    }
    const int x = input_value(w, i, 0), by = hst_tfl_vector(w, i, "scale", s->w);
    const int scaled =
        hst_tfl_binary(w, HST_TFL_MUL, hst_tfl_name(w->g, "%s/scaled", hst_tfl_base(w, i)), x, by);
    const int shift = hst_tfl_vector(w, i, "shift", s->b),
              to = hst_tfl_like(w, raw_name(w, i, 1), x);
    hst_tfl_operate(w, HST_TFL_ADD, to, IN(scaled, shift), OPTIONS(BYTE(0, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

/* A vector in so many dimensions, so that it goes with what has positions too. */
static int in_dims(hst_tfl_writer *w, int i, int x, int n)
{
    int32_t dim[HST_TFL_DIMS] = {1, 1, 1, 1};
    const hst_tfl_tensor t = *hst_tfl_at(w, x);
    dim[n - 1] = t.dim[t.n_dims - 1];
    return t.n_dims == n ? x
                         : hst_tfl_reshaped(w, hst_tfl_name(w->g, "%s/vector", hst_tfl_base(w, i)),
                                            x, dim, n);
}

static void two(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const enum hst_tfl_code code = s->what == HST_DO_ADD ? HST_TFL_ADD : HST_TFL_MUL;
    const int x = input_value(w, i, 0);
    const int y = in_dims(w, i, input_value(w, i, 1), hst_tfl_at(w, x)->n_dims);
    const int to = hst_tfl_like(w, raw_name(w, i, 1), x);
    hst_tfl_operate(w, code, to, IN(x, y), OPTIONS(BYTE(0, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

static void alone(hst_tfl_writer *w, int i)
{
    made(w, i, input_value(w, i, 0), 0);
}

static void pad(hst_tfl_writer *w, int i)
{
    made(w, i, padded(w, raw_name(w, i, 0), input_value(w, i, 0), &hst_tfl_step(w, i)->window, 0),
         0);
}

/* No number of it is below zero, so that a zero is never the largest. */
static int is_positive(const hst_do_step *s)
{
    return s->act == HST_ACT_RELU || s->act == HST_ACT_RELU6 || s->act == HST_ACT_SIGMOID ||
           s->act == HST_ACT_HSIGMOID;
}

static void max_pool(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const hst_do_window *k = &s->window;
    int x = input_value(w, i, 0);
    const int padding = padding_of(w, i, !is_positive(hst_tfl_step(w, s->input[0])), &x);
    const int to = result(w, i, raw_name(w, i, 1), 1);
    hst_tfl_operate(w, HST_TFL_MAX_POOL_2D, to, IN(x),
                    OPTIONS(BYTE(0, padding), INT(1, k->stride_w), INT(2, k->stride_h),
                            INT(3, k->kernel_w), INT(4, k->kernel_h), BYTE(5, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

/* What is outside does not count, which SAME does too; else zeros around it are made up for. */
static void average_pool(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i), *in = hst_tfl_step(w, s->input[0]);
    const hst_do_window *k = &s->window;
    const int plain = hst_do_pads_nothing(k) || hst_do_pads_same(in, s);
    const char *name =
        plain ? raw_name(w, i, 1) : hst_tfl_name(w->g, "%s/mean", hst_tfl_base(w, i));
    hst_tfl_tensor t = {.n_dims = 4, .dim = {1, s->dim[0], s->dim[1], 1}};
    int x = input_value(w, i, 0);
    const int padding = padding_of(w, i, 0, &x), act = plain ? hst_tfl_fused(s) : HST_TFL_LINEAR;
    const int to = result(w, i, name, 1);
    hst_tfl_operate(w, HST_TFL_AVERAGE_POOL_2D, to, IN(x),
                    OPTIONS(BYTE(0, padding), INT(1, k->stride_w), INT(2, k->stride_h),
                            INT(3, k->kernel_w), INT(4, k->kernel_h), BYTE(5, act)));
    float *by = plain ? NULL : hst_tfl_floats(w->g, (size_t)s->dim[0] * (size_t)s->dim[1]);
    if (by)
        hst_do_corrections(in, s, by);
    t.data = by;
    made(w, i,
         plain ? to
               : hst_tfl_binary(w, HST_TFL_MUL, raw_name(w, i, 0), to,
                                hst_tfl_constant(w, i, "corrections", &t)),
         plain);
}

/* A map's is one too, unless it is what the head reads. */
static void mean(hst_tfl_writer *w, int i)
{
    const int x = input_value(w, i, 0), map = is_map(w, x) && i != w->program->features;
    const int to = result(w, i, raw_name(w, i, 0), map);
    hst_tfl_operate(w, HST_TFL_MEAN, to, IN(x, is_map(w, x) ? WHOLE(w, 1, 2) : WHOLE(w, 1)),
                    OPTIONS(BYTE(0, map)));
    made(w, i, to, 0);
}

/* The mean over those axes, which stay, of length 1. */
static int mean_over(hst_tfl_writer *w, const char *name, int x, const int32_t *axis, int n)
{
    hst_tfl_tensor t = *hst_tfl_at(w, x);
    for (int k = 0; k < n; k++)
        t.dim[axis[k]] = 1;
    const int to = hst_tfl_new(w, name, t.dim, t.n_dims);
    hst_tfl_operate(w, HST_TFL_MEAN, to, IN(x, hst_tfl_whole(w->g, axis, n)), OPTIONS(BYTE(0, 1)));
    return to;
}

/* What a norm normalises over: the mean over the channels, [..., 1]; or of each group over all
 * pixels of a map, [1][1][groups][1]: column by column first, as runtimes add one number
 * after the other in float32, and a map has tens of thousands. */
static int norm_mean(hst_tfl_writer *w, const hst_do_step *s, const char *name, int x)
{
    const int32_t last = hst_tfl_at(w, x)->n_dims - 1;
    if (s->what != HST_DO_GROUP_NORM)
        return mean_over(w, name, x, &last, 1);
    const int32_t groups[] = {1, s->dim[1], s->groups, s->dim[2] / s->groups};
    x = mean_over(w, hst_tfl_name(w->g, "%s/columns", name), x, (int32_t[]){1}, 1);
    x = hst_tfl_reshaped(w, hst_tfl_name(w->g, "%s/groups", name), x, groups, 4);
    return mean_over(w, name, x, (int32_t[]){1, 3}, 2);
}

/* A layer norm or a group norm: (x - mean) / sqrt(variance + epsilon) gamma + beta */
static void norm(hst_tfl_writer *w, int i)
{
    static const char *const parts[] = {"mean",     "centred", "squared", "variance",
                                        "plus_eps", "rsqrt",   "normal",  "scaled",
                                        "groups",   "map",     "squares"};
    const hst_do_step *s = hst_tfl_step(w, i);
    const int grouped = s->what == HST_DO_GROUP_NORM, n = s->groups;
    const int32_t map[] = {1, s->dim[0], s->dim[1], s->dim[2]};
    int x = input_value(w, i, 0);
    const char *name[11];
    for (int k = 0; k < 11; k++)
        name[k] = hst_tfl_name(w->g, "%s/%s", hst_tfl_base(w, i), parts[k]);
    const int mean = norm_mean(w, s, name[0], x);
    if (grouped)
        x = hst_tfl_reshaped(w, name[8], x, (int32_t[]){1, s->dim[0] * s->dim[1], n, s->dim[2] / n},
                             4);
    const int centred = hst_tfl_binary(w, HST_TFL_SUB, name[1], x, mean);
    int squared = hst_tfl_binary(w, HST_TFL_MUL, name[2], centred, centred);
    if (grouped)
        squared = hst_tfl_reshaped(w, name[10], squared, map, 4);
    const int variance = norm_mean(w, s, name[3], squared);
    const int sum =
        hst_tfl_binary(w, HST_TFL_ADD, name[4], variance, hst_tfl_scalar(w, s->epsilon));
    const int by = hst_tfl_unary(w, HST_TFL_RSQRT, name[5], sum);
    int normal = hst_tfl_binary(w, HST_TFL_MUL, name[6], centred, by);
    if (grouped)
        normal = hst_tfl_reshaped(w, name[9], normal, map, 4);
    const int scaled =
        hst_tfl_binary(w, HST_TFL_MUL, name[7], normal, hst_tfl_vector(w, i, "gamma", s->w));
    const int beta = hst_tfl_vector(w, i, "beta", s->b);
    made(w, i, hst_tfl_binary(w, HST_TFL_ADD, raw_name(w, i, 0), scaled, beta), 0);
}

/* ---- attention ---- */

/* [1][n][c] of queries, keys or values as [1][heads][n][c / heads]. */
static int heads(hst_tfl_writer *w, int i, const char *what, int x)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const int32_t n = hst_tfl_at(w, x)->dim[1], wide = s->dim[1] / s->heads;
    const char *base = hst_tfl_base(w, i);
    const int parts = hst_tfl_reshaped(w, hst_tfl_name(w->g, "%s/%s/heads", base, what), x,
                                       (int32_t[]){1, n, s->heads, wide}, 4);
    return hst_tfl_transposed(w, hst_tfl_name(w->g, "%s/%s/turned", base, what), parts,
                              (int32_t[]){0, 2, 1, 3});
}

/* x in n equal parts along its last axis. */
static void split(hst_tfl_writer *w, int x, const int *part, int n)
{
    hst_tfl_op op = {.code = HST_TFL_SPLIT, .version = 1, .n_in = 2, .n_out = n};
    op.in[0] = WHOLE(w, hst_tfl_at(w, x)->n_dims - 1);
    op.in[1] = x;
    for (int k = 0; k < n; k++)
        op.out[k] = part[k];
    op.option[op.n_options++] = (hst_fb_field)INT(0, n);
    hst_tfl_op_add(w->g, &op);
}

/* Queries, keys and values [1][n][c] each, from what has them side by side. */
static void take_apart(hst_tfl_writer *w, int i, int part[3])
{
    static const char *const names[] = {"query", "key", "value"};
    const hst_do_step *s = hst_tfl_step(w, i);
    const int first = s->n_inputs == 2, x = input_value(w, i, first);
    const int32_t n = hst_tfl_at(w, x)->dim[1];
    part[0] = input_value(w, i, 0);
    for (int k = first; k < 3; k++)
        part[k] = hst_tfl_new(w, hst_tfl_name(w->g, "%s/%s", hst_tfl_base(w, i), names[k]),
                              (int32_t[]){1, n, s->dim[1]}, 3);
    split(w, x, part + first, 3 - first);
}

static void attention(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const char *base = hst_tfl_base(w, i);
    int part[3];
    take_apart(w, i, part);
    const int scaled = hst_tfl_binary(w, HST_TFL_MUL, hst_tfl_name(w->g, "%s/query/scaled", base),
                                      part[0], hst_tfl_scalar(w, s->scale));
    const int q = heads(w, i, "query", scaled), k = heads(w, i, "key", part[1]);
    const int v = heads(w, i, "value", part[2]);
    const int32_t n = hst_tfl_at(w, q)->dim[2], of = hst_tfl_at(w, k)->dim[2],
                  wide = hst_tfl_at(w, q)->dim[3];
    const int scores =
        hst_tfl_new(w, hst_tfl_name(w->g, "%s/scores", base), (int32_t[]){1, s->heads, n, of}, 4);
    const int shares = hst_tfl_like(w, hst_tfl_name(w->g, "%s/shares", base), scores);
    const int sum =
        hst_tfl_new(w, hst_tfl_name(w->g, "%s/sum", base), (int32_t[]){1, s->heads, n, wide}, 4);
    hst_tfl_operate(w, HST_TFL_BATCH_MATMUL, scores, IN(q, k), OPTIONS(BYTE(0, 0), BYTE(1, 1)));
    hst_tfl_operate(w, HST_TFL_SOFTMAX, shares, IN(scores), OPTIONS({0, HST_FB_FLOAT, 0, 1}));
    hst_tfl_operate(w, HST_TFL_BATCH_MATMUL, sum, IN(shares, v), OPTIONS(BYTE(0, 0), BYTE(1, 0)));
    const int turned =
        hst_tfl_transposed(w, hst_tfl_name(w->g, "%s/turned", base), sum, (int32_t[]){0, 2, 1, 3});
    made(w, i, hst_tfl_reshaped(w, raw_name(w, i, 0), turned, (int32_t[]){1, n, s->dim[1]}, 3), 0);
}

/* x w + x' b, head by head: of x' every group is taken apart into halves, and put together the
 * other way round. */
static void turn(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const char *base = hst_tfl_base(w, i), *name[9];
    static const char *const parts[] = {"groups", "first",  "second",  "swapped", "other",
                                        "heads",  "scaled", "crossed", "sum"};
    const int32_t n = s->dim[0], d = s->dim[1] / s->heads, half = s->group / 2;
    const int32_t groups[] = {1, n, s->dim[1] / s->group, s->group},
                  halves[] = {1, n, groups[2], half}, by_head[] = {1, n, s->heads, d};
    hst_tfl_tensor same = {.n_dims = 4, .dim = {1, n, 1, d}, .data = s->w}, cross = same;
    const int x = input_value(w, i, 0);
    cross.data = s->b;
    for (int k = 0; k < 9; k++)
        name[k] = hst_tfl_name(w->g, "%s/%s", base, parts[k]);
    const int grouped = hst_tfl_reshaped(w, name[0], x, groups, 4);
    const int part[] = {hst_tfl_new(w, name[1], halves, 4), hst_tfl_new(w, name[2], halves, 4)};
    split(w, grouped, part, 2);
    const int swapped = hst_tfl_new(w, name[3], groups, 4);
    hst_tfl_operate(w, HST_TFL_CONCATENATION, swapped, IN(part[1], part[0]),
                    OPTIONS(INT(0, 3), BYTE(1, HST_TFL_LINEAR)));
    const int other = hst_tfl_reshaped(w, name[4], swapped, by_head, 4);
    const int own = hst_tfl_reshaped(w, name[5], x, by_head, 4);
    const int scaled =
        hst_tfl_binary(w, HST_TFL_MUL, name[6], own, hst_tfl_constant(w, i, "same", &same));
    const int crossed =
        hst_tfl_binary(w, HST_TFL_MUL, name[7], other, hst_tfl_constant(w, i, "cross", &cross));
    const int sum = hst_tfl_binary(w, HST_TFL_ADD, name[8], scaled, crossed);
    made(w, i, hst_tfl_reshaped(w, raw_name(w, i, 0), sum, (int32_t[]){1, n, s->dim[1]}, 3), 0);
}

/* ---- tokens and shapes ---- */

/* The same tokens in front of those of every image: room is made for them, and they are added. */
static void concat_constant(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i), *front = hst_tfl_step(w, s->input[0]);
    const char *base = hst_tfl_base(w, i);
    const int room = hst_tfl_new(w, hst_tfl_name(w->g, "%s/padded", base),
                                 (int32_t[]){1, s->dim[0], s->dim[1]}, 3);
    hst_tfl_tensor widths = {.n_dims = 2, .dim = {3, 2}, .type = HST_TFL_I32, .n_whole = 6};
    hst_tfl_tensor t = {.n_dims = 3, .dim = {1, s->dim[0], s->dim[1]}};
    float *all = hst_tfl_floats(w->g, hst_do_floats(s));
    if (!all)
        return;
    memcpy(all, front->w, front->n_w * sizeof *all);
    t.data = all;
    widths.name = hst_tfl_name(w->g, "%s/widths", base);
    widths.whole[2] = front->dim[0];
    hst_tfl_operate(w, HST_TFL_PAD, room,
                    IN(input_value(w, i, 1), hst_tfl_tensor_add(w->g, &widths)), NULL, 0);
    made(w, i,
         hst_tfl_binary(w, HST_TFL_ADD, raw_name(w, i, 0), room,
                        hst_tfl_constant(w, s->input[0], "front", &t)),
         0);
}

static void concat(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    int in[HST_MAX_INPUTS + 1];
    if (hst_tfl_step(w, s->input[0])->what == HST_DO_CONST) {
        concat_constant(w, i);
        return;
    }
    const int n = hst_tfl_at(w, input_value(w, i, 0))->n_dims;
    for (int k = 0; k < s->n_inputs; k++)
        in[k] = s->rank == 1 ? in_dims(w, i, input_value(w, i, k), n) : input_value(w, i, k);
    in[s->n_inputs] = -1;
    const int to = result(w, i, raw_name(w, i, 1), n == 4);
    hst_tfl_operate(w, HST_TFL_CONCATENATION, to, in,
                    OPTIONS(INT(0, n - s->rank + s->axis), BYTE(1, hst_tfl_fused(s))));
    made(w, i, to, 1);
}

static void slice(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    const int x = input_value(w, i, 0), n = hst_tfl_at(w, x)->n_dims;
    int32_t begin[HST_TFL_DIMS] = {0}, size[HST_TFL_DIMS] = {-1, -1, -1, -1};
    begin[n - s->rank + s->axis] = s->begin;
    size[n - s->rank + s->axis] = s->dim[s->axis];
    const int to = result(w, i, raw_name(w, i, 0), n == 4);
    hst_tfl_operate(w, HST_TFL_SLICE, to,
                    IN(x, hst_tfl_whole(w->g, begin, n), hst_tfl_whole(w->g, size, n)), NULL, 0);
    made(w, i, to, 0);
}

static void shape(hst_tfl_writer *w, int i)
{
    int32_t dim[HST_TFL_DIMS];
    const int n = dims_of(hst_tfl_step(w, i), 0, dim);
    made(w, i, hst_tfl_reshaped(w, raw_name(w, i, 0), input_value(w, i, 0), dim, n), 0);
}

static void constant(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    hst_tfl_tensor t = {.data = s->w};
    if (s->readers == 1 && hst_tfl_step(w, i + 1)->what == HST_DO_CONCAT)
        return; /* concat_constant() has its numbers */
    t.n_dims = dims_of(s, 0, t.dim);
    w->value[i] = hst_tfl_constant(w, i, "value", &t);
}

static void softmax(hst_tfl_writer *w, int i)
{
    const int x = input_value(w, i, 0), to = hst_tfl_like(w, raw_name(w, i, 0), x);
    hst_tfl_operate(w, HST_TFL_SOFTMAX, to, IN(x), OPTIONS({0, HST_FB_FLOAT, 0, 1}));
    made(w, i, to, 0);
}

static void write_step(hst_tfl_writer *w, int i, const hst_ends *ends)
{
    static void (*const rows[HST_DOS])(hst_tfl_writer * w, int i) = {
        [HST_DO_CONST] = constant,
        [HST_DO_CONV] = conv,
        [HST_DO_DEPTHWISE] = depthwise,
        [HST_DO_DENSE] = dense,
        [HST_DO_AFFINE] = affine,
        [HST_DO_ADD] = two,
        [HST_DO_MULTIPLY] = two,
        [HST_DO_ACTIVATE] = alone,
        [HST_DO_PAD] = pad,
        [HST_DO_MAX_POOL] = max_pool,
        [HST_DO_AVERAGE_POOL] = average_pool,
        [HST_DO_MEAN] = mean,
        [HST_DO_LAYER_NORM] = norm,
        [HST_DO_GROUP_NORM] = norm,
        [HST_DO_ATTENTION] = attention,
        [HST_DO_TURN] = turn,
        [HST_DO_CONCAT] = concat,
        [HST_DO_SLICE] = slice,
        [HST_DO_SHAPE] = shape,
        [HST_DO_SOFTMAX] = softmax,
    };
    const enum hst_do what = hst_tfl_step(w, i)->what;
    if (what == HST_DO_INPUT)
        input(w, i, ends->uint8);
    else if (rows[what])
        rows[what](w, i);
    else
        w->g->rc =
            hst_fail(w->g->err, HST_EUNSUP, "a %s cannot be written to TFLite", hst_do_names[what]);
}

int hst_tfl_steps(hst_tfl *g, const hst_exporting *x, const char *output)
{
    hst_tfl_writer w = {
        .g = g, .program = x->program, .weights = x->weights, .range = x->range, .output = output};
    w.value = hst_arena_alloc(g->arena, (size_t)x->program->n, sizeof *w.value, g->err);
    if (!w.value)
        return HST_EMEM;
    for (int i = 0; i < x->program->n && g->rc == 0; i++)
        write_step(&w, i, &x->ends);
    g->output = g->rc ? 0 : w.value[x->program->n - 1];
    return g->rc;
}
