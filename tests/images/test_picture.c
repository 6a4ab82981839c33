/* images: what a file's header says, and what is measured of a picture. */
#include "support.h"

#include "base/file.h"
#include "images/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- headers ---- */

static void formats_by_their_first_bytes(void **state)
{
    (void)state;
    need_part("libwebp");
    need_part("giflib");
    static const struct {
        const char *bytes;
        size_t n;
        enum hst_format format;
    } cases[] = {{"\xff\xd8\xff\xe0", 4, HST_FORMAT_JPEG},
                 {"\xff\xd8", 2, HST_FORMAT_UNKNOWN},
                 {"\0\0\0\x18"
                  "ftypheic",
                  12, HST_FORMAT_HEIC},
                 {"\0\0\0\x18"
                  "ftypmif1",
                  12, HST_FORMAT_HEIC},
                 {"\0\0\0\x1c"
                  "ftypmif1\0\0\0\0miafavif",
                  24, HST_FORMAT_AVIF},
                 {"\0\0\0\x18"
                  "ftypmif1\0\0\0\0miafheic"
                  "avif", /* of the next box */
                  28, HST_FORMAT_HEIC},
                 {"\0\0\0\x1c"
                  "ftypavif",
                  12, HST_FORMAT_AVIF},
                 {"\0\0\0\x1c"
                  "ftypisom",
                  12, HST_FORMAT_UNKNOWN}, /* a film */
                 {"II*\0", 4, HST_FORMAT_TIFF},
                 {"MM\0*", 4, HST_FORMAT_TIFF},
                 {"II+\0", 4, HST_FORMAT_TIFF},
                 {"\xff\x4f\xff\x51", 4, HST_FORMAT_JP2},
                 {"RIFF1234WEBPVP8 ", 16, HST_FORMAT_WEBP},
                 {"RIFF1234WAVE", 12, HST_FORMAT_UNKNOWN},
                 {"P5 7 5 255", 10, HST_FORMAT_PNM},
                 {"P6\r\n", 4, HST_FORMAT_PNM},
                 {"P8 is text", 10, HST_FORMAT_UNKNOWN},
                 {"P6page", 6, HST_FORMAT_UNKNOWN},
                 {"P7\nWIDTH", 8, HST_FORMAT_PAM},
                 {"qoif", 4, HST_FORMAT_QOI},
                 {"\0\0\1\0\2\0", 6, HST_FORMAT_ICO},
                 {"\0\0\2\0\1\0", 6, HST_FORMAT_ICO},
                 {"\0\0\2\0\0\0\0\0", 8, HST_FORMAT_UNKNOWN}, /* a TGA */
                 {"", 0, HST_FORMAT_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(hst_format_of((const uint8_t *)cases[i].bytes, cases[i].n),
                         cases[i].format);
    assert_int_equal(hst_format_of_name("a/b.JPeG"), HST_FORMAT_JPEG);
    assert_int_equal(hst_format_of_name("b.heif"), HST_FORMAT_HEIC);
    assert_int_equal(hst_format_of_name("jpg"), HST_FORMAT_UNKNOWN);
    assert_int_equal(hst_format_of_name("b.j2k"), HST_FORMAT_JP2);
    assert_string_equal(hst_format_name(HST_FORMAT_WEBP), "WebP");
    assert_true(hst_format_is_read(HST_FORMAT_WEBP) && !hst_format_is_read(HST_FORMAT_UNKNOWN));
    assert_true(!hst_format_is_read(HST_FORMAT_PSD) && !hst_format_needs(HST_FORMAT_PSD));
    for (int f = 0; f < HST_FORMATS; f++)
        assert_true(!hst_format_is_read((enum hst_format)f) ||
                    !hst_format_needs((enum hst_format)f));
    if (!hst_format_is_read(HST_FORMAT_AVIF))
        assert_string_equal(hst_format_needs(HST_FORMAT_AVIF), "libavif");
}

static void headers_of_reference_pictures(void **state)
{
    (void)state;
    need_part("libwebp");
    static const struct {
        const char *name;
        hst_facts want;
    } cases[] = {
        {"2-color.webp", {300, 300, HST_FORMAT_WEBP, 8, 1, 0}},
        {"basn2c16.png", {32, 32, HST_FORMAT_PNG, 16, 1, 0}},
        {"basn6a16.png", {32, 32, HST_FORMAT_PNG, 16, 1, HST_HAS_ALPHA}},
        {"tbbn3p08.png", {32, 32, HST_FORMAT_PNG, 8, 1, HST_HAS_ALPHA}},
        {"orientation_rectangle.jpg", {2, 1, HST_FORMAT_JPEG, 8, 8, 0}},
        {"progressive_8x8.jpg", {8, 8, HST_FORMAT_JPEG, 8, 1, 0}},
        {"issue_1455_undersized.gif",
         {100, 100, HST_FORMAT_GIF, 8, 1, HST_IS_ANIMATED | HST_HAS_ALPHA}},
        {"png_named.jpg", {7, 13, HST_FORMAT_PNG, 8, 1, 0}},
        {"rle.bmp", {5, 3, HST_FORMAT_BMP, 8, 1, 0}},
        {"bmp_rgb24.bmp", {127, 64, HST_FORMAT_BMP, 8, 1, 0}},
        {"cmyk_no_adobe.jpg", {100, 100, HST_FORMAT_JPEG, 8, 1, HST_IS_CMYK}},
        {"hopper_orientation_6.jpg", {128, 128, HST_FORMAT_JPEG, 8, 6, 0}},
        {"hopper_orientation_6.webp", {128, 128, HST_FORMAT_WEBP, 8, 6, 0}},
        {"anim.webp", {200, 200, HST_FORMAT_WEBP, 8, 1, HST_IS_ANIMATED | HST_HAS_ALPHA}},
        {"lossy_alpha.webp", {100, 100, HST_FORMAT_WEBP, 8, 1, HST_HAS_ALPHA}},
        {"dispose_bgnd_transparency.gif",
         {38, 32, HST_FORMAT_GIF, 8, 1, HST_IS_ANIMATED | HST_HAS_ALPHA}},
        {"basi0g16.png", {32, 32, HST_FORMAT_PNG, 16, 1, HST_IS_GRAY}},
        {"pictures/gray_4095.pgm", {7, 5, HST_FORMAT_PNM, 16, 1, HST_IS_GRAY}},
        {"pictures/colour_1000.ppm", {7, 5, HST_FORMAT_PNM, 16, 1, 0}},
        {"pictures/bits.pbm", {7, 5, HST_FORMAT_PNM, 8, 1, 0}},
        {"pictures/rgba.qoi", {20, 12, HST_FORMAT_QOI, 8, 1, HST_HAS_ALPHA}},
        {"pictures/two_pictures.jpg", {7, 5, HST_FORMAT_JPEG, 8, 1, 0}},
        {"pictures/way_exif_split.jpg", {7, 5, HST_FORMAT_JPEG, 8, 6, 0}},
        {"pictures/way_raw_deflated.png", {7, 5, HST_FORMAT_PNG, 8, 6, 0}},
        {"pictures/way_xmp.webp", {7, 5, HST_FORMAT_WEBP, 8, 6, 0}},
        {"avif-hopper.avif", {128, 128, HST_FORMAT_AVIF, 0, 1, 0}},
        {"decoders/turned.0.tif", {45, 31, HST_FORMAT_TIFF, 8, 6, 0}},
        {"decoders/big_endian_16.0.tif", {45, 31, HST_FORMAT_TIFF, 16, 1, 0}},
        {"decoders/inks.0.tif", {45, 31, HST_FORMAT_TIFF, 8, 1, HST_IS_CMYK}},
        {"decoders/rgba.0.tif", {45, 31, HST_FORMAT_TIFF, 8, 1, HST_HAS_ALPHA}},
        {"decoders/rgb.2.avif", {45, 31, HST_FORMAT_AVIF, 0, 1, 0}},
        {"decoders/rgb.0.jp2", {45, 31, HST_FORMAT_JP2, 8, 1, 0}},
        {"decoders/tiles.0.j2k", {45, 31, HST_FORMAT_JP2, 8, 1, 0}},
        {"decoders/gray_16.0.jp2", {45, 31, HST_FORMAT_JP2, 16, 1, HST_IS_GRAY}},
        {"decoders/gray_16.0.tif", {45, 31, HST_FORMAT_TIFF, 16, 1, HST_IS_GRAY}},
        {"decoders/gray_32.0.tif", {45, 31, HST_FORMAT_TIFF, 32, 1, 0}},
    };
    size_t found = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char relative[128];
        uint8_t *bytes = NULL;
        size_t n = 0;
        hst_err err = {0};
        snprintf(relative, sizeof relative, "golden/%s%s",
                 strchr(cases[i].name, '/') ? "" : "images/", cases[i].name);
        char *path = shared_path(relative);
        if (!path)
            continue;
        found++;
        check_ok(hst_file_read(path, 1 << 20, HST_EIMAGE, &bytes, &n, &err), &err);
        const hst_facts want = cases[i].want;
        hst_facts f = hst_facts_of(bytes, n);
        if (memcmp(&f, &want, sizeof f) != 0)
            fail_msg("%s: %d x %d, %d bits, format %d, orientation %d, flags %d", cases[i].name,
                     f.w, f.h, f.bits, f.format, f.orientation, f.flags);
        for (size_t cut = 0; cut < n; cut += 1 + n / 500) /* wherever it ends: no crash */
            f = hst_facts_of(bytes, cut);
        free(bytes);
        free(path);
    }
    assert_true(found >= 13);
}

/* ---- measures ---- */

/* w x h pixels of the same picture at any size: stripes and blobs with sharp edges. */
static hst_image scene(int w, int h)
{
    hst_image img = {malloc((size_t)w * (size_t)h * 3), w, h};
    assert_non_null(img.rgb);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double u = (x + 0.5) / w, v = (y + 0.5) / h;
            const int light = (sin(40 * u) > 0) + (sin(31 * v + 9 * u * u) > 0) +
                              ((u - .4) * (u - .4) + (v - .6) * (v - .6) < .04);
            for (int c = 0; c < 3; c++)
                img.rgb[3 * ((size_t)y * (size_t)w + (size_t)x) + (size_t)c] =
                    (uint8_t)(20 + 60 * light + 10 * c);
        }
    return img;
}

/* Every pixel the mean of those at most r away, twice. */
static void blur(hst_image *img, int r)
{
    const size_t bytes = (size_t)img->w * (size_t)img->h * 3;
    uint8_t *from = malloc(bytes);
    assert_non_null(from);
    for (int pass = 0; pass < 2; pass++) {
        memcpy(from, img->rgb, bytes);
        for (int y = 0; y < img->h; y++)
            for (int x = 0; x < img->w; x++)
                for (int c = 0; c < 3; c++) {
                    int sum = 0, n = 0;
                    for (int v = y - r; v <= y + r; v++)
                        for (int u = x - r; u <= x + r; u++)
                            if (u >= 0 && u < img->w && v >= 0 && v < img->h) {
                                sum += from[3 * (v * img->w + u) + c];
                                n++;
                            }
                    img->rgb[3 * (y * img->w + x) + c] = (uint8_t)(sum / n);
                }
    }
    free(from);
}

static hst_picture picture_of(const hst_image *img)
{
    hst_err err = {0};
    hst_picture p;
    check_ok(hst_picture_of(img, NULL, 0, &p, &err), &err);
    return p;
}

static void light_and_colours(void **state)
{
    (void)state;
    enum { W = 40, H = 30 };
    hst_image img = {calloc(W * H, 3), W, H};
    hst_picture p = picture_of(&img);
    assert_true(p.brightness == 0 && p.contrast == 0 && p.bright == 0 && p.colors == 0);
    assert_true(p.pixels != 0 && p.w == W && p.h == H && p.file.format == HST_FORMAT_UNKNOWN);
    for (int i = 0; i < W * H / 2; i++) /* the upper half is white */
        memset(img.rgb + 3 * i, 255, 3);
    p = picture_of(&img);
    assert_true(p.brightness == 127.5f && p.contrast == 127.5f && p.colors == 127.5f);
    assert_true(p.dark == 0 && p.bright == 255);
    assert_true(p.sharpness == 1); /* too small to tell */
    assert_int_equal(p.thumb[0], 255);
    assert_int_equal(p.thumb[HST_THUMB_PX * HST_THUMB_PX - 1], 0);
    for (int i = 0; i < W * H; i++) /* one red pixel in fifty */
        memcpy(img.rgb + 3 * i, i % 50 ? "\x10\x10\x10" : "\xff\x10\x10", 3);
    p = picture_of(&img);
    assert_true(p.dark == 16 && p.bright > 80 && p.bright < 90);
    for (int i = 0; i < W * H; i++) /* one in two hundred */
        memcpy(img.rgb + 3 * i, i % 200 ? "\x10\x10\x10" : "\xff\x10\x10", 3);
    assert_true(picture_of(&img).bright == 16);
    hst_image_clear(&img);
}

static void size_changes_little(void **state)
{
    (void)state;
    hst_image large = scene(1500, 1100), small = scene(300, 220);
    const hst_picture a = picture_of(&large), b = picture_of(&small);
    int most = 0;
    for (int i = 0; i < HST_THUMB_PX * HST_THUMB_PX; i++)
        most = abs(a.thumb[i] - b.thumb[i]) > most ? abs(a.thumb[i] - b.thumb[i]) : most;
    assert_true(most <= 12); /* of steps of 60: edges fall between other pixels */
    assert_true(fabsf(a.brightness - b.brightness) < 1 && fabsf(a.contrast - b.contrast) < 3);
    assert_true(a.pixels != b.pixels);
    hst_image_clear(&large);
    hst_image_clear(&small);
}

static void blur_is_seen_in_dark_and_in_light(void **state)
{
    (void)state;
    hst_image img = scene(256, 200);
    assert_true(picture_of(&img).sharpness > 0.3f);
    for (int i = 0; i < 256 * 200 * 3; i++)
        img.rgb[i] /= 4;
    assert_true(picture_of(&img).sharpness > 0.3f);
    hst_image_clear(&img);
    for (int r = 1; r <= 6; r += 2) {
        img = scene(256, 200);
        blur(&img, r);
        const float blurred = picture_of(&img).sharpness;
        if (!(blurred < 0.16f))
            fail_msg("blurred over %d pixels: sharpness %g", 2 * r + 1, (double)blurred);
        hst_image_clear(&img);
    }
    img = scene(256, 200); /* a part that is sharp makes a sharp picture */
    hst_image part = scene(256, 200);
    blur(&img, 4);
    for (int y = 60; y < 140; y++)
        memcpy(img.rgb + 3 * (y * 256 + 80), part.rgb + 3 * (y * 256 + 80), 3 * 100);
    assert_true(picture_of(&img).sharpness > 0.2f);
    hst_image_clear(&part);
    hst_image_clear(&img);
}

static void odd_shapes(void **state)
{
    (void)state;
    static const int shapes[][2] = {{1, 1}, {1, 5000}, {70000, 1}, {257, 3}, {33, 700}, {384, 384}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int w = shapes[i][0], h = shapes[i][1];
        hst_image img = {malloc((size_t)w * (size_t)h * 3), w, h};
        memset(img.rgb, 200, (size_t)w * (size_t)h * 3);
        const hst_picture p = picture_of(&img);
        assert_true(p.brightness == 200 && p.dark == 200 && p.bright == 200 && p.contrast == 0);
        assert_int_equal(p.thumb[500], 200);
        hst_image_clear(&img);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_by_their_first_bytes),
        cmocka_unit_test(headers_of_reference_pictures),
        cmocka_unit_test(light_and_colours),
        cmocka_unit_test(size_changes_little),
        cmocka_unit_test(blur_is_seen_in_dark_and_in_light),
        cmocka_unit_test(odd_shapes),
    };
    return cmocka_run_group_tests_name("picture", tests, NULL, NULL);
}
