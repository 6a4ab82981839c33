/* graphdef_parts.c - what several steps are made of: nodes, constants, activations. */
#include "exports/graphdef_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *hst_tf_base(hst_tf_writer *w, int i)
{
    const hst_do_step *s = hst_tf_step(w, i);
    return s->name[0] ? hst_tf_name(w->g, "%s", s->name)
                      : hst_tf_name(w->g, "%s_%d", hst_do_names[s->what], i);
}

/* ---- nodes ---- */

const char *hst_tf_node_add(hst_tf_writer *w, const char *op, const char *name,
                            const char *const *in, const hst_tf_attr *attr, int n_attrs)
{
    hst_tf_node n = {.name = name, .op = op, .in = in, .n_attrs = n_attrs + 1};
    while (in[n.n_in])
        n.n_in++;
    n.attr[0] = (hst_tf_attr)HST_TF_TYPED("T", HST_TF_FLOAT);
    for (int i = 0; i < n_attrs; i++)
        n.attr[i + 1] = attr[i];
    hst_tf_add(w->g, &n);
    return name;
}

const char *hst_tf_unary(hst_tf_writer *w, const char *op, const char *name, const char *x)
{
    return hst_tf_node_add(w, op, name, IN(x), NULL, 0);
}

const char *hst_tf_binary(hst_tf_writer *w, const char *op, const char *name, const char *x,
                          const char *y)
{
    return hst_tf_node_add(w, op, name, IN(x, y), NULL, 0);
}

const char *hst_tf_reshaped(hst_tf_writer *w, const char *name, const char *x, const char *shape)
{
    return hst_tf_binary(w, "Reshape", name, x, shape);
}

/* ---- constants ---- */

const char *hst_tf_constant(hst_tf_writer *w, int i, const char *part, const hst_tf_tensor *of)
{
    hst_tf_tensor t = *of;
    t.is_kernel = 1;
    t.name = hst_tf_name(w->g, "%s/%s", hst_tf_base(w, i), part);
    return hst_tf_tensor_add(w->g, &t);
}

const char *hst_tf_vector(hst_tf_writer *w, int i, const char *part, const float *x)
{
    return hst_tf_constant(
        w, i, part,
        &(hst_tf_tensor){.n_dims = 1, .dim = {hst_do_channels(hst_tf_step(w, i))}, .data = x});
}

/* ---- activations ---- */

const char *hst_tf_fused(enum hst_act act)
{
    return act == HST_ACT_RELU ? "Relu" : act == HST_ACT_RELU6 ? "Relu6" : NULL;
}

/* x sigmoid(by x) */
static void swish(hst_tf_writer *w, const char *name, const char *x, double by)
{
    const char *inner = by == 1 ? x
                                : hst_tf_binary(w, "Mul", hst_tf_name(w->g, "%s/times", name), x,
                                                hst_tf_number(w->g, by));
    const char *gate = hst_tf_unary(w, "Sigmoid", hst_tf_name(w->g, "%s/gate", name), inner);
    hst_tf_binary(w, "Mul", name, x, gate);
}

/* relu6(x + 3) / 6 */
static const char *hsigmoid(hst_tf_writer *w, const char *name, const char *x)
{
    const char *sum =
        hst_tf_binary(w, "AddV2", hst_tf_name(w->g, "%s/plus_3", name), x, hst_tf_number(w->g, 3));
    const char *clipped = hst_tf_unary(w, "Relu6", hst_tf_name(w->g, "%s/clipped", name), sum);
    return hst_tf_binary(w, "Mul", name, clipped, hst_tf_number(w->g, 1.0 / 6));
}

/* 0.5 x (1 + erf(x / sqrt(2))) */
static void gelu(hst_tf_writer *w, const char *name, const char *x)
{
    const char *part = hst_tf_binary(w, "Mul", hst_tf_name(w->g, "%s/erf_of", name), x,
                                     hst_tf_number(w->g, sqrt(0.5)));
    const char *erf = hst_tf_unary(w, "Erf", hst_tf_name(w->g, "%s/erf", name), part);
    const char *one = hst_tf_binary(w, "AddV2", hst_tf_name(w->g, "%s/plus_1", name), erf,
                                    hst_tf_number(w->g, 1));
    const char *half =
        hst_tf_binary(w, "Mul", hst_tf_name(w->g, "%s/half", name), x, hst_tf_number(w->g, 0.5));
    hst_tf_binary(w, "Mul", name, half, one);
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
static void gelu_tanh(hst_tf_writer *w, const char *name, const char *x)
{
    static const char *const parts[] = {"square", "cube", "bent",   "sum",
                                        "inner",  "tanh", "plus_1", "half"};
    hst_tf *g = w->g;
    const char *n[8];
    for (int i = 0; i < 8; i++)
        n[i] = hst_tf_name(g, "%s/%s", name, parts[i]);
    hst_tf_binary(w, "Mul", n[0], x, x);
    hst_tf_binary(w, "Mul", n[1], n[0], x);
    hst_tf_binary(w, "Mul", n[2], n[1], hst_tf_number(g, 0.044715));
    hst_tf_binary(w, "AddV2", n[3], x, n[2]);
    hst_tf_binary(w, "Mul", n[4], n[3], hst_tf_number(g, 0.7978845608028654));
    hst_tf_unary(w, "Tanh", n[5], n[4]);
    hst_tf_binary(w, "AddV2", n[6], n[5], hst_tf_number(g, 1));
    hst_tf_binary(w, "Mul", n[7], x, hst_tf_number(g, 0.5));
    hst_tf_binary(w, "Mul", name, n[7], n[6]);
}

void hst_tf_activate(hst_tf_writer *w, enum hst_act act, const char *name, const char *x)
{
    switch (act) {
    case HST_ACT_NONE:
        hst_tf_unary(w, "Identity", name, x);
        break;
    case HST_ACT_RELU6:
    case HST_ACT_RELU:
        hst_tf_unary(w, hst_tf_fused(act), name, x);
        break;
    case HST_ACT_SIGMOID:
        hst_tf_unary(w, "Sigmoid", name, x);
        break;
    case HST_ACT_HSIGMOID:
        hsigmoid(w, name, x);
        break;
    case HST_ACT_HSWISH:
        hst_tf_binary(w, "Mul", name, x, hsigmoid(w, hst_tf_name(w->g, "%s/gate", name), x));
        break;
    case HST_ACT_SWISH:
        swish(w, name, x, 1);
        break;
    case HST_ACT_GELU:
        gelu(w, name, x);
        break;
    case HST_ACT_GELU_TANH:
        gelu_tanh(w, name, x);
        break;
    case HST_ACT_GELU_QUICK:
        swish(w, name, x, 1.702);
        break;
    }
}
