/* timm.c - the tensor names of PyTorch Image Models, the same for every chain of blocks. */
#include "backbones/cnn.h"

#include <stdio.h>

const char *const hst_timm_body[] = {"conv_stem.", "bn1.", "blocks.", "conv_head.", "bn2.", NULL};

/* A block without an expand layer is a depthwise-separable block there: its parts are conv_dw, bn1,
 * conv_pw, bn2; else conv_pw, bn1, conv_dw, bn2, conv_pwl, bn3. */
void hst_timm_names(const hst_layer *l, hst_layer_names *out)
{
    if (l->role == HST_STEM) {
        *out = (hst_layer_names){"conv_stem", "bn1"};
        return;
    }
    if (l->role == HST_TOP) {
        *out = (hst_layer_names){"conv_head", "bn2"};
        return;
    }
    const char *conv = l->role == HST_DEPTHWISE               ? "conv_dw"
                       : l->role == HST_PROJECT && l->expands ? "conv_pwl"
                                                              : "conv_pw";
    int bn = l->role == HST_EXPAND ? 1 : l->role == HST_DEPTHWISE ? 1 + l->expands : 2 + l->expands;
    snprintf(out->conv, sizeof out->conv, "blocks.%d.%d.%s", l->stage, l->repeat, conv);
    snprintf(out->bn, sizeof out->bn, "blocks.%d.%d.bn%d", l->stage, l->repeat, bn);
}
