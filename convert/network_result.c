/* network_result.c - from the values that a reader told to tensors and facts.
 *
 * Files hold the same network in different orders: what is added to a block's output may be
 * computed before the block or behind it. Here values are told in one order, each behind what it is
 * made of, and of two operands the one first that has more convolutions behind it. The graphs of
 * src/backbones have this order too, so that the two can be compared line by line. */
#include "network.h"

#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct result {
    network *n;
    weights *w;
    int *number; /* [values] of the line that tells a value; -1: not told yet */
    int *stack;  /* [values] */
    int *conv;   /* [layers] those that are told, in their order */
    int n_convs, n_lines;
    int normalised;
    hst_buf graph;
} result;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph is no network known here: %s", why);
}

/* ---- the output ---- */

/* Marks what a map is made of. An average that is not among it is the network's result. */
static void mark_inner(const network *n, char *inner)
{
    for (int i = n->n_values; i-- > 0;) {
        const net_value *v = &n->value[i];
        if (v->vector && !inner[i])
            continue;
        if (v->x >= 0)
            inner[v->x] = 1;
        if (v->y >= 0)
            inner[v->y] = 1;
    }
}

int net_goes_on(const network *n)
{
    char *inner = hst_alloc((size_t)n->n_values + 1, 1, NULL);
    int goes_on = 0;
    if (inner)
        mark_inner(n, inner);
    for (int i = 0; inner && i < n->n_values; i++)
        goes_on |= n->value[i].kind == NET_CONV && n->value[i].vector && !inner[i];
    free(inner);
    return goes_on;
}

/* The average that nothing in the network needs; where there is none, the last map. */
static int find_output(const network *n, int *out, hst_err *err)
{
    char *inner = hst_alloc((size_t)n->n_values + 1, 1, err);
    int map = -1, average = -1, rivals = 0;
    if (!inner)
        return HST_EMEM;
    mark_inner(n, inner);
    for (int i = 0; i < n->n_values; i++) {
        const net_value *v = &n->value[i];
        if (v->kind == NET_AVERAGE && !inner[i]) {
            rivals += average >= 0 && v->x != n->value[average].x;
            average = i;
        } else if (!v->vector && v->same == i)
            map = i;
    }
    free(inner);
    *out = average >= 0 ? average : map;
    return rivals ? refuse(err, "it has more than one average to give") : 0;
}

/* ---- lines ---- */

static const char *const act_names[NET_N_ACTS] = {
    [NET_RELU] = "relu",         [NET_RELU6] = "relu6",   [NET_SIGMOID] = "sigmoid",
    [NET_HSIGMOID] = "hsigmoid", [NET_HSWISH] = "hswish", [NET_SWISH] = "swish"};

/* The line of an operand. */
static int number_of(const result *r, int value)
{
    return r->number[r->n->value[value].same];
}

/* Of two operands the one whose way from the input has more convolutions, then the other. */
static void order_operands(const network *n, const net_value *v, int *first, int *second)
{
    *first = v->x < 0 ? -1 : n->value[v->x].same;
    *second = v->y < 0 ? -1 : n->value[v->y].same;
    if (*second >= 0 && n->value[*second].depth > n->value[*first].depth) {
        const int deeper = *second;
        *second = *first;
        *first = deeper;
    }
}

static int say_conv(result *r, int i, hst_err *err)
{
    const net_value *v = &r->n->value[i];
    const net_layer *l = &r->n->layer[v->layer];
    if (l->tail != i)
        return refuse(err, "a convolution is read in front of its bias");
    r->conv[r->n_convs++] = v->layer;
    hst_buf_printf(&r->graph, "%s %d kernel=%d stride=%d padding=%s",
                   l->depthwise ? "depthwise" : "conv2d", number_of(r, v->x), l->kernel, l->stride,
                   net_pads_as_tensorflow(r->n) ? "same" : "symmetric");
    return 0;
}

static int say_activation(result *r, const net_value *v, hst_err *err)
{
    if (!act_names[v->act])
        return refuse(err, "numbers are added or multiplied between convolutions");
    hst_buf_printf(&r->graph, "activation %d function=%s", number_of(r, v->x), act_names[v->act]);
    return 0;
}

static int say_operator(result *r, int i, hst_err *err)
{
    const net_value *v = &r->n->value[i];
    int first, second;
    switch (v->kind) {
    case NET_INPUT:
        hst_buf_puts(&r->graph, "input");
        return 0;
    case NET_CONV:
        return say_conv(r, i, err);
    case NET_ACTIVATION:
        return say_activation(r, v, err);
    case NET_ADD:
        order_operands(r->n, v, &first, &second);
        hst_buf_printf(&r->graph, "add %d %d", number_of(r, first), number_of(r, second));
        return 0;
    case NET_SCALE:
        hst_buf_printf(&r->graph, "scale %d %d", number_of(r, v->x), number_of(r, v->y));
        return 0;
    case NET_MAX_POOL: /* net_max_pool() takes no other */
        hst_buf_printf(&r->graph, "max_pool %d kernel=3 stride=2 padding=symmetric",
                       number_of(r, v->x));
        return 0;
    case NET_AVERAGE:
        hst_buf_printf(&r->graph, "global_average %d", number_of(r, v->x));
        return 0;
    default:
        return refuse(err, "it goes on behind something that is not understood");
    }
}

/* What comes behind the arrow; of a long name the end, which tells more. */
static void say_shape(result *r, const net_value *v)
{
    const char *of_file = v->kind == NET_CONV ? r->n->layer[v->layer].kernel_of_file.name : "";
    char name[64];
    const size_t len = strlen(of_file), most = sizeof name - 1;
    hst_printable(name, sizeof name, len > most ? of_file + len - most : of_file);
    if (v->h)
        hst_buf_printf(&r->graph, " -> %lldx%lldx%d", (long long)v->h, (long long)v->w, v->c);
    else
        hst_buf_printf(&r->graph, " -> ?x?x%d", v->c);
    hst_buf_printf(&r->graph, "%s%s", *name ? " " : "", name);
}

/* The line of value i, whose operands are told; weights.h has the grammar. */
static int say(result *r, int i, hst_err *err)
{
    if (r->n_lines)
        hst_buf_puts(&r->graph, "\n");
    int rc = say_operator(r, i, err);
    say_shape(r, &r->n->value[i]);
    r->number[i] = r->n_lines++;
    return rc;
}

/* The average that whoever uses the file would take, where the file ends before it. */
static void say_average(result *r, int of)
{
    const int number = r->n_lines - 1;
    hst_buf_printf(&r->graph, "\nglobal_average %d -> 1x1x%d", number, r->n->value[of].c);
}

/* The operand of v that is to be told next; -1: all are. */
static int next_operand(const result *r, const net_value *v)
{
    int first, second;
    order_operands(r->n, v, &first, &second);
    if (first >= 0 && r->number[first] < 0)
        return first;
    return second >= 0 && r->number[second] < 0 ? second : -1;
}

/* Everything that the output is made of, then it: depth first, without recursion. A value is on the
 * stack once, as operands have smaller numbers. */
static int tell(result *r, int output, hst_err *err)
{
    int depth = 0, rc = 0;
    r->stack[depth++] = output;
    while (depth && rc == 0) {
        const int i = r->stack[depth - 1], next = next_operand(r, &r->n->value[i]);
        if (next >= 0) {
            r->stack[depth++] = next;
            continue;
        }
        rc = say(r, i, err);
        depth--;
    }
    return rc;
}

/* ---- tensors ---- */

/* A convolution of a picture; those of squeeze-and-excitation have no batch norm. */
static int sees_picture(const network *n, const net_layer *l)
{
    return !n->value[l->tail].vector;
}

/* 1: every one has batch norm of one epsilon, and no bias. */
static int is_normalised(const result *r, double *epsilon)
{
    int any = 0;
    for (int i = 0; i < r->n_convs; i++) {
        const net_layer *l = &r->n->layer[r->conv[i]];
        if (!sees_picture(r->n, l))
            continue;
        if (!l->gamma || l->bias || l->scale || (any && l->epsilon != *epsilon))
            return 0;
        *epsilon = l->epsilon;
        any = 1;
    }
    return any;
}

/* The kernel in any layout as [h][w][i][o], times the layer's scale. */
static int read_kernel(network *n, const net_layer *l, float **w, hst_err *err)
{
    const hst_tensor *k = &l->kernel_of_file;
    const int *at = net_places(l->layout);
    size_t count = hst_tensor_count(k), step[4] = {0, 0, 0, 1}, out = 0;
    if (count * sizeof **w > n->left)
        return refuse(err, "its kernels are far larger than the file");
    n->left -= count * sizeof **w;
    float *raw = hst_alloc(count, sizeof *raw, err);
    *w = raw ? hst_arena_alloc(n->arena, count, sizeof **w, err) : NULL;
    int rc = !*w         ? HST_EMEM
             : l->floats ? l->floats(l->from, raw, err)
                         : hst_tensor_floats(k, raw, err);
    for (int i = 3; i-- > 0;)
        step[i] = step[i + 1] * (size_t)k->dim[i + 1];
    for (int64_t y = 0; rc == 0 && y < k->dim[at[0]]; y++)
        for (int64_t x = 0; x < k->dim[at[1]]; x++)
            for (int64_t i = 0; i < k->dim[at[2]]; i++) {
                const float *from = raw + (size_t)y * step[at[0]] + (size_t)x * step[at[1]] +
                                    (size_t)i * step[at[2]];
                for (int64_t o = 0; o < k->dim[at[3]]; o++)
                    (*w)[out++] = from[(size_t)o * step[at[3]]] * (l->scale ? l->scale[o] : 1);
            }
    free(raw);
    return rc;
}

/* y = gamma (conv + bias - mean) / sqrt(variance + epsilon) + beta as kernel and bias alone. */
static int fold(network *n, net_layer *l, float *w, hst_err *err)
{
    size_t n_out = (size_t)l->out;
    size_t rows = (size_t)l->kernel * (size_t)l->kernel * (size_t)(l->depthwise ? 1 : l->in);
    if (!l->bias)
        l->bias = hst_arena_alloc(n->arena, n_out, sizeof *l->bias, err);
    if (!l->bias)
        return HST_EMEM;
    for (size_t c = 0; l->gamma && c < n_out; c++) {
        double scale = l->gamma[c] / sqrt(l->variance[c] + l->epsilon);
        l->bias[c] = (float)(l->beta[c] + ((double)l->bias[c] - l->mean[c]) * scale);
        for (size_t r = 0; r < rows; r++)
            w[r * n_out + c] = (float)(w[r * n_out + c] * scale);
    }
    return 0;
}

int net_layer_folded(network *n, net_layer *l, float **kernel, hst_err *err)
{
    int rc = read_kernel(n, l, kernel, err);
    return rc ? rc : fold(n, l, *kernel, err);
}

static int add_tensor(weights *w, int i, const char *part, const hst_tensor *like, hst_err *err)
{
    char name[64];
    hst_tensor t = *like;
    snprintf(name, sizeof name, "op%d/%s", i, part);
    t.name = name;
    t.n_bytes = sizeof(float);
    for (int d = 0; d < t.n_dims; d++)
        t.n_bytes *= (size_t)t.dim[d];
    return weights_add(w, &t, err);
}

static int emit_conv(result *r, int i, hst_err *err)
{
    net_layer *l = &r->n->layer[r->conv[i]];
    const int keeps = r->normalised && sees_picture(r->n, l);
    hst_tensor kernel = {.n_dims = 4, .dim = {l->kernel, l->kernel, l->in, l->out}};
    float *w = NULL;
    if (l->depthwise) {
        kernel.dim[2] = l->out;
        kernel.dim[3] = 1;
    }
    int rc = read_kernel(r->n, l, &w, err);
    rc = rc || keeps ? rc : fold(r->n, l, w, err);
    kernel.data = w;
    rc = rc ? rc : add_tensor(r->w, i, l->depthwise ? "depthwise_kernel" : "kernel", &kernel, err);
    const struct {
        const char *name;
        const float *data;
    } part[] = {{"bias", keeps ? NULL : l->bias},
                {"gamma", keeps ? l->gamma : NULL},
                {"beta", keeps ? l->beta : NULL},
                {"moving_mean", keeps ? l->mean : NULL},
                {"moving_variance", keeps ? l->variance : NULL}};
    for (int k = 0; rc == 0 && k < 5; k++)
        if (part[k].data)
            rc = add_tensor(r->w, i, part[k].name,
                            &(hst_tensor){.n_dims = 1, .dim = {l->out}, .data = part[k].data}, err);
    return rc;
}

/* The classifier as "head/kernel" [features][classes] and "head/bias", as model files have them. */
static int emit_head(const result *r, hst_err *err)
{
    const struct net_head *h = &r->n->head;
    const hst_tensor *k = h->kernel;
    if (!h->of)
        return 0;
    const int at = h->transposed ? 1 : 0; /* of the features among the dimensions */
    if (k->n_dims != 2 || k->dim[at] != r->n->value[h->of - 1].c || h->bias->n_dims != 1 ||
        h->bias->dim[0] != k->dim[1 - at])
        return refuse(err, "its classifier does not fit the features");
    const size_t n = hst_tensor_count(k), rows = (size_t)k->dim[at], columns = n / rows;
    hst_tensor kernel = {.name = "head/kernel", .n_dims = 2, .n_bytes = n * sizeof(float)};
    hst_tensor bias = {.name = "head/bias", .n_dims = 1, .n_bytes = columns * sizeof(float)};
    kernel.dim[0] = (int64_t)rows;
    kernel.dim[1] = bias.dim[0] = (int64_t)columns;
    float *raw = hst_arena_alloc(r->n->arena, n, sizeof *raw, err);
    float *w = raw ? hst_arena_alloc(r->n->arena, n, sizeof *w, err) : NULL;
    float *b = w ? hst_arena_alloc(r->n->arena, columns, sizeof *b, err) : NULL;
    int rc = b ? hst_tensor_floats(k, raw, err) : HST_EMEM;
    rc = rc ? rc : hst_tensor_floats(h->bias, b, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        w[i] = raw[at ? i % columns * rows + i / columns : i];
    kernel.data = w;
    bias.data = b;
    rc = rc ? rc : weights_add(r->w, &kernel, err);
    return rc ? rc : weights_add(r->w, &bias, err);
}

/* ---- facts ---- */

/* What the graph itself does to the input, if anything. It takes 0..255 where it makes the numbers
 * far smaller, else 0..1: the first convolution of a network sees numbers around 1. */
static int say_scaling(const network *n, weights *w, hst_err *err)
{
    double mean[3], std[3];
    int changed = 0;
    for (int c = 0; c < 3; c++) {
        const double s = n->scale[c], range = s < 1.0 / 16 ? 1 : 255;
        changed |= s != 1 || n->shift[c] != 0;
        if (changed && !(s >= 1e-3 && s <= 16 && fabs(n->shift[c]) <= 16))
            return hst_fail(err, HST_EMODEL,
                            "its graph takes %g times its input plus %g, for no known input", s,
                            n->shift[c]);
        mean[c] = -n->shift[c] / s * range;
        std[c] = range / s;
    }
    if (!changed)
        return 0;
    int rc = weights_say(w, err, "mean", "%.7g %.7g %.7g", mean[0], mean[1], mean[2]);
    return rc ? rc : weights_say(w, err, "std", "%.7g %.7g %.7g", std[0], std[1], std[2]);
}

static int say_facts(const result *r, double epsilon, hst_err *err)
{
    const network *n = r->n;
    int rc = weights_say_text(r->w, "graph", r->graph.p, err);
    rc = rc ? rc : say_scaling(n, r->w, err);
    rc = rc ? rc
            : weights_say(r->w, err, "padding", "%s",
                          net_pads_as_tensorflow(n) ? "tf" : "symmetric");
    if (rc == 0 && n->width && n->height)
        rc = weights_say_size(r->w, n->width, n->height, err);
    if (rc == 0 && r->normalised)
        rc = weights_say(r->w, err, "bn_epsilon", "%.9g", epsilon);
    return rc;
}

static int make(result *r, hst_err *err)
{
    network *n = r->n;
    size_t values = (size_t)n->n_values + 1;
    int output = -1, rc = find_output(n, &output, err);
    if (rc == 0 && (output < 0 || !n->n_layers))
        rc = refuse(err, "it has no convolution");
    if (rc == 0 && !n->padding)
        rc = refuse(err, "some convolutions pad as TensorFlow does, others as PyTorch does");
    if (rc)
        return rc;
    r->number = hst_arena_alloc(n->arena, values, sizeof *r->number, err);
    r->stack = r->number ? hst_arena_alloc(n->arena, values, sizeof *r->stack, err) : NULL;
    r->conv = r->stack ? hst_arena_alloc(n->arena, NET_MAX_LAYERS, sizeof *r->conv, err) : NULL;
    if (!r->conv)
        return HST_EMEM;
    for (size_t i = 0; i < values; i++)
        r->number[i] = -1;
    double epsilon = 0;
    rc = tell(r, output, err);
    if (rc == 0 && n->value[output].kind != NET_AVERAGE)
        say_average(r, output);
    rc = rc ? rc : hst_buf_check(&r->graph, err);
    r->normalised = rc == 0 && is_normalised(r, &epsilon);
    for (int i = 0; rc == 0 && i < r->n_convs; i++)
        rc = emit_conv(r, i, err);
    rc = rc ? rc : emit_head(r, err);
    rc = rc || n->head.of ? rc : net_say_classifier(n, output, r->w, err);
    return rc ? rc : say_facts(r, epsilon, err);
}

int net_finish(network *n, weights *w, hst_err *err)
{
    result r = {.n = n, .w = w, .graph = HST_BUF(4 << 20)};
    int rc = make(&r, err);
    hst_buf_free(&r.graph);
    return rc;
}
