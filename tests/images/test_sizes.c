/* images: width and height as words and in JSON; photos prepared for inputs that are no square,
 * beside Pillow, torchvision and timm (golden_sizes.py). */
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "images/augment.h"
#include "images/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void words_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int width, height; /* 0: it is no size */
    } cases[] = {{"224", 224, 224},  {"320x160", 320, 160}, {"1x9999", 1, 9999}, {"", 0, 0},
                 {"x", 0, 0},        {"0", 0, 0},           {"0x20", 0, 0},      {"160x", 0, 0},
                 {"x160", 0, 0},     {"320x160x3", 0, 0},   {"12345", 0, 0},     {"320X160", 0, 0},
                 {" 320x160", 0, 0}, {"320x160 ", 0, 0},    {"-3x4", 0, 0},      {"1e2", 0, 0},
                 {"320x-160", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_size s = {7, 8};
        const int is = hst_size_parse(cases[i].word, strlen(cases[i].word), &s);
        char text[HST_SIZE_TEXT];
        assert_int_equal(is, cases[i].width > 0);
        assert_int_equal(s.width, is ? cases[i].width : 7);
        assert_int_equal(s.height, is ? cases[i].height : 8);
        if (is)
            assert_string_equal(hst_size_text(s, text), cases[i].word);
    }
    hst_size s;
    assert_true(hst_size_parse("320x160,mirror", 7, &s) && s.height == 160);
}

static void json_has_one_number_or_two(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int width, height; /* 0: refused */
    } cases[] = {{"{\"a_px\":64}", 64, 64},
                 {"{\"a_height_px\":33,\"a_width_px\":64}", 64, 33},
                 {"{\"a_width_px\":64}", 0, 0},
                 {"{\"a_height_px\":64}", 0, 0},
                 {"{\"a_height_px\":64,\"a_width_px\":31}", 0, 0},
                 {"{\"a_height_px\":\"64\",\"a_width_px\":64}", 0, 0},
                 {"{\"a_px\":101}", 0, 0},
                 {"{}", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err e = {0};
        hst_size s = {7, 8};
        json_t *o = hst_json_object(cases[i].json, "a", &e);
        const int rc = hst_size_read(o, "a", 32, 100, &s, &e);
        assert_int_equal(rc, cases[i].width ? 0 : HST_EMODEL);
        assert_int_equal(s.width, cases[i].width ? cases[i].width : 7);
        assert_int_equal(s.height, cases[i].width ? cases[i].height : 8);
        json_decref(o);
        o = json_object();
        assert_int_equal(hst_size_write(s, "a", o), 0);
        char *text = hst_json_dump(o, &e);
        if (rc == 0)
            assert_string_equal(text, cases[i].json);
        free(text);
    }
}

/* ---- prepared ---- */

static hst_image decoded(const char *what)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    hst_image img = {0};
    char *path = shared_path("golden/prepare/photo.jpg");
    check_ok(hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
    check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, bytes, n, &img, &e),
             &e);
    free(bytes);
    free(path);
    if (strcmp(what, "photo") == 0)
        return img;
    enum { FROM = 20, W = 31 };
    for (int y = 0; y < img.h; y++)
        memmove(img.rgb + (size_t)y * W * 3, img.rgb + (size_t)(y * img.w + FROM) * 3, W * 3);
    img.w = W;
    return img;
}

static void check_prepared(const char *what, const hst_prep *p, const char *how)
{
    hst_err e = {0};
    char name[96], size[HST_SIZE_TEXT];
    snprintf(name, sizeof name, "golden/prepare/%s_%s_%s.npy", what, hst_size_text(p->size, size),
             how);
    char *path = shared_path(name);
    assert_non_null(path);
    npy want = npy_read(path);
    const size_t n = hst_size_pixels(p->size) * 3;
    float *out = calloc(n, sizeof *out);
    hst_image img = decoded(what);
    assert_int_equal(want.count, n);
    check_ok(hst_prep_check(p, &e), &e);
    check_ok(hst_prepare(p, &img, out, &e), &e);
    for (size_t i = 0; i < n; i++) {
        const float v = want.type[1] == 'f' ? ((const float *)want.data)[i]
                                            : (float)((const uint8_t *)want.data)[i];
        if (out[i] != v)
            fail_msg("%s: %g at %zu, want %g", name, (double)out[i], i, (double)v);
    }
    hst_image_clear(&img);
    free(out);
    free(want.data);
    free(path);
}

static void photos_become_no_squares(void **state)
{
    (void)state;
    static const char *const photos[] = {"photo", "column"}, *const fits[] = {"squash", "crop",
                                                                              "pad"};
    static const hst_size sizes[] = {{41, 20}, {18, 31}}, hub[] = {{51, 25}, {22, 38}};
    for (int k = 0; k < 2; k++)
        for (int s = 0; s < 2; s++) {
            hst_err e = {0};
            hst_prep p = {.size = sizes[s], .norm = {{0}, {1, 1, 1}}};
            for (int f = 0; f < 3; f++) {
                check_ok(hst_prep_fit(&p, fits[f], &e), &e);
                check_prepared(photos[k], &p, fits[f]);
            }
            p.geometry = HST_CROP_HF;
            p.resize = hst_size_square(45);
            check_prepared(photos[k], &p, "hf");
            p.geometry = HST_CROP_TORCHVISION;
            p.resize = hub[s];
            p.interpolation = HST_BICUBIC;
            check_prepared(photos[k], &p, "hub");
        }
}

/* The part that is seen has the input's proportions; mirrored rows are as long as the width. */
static void parts_and_mirrors(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_image_part part;
    hst_prep p = {.size = {40, 20}, .norm = {{0}, {1, 1, 1}}};
    check_ok(hst_prep_fit(&p, "crop", &e), &e);
    check_ok(hst_prep_part(&p, 100, 100, &part, &e), &e);
    assert_true(part.left == 0 && part.width == 1 && part.top == 0.25 && part.height == 0.5);
    check_ok(hst_prep_fit(&p, "pad", &e), &e);
    check_ok(hst_prep_part(&p, 100, 100, &part, &e), &e);
    assert_true(part.left == -0.5 && part.width == 2 && part.top == 0 && part.height == 1);
    p.resampler = HST_RESAMPLE_FAST;
    assert_int_equal(hst_prep_least_px(&p), 40);

    hst_image img = decoded("photo");
    float out[40 * 20 * 3], back[40 * 20 * 3];
    check_ok(hst_prepare(&p, &img, out, &e), &e);
    p.mirror = 1;
    check_ok(hst_prepare(&p, &img, back, &e), &e);
    for (int i = 0; i < 40 * 20; i++)
        assert_memory_equal(out + (ptrdiff_t)3 * i,
                            back + (ptrdiff_t)3 * (i / 40 * 40 + 39 - i % 40), 3 * sizeof *out);
    hst_image_clear(&img);
}

static void what_cannot_be_cut_out(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_prep p = {.size = {40, 20}, .geometry = HST_CROP_HF, .resize = {40, 19}};
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    assert_non_null(strstr(e.msg, "40 x 19 pixels (width x height)"));
    p.resize = hst_size_square(39);
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    p.resize = (hst_size){40, 20};
    check_ok(hst_prep_check(&p, &e), &e);
    enum { LONG = 2000000 };
    uint8_t *rgb = calloc(LONG, 3);
    hst_image img = {rgb, 1, LONG};
    float out[40 * 20 * 3];
    assert_int_equal(hst_prepare(&p, &img, out, &e), HST_EIMAGE);
    assert_non_null(strstr(e.msg, "too narrow"));
    free(rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read),           cmocka_unit_test(json_has_one_number_or_two),
        cmocka_unit_test(photos_become_no_squares), cmocka_unit_test(parts_and_mirrors),
        cmocka_unit_test(what_cannot_be_cut_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
