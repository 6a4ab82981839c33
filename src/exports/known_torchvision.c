/* known_torchvision.c - which of torchvision's networks a model's is (torchvision 0.14 and up). */
#include "exports/known.h"

#include <stdio.h>
#include <string.h>

/* Their epsilon and padding are set by whoever makes them (torch.c). */
static const struct row {
    const char *family, *name, *head;
    int any_width;
} rows[] = {
    {"convnext_base", "convnext_base", "classifier.2", 0},
    {"convnext_small", "convnext_small", "classifier.2", 0},
    {"convnext_tiny", "convnext_tiny", "classifier.2", 0},
    {"efficientnet_b0", "efficientnet_b0", "classifier.1", 0},
    {"efficientnet_b1", "efficientnet_b1", "classifier.1", 0},
    {"efficientnet_b2", "efficientnet_b2", "classifier.1", 0},
    {"efficientnet_b3", "efficientnet_b3", "classifier.1", 0},
    {"efficientnet_b4", "efficientnet_b4", "classifier.1", 0},
    {"efficientnet_b5", "efficientnet_b5", "classifier.1", 0},
    {"efficientnet_b6", "efficientnet_b6", "classifier.1", 0},
    {"efficientnet_b7", "efficientnet_b7", "classifier.1", 0},
    {"efficientnet_v2_l", "efficientnet_v2_l", "classifier.1", 0},
    {"efficientnet_v2_m", "efficientnet_v2_m", "classifier.1", 0},
    {"efficientnet_v2_s", "efficientnet_v2_s", "classifier.1", 0},
    {"inception_v3", "inception_v3", "fc", 0},
    {"mobilenet_v2", "mobilenet_v2", "classifier.1", 1},
    /* Their classifiers begin with a layer that the features do without: it is left out. */
    {"mobilenet_v3_large", "mobilenet_v3_large", "classifier", 0},
    {"mobilenet_v3_small", "mobilenet_v3_small", "classifier", 0},
    {"regnet_y_1_6gf", "regnet_y_1_6gf", "fc", 0},
    {"regnet_y_400mf", "regnet_y_400mf", "fc", 0},
    {"regnet_y_800mf", "regnet_y_800mf", "fc", 0},
    {"resnet101", "resnet101", "fc", 0},
    {"resnet152", "resnet152", "fc", 0},
    {"resnet18", "resnet18", "fc", 0},
    {"resnet34", "resnet34", "fc", 0},
    {"resnet50", "resnet50", "fc", 0},
};

static int is_vit(const hst_arch *a)
{
    const hst_vit_arch *v = &a->vit;
    return hst_known_vit_is_plain(a) && v->class_token && !v->registers && !v->layer_scale &&
           !v->pre_norm && !v->norm_behind && v->pool == HST_VIT_CLS && v->act == HST_ACT_GELU &&
           v->epsilon <= 1e-6 && hst_size_is_square(a->size);
}

static int known_vit(const hst_arch *a, hst_known *k, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    snprintf(k->architecture, sizeof k->architecture, "VisionTransformer");
    k->head = "heads.head";
    k->args = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "image_size", a->size.width, "patch_size",
                        v->patch, "num_layers", v->depth, "num_heads", v->heads, "hidden_dim",
                        v->dim, "mlp_dim", v->hidden);
    return k->args ? 0 : hst_fail(err, HST_EMEM, "out of memory");
}

/* Its averages are over the padding too, which TensorFlow's are not. */
static int inception(const hst_arch *a, hst_known *k, hst_err *err)
{
    if (a->cnn.padding != HST_PAD_SYMMETRIC)
        return hst_fail(err, HST_EUNSUP, "torchvision has no Inception of TensorFlow's averages");
    k->epsilon = 1e-3;
    k->args = json_pack("{s:b, s:b}", "aux_logits", 0, "init_weights", 0);
    return k->args ? 0 : hst_fail(err, HST_EMEM, "out of memory");
}

int hst_known_torchvision(const hst_model *m, hst_known *k, hst_err *err)
{
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    *k = (hst_known){.library = "torchvision", .dialect = "torchvision", .prefix = ""};
    if (strcmp(a->family, "vit") == 0 && is_vit(a))
        return known_vit(a, k, err);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        const int is_usual = a->cnn.width == 1 || strncmp(r->name, "mobilenet", 9) != 0;
        if (strcmp(r->family, a->family) != 0 || (!is_usual && !r->any_width))
            continue;
        snprintf(k->architecture, sizeof k->architecture, "%s", r->name);
        k->head = r->head;
        k->pads_as_tf = a->cnn.padding == HST_PAD_TF;
        k->dialect = hst_known_torch_dialect(a, "torchvision");
        if (strcmp(r->name, "inception_v3") == 0)
            return inception(a, k, err);
        if (!is_usual)
            k->args = json_pack("{s:f}", "width_mult", a->cnn.width);
        return is_usual || k->args ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    }
    return hst_fail(err, HST_EUNSUP, "torchvision has no %s like this one", a->family);
}
