/* images: from a photo's bytes to the tensor. */
#include "support.h"

#include "base/file.h"
#include "base/sha256.h"
#include "images/prepare.h"
#include "images/resize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void contracts_have_names(void **state)
{
    (void)state;
    hst_err e = {0};
    enum hst_resampler c = HST_RESAMPLE_PIL;
    assert_string_equal(hst_resampler_name(HST_RESAMPLE_PIL), "pil");
    assert_string_equal(hst_resampler_name(HST_RESAMPLE_TF), "tf");
    assert_string_equal(hst_resampler_name(HST_RESAMPLE_FAST), "fast");
    check_ok(hst_resampler_parse("tf", &c, &e), &e);
    assert_int_equal(c, HST_RESAMPLE_TF);
    assert_int_equal(hst_resampler_parse("TF", &c, &e), HST_EARG);
    assert_int_equal(c, HST_RESAMPLE_TF);
}

static void each_channel_has_its_own_normalisation(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t rgb[2 * 2 * 3] = {0, 100, 200, 0, 100, 200, 0, 100, 200, 0, 100, 200};
    hst_image img = {rgb, 2, 2};
    hst_prep p = {HST_RESAMPLE_PIL, {3, 3}, {{10, 20, 30}, {1, 2, 4}}};
    for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_TF; c++) {
        float out[3 * 3 * 3];
        p.resampler = (enum hst_resampler)c;
        check_ok(hst_prepare(&p, &img, out, &e), &e);
        for (int i = 0; i < 9; i++) {
            assert_true(out[3 * i] == -10.0f);
            assert_true(out[3 * i + 1] == 40.0f);
            assert_true(out[3 * i + 2] == 42.5f);
        }
    }
}

#define PX 224
#define N  (PX * PX * 3)

/* A photo, its size when prepared, and where its references begin: a made-up one, which is always
 * there (golden_prepare.py), and one of the shared reference data. */
static const struct photo {
    const char *file, *tf, *tf_pil;
    size_t px;
} photos[] = {{"golden/prepare/photo.jpg", "golden/prepare/tf_", "golden/prepare/tf_pil_", 24},
              {"data/datasets/flowers/roses/14176042519_5792b37555.jpg", "golden/resize/photo_",
               "golden/resize/photo_pil_", 224}};
enum { N_PHOTOS = sizeof photos / sizeof *photos };

/* The file's bytes, to be freed; NULL where the shared data has it and is not here. */
static uint8_t *photo_bytes(const struct photo *p, size_t *n)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    char *path = shared_path(p->file);
    assert_true(path || p != photos);
    if (path)
        check_ok(hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, n, &e), &e);
    free(path);
    return bytes;
}

/* A photo through hst_prepare_bytes, pixels 0..255, to be freed; NULL: it is not here. */
static float *prepared(const struct photo *photo, const hst_prep *p)
{
    hst_err e = {0};
    size_t n = 0;
    uint8_t *bytes = photo_bytes(photo, &n);
    float *out = bytes ? calloc(photo->px * photo->px * 3, sizeof *out) : NULL;
    if (bytes)
        check_ok(hst_prepare_bytes(p, bytes, n, out, &e), &e);
    free(bytes);
    return out;
}

/* The reference prefix + name + ".npy". */
static npy reference(const char *prefix, const char *name)
{
    char relative[128];
    snprintf(relative, sizeof relative, "%s%s.npy", prefix, name);
    char *path = shared_path(relative);
    assert_non_null(path);
    npy a = npy_read(path);
    free(path);
    return a;
}

static void photo_as_tensorflow_prepares_it(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hst_interpolation how;
        double atol; /* 0: the same bits */
    } cases[] = {{"bilinear", HST_BILINEAR, 0},
                 {"bicubic", HST_BICUBIC, 1e-4},
                 {"bilinear_aa", HST_BILINEAR_ANTIALIAS, 3e-3}};
    for (size_t i = 0; i < N_PHOTOS; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            hst_prep p = {HST_RESAMPLE_TF,
                          {(int)photos[i].px, (int)photos[i].px},
                          {{0}, {1, 1, 1}},
                          cases[k].how};
            float *out = prepared(&photos[i], &p);
            if (!out)
                continue;
            npy want = reference(photos[i].tf, cases[k].name);
            assert_int_equal(want.count, photos[i].px * photos[i].px * 3);
            check_close(out, want.data, want.count, cases[k].atol, 0, cases[k].name);
            free(want.data);
            free(out);
        }
}

/* SHA-256 of floats that are bytes. */
static void digest_of_bytes(const float *x, size_t n, char hex[HST_SHA256_HEX])
{
    hst_err e = {0};
    uint8_t *pixel = calloc(n, 1), digest[32];
    for (size_t i = 0; i < n; i++)
        pixel[i] = (uint8_t)x[i];
    check_ok(hst_sha256_bytes(pixel, n, digest, &e), &e);
    hst_hex(digest, hex);
    free(pixel);
}

static void check_bytes(const float *got, const npy *want, const char *what)
{
    for (size_t i = 0; i < want->count; i++)
        if (got[i] != ((const uint8_t *)want->data)[i])
            fail_msg("%s[%zu]: %g, want %d", what, i, (double)got[i],
                     ((const uint8_t *)want->data)[i]);
}

/* The bytes of Pillow 13.0: Image.open(..).convert("RGB").resize((px, px), BILINEAR). */
static void photo_as_pillow_prepares_it(void **state)
{
    (void)state;
    hst_prep small = {
        HST_RESAMPLE_PIL, {(int)photos[0].px, (int)photos[0].px}, {{0}, {1, 1, 1}}, HST_BILINEAR};
    float *out = prepared(&photos[0], &small);
    npy want = reference("golden/prepare/", "pil_bilinear");
    check_bytes(out, &want, "pil_bilinear");
    free(want.data);
    free(out);
    hst_prep large = {
        HST_RESAMPLE_PIL, {(int)photos[1].px, (int)photos[1].px}, {{0}, {1, 1, 1}}, HST_BILINEAR};
    if (!(out = prepared(&photos[1], &large)))
        return;
    char hex[HST_SHA256_HEX];
    digest_of_bytes(out, N, hex);
    assert_string_equal(hex, "09b966b0a98d3de82aaf037734ea3c8475772554978fd7dfe3f1376b1f91d962");
    free(out);
}

/* The reference resized TensorFlow's pixels of the photo with Pillow. */
static void photo_decoded_by_one_and_resized_by_the_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PHOTOS; i++) {
        hst_err e = {0};
        size_t n = 0;
        uint8_t *bytes = photo_bytes(&photos[i], &n);
        hst_image img = {0};
        if (!bytes)
            continue;
        npy want = reference(photos[i].tf_pil, "bilinear");
        uint8_t *out = calloc(want.count, 1);
        check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_TF}, bytes, n, &img, &e),
                 &e);
        hst_resampling r = {img.rgb, img.w, img.h, 3, (int)photos[i].px, (int)photos[i].px};
        check_ok(hst_resize_pil(&r, out, &e), &e);
        assert_memory_equal(out, want.data, want.count);
        hst_image_clear(&img);
        free(bytes);
        free(out);
        free(want.data);
    }
}

/* SHA-256 of the pixels that a preparation with mean 0 and deviation 1 gives for a picture. */
static void digest_of(const hst_prep *p, const hst_image *img, char hex[HST_SHA256_HEX])
{
    hst_err e = {0};
    float *out = calloc(N, sizeof *out);
    check_ok(hst_prepare(p, img, out, &e), &e);
    digest_of_bytes(out, N, hex);
    free(out);
}

static hst_image photo_of(const char *name, int *there)
{
    hst_err e = {0};
    hst_image img = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    char path[128];
    snprintf(path, sizeof path, "data/datasets/%s", name);
    char *photo = shared_path(path);
    *there = photo != NULL;
    if (photo) {
        check_ok(hst_file_read(photo, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
        check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, bytes, n, &img, &e),
                 &e);
    }
    free(bytes);
    free(photo);
    return img;
}

/* Shortest edge 256, then the middle 224 x 224: SHA-256 of the pixels, by interpolation (bilinear,
 * bicubic) and rounding (torchvision, Hugging Face). */
static void check_middle_of_photos(void)
{
    static const struct {
        const char *photo, *want[2][2];
    } cases[] = {
        {"flowers/daisy/11124324295_503f3a0804.jpg",
         {{"df10e5688d98ca1570db5c421beb3fff9295055575c9004e485fcabcc6bdba1d",
           "df10e5688d98ca1570db5c421beb3fff9295055575c9004e485fcabcc6bdba1d"},
          {"437e8a66942e8d899d06f2949123a59ed4e4dacea347de450d059b8408243077",
           "437e8a66942e8d899d06f2949123a59ed4e4dacea347de450d059b8408243077"}}},
        {"flowers/roses/14176042519_5792b37555.jpg",
         {{"584e51762110d5974e2582d60ab2a86f8ffd9f5a6f0d14f5a632c8c2f3de143c",
           "46cf49e83a61d3a8e0838682ebcbfaa0f7e5ac98a1f22e96b19f18c301e68732"},
          {"7c102eaa0d308296c308d4642a242da4630b26742b6a36863628c4caf1e84c7b",
           "b60f19d06df406ef7b7ab7b1f328296dd697ef28d4c3086a3ab526ff7b7415ba"}}},
        {"flowers/tulips/13289268363_b9337d751e.jpg",
         {{"bb3f2a6f48dd8f716a1c088ceeae598d876b9b0fd0d639c9da6b09c822b3f83d",
           "bb3f2a6f48dd8f716a1c088ceeae598d876b9b0fd0d639c9da6b09c822b3f83d"},
          {"425d657f089bdaad65a0d88b29bb97da1d4e6518dadfc5acd7773c7692549f31",
           "425d657f089bdaad65a0d88b29bb97da1d4e6518dadfc5acd7773c7692549f31"}}},
        {"clothing/dress/07cddef1-1fc8-47e4-a28a-613e60912590.jpg",
         {{"5b74b19b120feb492d5558e1c579608ad0f5dbed38cf3aad1f3fd7b34d645105",
           "5b74b19b120feb492d5558e1c579608ad0f5dbed38cf3aad1f3fd7b34d645105"},
          {"87d72a47a7c48eb00cee492f72c9cf877ed90decede05f8a793e3553baa23650",
           "87d72a47a7c48eb00cee492f72c9cf877ed90decede05f8a793e3553baa23650"}}},
        {"clothing/hat/014b2a1b-c5a0-469b-b115-bc02b2001db5.jpg",
         {{"a5c7986cd62924b3084e257e02eeccc247ca7c6ef8387eb8a661980b1c153757",
           "92c3462bf6202f355d5abfaf27027501b0d9e05746a82f470a6125117fd1269d"},
          {"6059c223431386d37ab772851b3c19ee9c63d9df718376e52e03ca828b091d8e",
           "7f485cab882697f53f49f573d75478bd3037df23ca18b3a61ba434e88f57142e"}}},
        {"clothing/shoes/15120826-cc4c-44d4-8648-7f334bf5fd69.jpg",
         {{"6cc71989eed93a0eebb6d627bbdd636173d7f590f18463468dcb4c2c2203f49d",
           "6cc71989eed93a0eebb6d627bbdd636173d7f590f18463468dcb4c2c2203f49d"},
          {"fee6dbb27fc51d7f3d36148d4ada8a96eba374d0a2c472c4f65134b76e38a45b",
           "fee6dbb27fc51d7f3d36148d4ada8a96eba374d0a2c472c4f65134b76e38a45b"}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int there;
        hst_image img = photo_of(cases[i].photo, &there);
        if (!there)
            continue;
        for (int k = 0; k < 4; k++) {
            hst_prep p = {HST_RESAMPLE_PIL,     {PX, PX},  {{0}, {1, 1, 1}}, HST_BILINEAR,
                          HST_CROP_TORCHVISION, {256, 256}};
            char hex[HST_SHA256_HEX];
            p.interpolation = k / 2 ? HST_BICUBIC : HST_BILINEAR;
            p.geometry = k % 2 ? HST_CROP_HF : HST_CROP_TORCHVISION;
            digest_of(&p, &img, hex);
            assert_string_equal(hex, cases[i].want[k / 2][k % 2]);
        }
        hst_image_clear(&img);
    }
}

/* Shortest edge 32, then the middle 24 x 24, as torchvision and Hugging Face round it. */
static void the_middle_of_a_photo(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum hst_interpolation how;
        enum hst_geometry geometry;
    } cases[] = {{"middle_torchvision_bilinear", HST_BILINEAR, HST_CROP_TORCHVISION},
                 {"middle_torchvision_bicubic", HST_BICUBIC, HST_CROP_TORCHVISION},
                 {"middle_hf_bilinear", HST_BILINEAR, HST_CROP_HF},
                 {"middle_hf_bicubic", HST_BICUBIC, HST_CROP_HF}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_prep p = {HST_RESAMPLE_PIL,  {(int)photos[0].px, (int)photos[0].px},
                      {{0}, {1, 1, 1}},  cases[i].how,
                      cases[i].geometry, {32, 32}};
        float *out = prepared(&photos[0], &p);
        npy want = reference("golden/prepare/", cases[i].name);
        check_bytes(out, &want, cases[i].name);
        free(want.data);
        free(out);
    }
    check_middle_of_photos();
}

static hst_image made_up_photo(void)
{
    hst_err e = {0};
    size_t n = 0;
    hst_image img = {0};
    uint8_t *bytes = photo_bytes(&photos[0], &n);
    check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, bytes, n, &img, &e),
             &e);
    free(bytes);
    return img;
}

/* Columns from..from+w-1 of it. */
static hst_image columns(const hst_image *img, int from, int w)
{
    hst_image part = {malloc((size_t)w * (size_t)img->h * 3), w, img->h};
    for (int y = 0; y < img->h; y++)
        memcpy(part.rgb + (size_t)y * (size_t)w * 3,
               img->rgb + ((size_t)y * (size_t)img->w + (size_t)from) * 3, (size_t)w * 3);
    return part;
}

static void a_photo_fits_into_a_square(void **state)
{
    (void)state;
    static const struct {
        const char *name, *fit;
        int from, w;
    } cases[] = {{"pad_wide", "pad", 0, 101},
                 {"pad_tall", "pad", 20, 31},
                 {"crop", "crop", 0, 101},
                 {"pil_bilinear", "squash", 0, 101}};
    hst_image whole = made_up_photo();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_err e = {0};
        hst_prep p = {HST_RESAMPLE_PIL, {(int)photos[0].px, (int)photos[0].px}, {{0}, {1, 1, 1}}};
        const size_t n = photos[0].px * photos[0].px * 3;
        float *out = calloc(n, sizeof *out);
        hst_image img = columns(&whole, cases[i].from, cases[i].w);
        npy want = reference("golden/prepare/", cases[i].name);
        check_ok(hst_prep_fit(&p, cases[i].fit, &e), &e);
        check_ok(hst_prep_check(&p, &e), &e);
        check_ok(hst_prepare(&p, &img, out, &e), &e);
        assert_int_equal((int)want.count, (int)n);
        for (size_t k = 0; k < n; k++) {
            const float v = want.type[1] == 'f' ? ((const float *)want.data)[k]
                                                : (float)((const uint8_t *)want.data)[k];
            if (out[k] != v)
                fail_msg("%s: %g at %zu, want %g", cases[i].name, (double)out[k], k, (double)v);
        }
        free(want.data);
        free(out);
        hst_image_clear(&img);
    }
    hst_image_clear(&whole);
}

/* The ground is what becomes 0; mirrored, margins and all change sides; the whole photo is seen. */
static void the_ground_of_a_padded_photo(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t rgb[3 * 3] = {10, 20, 30, 40, 50, 60, 70, 80, 90};
    hst_image img = {rgb, 1, 3};
    for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_FAST; c++) {
        float out[4 * 4 * 3];
        hst_image_part part;
        hst_prep p = {
            (enum hst_resampler)c, {4, 4}, {{10, 20, 30}, {1, 1, 1}}, .geometry = HST_PAD};
        check_ok(hst_prepare(&p, &img, out, &e), &e); /* one column of four: margins 1.5, so 2 */
        for (int i = 0; i < 16; i++)
            if (i % 4 != 2)
                assert_true(out[3 * i] == 0 && out[3 * i + 2] == 0);
        assert_true(out[3 * 14] == 60 && out[3 * 14 + 2] == 60);
        p.mirror = 1;
        check_ok(hst_prepare(&p, &img, out, &e), &e);
        assert_true(out[3 * 13] == 60 && out[3 * 14] == 0);
        check_ok(hst_prep_part(&p, 1, 3, &part, &e), &e);
        assert_true(part.left == -2 && part.width == 4 && part.top == 0 && part.height == 1);
    }
    uint8_t line[3 * 100];
    float seen[4 * 4 * 3];
    hst_prep p = {.size = {4, 4}, .norm = {{0}, {1, 1, 1}}, .geometry = HST_PAD};
    memset(line, 200, sizeof line); /* 0.04 pixels wide, which is one */
    check_ok(hst_prepare(&p, &(hst_image){line, 1, 100}, seen, &e), &e);
    assert_true(seen[3 * 2] == 200 && seen[3 * 1] == 127.5f && seen[3 * 3] == 127.5f);
    assert_int_equal(hst_prep_fit(&p, "stretch", &e), HST_EARG);
}

/* Of 4 columns 1 in the middle, 1.5 from the edge: half to even is 2, rounded down 1; of 2 columns
 * both are 0. Of 6: 2.5, which both take as 2. Pixels are their column's number. */
static void the_corner_of_the_middle(void **state)
{
    (void)state;
    static const struct {
        int w;
        float torchvision, hf;
    } cases[] = {{1, 0, 0}, {2, 0, 0}, {3, 1, 1}, {4, 2, 1}, {6, 2, 2}, {8, 4, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_TF; c++) {
            hst_err e = {0};
            uint8_t rgb[8 * 3];
            float out[3];
            for (int k = 0; k < 8 * 3; k++)
                rgb[k] = (uint8_t)(k / 3);
            hst_image img = {rgb, cases[i].w, 1};
            hst_prep p = {(enum hst_resampler)c, {1, 1}, {{0}, {1, 1, 1}}, HST_BICUBIC,
                          HST_CROP_TORCHVISION,  {1, 1}};
            check_ok(hst_prepare(&p, &img, out, &e), &e);
            assert_true(out[0] == cases[i].torchvision && out[2] == out[0]);
            p.geometry = HST_CROP_HF;
            check_ok(hst_prepare(&p, &img, out, &e), &e);
            assert_true(out[0] == cases[i].hf);
        }
}

static void what_cannot_be_cropped(void **state)
{
    (void)state;
    enum { LONG = 100000 };
    hst_err e = {0};
    hst_prep p = {HST_RESAMPLE_PIL, {PX, PX},    {{0}, {1, 1, 1}},
                  HST_BILINEAR,     HST_CROP_HF, {PX, PX}};
    float *out = calloc(N, sizeof *out);
    uint8_t *rgb = calloc(LONG, 3);
    hst_image img = {rgb, 1, LONG};
    check_ok(hst_prep_check(&p, &e), &e);
    assert_int_equal(hst_prepare(&p, &img, out, &e), HST_EIMAGE);
    assert_non_null(strstr(e.msg, "too narrow"));
    p.resize = hst_size_square(PX - 1);
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    p.geometry = HST_SQUASH;
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    p.resize = hst_size_square(0);
    check_ok(hst_prep_check(&p, &e), &e);
    free(rgb);
    free(out);
}

static void interpolations_and_geometries_have_names(void **state)
{
    (void)state;
    hst_err e = {0};
    for (int i = HST_BILINEAR; i <= HST_BICUBIC_ANTIALIAS; i++) {
        enum hst_interpolation back = HST_BILINEAR;
        const char *name = hst_interpolation_name((enum hst_interpolation)i);
        check_ok(hst_interpolation_parse(name, &back, &e), &e);
        assert_int_equal(back, i);
    }
    for (int g = HST_SQUASH; g <= HST_PAD; g++) {
        enum hst_geometry back = HST_SQUASH;
        check_ok(hst_geometry_parse(hst_geometry_name((enum hst_geometry)g), &back, &e), &e);
        assert_int_equal(back, g);
    }
    assert_int_equal(hst_interpolation_parse("nearest", &(enum hst_interpolation){0}, &e),
                     HST_EARG);
    assert_int_equal(hst_geometry_parse("pad", &(enum hst_geometry){0}, &e), HST_EARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_have_names),
        cmocka_unit_test(each_channel_has_its_own_normalisation),
        cmocka_unit_test(photo_as_tensorflow_prepares_it),
        cmocka_unit_test(photo_as_pillow_prepares_it),
        cmocka_unit_test(photo_decoded_by_one_and_resized_by_the_other),
        cmocka_unit_test(the_middle_of_a_photo),
        cmocka_unit_test(a_photo_fits_into_a_square),
        cmocka_unit_test(the_ground_of_a_padded_photo),
        cmocka_unit_test(the_corner_of_the_middle),
        cmocka_unit_test(what_cannot_be_cropped),
        cmocka_unit_test(interpolations_and_geometries_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
