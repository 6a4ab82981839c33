/* onnx_act.c - activations, of which ONNX has few as one node. Those of several are written as
 * PyTorch writes them, so that runtimes put them together again. */
#include "exports/onnx.h"

#include <math.h>

#define NODE(o, op, attributes, output, ...)                                                       \
    hst_onnx_node(o, op, attributes, (const char *const[]){output, NULL},                          \
                  (const char *const[]){__VA_ARGS__, NULL})

static void gelu(hst_onnx *o, const char *x, const char *to)
{
    const char *part = hst_onnx_name(o, "%s/erf_of", to), *erf = hst_onnx_name(o, "%s/erf", to);
    const char *one = hst_onnx_name(o, "%s/plus_1", to), *by = hst_onnx_name(o, "%s/by", to);
    NODE(o, "Div", NULL, part, x, hst_onnx_number(o, sqrt(2)));
    NODE(o, "Erf", NULL, erf, part);
    NODE(o, "Add", NULL, one, erf, hst_onnx_number(o, 1));
    NODE(o, "Mul", NULL, by, x, one);
    NODE(o, "Mul", NULL, to, by, hst_onnx_number(o, 0.5));
}

/* x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), as tanh has it: 0.5 x (1 + tanh(...)). */
static void gelu_tanh(hst_onnx *o, const char *x, const char *to)
{
    static const char *const parts[] = {"square", "cube", "bent",   "sum",
                                        "inner",  "tanh", "plus_1", "half"};
    const char *n[8];
    for (int i = 0; i < 8; i++)
        n[i] = hst_onnx_name(o, "%s/%s", to, parts[i]);
    NODE(o, "Mul", NULL, n[0], x, x);
    NODE(o, "Mul", NULL, n[1], n[0], x);
    NODE(o, "Mul", NULL, n[2], n[1], hst_onnx_number(o, 0.044715));
    NODE(o, "Add", NULL, n[3], x, n[2]);
    NODE(o, "Mul", NULL, n[4], n[3], hst_onnx_number(o, 0.7978845608028654));
    NODE(o, "Tanh", NULL, n[5], n[4]);
    NODE(o, "Add", NULL, n[6], n[5], hst_onnx_number(o, 1));
    NODE(o, "Mul", NULL, n[7], x, hst_onnx_number(o, 0.5));
    NODE(o, "Mul", NULL, to, n[7], n[6]);
}

/* x sigmoid(by x). */
static void swish(hst_onnx *o, const char *x, const char *to, double by)
{
    const char *gate = hst_onnx_name(o, "%s/gate", to), *inner = x;
    if (by != 1) {
        inner = hst_onnx_name(o, "%s/times", to);
        NODE(o, "Mul", NULL, inner, x, hst_onnx_number(o, by));
    }
    NODE(o, "Sigmoid", NULL, gate, inner);
    NODE(o, "Mul", NULL, to, x, gate);
}

void hst_onnx_activate(hst_onnx *o, enum hst_act act, const char *x, const char *to)
{
    hst_buf a = HST_BUF(1 << 16);
    switch (act) {
    case HST_ACT_NONE:
        NODE(o, "Identity", NULL, to, x);
        break;
    case HST_ACT_RELU6:
        NODE(o, "Clip", NULL, to, x, hst_onnx_number(o, 0), hst_onnx_number(o, 6));
        break;
    case HST_ACT_RELU:
        NODE(o, "Relu", NULL, to, x);
        break;
    case HST_ACT_SIGMOID:
        NODE(o, "Sigmoid", NULL, to, x);
        break;
    case HST_ACT_HSIGMOID:
        hst_onnx_float(&a, "alpha", 1.0f / 6);
        hst_onnx_float(&a, "beta", 0.5f);
        NODE(o, "HardSigmoid", &a, to, x);
        break;
    case HST_ACT_HSWISH:
        NODE(o, "HardSwish", NULL, to, x);
        break;
    case HST_ACT_SWISH:
        swish(o, x, to, 1);
        break;
    case HST_ACT_GELU:
        gelu(o, x, to);
        break;
    case HST_ACT_GELU_TANH:
        gelu_tanh(o, x, to);
        break;
    case HST_ACT_GELU_QUICK:
        swish(o, x, to, 1.702);
        break;
    }
}
