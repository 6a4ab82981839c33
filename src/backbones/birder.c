/* birder.c - what files of birder say beside their tensors: its safetensors as metadata, its .pt
 * files as members that convert/birder.c makes the same facts of.
 *
 *   birder_version  "0.8.4"
 *   rgb_stats       {"mean": [0.485, ..], "std": [0.229, ..]} of pixels in 0..1
 *   config          what the network was told that its name does not say; often absent */
#include "backbones/facts.h"
#include "base/json.h"

#include <string.h>

static int read_statistics(const char *text, hst_pixel_norm *n, hst_err *err)
{
    double mean[3] = {0}, std[3] = {0};
    json_t *o = hst_json_object(text, "rgb_stats", err);
    int rc = o ? hst_json_reals3(o, "mean", -1e3, 1e3, mean, err) : HST_EMODEL;
    rc = rc ? rc : hst_json_reals3(o, "std", 1e-6, 1e3, std, err);
    for (int c = 0; rc == 0 && c < 3; c++) {
        n->mean[c] = (float)(mean[c] * 255);
        n->std[c] = (float)(std[c] * 255);
    }
    json_decref(o);
    return rc;
}

/* Another network of the same names and shapes. */
static int check_settings(const char *text, hst_err *err)
{
    static const char *const hidden[] = {"act_layer_type",      "norm_after_pool",
                                         "norm_layer_eps",      "num_heads",
                                         "pos_embed_antialias", "pos_embed_interpolation_mode"};
    json_t *o = hst_json_object(text, "config", err);
    int rc = o ? 0 : HST_EMODEL;
    for (size_t i = 0; rc == 0 && i < sizeof hidden / sizeof *hidden; i++)
        if (hst_json_has(o, hidden[i]))
            rc = hst_fail(err, HST_EMODEL,
                          "birder's file has a setting \"%s\" of its own, which is not read here",
                          hidden[i]);
    json_decref(o);
    return rc;
}

int hst_birder_check_name(const char *file, hst_err *err)
{
    static const char *const others[] = {"rope_", "naflex_", "simple_vit", "windowed"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(file, others[i]))
            return hst_fail(err, HST_EMODEL,
                            "by its name the file is a network of birder's that is not known here: "
                            "\"%s\", of the same tensors as a vit",
                            others[i]);
    return 0;
}

int hst_birder_read(const hst_tensors *t, hst_arch *a, hst_err *err)
{
    const char *statistics = hst_tensors_meta(t, "rgb_stats");
    const char *config = hst_tensors_meta(t, "config");
    if (!hst_tensors_meta(t, "birder_version"))
        return 0;
    a->sizing = (hst_sizing){.known = 1, .interpolation = HST_BICUBIC_ANTIALIAS};
    const int rc = statistics ? read_statistics(statistics, &a->norm, err) : 0;
    return rc || !config || !*config ? rc : check_settings(config, err);
}
