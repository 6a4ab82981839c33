/* report: pages and tables of photos with several labels, and with a number. */
#include "scene.h"

#include "report/report.h"

#include <stdlib.h>
#include <string.h>

enum { PHOTOS = 3 };
static const char *const names[PHOTOS] = {"1.png", "2.png", "<img src=x>.png"};

/* The same photos, judged otherwise. */
static hst_eval *evaluate(const fixture *f, enum hst_target target)
{
    static const float threshold[2] = {0.5f, 0.25f};
    static const double ends[HST_NUMBER_ENDS] = {-3, -1, 1, 4};
    static const float prob[PHOTOS][2] = {{.9f, .1f}, {.2f, .75f}, {.6f, .05f}};
    static const uint8_t marks[PHOTOS][2] = {{1, 0}, {0, 1}, {0, 1}};
    static const float said[PHOTOS] = {-1.5f, 2.25f, 30};
    static const double number[PHOTOS] = {-2, 2.5, 12};
    hst_err err = {0};
    hst_eval *e = hst_eval_of(&(hst_eval_kind){.labels = scene_labels,
                                               .n_classes = target == HST_TARGET_NUMBER ? 1 : 2,
                                               .target = target,
                                               .threshold = threshold,
                                               .ends = ends},
                              PHOTOS, &err);
    assert_non_null(e);
    for (int i = 0; i < PHOTOS; i++) {
        char *path = in_dir(f, names[i]);
        const hst_judged j = {.path = path,
                              .marks = marks[i],
                              .number = number[i],
                              .prob = target == HST_TARGET_NUMBER ? &said[i] : prob[i]};
        check_ok(hst_eval_add(e, &j, &err), &err);
        free(path);
    }
    check_ok(hst_eval_finish(e, &err), &err);
    return e;
}

static const char *make_page(fixture *f, hst_eval *e)
{
    hst_err err = {0};
    char *path = in_dir(f, "report.html");
    const hst_report_in in = {.title = "photos", .eval = e, .n_train = 9};
    check_ok(hst_report_html(&in, path, &err), &err);
    free(path);
    return read_back(f, "report.html");
}

static const char *make_table(fixture *f, hst_eval *e)
{
    hst_err err = {0};
    char *path = in_dir(f, "predictions.csv");
    check_ok(hst_report_predictions(e, path, &err), &err);
    free(path);
    return read_back(f, "predictions.csv");
}

static void has(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("no '%s'", what);
}

/* What is of classes only has no place. */
static void check_sections(const char *html)
{
    static const char *const none[] = {"id=\"matrix\"", "id=\"pairs\"",  "id=\"calibration\"",
                                       "id=\"unsure\"", "id=\"growth\"", "id=\"labels\""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strstr(html, none[i]))
            fail_msg("a section %s", none[i]);
    has(html, "id=\"accuracy\"");
    has(html, "id=\"wrong\"");
    has(html, "id=\"model\"");
    assert_null(strstr(html, "<img"));
    assert_null(strstr(html, "NaN"));
    assert_null(strstr(html, "nan"));
}

static void labels(void **state)
{
    fixture *f = *state;
    hst_eval *e = evaluate(f, HST_TARGET_LABELS);
    const char *html = make_page(f, e);
    check_sections(html);
    has(html, "2 labels");
    has(html, "91.7\xc2\xa0%"); /* AP 1, and (1 + 2/3) / 2: ranks 1 and 3 */
    has(html, "a &amp; &lt;b&gt;");
    has(html, "The only one."); /* the third: the first label is not so */
    hst_eval_free(e);
}

static void labels_as_a_table(void **state)
{
    fixture *f = *state;
    hst_eval *e = evaluate(f, HST_TARGET_LABELS);
    const char *csv = make_table(f, e);
    has(csv, "path,true,predicted,p_a & <b>,\"p_\"\"quoted\"\", with comma\"\n");
    has(csv, "/1.png,a & <b>,a & <b>,0.899999976,0.100000001\n");
    has(csv, "\"\"\"quoted\"\", with comma\",a & <b>,0.6");
    hst_eval_free(e);
}

static void a_number(void **state)
{
    fixture *f = *state;
    hst_eval *e = evaluate(f, HST_TARGET_NUMBER);
    const char *html = make_page(f, e);
    check_sections(html);
    has(html, "mean absolute error");
    has(html, "6.25"); /* of 0.5, 0.25 and 18 */
    has(html, "id=\"numbers\"");
    assert_int_equal(count(html, "class=\"dot b small\""), PHOTOS);
    has(html, "\xe2\x88\x92"
              "1.50"); /* what was said of the first */
    hst_eval_free(e);
}

static void a_number_as_a_table(void **state)
{
    fixture *f = *state;
    hst_eval *e = evaluate(f, HST_TARGET_NUMBER);
    const char *csv = make_table(f, e);
    has(csv, "path,true,predicted\n");
    has(csv, "/1.png,-2,-1.5\n");
    has(csv, "/2.png,2.5,2.25\n");
    hst_eval_free(e);
}

static void a_sheet_is_of_classes(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    for (int t = HST_TARGET_LABELS; t <= HST_TARGET_NUMBER; t++) {
        hst_eval *e = evaluate(f, (enum hst_target)t);
        assert_int_equal(hst_contact_sheet(e, 4, "/nonexistent/sheet.png", &err), HST_EARG);
        hst_eval_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels), cmocka_unit_test(labels_as_a_table), cmocka_unit_test(a_number),
        cmocka_unit_test(a_number_as_a_table), cmocka_unit_test(a_sheet_is_of_classes)};
    return cmocka_run_group_tests(tests, scene_set_up, scene_tear_down);
}
