/* images: from a photo's bytes to the tensor. */
#include "support.h"

#include "base/file.h"
#include "base/sha256.h"
#include "images/prepare.h"
#include "images/resize.h"

#include <stdlib.h>
#include <string.h>

static void contracts_have_names(void **state)
{
    (void)state;
    hst_err e = {0};
    enum hst_contract c = HST_CONTRACT_PIL;
    assert_string_equal(hst_contract_name(HST_CONTRACT_PIL), "pil");
    assert_string_equal(hst_contract_name(HST_CONTRACT_TF), "tf");
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
static float *prepared_photo(enum hst_contract contract)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    char *photo = shared_path(PHOTO);
    if (!photo)
        skip_shared(PHOTO);
    check_ok(hst_file_read(photo, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
    hst_prep p = {contract, 224, {{0}, {1, 1, 1}}};
    float *out = calloc(N, sizeof *out);
    check_ok(hst_prepare_bytes(&p, bytes, n, out, &e), &e);
    free(bytes);
    free(photo);
    return out;
}

static void photo_as_tensorflow_prepares_it(void **state)
{
    (void)state;
    float *out = prepared_photo(HST_CONTRACT_TF);
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
    float *out = prepared_photo(HST_CONTRACT_PIL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_have_names),
        cmocka_unit_test(each_channel_has_its_own_normalisation),
        cmocka_unit_test(photo_as_tensorflow_prepares_it),
        cmocka_unit_test(photo_as_pillow_prepares_it),
        cmocka_unit_test(photo_decoded_by_one_and_resized_by_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
