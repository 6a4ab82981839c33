/* known_transformers.c - which of transformers' networks a model's is (transformers 4.40 and
 * later), with their config.json; timm's, which it wraps, where it has none of its own. */
#include "backbones/cnn.h"
#include "backbones/vit.h"
#include "exports/known.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A network of its own: HST_EUNSUP is no failure, timm's is tried then. */
static void set(hst_known *k, const char *architecture, const char *prefix, json_t *args)
{
    k->library = "transformers";
    snprintf(k->architecture, sizeof k->architecture, "%s", architecture);
    k->dialect = "Hugging Face";
    k->prefix = prefix;
    k->head = "classifier";
    k->args = args;
}

/* A number of a square, else height and width. */
static json_t *image_size(hst_size s)
{
    return hst_size_is_square(s) ? json_integer(s.width) : json_pack("[ii]", s.height, s.width);
}

static void mobilenet(const hst_arch *a, hst_known *k)
{
    const int is_v1 = strcmp(a->family, "mobilenet_v1") == 0;
    set(k, is_v1 ? "MobileNetV1ForImageClassification" : "MobileNetV2ForImageClassification",
        is_v1 ? "mobilenet_v1." : "mobilenet_v2.",
        json_pack("{s:s, s:f, s:o, s:b, s:f, s:s, s:f}", "model_type", a->family,
                  "depth_multiplier", a->cnn.width, "image_size", image_size(a->size), "tf_padding",
                  a->cnn.padding == HST_PAD_TF, "layer_norm_eps", a->cnn.bn_epsilon, "hidden_act",
                  "relu6", "classifier_dropout_prob", 0.2));
}

/* ---- tables of layers ---- */

/* The blocks of every stage and the channels that they end with, as lists. */
static void stages(const hst_layers *l, json_t **blocks, json_t **channels)
{
    enum { MOST = 8 };
    int n[MOST] = {0}, c[MOST] = {0}, last = -1;
    for (int i = 0; i < l->n; i++) {
        const hst_layer *at = &l->layer[i];
        if (at->block < 0 || at->stage >= MOST)
            continue;
        n[at->stage] = at->repeat + 1;
        if (at->residual)
            c[at->stage] = at->out;
        last = at->stage > last ? at->stage : last;
    }
    *blocks = json_array();
    *channels = json_array();
    for (int s = 0; s <= last; s++) {
        json_array_append_new(*blocks, json_integer(n[s]));
        json_array_append_new(*channels, json_integer(c[s]));
    }
}

/* Blocks with stride 2 whose input is odd, which are padded on both sides. */
static json_t *odd_blocks(const hst_layers *l, int side)
{
    json_t *list = json_array();
    side = (side + 1) / 2;
    for (int i = 0; i < l->n; i++) {
        if (l->layer[i].role != HST_DEPTHWISE || l->layer[i].stride == 1)
            continue;
        if (side % 2)
            json_array_append_new(list, json_integer(l->layer[i].block));
        side = (side + 1) / 2;
    }
    return list;
}

static int efficientnet(const hst_arch *a, const hst_layers *l, hst_known *k, hst_err *err)
{
    static const double depth[] = {1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1};
    const int variant = a->family[strlen(a->family) - 1] - '0';
    if (a->cnn.padding != HST_PAD_TF || !hst_size_is_square(a->size))
        return hst_fail(err, HST_EUNSUP, "transformers' EfficientNet pads as TensorFlow does");
    set(k, "EfficientNetForImageClassification", "efficientnet.",
        json_pack("{s:s, s:f, s:f, s:i, s:i, s:o, s:f, s:s, s:f}", "model_type", "efficientnet",
                  "width_coefficient", a->cnn.width, "depth_coefficient", depth[variant],
                  "hidden_dim", l->layer[l->n - 1].out, "image_size", a->size.width,
                  "depthwise_padding", odd_blocks(l, a->size.height), "batch_norm_eps",
                  a->cnn.bn_epsilon, "hidden_act", "swish", "dropout_rate", 0.2));
    return 0;
}

/* Its bottlenecks have their stride in the second convolution, or, as Keras' V1, in the first. */
static int resnet(const hst_arch *a, const hst_layers *l, hst_known *k, hst_err *err)
{
    json_t *blocks, *channels;
    const int is_v1 = strstr(a->family, "_v1") != NULL, place = l->layer[3].place;
    if (a->cnn.padding != HST_PAD_SYMMETRIC || strncmp(a->family, "resnet_", 7) == 0 ||
        strstr(a->family, "_v2"))
        return hst_fail(err, HST_EUNSUP, "transformers has no ResNet like this one");
    stages(l, &blocks, &channels);
    set(k, "ResNetForImageClassification", "resnet.",
        json_pack("{s:s, s:i, s:o, s:o, s:s, s:s, s:b, s:b, s:o}", "model_type", "resnet",
                  "embedding_size", 64, "depths", blocks, "hidden_sizes", channels, "layer_type",
                  place == 3 ? "bottleneck" : "basic", "hidden_act", "relu",
                  "downsample_in_first_stage", 0, "downsample_in_bottleneck", is_v1, "image_size",
                  image_size(a->size)));
    k->head = "classifier.1";
    k->epsilon = 1e-5;
    return 0;
}

static void bit(const hst_arch *a, const hst_layers *l, hst_known *k)
{
    json_t *blocks, *channels;
    stages(l, &blocks, &channels);
    set(k, "BitForImageClassification", "bit.",
        json_pack("{s:s, s:i, s:o, s:o, s:s, s:s, s:i, s:i, s:b, s:o}", "model_type", "bit",
                  "embedding_size", 64, "depths", blocks, "hidden_sizes", channels, "layer_type",
                  "preactivation", "hidden_act", "relu", "num_groups", HST_BIT_GROUPS,
                  "width_factor", 1, "embedding_dynamic_padding", 0, "image_size",
                  image_size(a->size)));
    k->head = "classifier.1";
}

static void convnext(const hst_arch *a, const hst_layers *l, hst_known *k)
{
    json_t *blocks, *channels;
    stages(l, &blocks, &channels);
    set(k, "ConvNextForImageClassification", "convnext.",
        json_pack("{s:s, s:o, s:o, s:o, s:s, s:f}", "model_type", "convnext", "depths", blocks,
                  "hidden_sizes", channels, "image_size", image_size(a->size), "hidden_act", "gelu",
                  "layer_norm_eps", a->cnn.bn_epsilon));
}

static int known_cnn(const hst_arch *a, hst_known *k, hst_err *err)
{
    hst_layers l;
    int rc = hst_cnn_layers(a, &l, err);
    if (rc)
        return rc;
    if (strcmp(a->family, "mobilenet_v1") == 0 || strcmp(a->family, "mobilenet_v2") == 0)
        mobilenet(a, k);
    else if (strncmp(a->family, "efficientnet_b", 14) == 0)
        rc = efficientnet(a, &l, k, err);
    else if (strncmp(a->family, "resnet", 6) == 0)
        rc = resnet(a, &l, k, err);
    else if (strcmp(a->family, "bit_r50x1") == 0)
        bit(a, &l, k);
    else if (strncmp(a->family, "convnext_", 9) == 0)
        convnext(a, &l, k);
    else
        rc = hst_fail(err, HST_EUNSUP, "transformers has no %s", a->family);
    hst_layers_free(&l);
    return rc;
}

/* ---- vision transformers ---- */

static json_t *vit_args(const hst_arch *a, const char *type)
{
    const hst_vit_arch *v = &a->vit;
    const char *act = v->act == HST_ACT_GELU_TANH    ? "gelu_pytorch_tanh"
                      : v->act == HST_ACT_GELU_QUICK ? "quick_gelu"
                                                     : "gelu";
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:b}", "model_type", type,
                     "hidden_size", v->dim, "num_hidden_layers", v->depth, "num_attention_heads",
                     v->heads, "image_size", a->size.width, "patch_size", v->patch, "hidden_act",
                     act, "layer_norm_eps", v->epsilon, "qkv_bias", 1);
}

/* Its classifier reads the class token and the mean of the others side by side: what the model does
 * without has weights of zero. */
static int dinov2(const hst_arch *a, hst_known *k, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    if (!v->class_token || v->norm_behind || v->pre_norm || v->pool == HST_VIT_MAP ||
        v->hidden != 4 * v->dim)
        return hst_fail(err, HST_EUNSUP, "transformers has no DINOv2 like this one");
    if (v->registers)
        set(k, "Dinov2WithRegistersForImageClassification", "dinov2_with_registers.",
            vit_args(a, "dinov2_with_registers"));
    else
        set(k, "Dinov2ForImageClassification", "dinov2.", vit_args(a, "dinov2"));
    k->features = v->pool == HST_VIT_CLS    ? HST_KNOWN_CLS
                  : v->pool == HST_VIT_MEAN ? HST_KNOWN_MEAN
                                            : HST_KNOWN_SAME;
    json_object_set_new(k->args, "mlp_ratio", json_integer(4));
    if (v->registers)
        json_object_set_new(k->args, "num_register_tokens", json_integer(v->registers));
    return 0;
}

static int known_vit(const hst_arch *a, hst_known *k, hst_err *err)
{
    const hst_vit_arch *v = &a->vit;
    if (!hst_size_is_square(a->size))
        return hst_fail(err, HST_EUNSUP, "its photos are no squares");
    if (!hst_known_vit_is_plain(a))
        return hst_fail(err, HST_EUNSUP, "transformers' config is not told of such blocks");
    if (strcmp(a->family, "dinov2") == 0)
        return dinov2(a, k, err);
    if (strcmp(a->family, "vit") != 0 || !v->class_token || v->registers > 1 || v->layer_scale ||
        v->pre_norm || v->norm_behind || v->pool != HST_VIT_CLS)
        return hst_fail(err, HST_EUNSUP, "transformers has no ViT like this one");
    if (v->registers)
        set(k, "DeiTForImageClassification", "deit.", vit_args(a, "deit"));
    else
        set(k, "ViTForImageClassification", "vit.", vit_args(a, "vit"));
    json_object_set_new(k->args, "intermediate_size", json_integer(v->hidden));
    return 0;
}

/* ---- preparation ---- */

/* The nearest that its processors have: they know no border, and cut with corners rounded down. */
static json_t *processor(const hst_model *m)
{
    const hst_prep *p = &hst_model_plain(m)->view[0].prep;
    const int crops = hst_prep_crops(p),
              resize = p->resize.width < p->resize.height ? p->resize.width : p->resize.height;
    const int bicubic = strncmp(hst_interpolation_name(p->interpolation), "bicubic", 7) == 0;
    json_t *size = crops
                       ? json_pack("{s:i}", "shortest_edge", resize)
                       : json_pack("{s:i, s:i}", "height", p->size.height, "width", p->size.width);
    json_t *o = json_pack(
        "{s:s, s:b, s:o, s:i, s:b, s:f, s:b, s:o, s:o, s:b}", "image_processor_type",
        crops ? "CLIPImageProcessor" : "ViTImageProcessor", "do_resize", 1, "size", size,
        "resample", bicubic ? 3 : 2, "do_rescale", 1, "rescale_factor", 1.0 / 255, "do_normalize",
        1, "image_mean", hst_known_mean(m), "image_std", hst_known_std(m), "do_center_crop", crops);
    if (crops)
        json_object_set_new(
            o, "crop_size",
            json_pack("{s:i, s:i}", "height", p->size.height, "width", p->size.width));
    return o;
}

/* Labels by number and numbers by label, what it tells, its class. */
static int say_labels(const hst_model *m, hst_known *k)
{
    json_t *by_number = json_object(), *by_label = json_object();
    char number[16];
    int failed = 0;
    for (int i = 0; i < m->n_classes; i++) {
        snprintf(number, sizeof number, "%d", i);
        failed |= json_object_set_new(by_number, number, json_string(m->labels[i]));
        failed |= json_object_set_new(by_label, m->labels[i], json_integer(i));
    }
    failed |= json_object_set_new(k->args, "id2label", by_number);
    failed |= json_object_set_new(k->args, "label2id", by_label);
    failed |= json_object_set_new(k->args, "problem_type", json_string(hst_known_problem(m)));
    failed |= hst_known_say_thresholds(m, k->args);
    return failed |
           json_object_set_new(k->args, "architectures", json_pack("[s]", k->architecture));
}

int hst_known_transformers(const hst_model *m, hst_known *k, hst_err *err)
{
    hst_err why = {0};
    const hst_arch *a = &hst_model_plain(m)->backbone->arch;
    *k = (hst_known){0};
    const int is_vit = hst_family_find(a->family)->kind == &hst_vit;
    const int rc = is_vit ? known_vit(a, k, &why) : known_cnn(a, k, &why);
    if (rc == HST_EUNSUP) {
        hst_known_end(k);
        return hst_known_timm(m, k, err);
    }
    k->processor = rc == 0 && k->args ? processor(m) : NULL;
    if (rc || !k->processor || say_labels(m, k))
        return hst_fail(err, HST_EMEM, "out of memory");
    return 0;
}
