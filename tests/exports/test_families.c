/* Networks of every kind of step through the ways out: as C, compiled and run, and as ONNX, as a
 * TensorFlow graph and as TFLite, read back. hst_export() itself compares what they answer. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "exports/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct network {
    hst_arch arch;
    int is_large; /* 1: too large a program in C for a test; 2: for some other formats, too */
} networks[] = {
    {{"mobilenet_v2", {65, 34}, .cnn = {0.35, HST_PAD_TF, 1e-3}}},
    {{"mobilenet_v3_small", {64, 64}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-3}}},
    {{"hgnet_v2_b0", {64, 64}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}}},
    {{"regnet_y_400mf", {64, 64}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}}},
    {{"nasnet_mobile", {64, 64}, .cnn = {1, HST_PAD_TF, 1e-3}}},
    {{"convnext_atto", {64, 32}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-6}}, 1},
    {{"inception_resnet_v2", {75, 75}, .cnn = {1, HST_PAD_TF, 1e-3}}, 2},
    {{"mobilenet_v4_small", {64, 64}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}}, 1},
    {{"vit",
      {48, 32},
      .vit = {.dim = 24,
              .depth = 2,
              .heads = 3,
              .patch = 16,
              .hidden = 48,
              .class_token = 1,
              .act = HST_ACT_SWISH,
              .epsilon = 1e-6,
              .gated = 1,
              .no_table = 1,
              .rotary = {1, HST_ROTARY_HALVES, 0, 100}}}},
    {{"vit",
      {48, 32},
      .vit = {.dim = 24,
              .depth = 1,
              .heads = 3,
              .patch = 8,
              .hidden = 48,
              .class_token = 1,
              .act = HST_ACT_GELU,
              .epsilon = 1e-6,
              .rotary = {1, HST_ROTARY_PAIRS, 4, 10000}}}},
    {{"vit",
      {48, 32},
      .vit = {.dim = 24,
              .depth = 2,
              .heads = 3,
              .patch = 16,
              .hidden = 48,
              .class_token = 1,
              .act = HST_ACT_GELU,
              .epsilon = 1e-6}}},
    {{"vit",
      {48, 32},
      .vit = {.dim = 24,
              .depth = 2,
              .heads = 2,
              .patch = 8,
              .hidden = 48,
              .class_token = 1,
              .registers = 2,
              .layer_scale = 1,
              .pool = HST_VIT_CLS_MEAN,
              .act = HST_ACT_GELU_TANH,
              .epsilon = 1e-6}}},
    {{"vit",
      {32, 32},
      .vit = {.dim = 16,
              .depth = 1,
              .heads = 2,
              .patch = 8,
              .hidden = 32,
              .pool = HST_VIT_MAP,
              .attention_pool = 1,
              .act = HST_ACT_GELU_QUICK,
              .epsilon = 1e-6}}},
    {{"vit",
      {32, 64},
      .vit = {.dim = 16,
              .depth = 1,
              .heads = 1,
              .patch = 16,
              .hidden = 32,
              .class_token = 1,
              .pre_norm = 1,
              .norm_behind = 1,
              .pool = HST_VIT_MEAN,
              .act = HST_ACT_GELU,
              .epsilon = 1e-6}}},
    {{"bit_r50x1", {64, 32}, .cnn = {1, HST_PAD_SYMMETRIC, 1e-5}}, 1},
};

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
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
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
    hst_backbone *b = made_up_network(ctx, &networks[10].arch);
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

/* By the names of another library's network only what that network would compute. */
static void other_libraries_networks_are_plain(void **state)
{
    (void)state;
    static const char *const labels[] = {"one", "two", "three"}, *const formats[] = {"torch", "hf",
                                                                                     "timm"};
    char *dir = temporary_folder(), path[512];
    hst_ctx *ctx = made_up_ctx(1);
    for (size_t i = 8; i < 10; i++) { /* with rotary positions */
        hst_backbone *b = made_up_network(ctx, &networks[i].arch);
        hst_model *m = made_up_model(b, labels, 3);
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            hst_export_opts o = hst_export_opts_default();
            hst_exported out = {.size = sizeof out};
            hst_err err = {0};
            o.format = formats[k];
            snprintf(path, sizeof path, "%s/%zu-%s", dir, i, formats[k]);
            assert_int_equal(hst_export(ctx, m, path, &o, &out, &err), HST_EUNSUP);
            assert_non_null(strstr(err.msg, "rotary"));
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
                                       cmocka_unit_test(another_weight_is_found),
                                       cmocka_unit_test(every_kind_of_step)};
    return cmocka_run_group_tests_name("exports_families", tests, NULL, NULL);
}
