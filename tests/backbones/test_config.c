/* Backbones: what a network's config.json and preprocessor_config.json say of sizes. */
#include "made_up.h"
#include "support.h"

#include "backbones/cnn.h"
#include "backbones/recognise.h"
#include "base/file.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What preprocessor_config.json says of size, of a network of 32 pixels. */
static void sizing_is_read(void **state)
{
    (void)state;
#define EDGE "\"size\": {\"shortest_edge\": 40}, \"do_center_crop\": true, "
    static const struct {
        const char *text, *geometry, *interpolation; /* geometry "": not known */
        int resize_px;
    } file[] = {
        {"{" EDGE "\"crop_size\": {\"height\": 32, \"width\": 32}, \"resample\": 2}", "crop-hf",
         "bilinear", 40},
        {"{\"size\": 40, \"do_center_crop\": true, \"crop_size\": 32, \"resample\": 3}", "crop-hf",
         "bicubic", 40},
        {"{\"size\": 32, \"crop_pct\": 0.875, \"resample\": 3}", "crop-hf", "bicubic", 36},
        {"{\"size\": {\"height\": 32, \"width\": 32}, \"resample\": 2}", "squash", "bilinear", 0},
        /* another size, another way, nothing */
        {"{" EDGE "\"crop_size\": {\"height\": 36, \"width\": 36}, \"resample\": 2}", "", "", 0},
        {"{" EDGE "\"crop_size\": {\"height\": 32, \"width\": 30}, \"resample\": 2}", "", "", 0},
        {"{" EDGE "\"crop_size\": 32, \"resample\": 1}", "", "", 0},
        {"{" EDGE "\"crop_size\": 32, \"resample\": 2, \"do_resize\": false}", "", "", 0},
        {"{\"size\": {\"shortest_edge\": 24}, \"do_center_crop\": true, \"crop_size\": 32, "
         "\"resample\": 2}",
         "", "", 0},
        {"{\"size\": 32, \"crop_pct\": 0, \"resample\": 3}", "", "", 0},
        {"{}", "", "", 0},
    };
    hst_ctx *ctx = made_up_ctx(1);
    made_up m = made_up_tensors(0.1, 1);
    char *dir = made_up_folder(&m, MADE_UP_CONFIG), path[4096];
    snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        hst_err err = {0};
        char text[512];
        snprintf(text, sizeof text, "{\"do_normalize\": false, %s", file[i].text + 1);
        if (strcmp(file[i].text, "{}") == 0)
            snprintf(text, sizeof text, "{\"do_normalize\": false}");
        check_ok(hst_file_write(path, text, strlen(text), &err), &err);
        hst_backbone *b = hst_backbone_open(ctx, dir, &err);
        check_ok(b == NULL, &err);
        const hst_backbone_info *info = hst_backbone_describe(b);
        assert_string_equal(info->geometry, file[i].geometry);
        assert_string_equal(info->interpolation, file[i].interpolation);
        assert_int_equal(info->resize_px, file[i].resize_px);
        hst_backbone_free(b);
    }
    remove_tree(dir);
    free(dir);
    made_up_free(&m);
    hst_close(ctx);
}

/* Height and width of the input, in config.json or in what prepares photos; then ours. */
static void sizes_that_are_no_square(void **state)
{
    (void)state;
    static const struct {
        const char *config, *processor;
        int width, height;
        const char *geometry;
        int resize_width, resize_height;
    } file[] = {
        {"{\"image_size\": [40, 64]}", "{}", 64, 40, "", 0, 0},
        {"{\"image_size\": 32}", "{\"size\": {\"height\": 40, \"width\": 64}, \"resample\": 2}", 64,
         40, "squash", 0, 0},
        {"{}", "{" EDGE "\"crop_size\": {\"height\": 40, \"width\": 36}, \"resample\": 3}", 36, 40,
         "crop-hf", 40, 40},
        /* the photo would have to be made wider */
        {"{}", "{" EDGE "\"crop_size\": {\"height\": 40, \"width\": 64}, \"resample\": 3}", 64, 40,
         "", 0, 0},
        {"{\"image_size\": 32}", "{\"size\": {\"height\": 40, \"width\": 2048}, \"resample\": 2}",
         32, 32, "", 0, 0},
    };
    hst_ctx *ctx = made_up_ctx(1);
    made_up m = made_up_tensors(0.1, 1);
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        hst_err err = {0};
        char *dir = made_up_folder(&m, file[i].config), path[4096], text[512];
        snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
        snprintf(text, sizeof text, "{\"do_normalize\": false%s%s",
                 strcmp(file[i].processor, "{}") == 0 ? "" : ", ", file[i].processor + 1);
        check_ok(hst_file_write(path, text, strlen(text), &err), &err);
        hst_backbone *b = hst_backbone_open(ctx, dir, &err);
        check_ok(b == NULL, &err);
        const hst_backbone_info *info = hst_backbone_describe(b);
        assert_int_equal(info->image_width_px, file[i].width);
        assert_int_equal(info->image_height_px, file[i].height);
        assert_int_equal(info->image_px, file[i].width == file[i].height ? file[i].width : 0);
        assert_string_equal(info->geometry, file[i].geometry);
        assert_int_equal(info->resize_width_px, file[i].resize_width);
        assert_int_equal(info->resize_height_px, file[i].resize_height);
        hst_backbone_free(b);
        remove_tree(dir);
        free(dir);
    }
    made_up_free(&m);
    hst_close(ctx);
}

static void timm_says_height_then_width(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int width, height; /* 0: refused */
        int resize_width, resize_height;
    } file[] = {
        {"\"input_size\": [3, 160, 320], \"crop_pct\": 0.875, \"interpolation\": \"bicubic\"", 320,
         160, 365, 182},
        {"\"input_size\": [3, 160, 320], \"crop_pct\": 1, \"crop_mode\": \"squash\", "
         "\"interpolation\": \"bilinear\"",
         320, 160, 0, 0},
        {"\"input_size\": [3, 96, 96], \"crop_pct\": 0.875, \"interpolation\": \"bicubic\"", 96, 96,
         109, 109},
        {"\"input_size\": [4, 160, 320]", 0, 0, 0, 0},
        {"\"input_size\": [3, 160.5, 320]", 0, 0, 0, 0},
        {"\"input_size\": [3, 160, 3200]", 0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        hst_err err = {0};
        char text[512];
        hst_arch a = {.family = "mobilenet_v2", .size = {224, 224}};
        snprintf(text, sizeof text,
                 "{\"architecture\": \"mobilenetv2_100\", \"pretrained_cfg\": {%s}}", file[i].text);
        json_t *o = hst_json_object(text, "config.json", &err);
        check_ok(o == NULL, &err);
        const int rc = hst_timm_config(o, &a, &err);
        assert_int_equal(rc, file[i].width ? 0 : HST_EMODEL);
        if (rc == 0) {
            assert_true(a.size.width == file[i].width && a.size.height == file[i].height);
            assert_int_equal(a.sizing.known, 1);
            assert_int_equal(a.sizing.resize.width, file[i].resize_width);
            assert_int_equal(a.sizing.resize.height, file[i].resize_height);
        }
        json_decref(o);
    }
}

static hst_origin vit_of(const char *dialect)
{
    hst_origin o = {.family = hst_family_find("vit"), .fits = 1};
    assert_non_null(o.family);
    for (size_t i = 0; i < o.family->n_dialects; i++)
        if (strcmp(o.family->dialects[i].name, dialect) == 0)
            o.dialect = &o.family->dialects[i];
    assert_non_null(o.dialect);
    return o;
}

/* Networks of tokens that learned at many pixels are used at fewer, but for those with a classifier
 * that was taught at them, or that something else prepares photos for. */
static void large_sizes_of_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *dialect, *config, *processor;
        int px;
    } file[] = {
#define TIMM(classes)                                                                              \
    "{\"architecture\": \"vit_tiny_patch16_224\", \"num_classes\": " #classes                      \
    ", \"pretrained_cfg\": {\"input_size\": [3, 480, 480]}}"
        {"timm", TIMM(0), NULL, 224},
        {"timm", TIMM(3), NULL, 480},
        {"Hugging Face", "{\"image_size\": 480}", NULL, 224},
        {"Hugging Face", "{\"image_size\": 480}", "{\"size\": {\"height\": 480, \"width\": 480}}",
         480},
        {"Hugging Face", "{\"image_size\": 480}",
         "{\"size\": {\"shortest_edge\": 256}, \"do_center_crop\": true, \"crop_size\": 192}", 192},
        {"Hugging Face", "{\"image_size\": 480}", "{\"size\": 250}", 224}, /* no whole patches */
    };
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        hst_err err = {0};
        const hst_origin o = vit_of(file[i].dialect);
        hst_arch a = {.family = "vit", .size = {224, 224}};
        o.family->kind->usual(&o, &a);
        a.vit.dim = 64;
        a.vit.heads = a.vit.class_token = 1;
        a.vit.depth = 2;
        a.vit.hidden = 256;
        a.vit.patch = 16;
        char *dir = temporary_folder(), *path = hst_path_join(dir, "config.json", &err);
        check_ok(hst_file_write(path, file[i].config, strlen(file[i].config), &err), &err);
        char *other = hst_path_join(dir, "preprocessor_config.json", &err), text[512];
        snprintf(text, sizeof text, "{\"do_normalize\": false, %s",
                 file[i].processor ? file[i].processor + 1 : "");
        check_ok(file[i].processor ? hst_file_write(other, text, strlen(text), &err) : 0, &err);
        check_ok(hst_config_read(path, &o, &a, &err), &err);
        assert_true(hst_size_equal(a.size, hst_size_square(file[i].px)));
        free(other);
        free(path);
        remove_tree(dir);
        free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizing_is_read),
        cmocka_unit_test(sizes_that_are_no_square),
        cmocka_unit_test(timm_says_height_then_width),
        cmocka_unit_test(large_sizes_of_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
