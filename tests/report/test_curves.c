/* report: curves of a run, and the photo with its labels. */
#include "support.h"

#include "base/file.h"
#include "images/image.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <cairo.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const hst_ctx quiet = {0};

static const hst_epoch history[] = {
    {1, 1.4, .40, 1.2, .60, .005}, {2, 1.0, .70, .95, .75, .005}, {3, .80, .85, .90, .80, .005},
    {4, .70, .90, .86, .81, .005}, {5, .64, .95, .84, .82, .005},
};
static const hst_curves in = {history, 5, 0.389673};

static hst_buf svg_of(const hst_curves *c)
{
    hst_err err = {0};
    hst_buf b = HST_BUF(64 << 20);
    check_ok(hst_curves_svg(c, &b, &err), &err);
    return b;
}

static hst_image pixels_of(const hst_curves *c)
{
    hst_err err = {0};
    hst_image img = {0};
    hst_buf b = HST_BUF(64 << 20);
    check_ok(hst_curves_png(c, &b, &err), &err);
    check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, (const uint8_t *)b.p,
                              b.n, &img, &err),
             &err);
    hst_buf_free(&b);
    return img;
}

/* Dark blue is the validation line, brick red the train line; neither is in axes and texts. */
static int is_blue(const uint8_t *p)
{
    return p[2] > 140 && p[0] < 60;
}

static int is_red(const uint8_t *p)
{
    return p[0] > 170 && p[1] < 90 && p[2] < 60;
}

/* Pixels of a colour inside the part [x0, x1) x [y0, y1) of the picture, in drawing units. */
static int coloured(const hst_image *img, const int box[4], int (*is)(const uint8_t *))
{
    int n = 0;
    for (int y = 2 * box[2]; y < 2 * box[3]; y++)
        for (int x = 2 * box[0]; x < 2 * box[1]; x++)
            n += is(img->rgb + ((size_t)y * (size_t)img->w + (size_t)x) * 3);
    return n;
}

/* Whether a line is drawn in dashes of a and gaps of b. cairo writes them in a style, from 1.18 on
 * in an attribute. */
static int has_dashes(const char *svg, char a, char b)
{
    static const char name[] = "stroke-dasharray";
    while ((svg = strstr(svg, name))) {
        svg += strlen(name);
        svg += strspn(svg, "=:\"");
        if (svg[0] == a && strchr(", ", svg[1]) && svg[1 + strspn(svg + 1, ", ")] == b)
            return 1;
    }
    return 0;
}

static void the_floor_is_the_entropy_of_smoothed_targets(void **state)
{
    (void)state;
    assert_true(fabs(hst_smoothing_floor(.1, 5) - 0.389673) < 5e-7);
    assert_true(fabs(hst_smoothing_floor(.5, 2) - (-.75 * log(.75) - .25 * log(.25))) < 1e-15);
    assert_true(hst_smoothing_floor(0, 5) == 0);
}

/* cairo counts surfaces per process: work in between must not show. */
static void svg_is_the_same_twice_and_in_any_locale(void **state)
{
    (void)state;
    hst_buf first = svg_of(&in);
    hst_image img = pixels_of(&in);
    hst_image_clear(&img);
    setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* a comma, where that locale is installed */
    hst_buf second = svg_of(&in);
    setlocale(LC_NUMERIC, "C");
    assert_int_equal(first.n, second.n);
    assert_memory_equal(first.p, second.p, first.n);
    assert_null(strstr(first.p, "id=\"surface"));
    assert_non_null(strstr(first.p, "</svg>"));
    assert_true(has_dashes(first.p, '7', '4')); /* the train line */
    hst_buf_free(&first);
    hst_buf_free(&second);
}

static void the_floor_is_drawn_only_where_there_is_one(void **state)
{
    (void)state;
    hst_curves without = in;
    without.loss_floor = 0;
    hst_buf with = svg_of(&in), none = svg_of(&without);
    assert_true(has_dashes(with.p, '2', '3'));
    assert_false(has_dashes(none.p, '2', '3'));
    hst_buf_free(&with);
    hst_buf_free(&none);
}

static void lines_stay_inside_their_plots(void **state)
{
    (void)state;
    static const int loss[] = {50, 600, 30, 235}, accuracy[] = {50, 600, 295, 500};
    static const int between[] = {0, 600, 240, 290}, below[] = {0, 600, 505, 540};
    hst_image img = pixels_of(&in);
    assert_int_equal(img.w, 1200);
    assert_int_equal(img.h, 1080);
    assert_true(coloured(&img, loss, is_blue) > 1000);
    assert_true(coloured(&img, accuracy, is_blue) > 1000);
    /* Dashes: less ink than the solid line, which is about as long. */
    assert_true(coloured(&img, loss, is_red) > 500);
    assert_int_equal(coloured(&img, between, is_blue) + coloured(&img, between, is_red), 0);
    assert_int_equal(coloured(&img, below, is_blue) + coloured(&img, below, is_red), 0);
    /* The last quarter of the loss plot, under both lines: nothing strays there. */
    assert_int_equal(coloured(&img, (const int[]){60, 470, 215, 235}, is_red), 0);
    hst_image_clear(&img);
}

static void nothing_kept_aside_has_no_line(void **state)
{
    (void)state;
    static const int all[] = {0, 600, 0, 540};
    const hst_epoch e[2] = {{1, 1.4, .40, -1, -1, 0}, {2, 1.0, .70, -1, -1, 0}};
    hst_image img = pixels_of(&(hst_curves){e, 2, 0});
    assert_true(coloured(&img, all, is_red) > 500);
    assert_int_equal(coloured(&img, all, is_blue), 0);
    hst_image_clear(&img);
}

/* Lines that do not move, that end in the same place, huge numbers, very many epochs. */
static void odd_histories_are_drawn(void **state)
{
    (void)state;
    static const double value[] = {0, 1, 1e-12, 1e12, 1e300};
    enum { MANY = 100000 };
    for (size_t i = 0; i < sizeof value / sizeof *value; i++) {
        hst_epoch e[2] = {{1, value[i], 1, value[i], 1, 0}, {2, value[i], 1, value[i], 1, 0}};
        hst_buf b = svg_of(&(hst_curves){e, 2, 0});
        assert_null(strstr(b.p, "nan"));
        assert_null(strstr(b.p, "inf"));
        hst_buf_free(&b);
    }
    hst_epoch *e = calloc(MANY, sizeof *e);
    for (int i = 0; i < MANY; i++)
        e[i] = (hst_epoch){i + 1, 1.0 / (i + 1), .5, 2.0 / (i + 1), .4, 0};
    hst_buf b = svg_of(&(hst_curves){e, MANY, 0});
    assert_true(b.n < 400000);
    hst_buf_free(&b);
    free(e);
}

static void the_photo_has_its_labels_above_it(void **state)
{
    (void)state;
    static const char *const names[] = {"rose", "a very long name of a class, so long that the "
                                                "title does not fit on one line any more"};
    static const float prob[] = {.75f, .25f};
    hst_err err = {0};
    hst_image img = {0};
    char *dir = temporary_folder();
    char *photo = hst_path_join(dir, "in.png", &err), *out = hst_path_join(dir, "out.png", &err);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 60, 30); /* black */
    assert_int_equal(cairo_surface_write_to_png(s, photo), CAIRO_STATUS_SUCCESS);
    cairo_surface_destroy(s);
    hst_eval *e = hst_eval_new(names, 2, 3, &err);
    check_ok(hst_eval_add(e, &(hst_judged){.path = photo, .truth = 0, .prob = prob}, &err), &err);
    check_ok(hst_eval_add(e, &(hst_judged){.path = photo, .truth = 1, .prob = prob}, &err), &err);
    check_ok(
        hst_eval_add(e, &(hst_judged){.path = "/nonexistent.png", .truth = 0, .prob = prob}, &err),
        &err);
    check_ok(hst_eval_finish(e, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        static const int height[] = {16 + 24 + 240 + 16, 16 + 48 + 240 + 16, 16 + 24 + 48 + 16};
        check_ok(hst_report_photo(e, i, out, &err), &err);
        check_ok(hst_thumbnail_read(&quiet, out, 512, &img, &err), &err);
        assert_int_equal(img.w, 512);
        assert_int_equal(img.h, height[i]);
        hst_image_clear(&img);
    }
    assert_int_equal(hst_report_photo(e, 3, out, &err), HST_EARG);
    assert_int_equal(hst_report_photo(e, 0, "/nonexistent/x.png", &err), HST_EIO);
    hst_eval_free(e);
    free(photo);
    free(out);
    remove_tree(dir);
    free(dir);
}

/* Asked by a leak checker, where there is one: fontconfig never frees its caches. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_floor_is_the_entropy_of_smoothed_targets),
        cmocka_unit_test(svg_is_the_same_twice_and_in_any_locale),
        cmocka_unit_test(the_floor_is_drawn_only_where_there_is_one),
        cmocka_unit_test(lines_stay_inside_their_plots),
        cmocka_unit_test(nothing_kept_aside_has_no_line),
        cmocka_unit_test(odd_histories_are_drawn),
        cmocka_unit_test(the_photo_has_its_labels_above_it),
    };
    return cmocka_run_group_tests_name("curves", tests, NULL, NULL);
}
