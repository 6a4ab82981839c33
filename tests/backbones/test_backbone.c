/* Backbones: shapes and counts of the families, and the refusals of files that are none. */
#include "made_up.h"
#include "support.h"

#include "backbones/cnn.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hst_arch arch(const char *family, double width, int px)
{
    hst_arch a = {.size = {px, px}, .norm = HST_NORM_PM1, .cnn = {width, HST_PAD_TF, 1e-3}};
    snprintf(a.family, sizeof a.family, "%s", family);
    return a;
}

static void count(const char *family, double width, uint64_t *all, uint64_t *statistics)
{
    hst_err err = {0};
    hst_arch a = arch(family, width, 224);
    hst_graph *g = hst_arch_graph(&a, &err);
    check_ok(g == NULL, &err);
    *all = *statistics = 0;
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        *all += hst_param_count(p);
        *statistics += p->statistic ? hst_param_count(p) : 0;
    }
    hst_graph_free(g);
}

/* keras.applications.MobileNetV2(alpha=width, include_top=False).count_params(); EfficientNet-Lite:
 * the published totals without the last layer, and the statistics. */
static void families_have_the_published_counts(void **state)
{
    (void)state;
    static const struct {
        const char *family;
        double width;
        uint64_t all, statistics;
    } want[] = {
        {"mobilenet_v2", 1.0, 2257984, 34112},
        {"mobilenet_v2", 0.35, 410208, 14080},
        {"mobilenet_v2", 0.5, 706224, 18544},
        {"mobilenet_v2", 0.75, 1382064, 26640},
        {"mobilenet_v2", 1.3, 3766048, 44256},
        {"mobilenet_v2", 1.4, 4363712, 47936},
        {"efficientnet_lite0", 1.0, 4652008 - 1281000 + 42016, 42016},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        uint64_t all, statistics;
        count(want[i].family, want[i].width, &all, &statistics);
        if (all != want[i].all || statistics != want[i].statistics)
            fail_msg("%s %g: %llu with %llu statistics, want %llu with %llu", want[i].family,
                     want[i].width, (unsigned long long)all, (unsigned long long)statistics,
                     (unsigned long long)want[i].all, (unsigned long long)want[i].statistics);
    }
}

static void archs_out_of_bounds_are_refused(void **state)
{
    (void)state;
    hst_arch bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = arch("mobilenet_v2", 1, 224);
    bad[0].cnn.width = 0.01;
    bad[1].cnn.width = NAN;
    bad[2].size.height = 31;
    bad[3].size.width = 4096;
    bad[4].cnn.bn_epsilon = 0;
    bad[5].norm.std[1] = 0;
    strcpy(bad[6].family, "resnet");
    strcpy(bad[7].family, "efficientnet_lite0");
    bad[7].cnn.width = 1.1;
    for (int i = 0; i < 8; i++) {
        hst_err err = {0};
        assert_null(hst_arch_graph(&bad[i], &err));
        assert_int_equal(err.code, HST_EMODEL);
        assert_true(strlen(err.msg) > 10);
    }
}

static void an_arch_survives_its_json(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_arch a = arch("mobilenet_v2", 0.35, 96), b;
    a.cnn.padding = HST_PAD_SYMMETRIC;
    a.norm = (hst_pixel_norm)HST_NORM_IMAGENET;
    char *text = hst_arch_json(&a, &err);
    check_ok(text == NULL, &err);
    memset(&b, 0, sizeof b);
    check_ok(hst_arch_parse(text, &b, &err), &err);
    assert_string_equal(a.family, b.family);
    assert_true(a.cnn.width == b.cnn.width && hst_size_equal(a.size, b.size) &&
                a.cnn.padding == b.cnn.padding);
    assert_true(a.cnn.bn_epsilon == b.cnn.bn_epsilon);
    assert_memory_equal(&a.norm, &b.norm, sizeof a.norm);
    free(text);
    static const char *const bad[] = {
        "",         "[]",
        "{}",       "{\"family\": 3}",
        "nonsense", "{\"family\": \"mobilenet_v2\", \"padding\": \"tf\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hst_arch_parse(bad[i], &b, &err), HST_EMODEL);
}

/* Opens a folder made of m, or its weight file alone where there is no config; the error when it is
 * refused, code 0 when it is not. */
static hst_err open_made_up(const made_up *m, const char *config, hst_backbone_info *info)
{
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    char *dir = made_up_folder(m, config), path[4096];
    snprintf(path, sizeof path, "%s%s", dir, config ? "" : "/model.safetensors");
    hst_backbone *b = hst_backbone_open(ctx, path, &err);
    if (b && info) {
        *info = *hst_backbone_describe(b);
        info->source = info->sha256 = info->family = NULL; /* end with b */
    }
    hst_backbone_free(b);
    remove_tree(dir);
    free(dir);
    hst_close(ctx);
    return err;
}

static void a_small_network_opens(void **state)
{
    (void)state;
    hst_backbone_info info = {0};
    made_up m = made_up_tensors(0.1, 1);
    assert_non_null(made_up_find(&m, "mobilenet_v2.layer.3.expand_1x1.convolution.weight"));
    assert_non_null(made_up_find(&m, "mobilenet_v2.conv_stem.reduce_1x1.normalization.bias"));
    hst_err err = open_made_up(&m, MADE_UP_CONFIG, &info);
    check_ok(err.code, &err);
    assert_int_equal(info.image_px, 32);
    assert_int_equal(info.n_features, 1280);
    assert_true(fabs(info.width - 0.1) < 1e-9);
    assert_string_equal(info.padding, "tf");
    assert_true(info.bn_epsilon == 1e-3 && info.mean[0] == 127.5 && info.std[2] == 127.5);
    assert_true(info.n_params > 50000 && info.n_statistics > 5000);
    err = open_made_up(&m, NULL, &info); /* no config.json: the usual size */
    check_ok(err.code, &err);
    assert_int_equal(info.image_px, 224);
    err = open_made_up(&m,
                       "{\"image_size\": 64, \"tf_padding\": false, \"layer_norm_eps\": 1e-5, "
                       "\"depth_multiplier\": 1.0}",
                       &info);
    check_ok(err.code, &err);
    assert_true(info.image_px == 64 && info.bn_epsilon == 1e-5);
    assert_true(fabs(info.width - 0.1) < 1e-9); /* the shapes are right, the file is not */
    assert_string_equal(info.padding, "symmetric");
    made_up_free(&m);
}

static void widths_are_told_from_shapes(void **state)
{
    (void)state;
    static const double widths[] = {0.35, 0.5, 0.62, 0.25};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        hst_backbone_info info = {0};
        made_up m = made_up_tensors(widths[i], 3);
        hst_err err = open_made_up(&m, MADE_UP_CONFIG, &info);
        check_ok(err.code, &err);
        uint64_t all, statistics;
        count("mobilenet_v2", widths[i], &all, &statistics);
        assert_int_equal(info.n_params, all);
        made_up_free(&m);
    }
}

/* Fails the test unless the folder is refused with HST_EMODEL and these words. */
static void refused(const made_up *m, const char *config, const char *why)
{
    hst_err err = open_made_up(m, config, NULL);
    if (err.code != HST_EMODEL || !strstr(err.msg, why))
        fail_msg("got %d '%s', want '%s'", err.code, err.msg, why);
}

static void wrong_configs_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "not valid JSON"},
        {"[1]", "not a JSON object"},
        {"{\"image_size\": 10}", "\"image_size\" is 10, expected 32 to 1024"},
        {"{\"image_size\": 99.5}", "whole number"},
        {"{\"image_size\": \"big\"}", "not a number"},
        {"{\"model_type\": \"resnet\"}", "'resnet'"},
        {"{\"hidden_act\": \"swish\"}", "'swish'"},
        {"{\"output_stride\": 8}", "\"output_stride\" is 8"},
        {"{\"layer_norm_eps\": -1}", "layer_norm_eps"},
        {"{\"depth_multiplier\": 1e9}", "depth_multiplier"},
        {"{\"image_size\": 32, \"image_size\": 64}", "duplicate"},
    };
    made_up m = made_up_tensors(0.1, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&m, bad[i][0], bad[i][1]);
    made_up_free(&m);
}

static void the_processor_file_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* why NULL: accepted */
        float mean, std;
    } file[] = {
        {"{\"image_mean\": [0.25, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]}", NULL, 63.75f,
         127.5f},
        {"{\"do_rescale\": false, \"image_mean\": [9, 9, 9], \"image_std\": [4, 4, 4]}", NULL, 9,
         4},
        {"{\"do_normalize\": false}", NULL, 0, 255},
        /* EfficientNet's: in 0..1, then -1, and the deviation twice */
        {"{\"image_mean\": [0.25, 0, 0], \"image_std\": [0.5, 1, 1], \"include_top\": true}", NULL,
         63.75f, 63.75f},
        {"{\"rescale_offset\": true, \"do_normalize\": false}", NULL, 255, 255},
        {"{\"image_mean\": [0.5], \"image_std\": [1, 1, 1]}", "image_mean", 0, 0},
        {"{\"image_mean\": [0, 0, 0], \"image_std\": [0, 0, 0]}", "image_std", 0, 0},
        {"{\"rescale_factor\": 0}", "rescale_factor", 0, 0},
        {"!", "preprocessor_config.json", 0, 0},
    };
    hst_ctx *ctx = made_up_ctx(1);
    made_up m = made_up_tensors(0.1, 1);
    char *dir = made_up_folder(&m, MADE_UP_CONFIG), path[4096];
    snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        hst_err err = {0};
        check_ok(hst_file_write(path, file[i].text, strlen(file[i].text), &err), &err);
        hst_backbone *b = hst_backbone_open(ctx, dir, &err);
        if (file[i].why) {
            assert_null(b);
            assert_int_equal(err.code, HST_EMODEL);
            assert_non_null(strstr(err.msg, file[i].why));
        } else {
            check_ok(b == NULL, &err);
            assert_true(fabsf(b->arch.norm.mean[0] - file[i].mean) < 1e-4f);
            assert_true(fabsf(b->arch.norm.std[0] - file[i].std) < 1e-4f);
        }
        hst_backbone_free(b);
    }
    remove_tree(dir);
    free(dir);
    made_up_free(&m);
    hst_close(ctx);
}

/* What the caller wants of both sides counts more than a file. */
static void the_caller_chooses_both_sides(void **state)
{
    (void)state;
    hst_ctx *ctx = made_up_ctx(1);
    made_up m = made_up_tensors(0.1, 1);
    char *dir = made_up_folder(&m, MADE_UP_CONFIG);
    hst_err err = {0};
    hst_backbone_opts o = hst_backbone_opts_default();
    o.image_width_px = 96;
    o.image_height_px = 33;
    hst_backbone *b = hst_backbone_open_with(ctx, dir, &o, &err);
    check_ok(b == NULL, &err);
    const hst_backbone_info *info = hst_backbone_describe(b);
    assert_true(info->image_width_px == 96 && info->image_height_px == 33 && !info->image_px);
    char wide[65], tall[65], square[65];
    check_ok(hst_backbone_identity(b, wide, &err), &err);
    check_ok(hst_backbone_identity_at(b, (hst_size){33, 96}, tall, &err), &err);
    check_ok(hst_backbone_identity_at(b, (hst_size){96, 96}, square, &err), &err);
    assert_string_not_equal(wide, tall);
    assert_string_not_equal(wide, square);
    hst_backbone_free(b);
    o.image_height_px = 0; /* both or neither */
    assert_null(hst_backbone_open_with(ctx, dir, &o, &err));
    assert_int_equal(err.code, HST_EMODEL);
    assert_non_null(strstr(err.msg, "96x0 (width x height), expected 32 to 1024"));
    remove_tree(dir);
    free(dir);
    made_up_free(&m);
    hst_close(ctx);
}

static void wrong_weights_are_refused(void **state)
{
    (void)state;
    const char *conv = "mobilenet_v2.layer.2.conv_3x3.convolution.weight";
    const char *var = "mobilenet_v2.layer.2.conv_3x3.normalization.running_var";
    made_up m = made_up_tensors(0.1, 1);
    hst_tensor *t = made_up_find(&m, conv), kept = *t;

    t->name = "elsewhere";
    refused(&m, MADE_UP_CONFIG, conv);
    refused(&m, MADE_UP_CONFIG, "is missing");
    t->name = "mobilenet_v2.layer.2.conv_3x3.convolution.bias";
    refused(&m, MADE_UP_CONFIG, "is missing");
    *t = kept;
    t->n_dims = 3;
    t->dim[2] = 9;
    refused(&m, MADE_UP_CONFIG, "[48, 1, 9], expected [48, 1, 3, 3]");
    refused(&m, MADE_UP_CONFIG, "the nearest is mobilenet_v2 (Hugging Face): ");
    *t = kept;
    ((float *)t->data)[5] = NAN;
    refused(&m, MADE_UP_CONFIG, "not a finite number");
    ((float *)t->data)[5] = INFINITY;
    refused(&m, MADE_UP_CONFIG, conv);
    ((float *)t->data)[5] = 0;
    ((float *)made_up_find(&m, var)->data)[1] = -0.5f;
    refused(&m, MADE_UP_CONFIG, "variance below zero");
    ((float *)made_up_find(&m, var)->data)[1] = 0.5f;

    t = made_up_find(&m, "classifier.bias");
    kept = *t;
    t->name = "mobilenet_v2.layer.2.squeeze.weight";
    refused(&m, MADE_UP_CONFIG, "'mobilenet_v2.layer.2.squeeze.weight' is not part of");
    t->name = "ema.conv_stem.first_conv.convolution.weight";
    refused(&m, MADE_UP_CONFIG, "more than one network");
    *t = kept;
    t = made_up_find(&m, "mobilenet_v2.conv_stem.first_conv.convolution.weight");
    kept = *t;
    t->name = "first";
    refused(&m, MADE_UP_CONFIG, "no network known here");
    *t = kept;
    made_up_free(&m);
}

/* Weights of the right shapes that make no working network. */
static void dead_networks_are_refused(void **state)
{
    (void)state;
    made_up m = made_up_tensors(0.1, 1);
    for (size_t i = 0; i < m.n; i++)
        memset((void *)m.tensor[i].data, 0, m.tensor[i].n_bytes);
    refused(&m, MADE_UP_CONFIG, "all its features are 0");
    made_up_free(&m);
    m = made_up_tensors(0.1, 1);
    hst_tensor *t = made_up_find(&m, "mobilenet_v2.conv_stem.first_conv.convolution.weight");
    memset((void *)t->data, 0, t->n_bytes);
    refused(&m, MADE_UP_CONFIG, "two different pictures have the same features");
    made_up_free(&m);
}

/* The same weights from another file are the same backbone. */
static void identity_does_not_depend_on_the_file(void **state)
{
    (void)state;
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *a = made_up_backbone(ctx, 1), *b = made_up_backbone(ctx, 2);
    hst_backbone *c = made_up_backbone(ctx, 1);
    hst_err err = {0};
    char of_a[65], of_b[65], of_c[65];
    check_ok(hst_backbone_identity(a, of_a, &err), &err);
    check_ok(hst_backbone_identity(b, of_b, &err), &err);
    check_ok(hst_backbone_identity(c, of_c, &err), &err);
    assert_int_equal(strlen(of_a), 64);
    assert_string_equal(of_a, of_c);
    assert_string_not_equal(of_a, of_b);
    hst_backbone_free(a);
    hst_backbone_free(b);
    hst_backbone_free(c);
    hst_close(ctx);
}

/* Our own names: what a graph is filled with can be read back. */
static void own_names_are_read(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(ctx, 1);
    made_up own = {0};
    own.n = hst_graph_n_params(b->graph);
    own.tensor = calloc(own.n, sizeof *own.tensor);
    for (size_t i = 0; i < own.n; i++) {
        const hst_param *p = hst_graph_param(b->graph, i);
        hst_tensor *t = &own.tensor[i];
        *t = (hst_tensor){.name = p->name, .dtype = HST_F32, .n_dims = p->n_dims, .data = p->data};
        for (int k = 0; k < p->n_dims; k++)
            t->dim[k] = p->dim[k];
        t->n_bytes = hst_param_count(p) * sizeof(float);
    }
    char *dir = made_up_folder(&own, NULL), path[4096];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    hst_backbone *c = hst_backbone_open(ctx, path, &err);
    check_ok(c == NULL, &err);
    assert_int_equal(c->arch.size.width, 224);
    for (size_t i = 0; i < own.n; i++)
        assert_memory_equal(hst_graph_param(c->graph, i)->data, own.tensor[i].data,
                            own.tensor[i].n_bytes);
    hst_backbone_free(c);
    remove_tree(dir);
    free(dir);
    free(own.tensor);
    hst_backbone_free(b);
    hst_close(ctx);
}

/* From Hugging Face's name of a tensor to that in a flat list of modules: convolution, batch norm
 * and activation three by three. NULL: it is none of the backbone. */
static char *flat_name(const char *theirs, const char *top)
{
    static const char *const parts[] = {".expand_1x1.", ".conv_3x3.", ".reduce_1x1."};
    const char *end = strrchr(theirs, '.');
    const int norm = strstr(theirs, ".normalization.") != NULL;
    char *name = NULL;
    int layer = -1, part = -1;
    for (int i = 0; i < 3; i++)
        part = strstr(theirs, parts[i]) ? i : part;
    if (strstr(theirs, ".first_conv."))
        assert_true(asprintf(&name, "features.0.%d%s", norm, end) > 0);
    else if (strstr(theirs, ".conv_1x1."))
        assert_true(asprintf(&name, "%s.%d%s", top, norm, end) > 0);
    else if (strstr(theirs, ".conv_stem."))
        assert_true(asprintf(&name, "features.1.conv.%d%s", 3 * (part - 1) + norm, end) > 0);
    else if (sscanf(theirs, "mobilenet_v2.layer.%d.", &layer) == 1)
        assert_true(asprintf(&name, "features.%d.conv.%d%s", layer + 2, 3 * part + norm, end) > 0);
    return name;
}

static void flat_blocks_are_read(void **state)
{
    (void)state;
    static const char *const tops[] = {"features.18", "conv"};
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *want = made_up_backbone(ctx, 3);
    for (int i = 0; i < 2; i++) {
        made_up m = made_up_tensors(.1, 3);
        for (size_t k = 0; k < m.n; k++) {
            char *name = flat_name(m.tensor[k].name, tops[i]);
            if (name) {
                free((void *)m.tensor[k].name);
                m.tensor[k].name = name;
            }
        }
        char *dir = made_up_folder(&m, NULL), path[4096];
        snprintf(path, sizeof path, "%s/model.safetensors", dir);
        hst_backbone *b = hst_backbone_open(ctx, path, &err);
        check_ok(b == NULL, &err);
        for (size_t k = 0; k < hst_graph_n_params(b->graph); k++) {
            const hst_param *p = hst_graph_param(b->graph, k);
            assert_memory_equal(p->data, hst_graph_param(want->graph, k)->data,
                                hst_param_count(p) * sizeof(float));
        }
        hst_backbone_free(b);
        remove_tree(dir);
        free(dir);
        made_up_free(&m);
    }
    hst_backbone_free(want);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_blocks_are_read),
        cmocka_unit_test(families_have_the_published_counts),
        cmocka_unit_test(archs_out_of_bounds_are_refused),
        cmocka_unit_test(an_arch_survives_its_json),
        cmocka_unit_test(a_small_network_opens),
        cmocka_unit_test(widths_are_told_from_shapes),
        cmocka_unit_test(wrong_configs_are_refused),
        cmocka_unit_test(the_processor_file_is_read),
        cmocka_unit_test(the_caller_chooses_both_sides),
        cmocka_unit_test(wrong_weights_are_refused),
        cmocka_unit_test(dead_networks_are_refused),
        cmocka_unit_test(identity_does_not_depend_on_the_file),
        cmocka_unit_test(own_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
