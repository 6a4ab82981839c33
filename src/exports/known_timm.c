/* known_timm.c - which of timm's networks a model's is (timm 1.0). */
#include "backbones/backbone.h"
#include "backbones/vit.h"
#include "exports/known.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* tf: "tf_" in front of the name is the same network as TensorFlow has it: 1: there is such a name,
 * 2: there is no other. */
static const struct row {
    const char *family;
    double width; /* 0: the family's only one */
    const char *name, *head;
    int tf;
    int wide; /* HST_KNOWN_SHIFTED */
} rows[] = {
    {"convnext_atto", 0, "convnext_atto", "head.fc", 0, 0},
    {"convnext_base", 0, "convnext_base", "head.fc", 0, 0},
    {"convnext_femto", 0, "convnext_femto", "head.fc", 0, 0},
    {"convnext_nano", 0, "convnext_nano", "head.fc", 0, 0},
    {"convnext_pico", 0, "convnext_pico", "head.fc", 0, 0},
    {"convnext_small", 0, "convnext_small", "head.fc", 0, 0},
    {"convnext_tiny", 0, "convnext_tiny", "head.fc", 0, 0},
    {"efficientnet_b0", 0, "efficientnet_b0", "classifier", 1, 0},
    {"efficientnet_b1", 0, "efficientnet_b1", "classifier", 1, 0},
    {"efficientnet_b2", 0, "efficientnet_b2", "classifier", 1, 0},
    {"efficientnet_b3", 0, "efficientnet_b3", "classifier", 1, 0},
    {"efficientnet_b4", 0, "efficientnet_b4", "classifier", 1, 0},
    {"efficientnet_b5", 0, "efficientnet_b5", "classifier", 1, 0},
    {"efficientnet_b6", 0, "efficientnet_b6", "classifier", 1, 0},
    {"efficientnet_b7", 0, "efficientnet_b7", "classifier", 1, 0},
    {"efficientnet_lite0", 0, "efficientnet_lite0", "classifier", 1, 0},
    {"efficientnet_lite1", 0, "efficientnet_lite1", "classifier", 1, 0},
    {"efficientnet_lite2", 0, "efficientnet_lite2", "classifier", 1, 0},
    {"efficientnet_lite3", 0, "efficientnet_lite3", "classifier", 1, 0},
    {"efficientnet_lite4", 0, "efficientnet_lite4", "classifier", 1, 0},
    {"efficientnet_v2_b0", 0, "efficientnetv2_b0", "classifier", 2, 0},
    {"efficientnet_v2_b1", 0, "efficientnetv2_b1", "classifier", 2, 0},
    {"efficientnet_v2_b2", 0, "efficientnetv2_b2", "classifier", 2, 0},
    {"efficientnet_v2_b3", 0, "efficientnetv2_b3", "classifier", 2, 0},
    {"efficientnet_v2_l", 0, "efficientnetv2_l", "classifier", 1, 0},
    {"efficientnet_v2_m", 0, "efficientnetv2_m", "classifier", 1, 0},
    {"efficientnet_v2_s", 0, "efficientnetv2_s", "classifier", 1, 0},
    {"efficientnet_v2_xl", 0, "efficientnetv2_xl", "classifier", 1, 0},
    {"hgnet_v2_b0", 0, "hgnetv2_b0", "head.fc", 0, 0},
    {"hgnet_v2_b1", 0, "hgnetv2_b1", "head.fc", 0, 0},
    {"hgnet_v2_b2", 0, "hgnetv2_b2", "head.fc", 0, 0},
    {"mobilenet_v1", 1, "mobilenetv1_100", "classifier", 0, 0},
    {"mobilenet_v1", 1.25, "mobilenetv1_125", "classifier", 0, 0},
    {"mobilenet_v2", 0.35, "mobilenetv2_035", "classifier", 0, 0},
    {"mobilenet_v2", 0.5, "mobilenetv2_050", "classifier", 0, 0},
    {"mobilenet_v2", 0.75, "mobilenetv2_075", "classifier", 0, 0},
    {"mobilenet_v2", 1, "mobilenetv2_100", "classifier", 0, 0},
    {"mobilenet_v2", 1.4, "mobilenetv2_140", "classifier", 0, 0},
    {"mobilenet_v3_large", 1, "mobilenetv3_large_100", "classifier", 1, 1280},
    {"mobilenet_v3_large", 0.75, "mobilenetv3_large_075", "classifier", 1, 1280},
    {"mobilenet_v3_small", 1, "mobilenetv3_small_100", "classifier", 1, 1024},
    {"mobilenet_v3_small", 0.75, "mobilenetv3_small_075", "classifier", 1, 1024},
    {"mobilenet_v4_medium", 0, "mobilenetv4_conv_medium", "classifier", 0, 0},
    {"mobilenet_v4_small", 0, "mobilenetv4_conv_small", "classifier", 0, 0},
    {"regnet_y_1_6gf", 0, "regnety_016", "head.fc", 0, 0},
    {"regnet_y_400mf", 0, "regnety_004", "head.fc", 0, 0},
    {"regnet_y_800mf", 0, "regnety_008_tv", "head.fc", 0, 0},
    {"regnet_y_800mf_pycls", 0, "regnety_008", "head.fc", 0, 0},
    {"resnet101", 0, "resnet101", "fc", 0, 0},
    {"resnet152", 0, "resnet152", "fc", 0, 0},
    {"resnet18", 0, "resnet18", "fc", 0, 0},
    {"resnet34", 0, "resnet34", "fc", 0, 0},
    {"resnet50", 0, "resnet50", "fc", 0, 0},
};

static const struct row *row_of(const hst_arch *a)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].family, a->family) == 0 &&
            (rows[i].width == 0 || rows[i].width == a->cnn.width))
            return &rows[i];
    return NULL;
}

/* Takes value; HST_EMEM. */
static int tell(hst_known *k, const char *key, json_t *value, hst_err *err)
{
    k->args = k->args ? k->args : json_object();
    return json_object_set_new(k->args, key, value) ? hst_fail(err, HST_EMEM, "out of memory") : 0;
}

/* Of timm's builders of chains, which take padding and epsilon. */
static int tell_chain(const hst_arch *a, int is_tf, hst_known *k, hst_err *err)
{
    int rc = 0;
    if ((a->cnn.padding == HST_PAD_TF) != is_tf)
        rc = tell(k, "pad_type", json_string(is_tf ? "" : "same"), err);
    if (rc == 0 && a->cnn.bn_epsilon != (is_tf ? 1e-3 : 1e-5))
        rc = tell(k, "bn_eps", json_real(a->cnn.bn_epsilon), err);
    return rc;
}

static int known_cnn(const hst_arch *a, const struct row *r, hst_known *k, hst_err *err)
{
    static const char *const fixed[] = {"convnext", "hgnet", "regnet", "resnet"};
    int is_fixed = 0, is_tf = r->tf == 2 || (r->tf && a->cnn.padding == HST_PAD_TF);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        is_fixed |= strncmp(a->family, fixed[i], strlen(fixed[i])) == 0;
    snprintf(k->architecture, sizeof k->architecture, "%s%s", is_tf ? "tf_" : "", r->name);
    k->dialect = strncmp(r->name, "resnet", 6) == 0 ? "torchvision or timm" : "timm";
    k->head = r->head;
    k->wide = r->wide;
    k->features = r->wide ? HST_KNOWN_SHIFTED : HST_KNOWN_SAME;
    if (!is_fixed)
        return tell_chain(a, is_tf, k, err);
    if (a->cnn.padding != HST_PAD_SYMMETRIC)
        return hst_fail(err, HST_EUNSUP,
                        "timm's %s cannot pad as TensorFlow does, as this one has "
                        "to",
                        r->name);
    k->epsilon = strncmp(r->name, "convnext", 8) == 0 ? 0 : 1e-5;
    return 0;
}

/* A ViT with everything told, so that names need not be found for all there are. */
static int known_vit(const hst_arch *a, hst_known *k, hst_err *err)
{
    static const char *const pools[] = {
        [HST_VIT_CLS] = "token", [HST_VIT_MEAN] = "avg", [HST_VIT_MAP] = "map"};
    const hst_vit_arch *v = &a->vit;
    const char *act = v->act == HST_ACT_GELU_TANH    ? "gelu_tanh"
                      : v->act == HST_ACT_GELU_QUICK ? "quick_gelu"
                                                     : "gelu";
    if (!hst_known_vit_is_plain(a))
        return hst_fail(err, HST_EUNSUP,
                        "a ViT with rotary positions or gated blocks is not written by another "
                        "library's names");
    if (v->pool == HST_VIT_CLS_MEAN)
        return hst_fail(err, HST_EUNSUP,
                        "features of the class token beside the mean of the others (pool "
                        "\"cls+mean\") have no place in timm's networks");
    /* hidden is dim * mlp_ratio, rounded down */
    const double ratio = v->hidden % v->dim ? (v->hidden + 0.5) / v->dim : v->hidden / v->dim;
    snprintf(k->architecture, sizeof k->architecture, "vit_base_patch16_%s224",
             v->epsilon > 3e-6 ? "clip_" : "");
    k->dialect = "timm";
    k->head = "head";
    k->args = json_pack("{s:[ii], s:i, s:i, s:i, s:i, s:f, s:b, s:i, s:b, s:b, s:b, s:s, s:s}",
                        "img_size", a->size.height, a->size.width, "patch_size", v->patch,
                        "embed_dim", v->dim, "depth", v->depth, "num_heads", v->heads, "mlp_ratio",
                        ratio, "class_token", v->class_token, "reg_tokens", v->registers,
                        "no_embed_class", 1, "pre_norm", v->pre_norm, "fc_norm", v->norm_behind,
                        "global_pool", pools[v->pool], "act_layer", act);
    if (!k->args)
        return hst_fail(err, HST_EMEM, "out of memory");
    return v->layer_scale ? tell(k, "init_values", json_real(1e-5), err) : 0;
}

int hst_known_timm(const hst_model *m, hst_known *k, hst_err *err)
{
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    const struct row *r = row_of(a);
    *k = (hst_known){.library = "timm", .prefix = ""};
    if (hst_family_find(a->family)->kind == &hst_vit)
        return known_vit(a, k, err);
    if (r)
        return known_cnn(a, r, k, err);
    return hst_fail(err, HST_EUNSUP, "timm has no %s like this one", a->family);
}

/* ---- config.json ---- */

/* Deviations and means are of pixels in 0..255 here, and float: as few digits as say them. */
static json_t *shares(const float x[3])
{
    json_t *list = json_array();
    for (int c = 0; c < 3 && list; c++) {
        const double v = (double)x[c] / 255, d = v != 0 ? pow(10, 8 - floor(log10(fabs(v)))) : 1;
        if (json_array_append_new(list, json_real(round(v * d) / d))) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

json_t *hst_known_mean(const hst_model *m)
{
    return shares(hst_model_plain(m)->view[0].prep.norm.mean);
}

json_t *hst_known_std(const hst_model *m)
{
    return shares(hst_model_plain(m)->view[0].prep.norm.std);
}

const char *hst_known_problem(const hst_model *m)
{
    return m->target == HST_TARGET_CLASS    ? "single_label_classification"
           : m->target == HST_TARGET_LABELS ? "multi_label_classification"
                                            : "regression";
}

int hst_known_say_thresholds(const hst_model *m, json_t *config)
{
    json_t *list = json_array();
    for (int i = 0; m->threshold && i < m->n_classes; i++)
        if (json_array_append_new(list, json_real((double)m->threshold[i])))
            return -1;
    if (m->threshold)
        return json_object_set_new(config, "thresholds", list);
    json_decref(list);
    return 0;
}

/* What is cut out as a part of what it is cut out of: timm rounds size / part down. */
static double crop_part(const hst_prep *p)
{
    const double part = (double)p->size.width / p->resize.width;
    return (int)floor(p->size.width / part) == p->resize.width
               ? part
               : p->size.width / (p->resize.width + 0.01);
}

json_t *hst_known_timm_config(const hst_known *k, const hst_model *m)
{
    const hst_prep *p = &hst_model_plain(m)->view[0].prep;
    const char *mode = hst_prep_crops(p)           ? "center"
                       : p->geometry == HST_SQUASH ? "squash"
                                                   : "border";
    const int bicubic = strncmp(hst_interpolation_name(p->interpolation), "bicubic", 7) == 0;
    json_t *labels = json_array();
    for (int i = 0; i < m->n_classes; i++)
        json_array_append_new(labels, json_string(m->labels[i]));
    json_t *cfg = json_pack(
        "{s:[iii], s:b, s:s, s:f, s:s, s:o, s:o, s:i, s:s}", "input_size", 3, p->size.height,
        p->size.width, "fixed_input_size", strncmp(k->architecture, "vit_", 4) == 0,
        "interpolation", bicubic ? "bicubic" : "bilinear", "crop_pct",
        hst_prep_crops(p) ? crop_part(p) : 1.0, "crop_mode", mode, "mean", hst_known_mean(m), "std",
        hst_known_std(m), "num_classes", m->n_classes, "classifier", k->head);
    json_t *config =
        json_pack("{s:s, s:i, s:i, s:o, s:o, s:s, s:o}", "architecture", k->architecture,
                  "num_classes", m->n_classes, "num_features", m->dim, "label_names", labels,
                  "model_args", k->args ? json_incref(k->args) : json_object(), "problem_type",
                  hst_known_problem(m), "pretrained_cfg", cfg);
    if (!config || hst_known_say_thresholds(m, config) == 0)
        return config;
    json_decref(config);
    return NULL;
}
