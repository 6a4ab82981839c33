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
    {"bit_r50x1", 0, "resnetv2_50x1_bit", "head.fc", 0, 0},
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
    {"inception_resnet_v2", 0, "inception_resnet_v2", "classif", 0, 0},
    {"inception_v3", 0, "inception_v3", "fc", 0, 0},
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

/* Networks whose padding and epsilon are not told. Inceptions have no padding where they have a
 * stride, so TensorFlow's is the same but for v3's averages, which timm's take over the padding
 * too. */
static int known_fixed(const hst_arch *a, const struct row *r, hst_known *k, hst_err *err)
{
    const int is_inception = strncmp(a->family, "inception", 9) == 0;
    if (a->cnn.padding != HST_PAD_SYMMETRIC && strcmp(a->family, "inception_resnet_v2") != 0)
        return hst_fail(
            err, HST_EUNSUP,
            is_inception ? "%s's %s averages over its padding too, which this one, TensorFlow's, "
                           "leaves out"
                         : "%s's %s cannot pad as TensorFlow does, as this one has to",
            k->library, r->name);
    k->epsilon = is_inception ? 1e-3 : strncmp(a->family, "convnext", 8) == 0 ? 0 : 1e-5;
    k->convolves = strcmp(a->family, "bit_r50x1") == 0;
    return 0;
}

static int known_cnn(const hst_arch *a, const struct row *r, hst_known *k, hst_err *err)
{
    static const char *const fixed[] = {"bit",       "convnext", "hgnet",
                                        "inception", "regnet",   "resnet"};
    int is_fixed = 0, is_tf = r->tf == 2 || (r->tf && a->cnn.padding == HST_PAD_TF);
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        is_fixed |= strncmp(a->family, fixed[i], strlen(fixed[i])) == 0;
    snprintf(k->architecture, sizeof k->architecture, "%s%s", is_tf ? "tf_" : "", r->name);
    k->dialect = hst_known_torch_dialect(a, "timm");
    k->head = r->head;
    k->wide = r->wide;
    k->features = r->wide ? HST_KNOWN_SHIFTED : HST_KNOWN_SAME;
    return is_fixed ? known_fixed(a, r, k, err) : tell_chain(a, is_tf, k, err);
}

static const char *const pools[] = {
    [HST_VIT_CLS] = "token", [HST_VIT_MEAN] = "avg", [HST_VIT_MAP] = "map"};

/* hidden is dim * this, rounded down */
static double mlp_ratio(const hst_vit_arch *v)
{
    return v->hidden % v->dim ? (v->hidden + 0.5) / v->dim : v->hidden / v->dim;
}

/* A ViT with everything told, so that names need not be found for all there are. */
static int known_vit(const hst_arch *a, hst_known *k, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    const char *act = v->act == HST_ACT_GELU_TANH    ? "gelu_tanh"
                      : v->act == HST_ACT_GELU_QUICK ? "quick_gelu"
                                                     : "gelu";
    snprintf(k->architecture, sizeof k->architecture, "vit_base_patch16_%s224",
             v->epsilon > 3e-6 ? "clip_" : "");
    k->args = json_pack("{s:[ii], s:i, s:i, s:i, s:i, s:f, s:b, s:i, s:b, s:b, s:b, s:s, s:s}",
                        "img_size", a->size.height, a->size.width, "patch_size", v->patch,
                        "embed_dim", v->dim, "depth", v->depth, "num_heads", v->heads, "mlp_ratio",
                        mlp_ratio(v), "class_token", v->class_token, "reg_tokens", v->registers,
                        "no_embed_class", 1, "pre_norm", v->pre_norm, "fc_norm", v->norm_behind,
                        "global_pool", pools[v->pool], "act_layer", act);
    return k->args ? 0 : hst_fail(err, HST_EMEM, "out of memory");
}

/* 1: queries' and values' biases are not alone, as in what DINOv3's authors publish. */
static int has_key_bias(const hst_graph *g, const hst_vit_arch *v)
{
    int has = 0;
    for (int block = 0; block < v->depth; block++) {
        char name[64];
        snprintf(name, sizeof name, "block_%d_qkv/bias", block);
        const hst_param *p = hst_graph_find(g, name);
        for (int i = 0; p && i < v->dim; i++)
            has |= p->data[v->dim + i] != 0;
    }
    return has;
}

/* Of timm's class Eva there are two: DINOv3's and Perception Encoder's. */
static int check_rotary(const hst_arch *a, int is_pe, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    if (!is_pe && strcmp(a->family, "dinov3") != 0)
        return hst_fail(err, HST_EUNSUP,
                        "timm has no %s with rotary positions or gated blocks like this one",
                        a->family);
    if (v->rotary.way == HST_ROTARY_ROUNDED)
        return hst_fail(err, HST_EUNSUP,
                        "the frequencies of its rotary positions are rounded to bfloat16, as in "
                        "its authors' file, and timm's are not");
    if (fabs(v->epsilon - 1e-5) > 1e-7)
        return hst_fail(err, HST_EUNSUP, "its norms have an epsilon of %g, and timm's %s 1e-05",
                        v->epsilon, a->family);
    if (is_pe && v->pool != HST_VIT_MAP)
        return hst_fail(err, HST_EUNSUP,
                        "timm's Perception Encoder is known by its attention pool, and these "
                        "features are others");
    return v->act == (v->gated ? HST_ACT_SWISH : HST_ACT_GELU)
               ? 0
               : hst_fail(err, HST_EUNSUP, "timm's %s has another activation", a->family);
}

static int known_rotary(const hst_model *m, const hst_arch *a, hst_known *k, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    const int is_pe = strcmp(a->family, "pe") == 0;
    int rc = check_rotary(a, is_pe, err);
    if (rc)
        return rc;
    const int keyed = !is_pe && has_key_bias(hst_model_plain(m)->backbone->graph, v);
    snprintf(k->architecture, sizeof k->architecture, "%s",
             is_pe ? "vit_pe_core_tiny_patch16_384" : "vit_small_patch16_dinov3_qkvb");
    k->dialect = keyed ? "timm, keys with a bias" : "timm";
    k->args = json_pack("{s:[ii], s:i, s:i, s:i, s:i, s:f, s:b, s:i, s:b, s:b, s:s, s:f, s:s}",
                        "img_size", a->size.height, a->size.width, "patch_size", v->patch,
                        "embed_dim", v->dim, "depth", v->depth, "num_heads", v->heads, "mlp_ratio",
                        mlp_ratio(v), "class_token", v->class_token, "num_reg_tokens", v->registers,
                        "use_pre_transformer_norm", v->pre_norm, "use_fc_norm", v->norm_behind,
                        "global_pool", pools[v->pool], "rope_temperature", v->rotary.base,
                        "attn_type", is_pe || keyed ? "rope" : "eva");
    if (!k->args)
        return hst_fail(err, HST_EMEM, "out of memory");
    if (v->gated) {
        rc = tell(k, "swiglu_mlp", json_true(), err);
        rc = rc ? rc : tell(k, "swiglu_align_to", json_integer(1), err); /* as many as are told */
    }
    if (rc || !is_pe)
        return rc;
    rc = tell(k, "ref_feat_shape", json_pack("[ii]", v->rotary.learned, v->rotary.learned), err);
    rc = rc ? rc : tell(k, "attn_pool_mlp_ratio", json_real(mlp_ratio(v)), err);
    return rc ? rc
              : tell(k, "attn_pool_num_heads",
                     json_integer(v->pool_heads ? v->pool_heads : v->heads), err);
}

static int known_any_vit(const hst_model *m, const hst_arch *a, hst_known *k, hst_err *err)
{
    if (a->vit.pool == HST_VIT_CLS_MEAN)
        return hst_fail(err, HST_EUNSUP,
                        "features of the class token beside the mean of the others (pool "
                        "\"cls+mean\") have no place in timm's networks");
    k->dialect = "timm";
    k->head = "head";
    const int rc = hst_known_vit_is_plain(a) ? known_vit(a, k, err) : known_rotary(m, a, k, err);
    return rc || !a->vit.layer_scale ? rc : tell(k, "init_values", json_real(1e-5), err);
}

int hst_known_timm(const hst_model *m, hst_known *k, hst_err *err)
{
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    const struct row *r = row_of(a);
    *k = (hst_known){.library = "timm", .prefix = ""};
    if (hst_family_find(a->family)->kind == &hst_vit)
        return known_any_vit(m, a, k, err);
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
