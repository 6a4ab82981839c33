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
    enum hst_contract c = HST_CONTRACT_PIL;
    assert_string_equal(hst_contract_name(HST_CONTRACT_PIL), "pil");
    assert_string_equal(hst_contract_name(HST_CONTRACT_TF), "tf");
    assert_string_equal(hst_contract_name(HST_CONTRACT_FAST), "fast");
    check_ok(hst_contract_parse("tf", &c, &e), &e);
    assert_int_equal(c, HST_CONTRACT_TF);
    assert_int_equal(hst_contract_parse("TF", &c, &e), HST_EARG);
    assert_int_equal(c, HST_CONTRACT_TF);
}

static void each_channel_has_its_own_normalisation(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t rgb[2 * 2 * 3] = {0, 100, 200, 0, 100, 200, 0, 100, 200, 0, 100, 200};
    hst_image img = {rgb, 2, 2};
    hst_prep p = {HST_CONTRACT_PIL, 3, {{10, 20, 30}, {1, 2, 4}}};
    for (int c = HST_CONTRACT_PIL; c <= HST_CONTRACT_TF; c++) {
        float out[3 * 3 * 3];
        p.contract = (enum hst_contract)c;
        check_ok(hst_prepare(&p, &img, out, &e), &e);
        for (int i = 0; i < 9; i++) {
            assert_true(out[3 * i] == -10.0f);
            assert_true(out[3 * i + 1] == 40.0f);
            assert_true(out[3 * i + 2] == 42.5f);
        }
    }
}

#define PHOTO "data/datasets/flowers/roses/14176042519_5792b37555.jpg"
#define N     (224 * 224 * 3)

/* The roses photo of the reference data through hst_prepare_bytes, pixels 0..255; to be freed. */
static float *prepared_photo(enum hst_contract contract, enum hst_interpolation how)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    char *photo = shared_path(PHOTO);
    if (!photo)
        skip_shared(PHOTO);
    check_ok(hst_file_read(photo, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
    hst_prep p = {contract, 224, {{0}, {1, 1, 1}}, how};
    float *out = calloc(N, sizeof *out);
    check_ok(hst_prepare_bytes(&p, bytes, n, out, &e), &e);
    free(bytes);
    free(photo);
    return out;
}

static void photo_as_tensorflow_prepares_it(void **state)
{
    (void)state;
    float *out = prepared_photo(HST_CONTRACT_TF, HST_BILINEAR);
    char *reference = shared_path("golden/resize/photo_bilinear.npy");
    assert_non_null(reference);
    npy want = npy_read(reference);
    assert_int_equal(want.count, N);
    assert_memory_equal(out, want.data, N * sizeof(float));
    free(want.data);
    free(reference);
    free(out);
}

/* The bytes of Pillow 13.0: Image.open(..).convert("RGB").resize((224, 224), BILINEAR). */
static void photo_as_pillow_prepares_it(void **state)
{
    (void)state;
    float *out = prepared_photo(HST_CONTRACT_PIL, HST_BILINEAR);
    uint8_t *pixel = calloc(N, 1), digest[32];
    char hex[HST_SHA256_HEX];
    hst_err e = {0};
    for (size_t i = 0; i < N; i++)
        pixel[i] = (uint8_t)out[i];
    check_ok(hst_sha256_bytes(pixel, N, digest, &e), &e);
    hst_hex(digest, hex);
    assert_string_equal(hex, "09b966b0a98d3de82aaf037734ea3c8475772554978fd7dfe3f1376b1f91d962");
    free(pixel);
    free(out);
}

/* The reference resized TensorFlow's pixels of the photo with Pillow. */
static void photo_decoded_by_one_and_resized_by_the_other(void **state)
{
    (void)state;
    hst_err e = {0};
    uint8_t *bytes = NULL, *out = calloc(N, 1);
    size_t n = 0;
    hst_image img = {0};
    char *photo = shared_path(PHOTO),
         *reference = shared_path("golden/resize/photo_pil_bilinear.npy");
    if (!photo || !reference) {
        free(out);
        skip_shared(PHOTO);
    }
    npy want = npy_read(reference);
    check_ok(hst_file_read(photo, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
    check_ok(hst_image_decode(bytes, n, HST_CONTRACT_TF, &img, &e), &e);
    hst_resampling r = {img.rgb, img.w, img.h, 3, 224, 224};
    check_ok(hst_resize_pil(&r, out, &e), &e);
    assert_memory_equal(out, want.data, N);
    hst_image_clear(&img);
    free(bytes);
    free(out);
    free(want.data);
    free(reference);
    free(photo);
}

#define PX 224

/* SHA-256 of the pixels that a preparation with mean 0 and deviation 1 gives for a picture. */
static void digest_of(const hst_prep *p, const hst_image *img, char hex[HST_SHA256_HEX])
{
    hst_err e = {0};
    float *out = calloc(N, sizeof *out);
    uint8_t *pixel = calloc(N, 1), digest[32];
    check_ok(hst_prepare(p, img, out, &e), &e);
    for (size_t i = 0; i < N; i++)
        pixel[i] = (uint8_t)out[i];
    check_ok(hst_sha256_bytes(pixel, N, digest, &e), &e);
    hst_hex(digest, hex);
    free(pixel);
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
        check_ok(hst_image_decode(bytes, n, HST_CONTRACT_PIL, &img, &e), &e);
    }
    free(bytes);
    free(photo);
    return img;
}

/* Shortest edge 256, then the middle 224 x 224: SHA-256 of the pixels, by interpolation (bilinear,
 * bicubic) and rounding (torchvision, Hugging Face). */
static void the_middle_of_a_photo(void **state)
{
    (void)state;
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
            skip_shared(cases[i].photo);
        for (int k = 0; k < 4; k++) {
            hst_prep p = {HST_CONTRACT_PIL,     PX, {{0}, {1, 1, 1}}, HST_BILINEAR,
                          HST_CROP_TORCHVISION, 256};
            char hex[HST_SHA256_HEX];
            p.interpolation = k / 2 ? HST_BICUBIC : HST_BILINEAR;
            p.geometry = k % 2 ? HST_CROP_HF : HST_CROP_TORCHVISION;
            digest_of(&p, &img, hex);
            assert_string_equal(hex, cases[i].want[k / 2][k % 2]);
        }
        hst_image_clear(&img);
    }
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
        for (int c = HST_CONTRACT_PIL; c <= HST_CONTRACT_TF; c++) {
            hst_err e = {0};
            uint8_t rgb[8 * 3];
            float out[3];
            for (int k = 0; k < 8 * 3; k++)
                rgb[k] = (uint8_t)(k / 3);
            hst_image img = {rgb, cases[i].w, 1};
            hst_prep p = {(enum hst_contract)c, 1, {{0}, {1, 1, 1}}, HST_BICUBIC,
                          HST_CROP_TORCHVISION, 1};
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
    hst_prep p = {HST_CONTRACT_PIL, PX, {{0}, {1, 1, 1}}, HST_BILINEAR, HST_CROP_HF, PX};
    float *out = calloc(N, sizeof *out);
    uint8_t *rgb = calloc(LONG, 3);
    hst_image img = {rgb, 1, LONG};
    check_ok(hst_prep_check(&p, &e), &e);
    assert_int_equal(hst_prepare(&p, &img, out, &e), HST_EIMAGE);
    assert_non_null(strstr(e.msg, "too narrow"));
    p.resize_px = PX - 1;
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    p.geometry = HST_SQUASH;
    assert_int_equal(hst_prep_check(&p, &e), HST_EARG);
    p.resize_px = 0;
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
    for (int g = HST_SQUASH; g <= HST_CROP_HF; g++) {
        enum hst_geometry back = HST_SQUASH;
        check_ok(hst_geometry_parse(hst_geometry_name((enum hst_geometry)g), &back, &e), &e);
        assert_int_equal(back, g);
    }
    assert_int_equal(hst_interpolation_parse("nearest", &(enum hst_interpolation){0}, &e),
                     HST_EARG);
    assert_int_equal(hst_geometry_parse("pad", &(enum hst_geometry){0}, &e), HST_EARG);
}

/* TensorFlow's bicubic through the whole preparation. */
static void bicubic_as_tensorflow_prepares_it(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum hst_interpolation how;
        double atol;
    } cases[] = {{"golden/resize/photo_bicubic.npy", HST_BICUBIC, 1e-4},
                 {"golden/resize/photo_bilinear_aa.npy", HST_BILINEAR_ANTIALIAS, 3e-3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *out = prepared_photo(HST_CONTRACT_TF, cases[i].how);
        char *reference = shared_path(cases[i].file);
        assert_non_null(reference);
        npy want = npy_read(reference);
        check_close(out, want.data, N, cases[i].atol, 0, cases[i].file);
        free(want.data);
        free(reference);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_have_names),
        cmocka_unit_test(each_channel_has_its_own_normalisation),
        cmocka_unit_test(photo_as_tensorflow_prepares_it),
        cmocka_unit_test(photo_as_pillow_prepares_it),
        cmocka_unit_test(photo_decoded_by_one_and_resized_by_the_other),
        cmocka_unit_test(bicubic_as_tensorflow_prepares_it),
        cmocka_unit_test(the_middle_of_a_photo),
        cmocka_unit_test(the_corner_of_the_middle),
        cmocka_unit_test(what_cannot_be_cropped),
        cmocka_unit_test(interpolations_and_geometries_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
