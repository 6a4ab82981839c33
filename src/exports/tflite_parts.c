/* tflite_parts.c - what several steps are made of: operators, constants, activations. */
#include "exports/narrow.h"
#include "exports/tflite_writer.h"

#include <stdio.h>
#include <string.h>

const char *hst_tfl_base(hst_tfl_writer *w, int i)
{
    const hst_do_step *s = hst_tfl_step(w, i);
    char kind[32];
    if (s->name[0])
        return s->name;
    snprintf(kind, sizeof kind, "%s", hst_do_names[s->what]);
    for (char *p = kind; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    return hst_tfl_name(w->g, "%s_%d", kind, i);
}

/* ---- operators ---- */

void hst_tfl_operate(hst_tfl_writer *w, enum hst_tfl_code code, int to, const int *in,
                     const hst_fb_field *option, int n_options)
{
    hst_tfl_op op = {.code = code, .version = 1, .n_options = n_options, .out = {to}, .n_out = 1};
    for (; in[op.n_in] >= 0; op.n_in++)
        op.in[op.n_in] = in[op.n_in];
    for (int i = 0; i < n_options; i++)
        op.option[i] = option[i];
    hst_tfl_op_add(w->g, &op);
}

int hst_tfl_new(hst_tfl_writer *w, const char *name, const int32_t *dim, int n)
{
    hst_tfl_tensor t = {.name = name, .n_dims = n};
    memcpy(t.dim, dim, (size_t)n * sizeof *dim);
    return hst_tfl_tensor_add(w->g, &t);
}

int hst_tfl_like(hst_tfl_writer *w, const char *name, int x)
{
    const hst_tfl_tensor t = *hst_tfl_at(w, x);
    return hst_tfl_new(w, name, t.dim, t.n_dims);
}

int hst_tfl_binary(hst_tfl_writer *w, enum hst_tfl_code code, const char *name, int x, int y)
{
    const int to = hst_tfl_like(w, name, x);
    hst_tfl_operate(w, code, to, IN(x, y), OPTIONS(BYTE(0, HST_TFL_LINEAR)));
    return to;
}

int hst_tfl_scalar(hst_tfl_writer *w, double v)
{
    return hst_tfl_number(w->g, (float)v);
}

int hst_tfl_reshaped(hst_tfl_writer *w, const char *name, int x, const int32_t *dim, int n)
{
    int32_t shape[HST_TFL_DIMS];
    const int to = hst_tfl_new(w, name, dim, n);
    memcpy(shape, dim, (size_t)n * sizeof *dim);
    shape[0] = -1;
    hst_tfl_operate(w, HST_TFL_RESHAPE, to, IN(x, hst_tfl_whole(w->g, shape, n)), NULL, 0);
    return to;
}

int hst_tfl_transposed(hst_tfl_writer *w, const char *name, int x, const int32_t order[4])
{
    const hst_tfl_tensor t = *hst_tfl_at(w, x);
    const int to = hst_tfl_new(
        w, name, (int32_t[]){t.dim[order[0]], t.dim[order[1]], t.dim[order[2]], t.dim[order[3]]},
        4);
    hst_tfl_operate(w, HST_TFL_TRANSPOSE, to, IN(x, hst_tfl_whole(w->g, order, 4)), NULL, 0);
    return to;
}

void hst_tfl_set_mean(hst_tfl_writer *w, int t, const float *mean)
{
    if (w->g->rc == 0)
        w->g->tensor[t].mean = mean;
}

void hst_tfl_set_range(hst_tfl_writer *w, int t, hst_range range)
{
    if (w->g->rc || !w->range || range.least >= range.most)
        return;
    w->g->tensor[t].least = range.least;
    w->g->tensor[t].most = range.most;
}

/* ---- constants ---- */

static size_t floats_of(const hst_tfl_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= (size_t)t->dim[i];
    return n;
}

void hst_tfl_scales(hst_tfl *g, hst_tfl_tensor *t)
{
    /* the numbers of a channel lie a channel apart in the program's order, whatever the file's */
    const size_t n = (size_t)t->dim[t->channel], each = floats_of(t) / n;
    t->scale = hst_tfl_floats(g, n);
    t->n_scales = n;
    for (size_t c = 0; t->scale && c < n; c++)
        t->scale[c] = hst_int8_scale(t->data + c, each, n);
}

static void balance_halves(hst_tfl *g, hst_tfl_tensor *t)
{
    const size_t n = floats_of(t);
    float *halves = hst_tfl_floats(g, n);
    if (halves && hst_halves(t->data, n, (size_t)t->dim[t->channel], halves, g->err))
        g->rc = HST_EMEM;
    t->data = halves;
}

/* A tensor that the runtime widens to float32 when it loads the model. */
static int widened(hst_tfl_writer *w, const hst_tfl_tensor *narrow)
{
    const int from = hst_tfl_tensor_add(w->g, narrow);
    const int to =
        hst_tfl_new(w, hst_tfl_name(w->g, "%s/float32", narrow->name), narrow->dim, narrow->n_dims);
    if (w->g->rc == 0)
        w->g->tensor[to].is_weight = 1;
    hst_tfl_operate(w, HST_TFL_DEQUANTIZE, to, IN(from), NULL, 0);
    return to;
}

int hst_tfl_constant(hst_tfl_writer *w, int i, const char *part, const hst_tfl_tensor *of)
{
    hst_tfl_tensor t = *of;
    t.name = hst_tfl_name(w->g, "%s/%s", hst_tfl_base(w, i), part);
    return hst_tfl_tensor_add(w->g, &t);
}

int hst_tfl_vector(hst_tfl_writer *w, int i, const char *part, const float *x)
{
    return hst_tfl_constant(
        w, i, part,
        &(hst_tfl_tensor){.n_dims = 1, .dim = {hst_do_channels(hst_tfl_step(w, i))}, .data = x});
}

int hst_tfl_kernel(hst_tfl_writer *w, int i, const hst_tfl_tensor *of, int direct)
{
    hst_tfl_tensor t = *of;
    const int depthwise = of->n_dims == 4 && of->dim[0] == 1;
    if (w->range || !hst_is_narrow(w->weights, floats_of(of),
                                   depthwise)) /* with ranges it becomes narrow with all else */
        return hst_tfl_constant(w, i, "kernel", of);
    t.name = hst_tfl_name(w->g, "%s/kernel", hst_tfl_base(w, i));
    t.type = w->weights == HST_WEIGHTS_FLOAT16 ? HST_TFL_F16 : HST_TFL_I8;
    if (t.type == HST_TFL_I8)
        hst_tfl_scales(w->g, &t);
    else
        balance_halves(w->g, &t);
    return direct && t.type == HST_TFL_I8 ? hst_tfl_tensor_add(w->g, &t) : widened(w, &t);
}

/* ---- activations ---- */

/* x sigmoid(by x) */
static int swish(hst_tfl_writer *w, const char *name, int x, double by)
{
    const int inner = by == 1 ? x
                              : hst_tfl_binary(w, HST_TFL_MUL, hst_tfl_name(w->g, "%s/times", name),
                                               x, hst_tfl_scalar(w, by));
    const int gate = hst_tfl_like(w, hst_tfl_name(w->g, "%s/gate", name), x);
    hst_tfl_operate(w, HST_TFL_LOGISTIC, gate, IN(inner), NULL, 0);
    return hst_tfl_binary(w, HST_TFL_MUL, name, x, gate);
}

/* relu6(x + 3) / 6 */
static int hsigmoid(hst_tfl_writer *w, const char *name, int x)
{
    const int clipped = hst_tfl_like(w, hst_tfl_name(w->g, "%s/clipped", name), x);
    hst_tfl_operate(w, HST_TFL_ADD, clipped, IN(x, hst_tfl_scalar(w, 3)),
                    OPTIONS(BYTE(0, HST_TFL_FUSED_RELU6)));
    hst_tfl_set_range(w, clipped, (hst_range){0, 6});
    return hst_tfl_binary(w, HST_TFL_MUL, name, clipped, hst_tfl_scalar(w, 1.0 / 6));
}

int hst_tfl_unary(hst_tfl_writer *w, enum hst_tfl_code code, const char *name, int x)
{
    const int to = hst_tfl_like(w, name, x);
    hst_tfl_operate(w, code, to, IN(x), NULL, 0);
    return to;
}

static int gelu(hst_tfl_writer *w, const char *name, int x, int approximate)
{
    const int to = hst_tfl_like(w, name, x);
    hst_tfl_operate(w, HST_TFL_GELU, to, IN(x), OPTIONS(BYTE(0, approximate)));
    return to;
}

int hst_tfl_activate(hst_tfl_writer *w, enum hst_act act, const char *name, int x)
{
    switch (act) {
    case HST_ACT_NONE:
        break;
    case HST_ACT_RELU6:
        return hst_tfl_unary(w, HST_TFL_RELU6, name, x);
    case HST_ACT_RELU:
        return hst_tfl_unary(w, HST_TFL_RELU, name, x);
    case HST_ACT_SIGMOID:
        return hst_tfl_unary(w, HST_TFL_LOGISTIC, name, x);
    case HST_ACT_HSIGMOID:
        return hsigmoid(w, name, x);
    case HST_ACT_HSWISH:
        return hst_tfl_unary(w, HST_TFL_HARD_SWISH, name, x);
    case HST_ACT_SWISH:
        return swish(w, name, x, 1);
    case HST_ACT_GELU:
        return gelu(w, name, x, 0);
    case HST_ACT_GELU_TANH:
        return gelu(w, name, x, 1);
    case HST_ACT_GELU_QUICK:
        return swish(w, name, x, 1.702);
    }
    return x;
}

int hst_tfl_fused(const hst_do_step *s)
{
    return s->act == HST_ACT_RELU    ? HST_TFL_FUSED_RELU
           : s->act == HST_ACT_RELU6 ? HST_TFL_FUSED_RELU6
                                     : HST_TFL_LINEAR;
}
