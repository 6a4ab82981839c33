#include "learn_plain.h"

#include "support.h"

#include "base/random.h"
#include "nn/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t plain_floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* The first element of the block of learning parameters, or of statistics. */
static const float *block(const hst_graph *g, int statistic, size_t *n)
{
    const float *first = NULL;
    *n = 0;
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        if (p->statistic != statistic)
            continue;
        first = first ? first : p->data;
        *n += hst_param_count(p);
    }
    return first;
}

static double *as_double(const float *x, size_t n)
{
    double *d = calloc(n + 1, sizeof *d);
    for (size_t i = 0; i < n; i++)
        d[i] = x[i];
    return d;
}

plain plain_of(const hst_graph *g)
{
    plain p = {.graph = g, .batch_from = hst_graph_n_nodes(g)};
    const float *learning = block(g, 0, &p.n_learning), *statistics = block(g, 1, &p.n_statistics);
    p.learning = as_double(learning, p.n_learning);
    p.statistics = as_double(statistics, p.n_statistics);
    return p;
}

void plain_free(plain *p)
{
    free(p->learning);
    free(p->statistics);
}

static const double *param(const plain *p, const hst_node *n, int slot)
{
    const hst_param *at = hst_graph_param(p->graph, (size_t)(n->first_param + slot));
    size_t count;
    const float *first = block(p->graph, at->statistic, &count);
    return (at->statistic ? p->statistics : p->learning) + (at->data - first);
}

/* Pixels of padding in front along one axis with a kernel of k, as TensorFlow and PyTorch have it;
 * that there are as many outputs as they make is checked on the way. */
static int in_front(const hst_conv *c, int k, int in, int out)
{
    const int s = c->stride, same = (in + s - 1) / s;
    int before = 0, want = 0;
    switch (c->padding) {
    case HST_PAD_TF:
    case HST_PAD_ZEROS:
        want = same;
        before = (same - 1) * s + k > in ? ((same - 1) * s + k - in) / 2 : 0;
        break;
    case HST_PAD_SYMMETRIC:
    case HST_PAD_SYMMETRIC_ZEROS:
        before = (k - 1) / 2;
        want = (in + 2 * before - k) / s + 1;
        break;
    case HST_PAD_VALID:
        want = (in - k) / s + 1;
        break;
    }
    assert_int_equal(out, want);
    return before;
}

/* A kernel [rows][n] with mean 0 and variance 1 for each output channel, to be freed. */
static double *standardised(const double *w, size_t rows, size_t n, double epsilon)
{
    double *out = calloc(rows * n, sizeof *out);
    for (size_t c = 0; c < n; c++) {
        double mean = 0, variance = 0;
        for (size_t r = 0; r < rows; r++)
            mean += w[r * n + c] / (double)rows;
        for (size_t r = 0; r < rows; r++)
            variance += (w[r * n + c] - mean) * (w[r * n + c] - mean) / (double)rows;
        for (size_t r = 0; r < rows; r++)
            out[r * n + c] = (w[r * n + c] - mean) / sqrt(variance + epsilon);
    }
    return out;
}

static void conv(const plain *p, const hst_node *n, hst_shape in, const double *x, double *y)
{
    const hst_conv *c2 = hst_node_conv(n);
    const hst_shape out = hst_node_shape(n);
    int deep = n->op == &hst_op_depthwise, k = c2->kernel, s = c2->stride;
    const int groups = n->op == &hst_op_grouped ? c2->groups : 1, own = in.c / groups;
    const int wide = c2->wide ? c2->wide : k;
    int oh = in_front(c2, k, in.h, out.h), ow = in_front(c2, wide, in.w, out.w);
    const double *w = param(p, n, 0), *bias = c2->bias ? param(p, n, 1) : NULL;
    double *made = n->op == &hst_op_standardised
                       ? standardised(w, (size_t)(k * wide * in.c), (size_t)out.c, c2->epsilon)
                       : NULL;
    w = made ? made : w;
    for (size_t i = 0; i < plain_floats(out); i++) {
        int c = (int)(i % (size_t)out.c), px = (int)(i / (size_t)out.c);
        int oy = px / out.w, ox = px % out.w;
        double sum = bias ? bias[c] : 0;
        for (int t = 0; t < k * wide; t++) {
            int iy = oy * s - oh + t / wide, ix = ox * s - ow + t % wide;
            if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w)
                continue;
            const double *at = x + (size_t)(iy * in.w + ix) * (size_t)in.c;
            if (deep)
                sum += at[c] * w[t * in.c + c];
            at += c / (out.c / groups) * own;
            for (int ci = 0; !deep && ci < own; ci++)
                sum += at[ci] * w[(size_t)(t * own + ci) * (size_t)out.c + (size_t)c];
        }
        y[i] = sum;
    }
    free(made);
}

/* Channel c of all n images. */
static void norm(const plain *p, const hst_node *node, int batch, int n, const double *x, double *y)
{
    const hst_shape out = hst_node_shape(node);
    size_t channels = (size_t)out.c, count = plain_floats(out) * (size_t)n;
    const double *gamma = param(p, node, 0), *beta = param(p, node, 1);
    const double *moving = param(p, node, 2), *moving_variance = param(p, node, 3);
    double pixels = (double)(count / channels);
    for (size_t c = 0; c < channels; c++) {
        double mean = moving[c], var = moving_variance[c];
        if (batch) {
            mean = var = 0;
            for (size_t i = c; i < count; i += channels)
                mean += x[i] / pixels;
            for (size_t i = c; i < count; i += channels)
                var += (x[i] - mean) * (x[i] - mean) / pixels;
        }
        double scale = gamma[c] / sqrt(var + hst_node_epsilon(node));
        for (size_t i = c; i < count; i += channels)
            y[i] = scale * (x[i] - mean) + beta[c];
    }
}

static double activation(enum hst_act act, double x)
{
    const double hard = fmin(fmax(x / 6 + 0.5, 0), 1), soft = 1 / (1 + exp(-x));
    if (isnan(x))
        return x;
    return act == HST_ACT_RELU6      ? fmin(fmax(x, 0), 6)
           : act == HST_ACT_RELU     ? fmax(x, 0)
           : act == HST_ACT_SIGMOID  ? soft
           : act == HST_ACT_HSIGMOID ? hard
           : act == HST_ACT_HSWISH   ? x * hard
           : act == HST_ACT_SWISH    ? x * soft
           : act == HST_ACT_GELU     ? x * erfc(-x * sqrt(0.5)) / 2
           : act == HST_ACT_GELU_TANH
               ? x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)))
               : x / (1 + exp(-1.702 * x));
}

/* The largest of a window, or its mean. */
static void pool(const hst_node *n, hst_shape in, const double *x, double *y)
{
    const int is_mean = n->op == &hst_op_average_pool;
    const hst_conv *window = hst_node_conv(n);
    const hst_shape out = hst_node_shape(n);
    int k = window->kernel, s = window->stride;
    int oh = in_front(window, k, in.h, out.h), ow = in_front(window, k, in.w, out.w);
    const int zeros =
        window->padding == HST_PAD_ZEROS || window->padding == HST_PAD_SYMMETRIC_ZEROS;
    for (size_t i = 0; i < plain_floats(out); i++) {
        int c = (int)(i % (size_t)out.c), px = (int)(i / (size_t)out.c);
        double sum = 0, count = 0;
        y[i] = -INFINITY;
        for (int t = 0; t < k * k; t++) {
            int iy = px / out.w * s - oh + t / k, ix = px % out.w * s - ow + t % k;
            const int outside = iy < 0 || iy >= in.h || ix < 0 || ix >= in.w;
            if (outside && !zeros)
                continue;
            double v = outside ? 0 : x[(iy * in.w + ix) * in.c + c];
            y[i] = isnan(v) || v > y[i] ? v : y[i];
            sum += v;
            count++;
        }
        y[i] = is_mean ? sum / count : y[i];
    }
}

static void pick(const hst_node *n, hst_shape in, const double *x, double *y)
{
    int stride, first;
    memcpy(&stride, n->attrs, sizeof stride);
    memcpy(&first, n->attrs + sizeof stride, sizeof first);
    const hst_shape out = hst_node_shape(n);
    assert_true(out.h == (in.h + stride - 1) / stride && out.w == (in.w + stride - 1) / stride);
    for (size_t i = 0; i < plain_floats(out); i++) {
        const int c = (int)(i % (size_t)out.c), px = (int)(i / (size_t)out.c);
        const int iy = px / out.w * stride + first, ix = px % out.w * stride + first;
        y[i] = iy < in.h && ix < in.w ? x[(iy * in.w + ix) * in.c + c] : 0;
    }
}

static void layer_norm(const plain *p, const hst_node *n, const double *x, double *y)
{
    const hst_shape s = hst_node_shape(n);
    const double *gamma = param(p, n, 0), *beta = param(p, n, 1);
    for (int i = 0; i < s.h * s.w; i++, x += s.c, y += s.c) {
        double mean = 0, variance = 0;
        for (int c = 0; c < s.c; c++)
            mean += x[c] / s.c;
        for (int c = 0; c < s.c; c++)
            variance += (x[c] - mean) * (x[c] - mean) / s.c;
        for (int c = 0; c < s.c; c++)
            y[c] = gamma[c] * (x[c] - mean) / sqrt(variance + hst_node_epsilon(n)) + beta[c];
    }
}

static void group_norm(const plain *p, const hst_node *n, const double *x, double *y)
{
    const hst_shape s = hst_node_shape(n);
    const hst_group_norm *of = (const void *)n->attrs;
    const double *gamma = param(p, n, 0), *beta = param(p, n, 1);
    const int own = s.c / of->groups, pixels = s.h * s.w;
    for (int g = 0; g < of->groups; g++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < pixels * own; i++)
            mean += x[i / own * s.c + g * own + i % own] / (pixels * own);
        for (int i = 0; i < pixels * own; i++) {
            const double d = x[i / own * s.c + g * own + i % own] - mean;
            variance += d * d / (pixels * own);
        }
        for (int i = 0; i < pixels * own; i++) {
            const int c = g * own + i % own, at = i / own * s.c + c;
            y[at] = gamma[c] * (x[at] - mean) / sqrt(variance + of->epsilon) + beta[c];
        }
    }
}

static void tokens(const plain *p, const hst_node *n, const double *x, double *y)
{
    const hst_tokens *t = (const void *)n->attrs;
    const size_t front = (size_t)t->prefix * (size_t)hst_node_shape(n).c;
    const double *positions = t->positions ? param(p, n, t->prefix > 0) : NULL;
    for (size_t i = 0; i < front; i++)
        y[i] = param(p, n, 0)[i];
    for (size_t i = front; i < plain_floats(hst_node_shape(n)); i++)
        y[i] = x[i - front] + (positions ? positions[i - front] : 0);
}

/* Head h of query q: its mean of the values behind kv. */
typedef struct attended {
    const double *kv;
    int tokens, c, d, step; /* channels of all heads, of one; numbers between tokens */
} attended;

static void attend(const attended *a, const double *q, int h, double *y)
{
    double *p = calloc((size_t)a->tokens, sizeof *p), sum = 0;
    for (int j = 0; j < a->tokens; j++) {
        for (int c = h * a->d; c < (h + 1) * a->d; c++)
            p[j] += q[c] * a->kv[j * a->step + c];
        sum += p[j] = exp(p[j] / sqrt(a->d));
    }
    for (int j = 0; j < a->tokens; j++)
        for (int c = h * a->d; c < (h + 1) * a->d; c++)
            y[c] += p[j] / sum * a->kv[j * a->step + a->c + c];
    free(p);
}

static void attention(const plain *p, const hst_node *n, const double *const x[2], double *y)
{
    const hst_shape out = hst_node_shape(n);
    const int heads = ((const hst_attention *)(const void *)n->attrs)->heads;
    const int cross = n->op == &hst_op_cross_attention, c = out.c;
    const int tokens = cross ? hst_graph_shape(p->graph, n->input[1]).w : out.w;
    const attended a = {cross ? x[1] : x[0] + c, tokens, c, c / heads, cross ? 2 * c : 3 * c};
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < out.w; i++)
            attend(&a, x[0] + i * (cross ? c : 3 * c), h, y + i * c);
}

/* Channel c of a head of d at a cell: which one it is mixed with, and by which angle. */
static double angle_of(const hst_rotary *r, int d, int c, int cell, int *other)
{
    const int pairs = r->way == HST_ROTARY_PAIRS, half = d / 2;
    const int j = pairs ? c / 2 : c % half, is_row = pairs ? j >= d / 4 : j < d / 4;
    const double at = is_row ? cell / r->columns : cell % r->columns;
    const double n = is_row ? r->rows : r->columns;
    double period = pow(r->base, (double)(j % (d / 4)) / (d / 4));
    if (r->way == HST_ROTARY_ROUNDED) {
        const double step = exp2(floor(log2(period)) - 7);
        period = nearbyint(period / step) * step;
    }
    *other = pairs ? c ^ 1 : (c + half) % d;
    return (pairs ? r->learned * (at + 1) / n : 2 * M_PI * ((2 * at + 1) / n - 1)) / period;
}

static void rotary(const hst_node *n, const double *x, double *y)
{
    const hst_rotary *r = (const void *)n->attrs;
    const hst_shape s = hst_node_shape(n);
    const int d = s.c / (3 * r->heads);
    for (int i = 0; i < s.w * s.c; i++) {
        const int token = i / s.c, c = i % s.c, first = i - c % d;
        int other = 0;
        y[i] = x[i];
        if (token < r->prefix || c >= s.c / 3 * 2)
            continue;
        const double angle = angle_of(r, d, c % d, token - r->prefix, &other);
        const int is_second = other < c % d;
        y[i] = x[i] * cos(angle) + (is_second ? 1 : -1) * x[first + other] * sin(angle);
    }
}

static void token_pool(const hst_node *n, hst_shape in, const double *x, double *y)
{
    const hst_token_pool *p = (const void *)n->attrs;
    for (int c = 0; c < in.c && p->pool != HST_POOL_MEAN; c++)
        *y++ = x[c];
    for (int i = p->prefix; i < in.w && p->pool != HST_POOL_CLS; i++)
        for (int c = 0; c < in.c; c++)
            y[c] += x[i * in.c + c] / (in.w - p->prefix);
}

/* y [pixels][channels of all inputs] */
static void concat(const plain *p, const hst_node *n, const double *const *x, double *y)
{
    const size_t all = (size_t)hst_node_shape(n).c, count = plain_floats(hst_node_shape(n));
    for (size_t i = 0; i < count; i++) {
        size_t c = i % all, k = 0, of;
        for (; c >= (of = (size_t)hst_graph_shape(p->graph, n->input[k]).c); k++)
            c -= of;
        y[i] = x[k][i / all * of + c];
    }
}

static void run_image(const plain *p, const hst_node *n, hst_shape in, const double *const *x,
                      double *y)
{
    const hst_shape out = hst_node_shape(n);
    size_t count = plain_floats(out), c = (size_t)out.c;
    if (n->op == &hst_op_conv2d || n->op == &hst_op_depthwise || n->op == &hst_op_grouped ||
        n->op == &hst_op_standardised)
        conv(p, n, in, x[0], y);
    if (n->op == &hst_op_max_pool || n->op == &hst_op_average_pool)
        pool(n, in, x[0], y);
    if (n->op == &hst_op_pick)
        pick(n, in, x[0], y);
    for (size_t i = 0; n->op == &hst_op_times && i < count; i++)
        y[i] = x[0][i] * hst_node_factor(n);
    if (n->op == &hst_op_layernorm)
        layer_norm(p, n, x[0], y);
    if (n->op == &hst_op_groupnorm)
        group_norm(p, n, x[0], y);
    if (n->op == &hst_op_tokens)
        tokens(p, n, x[0], y);
    if (n->op == &hst_op_attention || n->op == &hst_op_cross_attention)
        attention(p, n, x, y);
    for (size_t i = 0; n->op == &hst_op_probe && i < count; i++)
        y[i] = param(p, n, 0)[i];
    if (n->op == &hst_op_token_pool)
        token_pool(n, in, x[0], y);
    for (size_t i = 0; n->op == &hst_op_layer_scale && i < count; i++)
        y[i] = x[0][i] * param(p, n, 0)[i % c];
    if (n->op == &hst_op_concat)
        concat(p, n, x, y);
    if (n->op == &hst_op_rotary)
        rotary(n, x[0], y);
    for (size_t i = 0; n->op == &hst_op_gate && i < count; i++) {
        const double *both = x[0] + i / c * 2 * c + i % c;
        y[i] = activation(hst_node_act(n), both[0]) * both[c];
    }
    for (size_t i = 0; n->op == &hst_op_activation && i < count; i++)
        y[i] = activation(hst_node_act(n), x[0][i]);
    const double *two = n->op == &hst_op_affine ? param(p, n, 0) : NULL;
    for (size_t i = 0; two && i < count; i++)
        y[i] = x[0][i] * two[0] + two[1];
    for (size_t i = 0; n->op == &hst_op_scale && i < count; i++)
        y[i] = x[0][i] * x[1][i % c];
    for (size_t i = 0; n->op == &hst_op_add && i < count; i++)
        y[i] = x[0][i] + x[1][i];
    for (size_t i = 0; n->op == &hst_op_global_average && i < plain_floats(in); i++)
        y[i % c] += x[0][i] / (in.h * in.w);
}

/* Its outputs for all n images. */
static void run_node(const plain *p, int i, int n, double *const *value)
{
    const hst_node *node = hst_graph_node(p->graph, i);
    const int *from = node->input;
    const hst_shape in = hst_graph_shape(p->graph, from[0]);
    const size_t count = plain_floats(hst_node_shape(node));
    if (node->op == &hst_op_batchnorm) {
        norm(p, node, i >= p->batch_from, n, value[from[0]], value[i]);
        return;
    }
    for (size_t k = 0; k < (size_t)n; k++) {
        const double *x[HST_MAX_INPUTS] = {NULL};
        for (int j = 0; j < node->n_inputs; j++)
            x[j] = value[from[j]] + k * plain_floats(hst_graph_shape(p->graph, from[j]));
        run_image(p, node, in, x, value[i] + k * count);
    }
}

double *plain_features(const plain *p, const float *x, int n)
{
    int nodes = hst_graph_n_nodes(p->graph);
    double **value = calloc((size_t)nodes, sizeof *value);
    value[0] = as_double(x, plain_floats(hst_graph_shape(p->graph, 0)) * (size_t)n);
    for (int i = 1; i < nodes; i++) {
        const size_t count = plain_floats(hst_graph_shape(p->graph, i));
        value[i] = calloc(count * (size_t)n, sizeof **value);
        run_node(p, i, n, value);
    }
    double *features = value[nodes - 1];
    for (int i = 0; i < nodes - 1; i++)
        free(value[i]);
    free(value);
    return features;
}

double plain_loss(const plain *p, const float *x, int n, const float *weight)
{
    const hst_shape last = hst_graph_shape(p->graph, hst_graph_n_nodes(p->graph) - 1);
    double *features = plain_features(p, x, n), loss = 0;
    for (size_t i = 0; i < plain_floats(last) * (size_t)n; i++)
        loss += features[i] * weight[i];
    free(features);
    return loss;
}

float *random_floats(size_t n, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_SHUFFLE, 0, 0);
    float *x = malloc(n * sizeof *x + 1);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(4 * hst_rng_uniform(&r) - 2);
    return x;
}

void random_params(hst_graph *g, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        double fan_in =
            p->n_dims == 4 ? p->dim[0] * p->dim[1] * (p->dim[3] > 1 ? p->dim[2] : 1) : 1;
        for (size_t k = 0; k < hst_param_count(p); k++) {
            double u = 2 * hst_rng_uniform(&r) - 1;
            p->data[k] = (float)(strstr(p->name, "variance") ? 1.2 + u
                                 : strstr(p->name, "gamma")  ? 1 + 0.5 * u
                                                             : u * sqrt(3 / fan_in));
        }
    }
}

void each_isa(void (*fn)(const hst_kernels *k))
{
    int usable;
    for (int i = 0; hst_kernels_name(i, &usable); i++) {
        if (usable)
            fn(hst_kernels_find(hst_kernels_name(i, NULL)));
        else
            print_message("not on this machine: %s\n", hst_kernels_name(i, NULL));
    }
}
