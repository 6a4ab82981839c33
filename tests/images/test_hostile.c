/* images: no bytes crash the decoders, and a cut or damaged picture gets a reason in one line. */
#include "support.h"

#include "base/file.h"
#include "images/image.h"
#include "images/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    uint8_t *p;
    size_t n;
} bytes;

/* Pictures of a few hundred bytes that are in the repository. */
static bytes picture(const char *name)
{
    const char *root = getenv("HEADSTART_ROOT");
    char path[512];
    bytes b = {0};
    hst_err e = {0};
    snprintf(path, sizeof path, "%s/tests/golden/images/%s", root ? root : ".", name);
    check_ok(hst_file_read(path, 1 << 20, HST_EIMAGE, &b.p, &b.n, &e), &e);
    return b;
}

/* Decodes a copy of exactly n bytes, so that a sanitizer sees any read behind them. */
static int decode(const uint8_t *p, size_t n, enum hst_resampler resampler)
{
    hst_err e = {0};
    hst_image img = {0};
    uint8_t *copy = malloc(n ? n : 1);
    if (n)
        memcpy(copy, p, n);
    int rc = hst_image_decode(&(hst_decode){.resampler = resampler}, copy, n, &img, &e);
    if (rc) {
        assert_true(rc == HST_EIMAGE || rc == HST_EMEM);
        assert_true(strlen(e.msg) > 8 && !strchr(e.msg, '\n'));
        assert_null(img.rgb);
    } else {
        assert_true(img.w >= 1 && img.h >= 1);
    }
    hst_image_clear(&img);
    free(copy);
    return rc;
}

/* Bytes at the end that the picture does not need, as Pillow and as TensorFlow read it. Behind its
 * first frame a GIF may go on or stop as it likes; the last mark of a run-length coded BMP is not
 * needed; Pillow does without a PNG's end chunk. */
static const struct sample {
    const char *name;
    size_t spare[2];
} samples[] = {
    {"orientation_rectangle.jpg", {0, 0}},
    {"tm3n3p02.png", {12, 0}},
    {"basi0g16.png", {12, 0}},
    {"2-color.webp", {0, 0}},
    {"issue_1455_undersized.gif", {74, 74}},
    {"rle.bmp", {2, 2}},
};

static void every_cut_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        bytes b = picture(samples[i].name);
        for (size_t n = 0; n < b.n; n++) {
            const int rc[2] = {decode(b.p, n, HST_RESAMPLE_PIL), decode(b.p, n, HST_RESAMPLE_TF)};
            for (int k = 0; k < 2; k++)
                if (n + samples[i].spare[k] < b.n && rc[k] == 0)
                    fail_msg("%s cut to %zu of %zu bytes was decoded", samples[i].name, n, b.n);
        }
        free(b.p);
    }
}

static void damaged_bytes_never_crash(void **state)
{
    (void)state;
    uint32_t random = 12345;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        bytes b = picture(samples[i].name);
        for (int k = 0; k < 1500; k++) {
            random = random * 1664525u + 1013904223u;
            size_t at = (random >> 8) % b.n;
            uint8_t old = b.p[at];
            b.p[at] = (uint8_t)(k % 3 ? random >> 24 : old ^ 1u << (random >> 29));
            (void)decode(b.p, b.n, k % 2 ? HST_RESAMPLE_TF : HST_RESAMPLE_PIL);
            b.p[at] = old;
        }
        free(b.p);
    }
}

static void check_refused(const void *p, size_t n, const char *why)
{
    for (int c = HST_RESAMPLE_PIL; c <= HST_RESAMPLE_TF; c++) {
        hst_err e = {0};
        hst_image img = {0};
        assert_int_equal(
            hst_image_decode(&(hst_decode){.resampler = (enum hst_resampler)c}, p, n, &img, &e),
            HST_EIMAGE);
        if (!strstr(e.msg, why))
            fail_msg("\"%s\" does not say \"%s\"", e.msg, why);
        assert_null(img.rgb);
    }
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    uint8_t noise[256];
    uint32_t random = 7;
    for (size_t i = 0; i < sizeof noise; i++) {
        random = random * 1664525u + 1013904223u;
        noise[i] = (uint8_t)(random >> 24);
    }
    check_refused("", 0, "empty");
    check_refused("hello, this is text", 19, "not a picture that is known");
    check_refused(noise, sizeof noise, "not a picture that is known");
    check_refused("\xff\xd8", 2, "not a picture that is known");
    check_refused("<!DOCTYPE html><p>404", 21, "not a picture but a web page (HTML)");
    check_refused("\0\0\0\x18"
                  "ftypisom",
                  12, "not a picture but a film");
    check_refused("version https://git-lfs.github.com/spec/v1", 42,
                  "not a picture but a pointer of");
    check_refused("P7\nWIDTH 1", 10, "a picture in format PAM, which is not read");
    check_refused("P5 2 2 255 ", 11, "truncated PNM");
    check_refused("P5 4000000000 4000000000 255 ", 29, "too many pixels");
    check_refused("P5 0 5 255 ", 11, "the picture is empty");
    check_refused("P5 12345678901 5 255 ", 21, "damaged PNM");
    check_refused("qoif\0\0\x10\0\0\0\x10\0\3\0\0", 15, "truncated QOI");
    check_refused("\0\0\1\0\1\0", 6, "truncated icon");
    check_refused("\xff\xd8\xff", 3, "JPEG");
    check_refused("BM", 2, "truncated BMP");
    check_refused("GIF89a", 6, "GIF");
    check_refused("RIFF\x04\0\0\0WEBP", 12, "WebP");
}

static void check_file_refused(bytes b, const char *why)
{
    check_refused(b.p, b.n, why);
    free(b.p);
}

static void put(uint8_t *p, uint32_t value, int n_bytes, int big_endian)
{
    for (int i = 0; i < n_bytes; i++)
        p[big_endian ? n_bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

/* CRC-32 of a PNG chunk, bit by bit. */
static uint32_t crc32_of(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

static bytes png_of_size(uint32_t w, uint32_t h)
{
    bytes b = picture("tm3n3p02.png");
    put(b.p + 16, w, 4, 1);
    put(b.p + 20, h, 4, 1);
    put(b.p + 29, crc32_of(b.p + 12, 17), 4, 1);
    return b;
}

static bytes jpeg_of_size(uint32_t w, uint32_t h)
{
    bytes b = picture("orientation_rectangle.jpg");
    for (size_t i = 0; i + 9 < b.n; i++)
        if (b.p[i] == 0xff && b.p[i + 1] == 0xc0 && b.p[i + 2] == 0) {
            put(b.p + i + 5, h, 2, 1);
            put(b.p + i + 7, w, 2, 1);
            return b;
        }
    fail_msg("no frame header in the JPEG");
    return b;
}

static bytes bmp_of_size(uint32_t w, uint32_t h)
{
    bytes b = picture("rle.bmp");
    put(b.p + 18, w, 4, 0);
    put(b.p + 22, h, 4, 0);
    put(b.p + 30, 0, 4, 0); /* not run-length coded */
    return b;
}

static void huge_headers_are_refused_before_allocation(void **state)
{
    (void)state;
    check_file_refused(png_of_size(65500, 65500), "too many pixels: 65500 x 65500");
    check_file_refused(png_of_size(0x7fffffff, 0x7fffffff), "PNG");
    check_file_refused(png_of_size(13000, 13000), "truncated PNG");
    check_file_refused(jpeg_of_size(65500, 65500), "too many pixels: 65500 x 65500");
    check_file_refused(jpeg_of_size(13000, 13000), "truncated JPEG");
    check_file_refused(bmp_of_size(65500, 65500), "truncated BMP");
    check_file_refused(bmp_of_size(0x7fffffff, 0x7fffffff), "too many pixels");
    check_file_refused(bmp_of_size(0, 5), "empty");
}

/* The progressive picture with its last scan, which is behind the last mark FF DA, more times. */
static bytes jpeg_of_scans(int more)
{
    bytes b = picture("progressive_8x8.jpg");
    size_t last = b.n - 2; /* the end mark, FF D9 */
    while (b.p[last] != 0xff || b.p[last + 1] != 0xda)
        last--;
    size_t scan = b.n - 2 - last;
    bytes many = {malloc(b.n + (size_t)more * scan), b.n + (size_t)more * scan};
    memcpy(many.p, b.p, b.n - 2);
    for (int k = 0; k < more; k++)
        memcpy(many.p + b.n - 2 + (size_t)k * scan, b.p + last, scan);
    memcpy(many.p + many.n - 2, b.p + b.n - 2, 2);
    free(b.p);
    return many;
}

/* The picture itself has 6 scans; 128 are allowed. */
static void repeated_scans_are_refused(void **state)
{
    (void)state;
    bytes b = jpeg_of_scans(122);
    assert_int_equal(decode(b.p, b.n, HST_RESAMPLE_PIL), 0);
    assert_int_equal(decode(b.p, b.n, HST_RESAMPLE_TF), 0);
    free(b.p);
    check_file_refused(jpeg_of_scans(123), "too many scans");
    check_file_refused(jpeg_of_scans(20000), "too many scans");
}

static void preparation_fails_with_the_decoder(void **state)
{
    (void)state;
    hst_err e = {0};
    float out[4 * 4 * 3] = {[5] = 7};
    hst_prep p = {HST_RESAMPLE_PIL, {4, 4}, {{0}, {1, 1, 1}}};
    assert_int_equal(hst_prepare_bytes(&p, (const uint8_t *)"no picture", 10, out, &e), HST_EIMAGE);
    assert_true(out[5] == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(huge_headers_are_refused_before_allocation),
        cmocka_unit_test(repeated_scans_are_refused),
        cmocka_unit_test(preparation_fails_with_the_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
