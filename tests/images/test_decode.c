/* images: every reference picture gives the pixels, or the refusal, that its library gives. */
#include "support.h"

#include "base/file.h"
#include "base/sha256.h"
#include "images/image.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* Compares with {"shape": [h, w, 3], "sha256": ..} or {"error": ..}. */
static void check_verdict(const char *name, const hst_image *img, int rc, const hst_err *e,
                          const json_t *want)
{
    if (json_object_get(want, "error")) {
        if (rc == 0)
            fail_msg("%s: decoded, but must be refused: %s", name, text_of(want, "error"));
        assert_int_equal(rc, HST_EIMAGE);
        return;
    }
    if (rc)
        fail_msg("%s: refused: %s", name, e->msg);
    assert_string_equal(e->msg, ""); /* a success leaves no reason behind */
    const json_t *shape = json_object_get(want, "shape");
    int h = (int)json_integer_value(json_array_get(shape, 0));
    int w = (int)json_integer_value(json_array_get(shape, 1));
    char hex[HST_SHA256_HEX];
    if (img->w != w || img->h != h)
        fail_msg("%s: %d x %d, want %d x %d", name, img->w, img->h, w, h);
    uint8_t digest[32];
    hst_err sha = {0};
    check_ok(hst_sha256_bytes(img->rgb, (size_t)w * (size_t)h * 3, digest, &sha), &sha);
    hst_hex(digest, hex);
    if (strcmp(hex, text_of(want, "sha256")) != 0)
        fail_msg("%s: other pixels than the reference", name);
}

static void check_contract(const char *path, const char *name, enum hst_resampler resampler,
                           const json_t *want)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    hst_image img = {0};
    check_ok(hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
    int rc = hst_image_decode(&(hst_decode){.resampler = resampler}, bytes, n, &img, &e);
    check_verdict(name, &img, rc, &e, want);
    hst_image_clear(&img);
    free(bytes);
}

/* What we promise, where that is not what the library does. */
static const json_t *promised(const json_t *entry, enum hst_resampler resampler)
{
    const json_t *pil = json_object_get(entry, "pil_exif_transpose");
    const char *file = text_of(entry, "file");
    if (resampler == HST_RESAMPLE_PIL)
        return pil ? pil : json_object_get(entry, "pil");
    /* TensorFlow shows the palette's indices as gray; we decode the palette. */
    if (strstr(file, "bmp_pal8topdown.bmp"))
        return pil;
    return json_object_get(entry, "tf");
}

/* Formats that are not read at all. */
static int unread(const char *file)
{
    return strstr(file, ".avif") != NULL;
}

static void check_entry(const char *path, const json_t *entry)
{
    const char *name = hst_path_base(path);
    json_t *refused = json_pack("{s:s}", "error", "not a format we read");
    for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_TF; c++)
        check_contract(path, name, (enum hst_resampler)c,
                       unread(path) ? refused : promised(entry, (enum hst_resampler)c));
    json_decref(refused);
}

/* Every entry of a decode.json; folder + "/" + file is the picture. Returns how many
 * were there. */
static int check_list(const char *list, const char *folder)
{
    json_t *root = json_load_file(list, 0, NULL);
    assert_non_null(root);
    const json_t *entry;
    size_t i;
    int n = 0;
    json_array_foreach(json_object_get(root, "images"), i, entry)
    {
        hst_err e = {0};
        char *path = hst_path_join(folder, text_of(entry, "file"), &e);
        assert_non_null(path);
        if (hst_is_file(path)) {
            check_entry(path, entry);
            n++;
        }
        free(path);
    }
    json_decref(root);
    return n;
}

/* The pictures of the shared reference data, where they are. */
static void check_shared_pictures(void)
{
    char *list = shared_path("golden/decode/decode.json");
    if (!list)
        return;
    char *odd = shared_path("golden/decode/.."), *photos = shared_path("golden/decode/../..");
    assert_int_equal(check_list(list, photos), 6);
    assert_int_equal(check_list(list, odd), 39);
    free(photos);
    free(odd);
    free(list);
}

/* Those of a folder of tests/golden. */
static int check_golden(const char *folder_name)
{
    hst_err e = {0};
    const char *root = getenv("HEADSTART_ROOT");
    char *golden = hst_path_join(root ? root : ".", "tests/golden", &e);
    assert_non_null(golden);
    char *folder = hst_path_join(golden, folder_name, &e);
    assert_non_null(folder);
    char *list = hst_path_join(folder, "decode.json", &e);
    assert_non_null(list);
    const int n = check_list(list, folder);
    free(list);
    free(folder);
    free(golden);
    return n;
}

static void reference_pictures_give_the_reference_pixels(void **state)
{
    (void)state;
    need_part("libwebp");
    need_part("giflib");
    assert_int_equal(check_golden("images"), 8);
    check_shared_pictures();
}

/* Orientations wherever they are written, files that end early, formats few cameras write. */
static void made_pictures_give_the_reference_pixels(void **state)
{
    (void)state;
    need_part("libwebp");
    need_part("giflib");
    assert_int_equal(check_golden("pictures"), 90);
}

static hst_image decoded(const void *bytes, size_t n, enum hst_resampler resampler)
{
    hst_err e = {0};
    hst_image img = {0};
    check_ok(hst_image_decode(&(hst_decode){.resampler = resampler}, bytes, n, &img, &e), &e);
    return img;
}

/* Without the mark at the file's end, and without the empty block that ends the frame, all pixels
 * are there; one byte fewer, and Pillow 13 refuses it too. */
static void a_gif_may_end_behind_its_pixels(void **state)
{
    (void)state;
    need_part("giflib");
    static const uint8_t gif[] =
        "GIF87a\3\0\2\0\x81\0\0\x09\x08\x07\xc8\x64\x32\0\0\0\0\0\0,\0\0\0\0\3\0\2"
        "\0\0\x08\x07\0\1\4\x10\x38\x30\x20\0;";
    static const uint8_t row[] = {9, 8, 7, 200, 100, 50, 9, 8, 7};
    const size_t n = sizeof gif - 1;
    for (int tf = 0; tf < 2; tf++) {
        const enum hst_resampler r = tf ? HST_RESAMPLE_TF : HST_RESAMPLE_PIL;
        hst_image img = {0};
        hst_err e = {0};
        for (size_t cut = 0; cut < 3; cut++) {
            img = decoded(gif, n - cut, r);
            assert_true(img.w == 3 && img.h == 2);
            assert_memory_equal(img.rgb, row, sizeof row);
            hst_image_clear(&img);
        }
        assert_int_equal(hst_image_decode(&(hst_decode){.resampler = r}, gif, n - 3, &img, &e),
                         HST_EIMAGE);
        assert_non_null(strstr(e.msg, "truncated GIF"));
    }
}

/* Where Pillow clips at 255, the smallest value becomes 0 and the largest 255; a picture below 256
 * stays as it is; one of a single value has that value's share of 65535. */
static void gray_of_16_bits_is_scaled(void **state)
{
    (void)state;
    static const struct {
        const char *values; /* three, two bytes each */
        uint8_t pil[3], tf[3], scaled[3];
    } cases[] = {{"\x03\xe8\x07\xd0\x0b\xb8", {255, 255, 255}, {3, 7, 11}, {0, 128, 255}},
                 {"\x00\x01\x00\x80\x00\xff", {1, 128, 255}, {0, 0, 0}, {1, 128, 255}},
                 {"\x00\x00\x80\x00\xff\xff", {0, 255, 255}, {0, 128, 255}, {0, 128, 255}},
                 {"\x1b\x58\x1b\x58\x1b\x58", {255, 255, 255}, {27, 27, 27}, {27, 27, 27}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t *want[] = {cases[i].pil, cases[i].tf, cases[i].pil, cases[i].scaled};
        char file[20] = "P5 3 1 65535 ";
        memcpy(file + 13, cases[i].values, 6);
        for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_SCALED; c++) {
            hst_image img = decoded(file, 19, (enum hst_resampler)c);
            for (int x = 0; x < 3; x++)
                for (int k = 0; k < 3; k++)
                    assert_int_equal(img.rgb[3 * x + k], want[c][x]);
            hst_image_clear(&img);
        }
    }
}

/* An interlaced PNG of 16-bit gray from 0 to 65535: no longer white; of 8 bits, as "pil". */
static void png_of_16_bit_gray_is_scaled(void **state)
{
    (void)state;
    static const char *const names[] = {"golden/images/basi0g16.png",
                                        "golden/images/png_named.jpg"};
    for (int i = 0; i < 2; i++) {
        hst_err e = {0};
        uint8_t *bytes = NULL;
        size_t n = 0;
        char *path = shared_path(names[i]);
        assert_non_null(path);
        check_ok(hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, &e), &e);
        hst_image pil = decoded(bytes, n, HST_RESAMPLE_PIL);
        hst_image tf = decoded(bytes, n, HST_RESAMPLE_TF);
        hst_image img = decoded(bytes, n, HST_RESAMPLE_SCALED);
        const size_t values = (size_t)img.w * (size_t)img.h * 3;
        for (size_t k = 0; k < values && i == 0; k++)
            assert_true(abs(img.rgb[k] - tf.rgb[k]) <= 1); /* of 255, of 256 */
        assert_int_equal(memcmp(pil.rgb, img.rgb, values) == 0, i);
        hst_image_clear(&pil);
        hst_image_clear(&tf);
        hst_image_clear(&img);
        free(bytes);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_pictures_give_the_reference_pixels),
        cmocka_unit_test(made_pictures_give_the_reference_pixels),
        cmocka_unit_test(a_gif_may_end_behind_its_pixels),
        cmocka_unit_test(gray_of_16_bits_is_scaled),
        cmocka_unit_test(png_of_16_bit_gray_is_scaled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
