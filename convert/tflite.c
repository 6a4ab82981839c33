#include "tflite.h"
#include "answers.h"
#include "tflite_run.h"

#include <string.h>

enum { OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4, MAX_PORTS = 8 };
enum { SAME = 0, VALID = 1 };

typedef struct tflite {
    weights *w;
    const hst_source *s;
    tflite_file f;
    network net;
    size_t left; /* bytes of widened weights that may still be made */
    int ours;    /* headstart has exported it */
    /* the operator being read */
    tflite_tensor *in[MAX_PORTS]; /* NULL: left out */
    size_t n_in;
    fb_table options;
} tflite;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TFLite graph is refused: %s", why);
}

static int option(tflite *t, unsigned field, size_t bytes_wide, int absent)
{
    return (int)fb_int(&t->f.b, t->options, field, bytes_wide, absent);
}

/* ActivationFunctionType of the schema. */
static int activate(tflite *t, int x, int fused, hst_err *err)
{
    if (x < 0 || fused == 0)
        return x;
    if (fused != 1 && fused != 3)
        return refuse(err, "an activation is neither ReLU nor ReLU6");
    return net_activate(&t->net, x, fused == 1 ? NET_RELU : NET_RELU6, err);
}

/* A constant as a vector of float32 in the arena. */
static int widen(tflite *t, const tflite_tensor *of, hst_tensor *out, hst_err *err)
{
    size_t count = hst_tensor_count(&of->t);
    if (count > t->left / sizeof(float))
        return refuse(err, "its tensors are far larger than the file");
    t->left -= count * sizeof(float);
    float *wide = hst_arena_alloc(t->w->arena, count, sizeof *wide, err);
    *out = of->t;
    out->dtype = HST_F32;
    out->data = wide;
    out->n_bytes = count * sizeof *wide;
    return wide ? tflite_floats(&(tflite_numbers){&t->f, of}, wide, err) : HST_EMEM;
}

enum { DEPTHWISE = 1 };

/* Conv2DOptions: 0 padding, 1, 2 strides, 3 activation, 4, 5 dilations; DepthwiseConv2DOptions has
 * a multiplier in front of the activation. */
static int conv(tflite *t, int x, int how, hst_err *err)
{
    const unsigned later = how == DEPTHWISE;
    hst_tensor bias;
    tflite_tensor *k = t->n_in > 1 ? t->in[1] : NULL, *b = t->n_in > 2 ? t->in[2] : NULL;
    int stride = option(t, 1, 4, 0);
    if (!k || !k->constant || (b && !b->constant))
        return refuse(err, "a convolution has no constant kernel and bias");
    if (option(t, 4 + later, 4, 1) != 1 || option(t, 5 + later, 4, 1) != 1)
        return refuse(err, "a convolution is dilated");
    if (option(t, 2, 4, 0) != stride)
        return refuse(err, "a convolution has two strides");
    int padding = option(t, 0, 1, SAME);
    if (padding != SAME && padding != VALID)
        return refuse(err, "a convolution pads in an unknown way");
    tflite_numbers *from = hst_arena_alloc(t->w->arena, 1, sizeof *from, err);
    if (!from)
        return HST_EMEM;
    *from = (tflite_numbers){&t->f, k};
    const net_conv c = {.kernel = &k->t,
                        .floats = tflite_floats,
                        .from = from,
                        .layout = how == DEPTHWISE ? NET_1HWC : NET_OHWI,
                        .depthwise = how == DEPTHWISE,
                        .stride = stride,
                        .same = padding == SAME};
    x = net_conv2d(&t->net, x, &c, err);
    if (x >= 0 && b) {
        int rc = widen(t, b, &bias, err);
        x = rc ? rc : net_bias(&t->net, x, &bias, err);
    }
    return activate(t, x, option(t, 3 + later, 1, 0), err);
}

/* Value of input i; -1: it is none. */
static int value(const tflite *t, size_t i)
{
    return i < t->n_in && t->in[i] ? t->in[i]->value : -1;
}

/* An operator on two values, or on one and a constant: + - * /. */
static int binary(tflite *t, int x, int how, hst_err *err)
{
    const char op = (char)how;
    hst_tensor c;
    const int a = value(t, 0), b = value(t, 1), commutes = op == '+' || op == '*';
    const size_t at = a < 0 ? 0 : 1;
    const tflite_tensor *of = at < t->n_in ? t->in[at] : NULL;
    if (a >= 0 && b >= 0 && commutes) {
        x = op == '+' ? net_add(&t->net, a, b, err) : net_multiply(&t->net, a, b, err);
    } else {
        if (!of || !of->constant || (a < 0 && !commutes))
            return refuse(err, "an ADD, SUB, MUL or DIV is of values that are not known");
        int rc = widen(t, of, &c, err);
        x = rc ? rc : net_constant(&t->net, x, op, &c, err);
    }
    return activate(t, x, option(t, 0, 1, 0), err);
}

static int activation(tflite *t, int x, int how, hst_err *err)
{
    return net_activate(&t->net, x, (enum net_act)how, err);
}

/* QUANTIZE, DEQUANTIZE and CAST round, or write in another way, what is the same value here. */
static int same_value(tflite *t, int x, int how, hst_err *err)
{
    (void)t;
    (void)how;
    (void)err;
    return x;
}

static int reshape(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    return net_reshape(&t->net, x, err);
}

/* The int32 numbers of input 1: their count, or -1. */
static int numbers(const tflite *t, int32_t *out, size_t most)
{
    const tflite_tensor *s = t->n_in > 1 ? t->in[1] : NULL;
    if (!s || !s->constant || s->type != TFLITE_I32 || s->t.n_bytes > 4 * most)
        return -1;
    for (size_t i = 0; i < s->t.n_bytes / 4; i++)
        out[i] = (int32_t)le32((const uint8_t *)s->t.data + 4 * i);
    return (int)(s->t.n_bytes / 4);
}

/* Before and behind, for batch, height, width and channels. */
static int pad(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    int32_t p[8];
    if (numbers(t, p, 8) != 8 || p[0] || p[1] || p[6] || p[7])
        return refuse(err, "a PAD is not around the picture");
    return net_pad(&t->net, x, (int64_t[4]){p[2], p[4], p[3], p[5]}, err);
}

static int mean(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    int32_t axes[2];
    if (numbers(t, axes, 2) != 2 || axes[0] < 1 || axes[0] > 2 || axes[1] != 3 - axes[0])
        return refuse(err, "a MEAN is not over height and width");
    return net_average(&t->net, x, err);
}

/* Pool2DOptions: 0 padding, 1, 2 strides, 3, 4 the window's width and height, 5 activation. */
static int average_pool(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    const tflite_tensor *in = t->in[0];
    if (!in || in->t.n_dims != 4 || option(t, 3, 4, 0) != in->t.dim[2] ||
        option(t, 4, 4, 0) != in->t.dim[1])
        return refuse(err, "an AVERAGE_POOL_2D is not over the whole picture");
    return net_average(&t->net, x, err);
}

static int max_pool(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    const int kernel = option(t, 3, 4, 0), stride = option(t, 1, 4, 0);
    if (option(t, 4, 4, 0) != kernel || option(t, 2, 4, 0) != stride || option(t, 5, 1, 0))
        return refuse(err, "a MAX_POOL_2D is of an unknown kind");
    const net_conv window = {.stride = stride, .same = option(t, 0, 1, SAME) == SAME};
    return net_max_pool(&t->net, x, &window, kernel, err);
}

/* A classifier: weights [classes][features]; of FullyConnectedOptions 0 is an activation. */
static int dense(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    const tflite_tensor *k = t->n_in > 1 ? t->in[1] : NULL, *b = t->n_in > 2 ? t->in[2] : NULL;
    if (!k || !k->constant || (b && !b->constant) || (t->ours && !b))
        return refuse(err, "a FULLY_CONNECTED stands at an odd place");
    hst_tensor *wide = hst_arena_alloc(t->w->arena, 2, sizeof *wide, err);
    int rc = wide ? widen(t, k, &wide[0], err) : HST_EMEM;
    rc = rc || !b ? rc : widen(t, b, &wide[1], err);
    const struct net_head head = {.transposed = 1, .kernel = wide, .bias = wide + 1};
    if (rc || t->ours)
        return rc ? rc : net_head(&t->net, x, &head, err);
    const net_step s = {.kernel = wide, .bias = b ? wide + 1 : NULL, .transposed = 1};
    return activate(t, net_dense(&t->net, x, &s, err), option(t, 0, 1, 0), err);
}

static int softmax(tflite *t, int x, int how, hst_err *err)
{
    (void)how;
    return net_softmax(&t->net, x, err);
}

/* BuiltinOperator of the schema. */
static const struct {
    int code;
    int (*read)(tflite *t, int x, int how, hst_err *err);
    int how; /* an activation, which of + - * /, DEPTHWISE */
} operators[] = {{0, binary, '+'},
                 {1, average_pool, 0},
                 {3, conv, 0},
                 {4, conv, DEPTHWISE},
                 {6, same_value, 0},
                 {9, dense, 0},
                 {14, activation, NET_SIGMOID},
                 {17, max_pool, 0},
                 {18, binary, '*'},
                 {19, activation, NET_RELU},
                 {21, activation, NET_RELU6},
                 {22, reshape, 0},
                 {25, softmax, 0},
                 {34, pad, 0},
                 {40, mean, 0},
                 {41, binary, '-'},
                 {42, binary, '/'},
                 {43, reshape, 0},
                 {53, same_value, 0},
                 {114, same_value, 0},
                 {117, activation, NET_HSWISH}};
enum { N_OPERATORS = sizeof operators / sizeof *operators, DEQUANTIZE = 6 };

static int run_operator(tflite *t, int code, int x, hst_err *err)
{
    for (int i = 0; i < N_OPERATORS; i++)
        if (operators[i].code == code)
            return operators[i].read(t, x, operators[i].how, err);
    return hst_fail(err, HST_EMODEL,
                    "the TFLite operator %d is none that the networks known here have", code);
}

/* The tensors that an operator reads. */
static int read_inputs(tflite *t, fb_vector inputs, hst_err *err)
{
    if (inputs.n > MAX_PORTS)
        return refuse(err, "an operator has too many inputs");
    t->n_in = inputs.n;
    for (size_t i = 0; i < inputs.n; i++) {
        int32_t at = fb_i32(&t->f.b, inputs, i);
        if (at < -1 || at >= (int64_t)t->f.n)
            return hst_fail(err, HST_EMODEL,
                            "the TFLite graph is refused: an operator reads tensor %d of %zu", at,
                            t->f.n);
        t->in[i] = at < 0 ? NULL : &t->f.tensor[at];
        if (at >= 0 && !t->in[i]->constant && t->in[i]->value < 0)
            return hst_fail(err, HST_EMODEL,
                            "the TFLite graph is refused: an operator reads '%.200s', which is not "
                            "computed before it",
                            t->in[i]->t.name);
    }
    return 0;
}

static int find_output(tflite *t, fb_vector outputs, tflite_tensor **out, hst_err *err)
{
    int32_t at = fb_i32(&t->f.b, outputs, 0);
    if (outputs.n != 1 || at < 0 || at >= (int64_t)t->f.n)
        return refuse(err, "an operator has not one output");
    *out = &t->f.tensor[at];
    if ((*out)->constant || (*out)->value >= 0)
        return refuse(err, "a tensor is computed twice");
    return 0;
}

/* Behind DEQUANTIZE a constant is the same constant. */
static int widened(tflite *t, tflite_tensor *out, hst_err *err)
{
    if (t->n_in != 1 || !t->in[0] || !t->in[0]->constant)
        return refuse(err, "a DEQUANTIZE has no input");
    const char *name = out->t.name;
    *out = *t->in[0];
    out->t.name = name;
    return 0;
}

static int read_operator(tflite *t, fb_table o, hst_err *err)
{
    tflite_tensor *out = NULL;
    int code = 0, x = -1, y = -1, rc = tflite_code(&t->f, o, &code, err);
    fb_vector inputs = fb_list(&t->f.b, o, OPERATOR_INPUTS, 4);
    fb_vector outputs = fb_list(&t->f.b, o, OPERATOR_OUTPUTS, 4);
    t->options = fb_child(&t->f.b, o, OPERATOR_OPTIONS);
    rc = rc ? rc : fb_check(&t->f.b, err);
    rc = rc ? rc : read_inputs(t, inputs, err);
    rc = rc ? rc : find_output(t, outputs, &out, err);
    if (rc)
        return rc;
    for (size_t i = t->n_in; i-- > 0;)
        x = net_operand(&t->net, value(t, i), x);
    if (x < 0 && code == DEQUANTIZE)
        return widened(t, out, err);
    if (x < 0)
        return refuse(err, "an operator has no input that is computed");
    y = run_operator(t, code, x, err);
    if (y < 0)
        y = net_other(&t->net, x, y, err);
    if (y < 0)
        return y;
    out->value = y;
    return fb_check(&t->f.b, err);
}

static int read_input(tflite *t, hst_err *err)
{
    tflite_tensor *in = &t->f.tensor[t->f.input];
    if (in->constant || in->t.n_dims != 4)
        return refuse(err, "its input is no picture");
    if (in->type != TFLITE_F32 && !(t->ours && (in->type == TFLITE_U8 || in->type == TFLITE_I8))) {
        int rc = tflite_say_quantised_input(&t->f, t->w, err);
        rc = rc ? rc : weights_say(t->w, err, "quantised", "1");
        if (rc)
            return rc;
    }
    in->value = net_input(&t->net, in->t.dim[1], in->t.dim[2], in->t.dim[3], err);
    return in->value < 0 ? in->value : 0;
}

static int read_network(void *of, hst_err *err)
{
    tflite *t = of;
    int rc = read_input(t, err);
    for (size_t i = 0; rc == 0 && i < t->f.operators.n; i++)
        rc = read_operator(t, fb_item(&t->f.b, t->f.operators, i), err);
    rc = rc || t->ours ? rc : tflite_say_metadata(&t->f, t->w, err);
    return rc ? rc : net_finish(&t->net, t->w, err);
}

static int run_graph(void *of, hst_err *err)
{
    tflite *t = of;
    return tflite_run(t->w, &t->f, t->s, err);
}

int tflite_read(weights *w, hst_source *s, hst_err *err)
{
    int rc = s->n ? hst_source_load(&s->file[0], err) : refuse(err, "there is no file");
    tflite *t = rc ? NULL : hst_arena_alloc(w->arena, 1, sizeof *t, err);
    if (!t)
        return rc ? rc : HST_EMEM;
    bytes file = {s->file[0].data, (size_t)s->file[0].n_bytes};
    t->w = w;
    t->s = s;
    t->left = file.n > SIZE_MAX / 32 ? SIZE_MAX : 8 * file.n + (1 << 20);
    rc = tflite_open(&t->f, file, w->arena, err);
    rc = rc ? rc : net_init(&t->net, w->arena, file.n, err);
    rc = rc ? rc : tflite_say_model(&t->f, w, &t->ours, err);
    rc = rc ? rc : weights_say(w, err, "source_format", "TFLite");
    return rc ? rc
              : answers_or_network(w, &t->net, read_network, t->ours ? run_graph : NULL, t, err);
}
