/* names.c - how programs that write weights name a layer's parameters, and those formats that only
 * count. */
#include "backbones/family.h"

#include <stdio.h>

const hst_style hst_style_torch = {
    1, ".weight", {".weight", ".weight", ".bias", ".running_mean", ".running_var", ".bias"}};
const hst_style hst_style_keras = {
    0,
    "/depthwise_kernel",
    {"/kernel", "/gamma", "/beta", "/moving_mean", "/moving_variance", "/bias"}};
/* TensorFlow's slim library, which the networks of TF Hub were made with. */
const hst_style hst_style_slim = {
    0,
    "/depthwise_weights",
    {"/weights", "/gamma", "/beta", "/moving_mean", "/moving_variance", "/biases"}};

void hst_foreign_name(const hst_origin *o, const hst_layer *l, enum hst_part part, char *out,
                      size_t cap)
{
    hst_layer_names names;
    const hst_style *style = o->dialect->style;
    (o->dialect->names ? o->dialect->names : o->family->names)(l, &names);
    int of_conv = part == HST_KERNEL || part == HST_BIAS;
    snprintf(out, cap, "%s%s%s", o->prefix, of_conv ? names.conv : names.bn,
             part == HST_KERNEL && l->role == HST_DEPTHWISE ? style->depthwise : style->part[part]);
}

const char *const hst_numbered_body[] = {"op", NULL};
const char *const hst_counted_body[] = {"conv2d", "depthwise_conv2d", "batch_normalization", NULL};

void hst_numbered_names(const hst_layer *l, hst_layer_names *out)
{
    snprintf(out->conv, sizeof out->conv, "op%d", l->number);
    snprintf(out->bn, sizeof out->bn, "op%d", l->number);
}

/* The first has no number. */
static void count(const char *class, int number, char *out, size_t cap)
{
    if (number)
        snprintf(out, cap, "%s_%d", class, number);
    else
        snprintf(out, cap, "%s", class);
}

void hst_counted_names(const hst_layer *l, hst_layer_names *out)
{
    count(l->role == HST_DEPTHWISE ? "depthwise_conv2d" : "conv2d", l->of_kind, out->conv,
          sizeof out->conv);
    *out->bn = 0;
    if (l->role != HST_SQUEEZE && l->role != HST_EXCITE)
        count("batch_normalization", l->of_norm, out->bn, sizeof out->bn);
}
