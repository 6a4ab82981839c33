/* tflite_quantise.c - operators in float32 become such of 8 bits, as LiteRT's quantisation
 * specification has them: what is computed has one scale and one zero point, kernels a scale an
 * output channel, biases are int32 in steps of input times kernel. What has no range, or no kernel
 * in 8 bits, stays as it is, between operators that convert. */
#include "exports/tflite.h"

#include "exports/narrow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct quantising {
    hst_tfl *g;
    int products_only;  /* of a network with layer norms: all else is float32 */
    int *narrow, *wide; /* [cap] a tensor's counterpart in int8, in float32; 0: there is none */
    size_t cap;
} quantising;

/* How an operator is done in 8 bits. */
enum way {
    IN_FLOAT,
    PRODUCT, /* input, kernel, bias */
    SUM,     /* of two, each with its own scale; one may be constant */
    SAME,    /* the result has the input's scale */
    JOIN,    /* the inputs have the result's scale */
    OWN,     /* the result has a scale of its own */
    SHARE    /* from 0 to 1 in steps of 1/256 */
};

static enum way way_of(enum hst_tfl_code code)
{
    switch (code) {
    case HST_TFL_CONV_2D:
    case HST_TFL_DEPTHWISE_CONV_2D:
    case HST_TFL_FULLY_CONNECTED:
        return PRODUCT;
    case HST_TFL_ADD:
    case HST_TFL_MUL:
        return SUM;
    case HST_TFL_AVERAGE_POOL_2D:
    case HST_TFL_MAX_POOL_2D:
    case HST_TFL_PAD:
    case HST_TFL_PADV2:
    case HST_TFL_RESHAPE:
    case HST_TFL_SLICE:
        return SAME;
    case HST_TFL_CONCATENATION:
        return JOIN;
    case HST_TFL_GELU:
    case HST_TFL_HARD_SWISH:
    case HST_TFL_MEAN:
    case HST_TFL_RELU:
    case HST_TFL_RELU6:
        return OWN;
    case HST_TFL_LOGISTIC:
    case HST_TFL_SOFTMAX:
        return SHARE;
    default:
        return IN_FLOAT;
    }
}

/* ---- tensors ---- */

static hst_tfl_tensor *at(const quantising *q, int t)
{
    return q->g->rc ? &q->g->spare : &q->g->tensor[t];
}

static int is_narrow(const quantising *q, int t)
{
    return at(q, t)->type == HST_TFL_I8;
}

static int has_range(const quantising *q, int t)
{
    return at(q, t)->least < at(q, t)->most;
}

static int is_constant(const quantising *q, int t)
{
    return hst_tfl_is_constant(at(q, t));
}

/* 256 steps, one of which is 0. */
static void set_params(hst_tfl *g, hst_tfl_tensor *t, double least, double most)
{
    least = least < 0 ? least : 0;
    most = most > 0 ? most : 0;
    const double scale = most > least ? (most - least) / 255 : 1;
    t->type = HST_TFL_I8;
    t->scale = hst_tfl_floats(g, 1);
    t->n_scales = 1;
    if (t->scale)
        t->scale[0] = (float)scale;
    t->zero = (int)lround(-128 - least / scale);
}

static void same_params(hst_tfl_tensor *t, const hst_tfl_tensor *as)
{
    t->type = HST_TFL_I8;
    t->scale = as->scale;
    t->n_scales = as->n_scales;
    t->zero = as->zero;
}

/* A tensor more, its name behind what is there. */
static int add(quantising *q, const hst_tfl_tensor *t, const char *ending)
{
    hst_tfl_tensor own = *t;
    own.name = hst_tfl_name(q->g, "%s/%s", t->name, ending);
    if (q->g->rc == 0 && q->g->n_tensors == q->cap) {
        hst_fail(q->g->err, HST_EUNSUP, "the network is too large to be quantised");
        q->g->rc = HST_EUNSUP;
    }
    return hst_tfl_tensor_add(q->g, &own);
}

static void convert(hst_tfl *g, enum hst_tfl_code code, int from, int to)
{
    const hst_tfl_op op = {
        .code = code, .version = 1, .in = {from}, .n_in = 1, .out = {to}, .n_out = 1};
    hst_tfl_op_add(g, &op);
}

/* The same in int8, which has a range. */
static int narrowed(quantising *q, int t)
{
    if (is_narrow(q, t) || q->narrow[t])
        return is_narrow(q, t) ? t : q->narrow[t];
    hst_tfl_tensor own = *at(q, t);
    set_params(q->g, &own, (double)own.least, (double)own.most);
    q->narrow[t] = add(q, &own, "int8");
    convert(q->g, HST_TFL_QUANTIZE, t, q->narrow[t]);
    return q->narrow[t];
}

static int widened(quantising *q, int t)
{
    if (!is_narrow(q, t) || is_constant(q, t))
        return t;
    if (q->wide[t])
        return q->wide[t];
    hst_tfl_tensor own = *at(q, t);
    own.type = HST_TFL_F32;
    own.n_scales = 0;
    q->wide[t] = add(q, &own, "float32");
    convert(q->g, HST_TFL_DEQUANTIZE, t, q->wide[t]);
    return q->wide[t];
}

/* Numbers of a constant as whole steps between their ends; with params NULL of its own. */
static int narrowed_constant(quantising *q, int t, const hst_tfl_tensor *params)
{
    hst_tfl_tensor own = *at(q, t);
    float least = 0, most = 0;
    size_t n = 1;
    for (int i = 0; i < own.n_dims; i++)
        n *= (size_t)own.dim[i];
    for (size_t i = 0; own.data && i < n; i++) {
        least = fminf(least, own.data[i]);
        most = fmaxf(most, own.data[i]);
    }
    own.channel = 0;
    if (params)
        same_params(&own, params);
    else
        set_params(q->g, &own, (double)least, (double)most);
    return add(q, &own, "int8");
}

/* ---- products ---- */

static int is_empty(const hst_tfl_tensor *kernel, size_t channel)
{
    size_t n = 1;
    for (int i = 0; i < kernel->n_dims; i++)
        n *= (size_t)kernel->dim[i];
    for (size_t i = channel; i < n; i += kernel->n_scales)
        if (kernel->data[i] != 0)
            return 0;
    return 1;
}

/* A kernel's scales are no smaller than an int32 can have the bias in, nor than the runtime's
 * multiplier, input times kernel by output, can be: below, whole channels would be lost. Those that
 * see nothing have this scale, as all that they are is the bias. */
static void widen_scales(hst_tfl_tensor *kernel, const hst_tfl_tensor *bias, double in, double out)
{
    for (size_t c = 0; c < kernel->n_scales; c++) {
        const double of_bias = fabs((double)bias->data[c]) / in * 0x1p-30;
        const double least = fmax(of_bias, out / in * 0x1p-28);
        if (is_empty(kernel, c) || (double)kernel->scale[c] < least)
            kernel->scale[c] = (float)least;
    }
}

/* A bias takes back what the rounding of its kernel adds to every output on average: inputs are
 * seldom around 0, and nothing behind would undo it (Nagel et al. 2019, arXiv:1906.04721, 4.2). */
static void correct_bias(quantising *q, const hst_tfl_op *op)
{
    const hst_tfl_tensor *in = at(q, op->in[0]), *kernel = at(q, op->in[1]);
    hst_tfl_tensor *bias = at(q, op->in[2]);
    const size_t out = kernel->n_scales, channels = (size_t)in->dim[in->n_dims - 1];
    float *own = in->mean ? hst_tfl_floats(q->g, out) : NULL;
    size_t seen = 1, n = 1; /* channels that an output sees; numbers of its kernel */
    if (op->code != HST_TFL_DEPTHWISE_CONV_2D)
        seen = (size_t)kernel->dim[kernel->n_dims - 1];
    for (int i = 0; i < kernel->n_dims; i++)
        n *= i == kernel->channel ? 1 : (size_t)kernel->dim[i];
    for (size_t c = 0; own && c < out; c++) {
        const size_t group = c * (channels / seen) / out;
        own[c] = bias->data[c] - (float)hst_int8_shift(kernel->data + c, n, out, kernel->scale[c],
                                                       in->mean + group * seen, seen);
    }
    bias->data = own ? own : bias->data;
}

static void quantise_product(quantising *q, hst_tfl_op *op)
{
    op->in[0] = narrowed(q, op->in[0]);
    hst_tfl_tensor *out = at(q, op->out[0]);
    set_params(q->g, out, (double)out->least, (double)out->most);
    const hst_tfl_tensor *in = at(q, op->in[0]);
    hst_tfl_tensor *kernel = at(q, op->in[1]), *bias = at(q, op->in[2]);
    if (q->g->rc)
        return;
    hst_tfl_scales(q->g, kernel);
    bias->scale = hst_tfl_floats(q->g, kernel->n_scales);
    if (q->g->rc)
        return;
    widen_scales(kernel, bias, (double)in->scale[0], (double)out->scale[0]);
    correct_bias(q, op);
    kernel->type = HST_TFL_I8;
    bias->type = HST_TFL_I32;
    bias->n_scales = kernel->n_scales;
    for (size_t c = 0; c < bias->n_scales; c++)
        bias->scale[c] = in->scale[0] * kernel->scale[c];
}

/* ---- operators ---- */

static int all_ready(const quantising *q, const hst_tfl_op *op, int need_narrow)
{
    for (int i = 0; i < op->n_in; i++)
        if (!is_constant(q, op->in[i]) && !is_narrow(q, op->in[i]) &&
            (need_narrow || !has_range(q, op->in[i])))
            return 0;
    return 1;
}

static enum way way_for(const quantising *q, const hst_tfl_op *op)
{
    const enum way way = way_of(op->code);
    const int known = has_range(q, op->out[0]);
    if (way == IN_FLOAT || (q->products_only && way != PRODUCT))
        return IN_FLOAT;
    if (way == SAME || way == SHARE)
        return all_ready(q, op, way == SAME) ? way : IN_FLOAT;
    return known && all_ready(q, op, 0) ? way : IN_FLOAT;
}

/* In the result's steps. */
static void join(quantising *q, hst_tfl_op *op)
{
    hst_tfl_tensor *out = at(q, op->out[0]);
    set_params(q->g, out, (double)out->least, (double)out->most);
    for (int i = 0; i < op->n_in; i++) {
        op->in[i] = narrowed(q, op->in[i]);
        hst_tfl_tensor own = *at(q, op->in[i]);
        const hst_tfl_tensor *to = at(q, op->out[0]);
        if (q->g->rc || (own.zero == to->zero && own.scale[0] == to->scale[0]))
            continue;
        same_params(&own, to);
        const int made = add(q, &own, "joined");
        convert(q->g, HST_TFL_QUANTIZE, op->in[i], made);
        op->in[i] = made;
    }
}

/* Of padding with a number. */
static void same(quantising *q, hst_tfl_op *op)
{
    if (op->code == HST_TFL_PADV2)
        op->in[2] = narrowed_constant(q, op->in[2], at(q, op->in[0]));
    same_params(at(q, op->out[0]), at(q, op->in[0]));
}

static void others(quantising *q, hst_tfl_op *op, enum way way)
{
    for (int i = 0; i < op->n_in; i++)
        if (!is_constant(q, op->in[i]))
            op->in[i] = narrowed(q, op->in[i]);
        else if (way == SUM)
            op->in[i] = narrowed_constant(q, op->in[i], NULL);
    hst_tfl_tensor *out = at(q, op->out[0]);
    if (way == SHARE)
        set_params(q->g, out, 0, 255.0 / 256);
    else
        set_params(q->g, out, (double)out->least, (double)out->most);
}

/* uint8 pixels, which were cast: both ends have steps of 1. */
static void quantise_pixels(quantising *q, hst_tfl_op *op)
{
    hst_tfl_tensor *in = at(q, op->in[0]), *out = at(q, op->out[0]);
    set_params(q->g, out, 0, 255);
    in->scale = out->scale;
    in->n_scales = 1;
    in->zero = 0;
    op->code = HST_TFL_QUANTIZE;
}

static void quantise_op(quantising *q, hst_tfl_op op)
{
    const enum way way = way_for(q, &op);
    if (op.code == HST_TFL_CAST)
        quantise_pixels(q, &op);
    else if (way == PRODUCT)
        quantise_product(q, &op);
    else if (way == SAME)
        same(q, &op);
    else if (way == JOIN)
        join(q, &op);
    else if (way != IN_FLOAT)
        others(q, &op, way);
    for (int i = 0; way == IN_FLOAT && op.code != HST_TFL_QUANTIZE && i < op.n_in; i++)
        op.in[i] = widened(q, op.in[i]);
    hst_tfl_op_add(q->g, &op);
}

/* ---- the ends ---- */

/* Probabilities are of the type of pixels; what is given in float32 is answered in it, and so is a
 * number, of which 256 steps would be too few. */
static void quantise_output(quantising *q, const hst_exporting *x)
{
    const int from = q->g->output;
    const int is_number = x->model->target == HST_TARGET_NUMBER;
    if (!is_narrow(q, from) || (x->ends.int8 && !is_number))
        return;
    hst_tfl_tensor own = *at(q, from);
    const int whole = x->ends.uint8 && !is_number;
    own.type = whole ? HST_TFL_U8 : HST_TFL_F32;
    own.n_scales = whole;
    own.zero += 128;
    at(q, from)->name = hst_tfl_name(q->g, "%s/int8", own.name);
    q->g->output = hst_tfl_tensor_add(q->g, &own);
    convert(q->g, whole ? HST_TFL_QUANTIZE : HST_TFL_DEQUANTIZE, from, q->g->output);
}

/* Tensors that nothing reads or makes any more are taken out. */
static void compact(hst_tfl *g, int *number)
{
    int n = 0;
    memset(number, 0, g->n_tensors * sizeof *number);
    number[g->input] = number[g->output] = 1;
    for (size_t i = 0; i < g->n_ops; i++) {
        for (int k = 0; k < g->op[i].n_in; k++)
            number[g->op[i].in[k]] = 1;
        for (int k = 0; k < g->op[i].n_out; k++)
            number[g->op[i].out[k]] = 1;
    }
    for (size_t i = 0; i < g->n_tensors; i++)
        if (number[i]) {
            g->tensor[n] = g->tensor[i];
            number[i] = n++;
        }
    g->n_tensors = (size_t)n;
    g->input = number[g->input];
    g->output = number[g->output];
    for (size_t i = 0; i < g->n_ops; i++) {
        for (int k = 0; k < g->op[i].n_in; k++)
            g->op[i].in[k] = number[g->op[i].in[k]];
        for (int k = 0; k < g->op[i].n_out; k++)
            g->op[i].out[k] = number[g->op[i].out[k]];
    }
}

static int has_norm(const hst_program *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->step[i].what == HST_DO_LAYER_NORM || p->step[i].what == HST_DO_GROUP_NORM)
            return 1;
    return 0;
}

int hst_tfl_quantise(hst_tfl *g, const hst_exporting *x)
{
    hst_tfl_op *op = g->op;
    const size_t n = g->n_ops;
    quantising q = {.g = g,
                    .products_only = has_norm(x->program),
                    .cap = 2 * g->n_tensors + 2 * HST_TFL_PORTS * n + 1};
    q.narrow = hst_alloc(q.cap, 2 * sizeof *q.narrow, g->err);
    if (!q.narrow)
        return HST_EMEM;
    q.wide = q.narrow + q.cap;
    g->op = NULL;
    g->n_ops = g->ops_cap = 0;
    if (x->ends.int8)
        set_params(g, at(&q, g->input), 0, 255);
    for (size_t i = 0; i < n && g->rc == 0; i++)
        quantise_op(&q, op[i]);
    if (g->rc == 0)
        quantise_output(&q, x);
    if (g->rc == 0)
        compact(g, q.narrow);
    free(op);
    free(q.narrow);
    return g->rc;
}
