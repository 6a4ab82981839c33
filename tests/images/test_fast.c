/* images: JPEGs decoded at a half or a quarter of their size. */
#include "support.h"

#include "images/prepare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h> /* after stdio.h, which it needs */

typedef struct encoded {
    unsigned char *bytes;
    unsigned long n;
} encoded;

/* A smooth picture w x h, channels 3 or 4 (CMYK). */
static encoded jpeg(int w, int h, int channels)
{
    encoded e = {0};
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    uint8_t *row = calloc((size_t)w, (size_t)channels);
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &e.bytes, &e.n);
    c.image_width = (unsigned)w;
    c.image_height = (unsigned)h;
    c.input_components = channels;
    c.in_color_space = channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < h; y++) {
        for (int i = 0; i < w * channels; i++) {
            const double x = i / channels, turn = 1 + i % channels;
            row[i] = (uint8_t)(128 + 100 * sin(turn * x / w * 4) * cos((double)y / h * 5));
        }
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(row);
    return e;
}

static void size_is_the_least_that_is_enough(void **state)
{
    (void)state;
    static const struct {
        int w, h, least, to_w, to_h;
    } cases[] = {{100, 80, 0, 100, 80}, {100, 80, 41, 100, 80}, {100, 80, 40, 50, 40},
                 {100, 80, 21, 50, 40}, {100, 80, 20, 25, 20},  {100, 80, 1, 25, 20},
                 {81, 103, 40, 41, 52}, {83, 103, 20, 21, 26},  {7, 3, 1, 4, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int channels = 3; channels <= 4; channels++) {
            hst_err err = {0};
            hst_image img = {0};
            encoded e = jpeg(cases[i].w, cases[i].h, channels);
            check_ok(hst_image_decode(&(hst_decode){HST_RESAMPLE_FAST, cases[i].least, NULL},
                                      e.bytes, e.n, &img, &err),
                     &err);
            assert_int_equal(img.w, cases[i].to_w);
            assert_int_equal(img.h, cases[i].to_h);
            hst_image_clear(&img);
            check_ok(hst_image_decode(&(hst_decode){HST_RESAMPLE_PIL, cases[i].least, NULL},
                                      e.bytes, e.n, &img, &err),
                     &err);
            assert_int_equal(img.w, cases[i].w); /* never under another contract */
            hst_image_clear(&img);
            free(e.bytes);
        }
}

/* Mean and largest difference, of 0..255, between the fast preparation and Pillow's. */
static void compare(const encoded *e, int px, double *mean, double *most)
{
    hst_err err = {0};
    const size_t n = (size_t)px * (size_t)px * 3;
    float *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);
    hst_prep p = {HST_RESAMPLE_PIL, {px, px}, {{0}, {1, 1, 1}}};
    check_ok(hst_prepare_bytes(&p, e->bytes, e->n, a, &err), &err);
    p.resampler = HST_RESAMPLE_FAST;
    check_ok(hst_prepare_bytes(&p, e->bytes, e->n, b, &err), &err);
    *mean = *most = 0;
    for (size_t i = 0; i < n; i++) {
        *mean += fabsf(a[i] - b[i]) / (double)n;
        *most = fmax(*most, fabsf(a[i] - b[i]));
    }
    free(a);
    free(b);
}

static void nearly_the_same_picture(void **state)
{
    (void)state;
    encoded e = jpeg(640, 480, 3);
    double mean, most;
    compare(&e, 224, &mean, &most);
    assert_true(most > 0 && mean < 0.5 && most <= 4);
    compare(&e, 96, &mean, &most);
    assert_true(most > 0 && mean < 0.5 && most <= 4);
    compare(&e, 241, &mean, &most); /* half of it is too small: the same */
    assert_true(most == 0);
    free(e.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size_is_the_least_that_is_enough),
        cmocka_unit_test(nearly_the_same_picture),
    };
    return cmocka_run_group_tests_name("fast", tests, NULL, NULL);
}
