/* report: the table of predictions, the contact sheet, augmented photos. */
#include "scene.h"

#include "base/file.h"
#include "report/thumbnail.h"

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const hst_ctx quiet = {0};

static void a_page_that_cannot_be_written_is_an_error(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_report_in in = {.title = "t", .eval = f->eval};
    assert_int_equal(hst_report_html(&in, "/nonexistent/report.html", &err), HST_EIO);
    assert_int_equal(hst_report_predictions(f->eval, "/nonexistent/p.csv", &err), HST_EIO);
    assert_int_equal(hst_contact_sheet(f->eval, 9, "/nonexistent/s.png", &err), HST_EIO);
}

static void predictions_come_back_exactly(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    char *path = in_dir(f, "predictions.csv");
    check_ok(hst_report_predictions(f->eval, path, &err), &err);
    free(path);
    const char *text = read_back(f, "predictions.csv");
    assert_int_equal(
        strncmp(text, "path,true,predicted,p_a & <b>,\"p_\"\"quoted\"\", with comma\"\n",
                strlen("path,true,predicted,p_a & <b>,\"p_\"\"quoted\"\", with comma\"\n")),
        0);
    assert_int_equal(count(text, "\n"), 5);
    const char *last = strstr(text, "gone.png,");
    assert_non_null(last);
    const char *p = strstr(last, ",0.");
    assert_non_null(p);
    assert_true(strtof(p + 1, NULL) == .6f);
}

static void thumbnails_keep_proportions(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_image img = {0};
    write_photo(f, "wide.png", 300, 2);
    char *path = in_dir(f, "wide.png");
    check_ok(hst_thumbnail_read(&quiet, path, 100, &img, &err), &err);
    assert_int_equal(img.w, 100);
    assert_int_equal(img.h, 1);
    hst_image_clear(&img);
    free(path);
    assert_int_equal(hst_thumbnail_read(&quiet, f->dir, 100, &img, &err), HST_EIMAGE);
}

static void sheet_marks_wrong_photos_without_colour(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_image img = {0};
    char *path = in_dir(f, "sheet.png");
    check_ok(hst_contact_sheet(f->eval, 3, path, &err), &err);
    check_ok(hst_thumbnail_read(&quiet, path, 1200, &img, &err), &err);
    free(path);
    assert_int_equal(img.w, 1200); /* six cells of 200 */
    /* Frame of the first photo (wrong, 80 x 30 fitted into 176 x 66) and its middle. */
    const uint8_t *frame = img.rgb + ((size_t)(60 + 55 + 30) * 1200 + 12) * 3;
    const uint8_t *middle = img.rgb + ((size_t)(60 + 55 + 40) * 1200 + 100) * 3;
    assert_true(frame[0] > 150 && frame[1] < 60);
    assert_true(middle[1] > 120 && middle[0] < 90);
    hst_image_clear(&img);
}

static void write_coloured(const char *path, double red, double green, double blue)
{
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 20, 20);
    cairo_t *c = cairo_create(s);
    cairo_set_source_rgb(c, red, green, blue);
    cairo_paint(c);
    assert_int_equal(cairo_surface_write_to_png(s, path), CAIRO_STATUS_SUCCESS);
    cairo_destroy(c);
    cairo_surface_destroy(s);
}

/* Three red photos of one class, a blue one of the other, all right: the second is the blue one. */
static void sheet_takes_the_classes_in_turn(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_image img = {0};
    static const float prob[][2] = {{.9f, .1f}, {.2f, .8f}};
    hst_eval *e = hst_eval_new(scene_labels, 2, 4, &err);
    char *red = in_dir(f, "red.png"), *blue = in_dir(f, "blue.png"), *sheet = in_dir(f, "turn.png");
    write_coloured(red, .8, .1, .1);
    write_coloured(blue, .1, .1, .8);
    for (int i = 0; i < 4; i++) {
        const hst_judged j = {.path = i < 3 ? red : blue, .truth = i == 3, .prob = prob[i == 3]};
        check_ok(hst_eval_add(e, &j, &err), &err);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    check_ok(hst_contact_sheet(e, 2, sheet, &err), &err);
    check_ok(hst_thumbnail_read(&quiet, sheet, 1200, &img, &err), &err);
    const uint8_t *middle = img.rgb + ((size_t)(48 + 100) * 1200 + 100) * 3;
    assert_true(middle[0] > 150 && middle[2] < 80);
    assert_true(middle[600] < 80 && middle[602] > 150);
    hst_image_clear(&img);
    hst_eval_free(e);
    free(red);
    free(blue);
    free(sheet);
}

/* A row a photo, six cells of 64 with 8 between; the second photo is not there. */
static void augmented_photos_side_by_side(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_image img = {0};
    char *photo = in_dir(f, "1.png"), *gone = in_dir(f, "none.png"), *path = in_dir(f, "a.png");
    const char *const photos[] = {photo, gone};
    const uint32_t number[] = {0, 1};
    hst_prep prep = {HST_RESAMPLE_PIL, {64, 64}, {{50, 60, 70}, {10, 20, 30}}};
    hst_augmented in = {&quiet, HST_AUGMENT_TUTORIAL, &prep, 1, photos, number, 2, NULL};
    check_ok(hst_report_augmented(&in, path, &err), &err);
    check_ok(hst_thumbnail_read(&quiet, path, 6 * 72 + 16, &img, &err), &err);
    assert_int_equal(img.w, 6 * 72 + 16);
    assert_int_equal(img.h, 40 + 2 * 72);
    for (int i = 0; i < 6; i++) { /* the photo has one colour */
        const uint8_t *p = img.rgb + ((size_t)(40 + 32) * (size_t)img.w + 50 + 72 * (size_t)i) * 3;
        assert_true(abs(p[0] - 51) <= 1 && abs(p[1] - 153) <= 1 && abs(p[2] - 77) <= 1);
        assert_int_equal(p[(size_t)img.w * 72 * 3], 255);
    }
    hst_image_clear(&img);
    in.label = scene_labels; /* a name above each row */
    check_ok(hst_report_augmented(&in, path, &err), &err);
    check_ok(hst_thumbnail_read(&quiet, path, 6 * 72 + 16, &img, &err), &err);
    assert_int_equal(img.h, 40 + 2 * (72 + 22));
    hst_image_clear(&img);
    assert_int_equal(hst_report_augmented(&in, "/nonexistent/a.png", &err), HST_EIO);
    free(path);
    free(gone);
    free(photo);
}

static void an_empty_evaluation_still_makes_everything(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_eval *e = hst_eval_new(scene_labels, 2, 0, &err);
    assert_non_null(e);
    check_ok(hst_eval_finish(e, &err), &err);
    hst_report_in in = {.title = "nothing", .eval = e};
    char *page = in_dir(f, "empty.html"), *sheet = in_dir(f, "empty.png");
    check_ok(hst_report_html(&in, page, &err), &err);
    check_ok(hst_contact_sheet(e, 10, sheet, &err), &err);
    const char *text = read_back(f, "empty.html");
    assert_non_null(strstr(text, "The accuracy cannot be measured"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "Confusion matrix"));
    assert_null(strstr(text, "named rightly"));
    free(page);
    free(sheet);
    hst_eval_free(e);
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
        cmocka_unit_test_setup_teardown(a_page_that_cannot_be_written_is_an_error, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(predictions_come_back_exactly, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(thumbnails_keep_proportions, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(sheet_marks_wrong_photos_without_colour, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(sheet_takes_the_classes_in_turn, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(augmented_photos_side_by_side, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(an_empty_evaluation_still_makes_everything, scene_set_up,
                                        scene_tear_down),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
