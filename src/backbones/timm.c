/* timm.c - the tensor names of PyTorch Image Models, the same for every chain of blocks. */
#include "backbones/cnn.h"

#include <stdio.h>

const char *const hst_timm_body[] = {"conv_stem.", "bn1.", "blocks.", "conv_head.", "bn2.", NULL};

/* A block without an expand layer is a depthwise-separable block there: its parts are conv_dw, bn1,
 * conv_pw, bn2; else conv_pw, bn1, conv_dw, bn2, conv_pwl, bn3. */
void hst_timm_names(const hst_layer *l, hst_layer_names *out)
{
    static const hst_layer_names ends[] = {{"conv_stem", "bn1"}, {"conv_head", "bn2"}};
    if (hst_names_of_ends(l, ends, out))
        return;
    char block[32];
    snprintf(block, sizeof block, "blocks.%d.%d.", l->stage, l->repeat);
    if (!hst_layer_has_norm(l)) {
        hst_names_set(out, block, l->role == HST_SQUEEZE ? "se.conv_reduce" : "se.conv_expand", "");
        return;
    }
    const char *conv = l->role == HST_DEPTHWISE               ? "conv_dw"
                       : l->role == HST_PROJECT && l->expands ? "conv_pwl"
                                                              : "conv_pw";
    int bn = l->role == HST_EXPAND ? 1 : l->role == HST_DEPTHWISE ? 1 + l->expands : 2 + l->expands;
    char norm[16];
    snprintf(norm, sizeof norm, "bn%d", bn);
    hst_names_set(out, block, conv, norm);
}
