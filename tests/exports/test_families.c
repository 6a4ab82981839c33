/* Networks of every kind of step through the ways out: as C, compiled and run, and as ONNX, as a
 * TensorFlow graph and as TFLite, read back. hst_export() itself compares what they answer. */
#include "made_up.h"
#include "networks.h"
#include "support.h"

#include "base/file.h"
#include "exports/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its answers are compared; whether they could be is for the caller to see. */
static void export_model(hst_ctx *ctx, const hst_model *m, const char *to, const char *format,
                         const hst_export_opts *like, hst_exported *out)
{
    hst_err err = {0};
    hst_export_opts o = *like;
    *out = (hst_exported){.size = sizeof *out};
    o.format = format;
    check_ok(hst_export(ctx, m, to, &o, out, &err), &err);
    assert_int_equal(out->pictures, 16);
}

static void every_kind_of_step(void **state)
{
    (void)state;
    static const char *const labels[] = {"one", "two", "three"};
    static const char *const graphs[] = {"onnx", "tflite", "savedmodel", "tfjs"};
    hst_export_opts o = hst_export_opts_default();
    char *dir = temporary_folder();
    int compiled = 0;
    for (size_t i = 0; i < NETWORKS; i++) {
        hst_ctx *ctx = made_up_ctx(2);
        hst_backbone *b = made_up_network(ctx, &networks[i].arch);
        hst_model *m = made_up_model(b, labels, 3);
        hst_exported out;
        char path[512];
        o.input = i % 3 ? NULL : "float";
        o.batch = (int)i % 2;
        o.check = 1; /* where this machine's Python has ONNX Runtime, TensorFlow */
        const size_t n = networks[i].is_large == 2 ? 2 : sizeof graphs / sizeof *graphs;
        for (size_t k = 0; k < n; k++) {
            snprintf(path, sizeof path, "%s/%zu-%s", dir, i, graphs[k]);
            o.layout = i % 2 && strcmp(graphs[k], "tflite") != 0 ? "nchw" : NULL;
            export_model(ctx, m, path, graphs[k], &o, &out);
            if (getenv("HEADSTART_HELPER"))
                assert_string_equal(out.checked, "read back");
        }
        o = hst_export_opts_default();
        snprintf(path, sizeof path, "%s/%zu", dir, i);
        if (!networks[i].is_large)
            export_model(ctx, m, path, "c", &o, &out);
        compiled += out.checked[0] != 0;
        hst_model_free(m);
        hst_backbone_free(b);
        hst_close(ctx);
    }
    remove_tree(dir);
    free(dir);
    if (!compiled) {
        print_message("no C compiler here: what is written in C was not run\n");
        skip();
    }
}

/* One weight in the middle becomes another. */
static void damage(const char *path)
{
    const float other = 100;
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    assert_int_equal(fseek(f, ftell(f) / 8 * 4, SEEK_SET), 0);
    assert_int_equal(fwrite(&other, sizeof other, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static void another_weight_is_found(void **state)
{
    (void)state;
    static const struct {
        const hst_exporter *as;
        const char *name, *weights, *why;
    } formats[] = {{&hst_exporter_onnx, "m.onnx", "", "answers otherwise"},
                   {&hst_exporter_tflite, "m.tflite", "", "answers otherwise"},
                   {&hst_exporter_tfjs, "m-tfjs", "/group1-shard1of1.bin", "answers otherwise"},
                   {&hst_exporter_savedmodel, "m-savedmodel",
                    "/variables/variables.data-00000-of-00001", "check sum differs"}};
    static const char *const labels[] = {"one", "two", "three"};
    const hst_export_opts o = hst_export_opts_default();
    if (!getenv("HEADSTART_HELPER"))
        skip();
    char *dir = temporary_folder();
    hst_ctx *ctx = made_up_ctx(2);
    hst_backbone *b = made_up_network(ctx, &networks[0].arch);
    hst_model *m = made_up_model(b, labels, 3);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        hst_exported out;
        hst_err err = {0};
        char path[512], weights[600];
        snprintf(path, sizeof path, "%s/%s", dir, formats[i].name);
        snprintf(weights, sizeof weights, "%s%s", path, formats[i].weights);
        export_model(ctx, m, path, formats[i].as->name, &o, &out);
        const hst_exporting x = {
            .ctx = ctx, .model = m, .tolerance = 1e-4, .path = path, .work = dir};
        hst_expected *e = hst_export_expect(&x, NULL, &err);
        assert_non_null(e);
        check_ok(hst_export_check(&x, formats[i].as, e, 0, &out, &err), &err);
        damage(weights);
        assert_int_equal(hst_export_check(&x, formats[i].as, e, 0, &out, &err), HST_EMODEL);
        hst_expected_free(e);
        assert_non_null(strstr(err.msg, formats[i].why));
    }
    hst_model_free(m);
    hst_backbone_free(b);
    hst_close(ctx);
    remove_tree(dir);
    free(dir);
}

#define SMALL_VIT(family_, epsilon_, ...)                                                          \
    {                                                                                              \
        family_, {64, 64}, .vit = {                                                                \
            .dim = 32,                                                                             \
            .depth = 1,                                                                            \
            .heads = 2,                                                                            \
            .patch = 16,                                                                           \
            .hidden = 48,                                                                          \
            .class_token = 1,                                                                      \
            .epsilon = epsilon_,                                                                   \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define DINOV3(epsilon_, way_, ...)                                                                \
    SMALL_VIT("dinov3", epsilon_, .registers = 4, .layer_scale = 1, .no_table = 1,                 \
              .rotary = {1, HST_ROTARY_##way_, 0, 100}, __VA_ARGS__)
#define PE(...)                                                                                    \
    SMALL_VIT("pe", 1e-5, .pre_norm = 1, .act = HST_ACT_GELU,                                      \
              .rotary = {1, HST_ROTARY_PAIRS, 6, 10000}, __VA_ARGS__)

/* Which library's network each is: what its config, or the lines that load it, say; NULL: not
 * asked. */
static const struct named {
    hst_arch arch;
    const char *timm, *hf, *torch;
    int no_key_bias;
} named[] = {
    {DINOV3(1e-5, HALVES, .act = HST_ACT_GELU), "vit_small_patch16_dinov3_qkvb", "TimmWrapperFor",
     "timm.create_model(\"vit_small_patch16_dinov3_qkvb\""},
    {DINOV3(1e-5, HALVES, .act = HST_ACT_GELU, .pool = HST_VIT_MEAN), "\"attn_type\": \"eva\"",
     "TimmWrapperFor", "attn_type=\"eva\"", 1},
    {DINOV3(1e-5, HALVES, .act = HST_ACT_SWISH, .gated = 1), "vit_small_patch16_dinov3_qkvb",
     "TimmWrapperFor", "swiglu_mlp=True"},
    {PE(.pool = HST_VIT_MAP, .attention_pool = 1, .pool_heads = 8), "vit_pe_core_tiny_patch16_384",
     "TimmWrapperFor", "ref_feat_shape=(6, 6)"},
    {{"resnet18", {64, 96}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}},
     NULL,
     "ResNetForImageClassification",
     NULL},
    {{"bit_r50x1", {64, 64}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}},
     NULL,
     "BitForImageClassification",
     "timm.create_model(\"resnetv2_50x1_bit\""},
    {{"inception_v3", {96, 75}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-3}},
     NULL,
     NULL,
     "torchvision.models.inception_v3(num_classes=len(labels), aux_logits=False"},
    {{"inception_resnet_v2", {75, 75}, .cnn = {1, HST_PAD_TF, 1e-3}},
     "inception_resnet_v2",
     NULL,
     NULL},
};

static const char *const labels_of_three[] = {"one", "two", "three"};

static hst_model *small_model(hst_ctx *ctx, const struct named *n, hst_backbone **b)
{
    *b = made_up_network(ctx, &n->arch);
    for (size_t i = 0; n->no_key_bias && i < hst_graph_n_params((*b)->graph); i++) {
        const hst_param *p = hst_graph_param((*b)->graph, i);
        if (strstr(p->name, "_qkv/bias"))
            memset(p->data + n->arch.vit.dim, 0, (size_t)n->arch.vit.dim * sizeof *p->data);
    }
    return made_up_model(*b, labels_of_three, 3);
}

static void check_config(const char *folder, const char *says)
{
    hst_err err = {0};
    uint8_t *text = NULL;
    size_t n;
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", folder);
    check_ok(hst_file_read(path, 1 << 16, HST_EMODEL, &text, &n, &err), &err);
    assert_non_null(strstr((const char *)text, says));
    free(text);
}

/* Read back as anybody's file of that library would be, it answers as the model does. */
static void other_libraries_have_them(void **state)
{
    (void)state;
    static const char *const formats[] = {"timm", "hf", "torch"};
    const hst_export_opts o = hst_export_opts_default();
    char *dir = temporary_folder(), path[512];
    hst_ctx *ctx = made_up_ctx(2);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const char *const says[] = {named[i].timm, named[i].hf, named[i].torch};
        hst_backbone *b;
        hst_model *m = small_model(ctx, &named[i], &b);
        for (int k = 0; k < 3; k++) {
            hst_exported out;
            snprintf(path, sizeof path, "%s/%zu.%s", dir, i, formats[k]);
            if (!says[k])
                continue;
            export_model(ctx, m, path, formats[k], &o, &out);
            if (k == 2)
                assert_non_null(strstr(out.loader, says[k]));
            else
                check_config(path, says[k]);
            if (k < 2 || getenv("HEADSTART_HELPER"))
                assert_true(out.difference < 1e-5);
        }
        hst_model_free(m);
        hst_backbone_free(b);
    }
    hst_close(ctx);
    remove_tree(dir);
    free(dir);
}

/* By the names of another library's network only what that network would compute. */
static void other_libraries_networks_are_plain(void **state)
{
    (void)state;
    static const struct {
        hst_arch arch;
        const char *why;
    } refused[] = {
        {SMALL_VIT("vit", 1e-6, .act = HST_ACT_GELU, .rotary = {1, HST_ROTARY_PAIRS, 4, 10000}),
         "rotary"},
        {SMALL_VIT("vit", 1e-6, .act = HST_ACT_SWISH, .gated = 1, .no_table = 1,
                   .rotary = {1, HST_ROTARY_HALVES, 0, 100}),
         "rotary"},
        {DINOV3(1e-5, ROUNDED, .act = HST_ACT_GELU), "rounded"},
        {DINOV3(1e-5, HALVES, .act = HST_ACT_GELU_TANH), "activation"},
        {DINOV3(1e-5, HALVES, .act = HST_ACT_GELU, .pool = HST_VIT_CLS_MEAN), "cls+mean"},
        {DINOV3(1e-6, HALVES, .act = HST_ACT_GELU), "epsilon"},
        {PE(.pool = HST_VIT_CLS), "attention pool"},
        {{"inception_v3", {96, 75}, .cnn = {1, HST_PAD_TF, 1e-3}}, "padding"},
        {{"nasnet_mobile", {64, 64}, .cnn = {1, HST_PAD_TF, 1e-3}}, "has no nasnet_mobile"},
    };
    static const char *const formats[] = {"torch", "hf", "timm"};
    char *dir = temporary_folder(), path[512];
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        hst_backbone *b = made_up_network(ctx, &refused[i].arch);
        hst_model *m = made_up_model(b, labels_of_three, 3);
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            hst_export_opts o = hst_export_opts_default();
            hst_exported out = {.size = sizeof out};
            hst_err err = {0};
            o.format = formats[k];
            snprintf(path, sizeof path, "%s/%zu-%s", dir, i, formats[k]);
            assert_int_equal(hst_export(ctx, m, path, &o, &out, &err), HST_EUNSUP);
            if (!strstr(err.msg, refused[i].why))
                fail_msg("%zu %s: '%s'", i, formats[k], err.msg);
        }
        hst_model_free(m);
        hst_backbone_free(b);
    }
    hst_close(ctx);
    remove_tree(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(other_libraries_networks_are_plain),
                                       cmocka_unit_test(other_libraries_have_them),
                                       cmocka_unit_test(another_weight_is_found),
                                       cmocka_unit_test(every_kind_of_step)};
    return cmocka_run_group_tests_name("exports_families", tests, NULL, NULL);
}
