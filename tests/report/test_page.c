/* report: report.html. */
#include "scene.h"

#include "base/file.h"
#include "base/sha256.h"
#include "inspection/inspection.h"
#include "report/base64.h"
#include "review/review.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A space at which no line breaks, between a number and its "%". */
#define NBSP "\xc2\xa0"

static const char *write_page(fixture *f, const char *name)
{
    static const char *const skipped[] = {"x/<script>.jpg"}, *const why[] = {"empty & useless"};
    hst_err err = {0};
    static const hst_report_fact fact[] = {{"recipe <x>", "a'to", 0}, {"SHA-256", "ab/cd_ef", 1}};
    hst_report_in in = {.title = "<flowers> & co",
                        .root = f->dir,
                        .backbone = "mobilenet_v2",
                        .fact = fact,
                        .n_facts = 2,
                        .eval = f->eval,
                        .n_train = 16,
                        .n_skipped = 1,
                        .skipped_path = skipped,
                        .skipped_why = why};
    char *path = in_dir(f, name);
    check_ok(hst_report_html(&in, path, &err), &err);
    free(path);
    return read_back(f, name);
}

static void page_escapes_everything(void **state)
{
    const char *page = write_page(*state, "report.html");
    assert_int_equal(count(page, "<img"), 0);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<b>\"quoted"));
    assert_non_null(strstr(page, "&lt;flowers&gt; &amp; co"));
    assert_non_null(strstr(page, "a &amp; &lt;b&gt;"));
    assert_non_null(strstr(page, "x/<wbr>&lt;script&gt;.jpg"));
    assert_non_null(strstr(page, "empty &amp; useless"));
    assert_non_null(strstr(page, "recipe &lt;x&gt;"));
    assert_non_null(strstr(page, "a&#39;to"));
}

static void page_needs_nothing_but_itself(void **state)
{
    const char *page = write_page(*state, "report.html");
    static const char *const never[] = {"http:",   "https:",  "url(",      "@import", "<link",
                                        "<script", " style=", "<iframe",   "<object", "onclick=",
                                        "<base",   "<form",   "javascript"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (strstr(page, never[i]))
            fail_msg("%s is in the page", never[i]);
    assert_int_equal(count(page, "src="), count(page, "img src=x&gt;")); /* a name */
    assert_non_null(strstr(page, "href=\"data:image/jpeg;base64,/9j/"));
}

/* The policy allows the style that is there, and nothing else but pictures inside the page. */
static void page_forbids_all_but_its_own_style(void **state)
{
    const char *page = write_page(*state, "report.html");
    char want[512];
    uint8_t digest[32];
    hst_err err = {0};
    hst_buf b = HST_BUF(100);
    const char *style = strstr(page, "<style>");
    assert_non_null(style);
    style += strlen("<style>");
    const char *end = strstr(style, "</style>");
    assert_non_null(end);
    check_ok(hst_sha256_bytes(style, (size_t)(end - style), digest, &err), &err);
    hst_base64_add(&b, digest, sizeof digest);
    snprintf(want, sizeof want,
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">",
             b.p);
    assert_non_null(strstr(page, want));
    assert_true(strstr(page, want) < style);
    assert_int_equal(count(page, "<style"), 1);
    hst_buf_free(&b);
}

/* 1 where one element has that id. */
static int has_id(const char *page, const char *id, size_t n)
{
    char want[128];
    snprintf(want, sizeof want, " id=\"%.*s\"", (int)n, id);
    return count(page, want) == 1;
}

/* How many links and shown pictures there are; each must lead somewhere. */
static int check_links(const char *page)
{
    int n = 0;
    for (const char *s = page; (s = strstr(s, "href=\"#")); n++) {
        s += strlen("href=\"#");
        if (!has_id(page, s, strcspn(s, "\"")))
            fail_msg("nothing has the id %.*s", (int)strcspn(s, "\""), s);
    }
    return n;
}

/* Links and shown pictures lead somewhere; cells with photos to their panel, which leads back. */
static void page_links_lead_somewhere(void **state)
{
    const char *page = write_page(*state, "report.html");
    assert_true(check_links(page) > 10);
    for (int t = 0; t < 2; t++)
        for (int g = 0; g < 2; g++) {
            char cell[80], panel[80], back[80];
            snprintf(cell, sizeof cell, "<a id=\"m%d-%d\" href=\"#c%d-%d\"", t, g, t, g);
            snprintf(panel, sizeof panel, "<div class=\"panel\" id=\"c%d-%d\"", t, g);
            snprintf(back, sizeof back, "<a href=\"#m%d-%d\">Back", t, g);
            assert_int_equal(count(page, cell), 1);
            assert_int_equal(count(page, panel), 1);
            assert_int_equal(count(page, back), 1);
        }
}

/* However often a photo is shown. */
static void page_holds_a_picture_once(void **state)
{
    const char *page = write_page(*state, "report.html");
    assert_int_equal(count(page, "<image"), 3); /* of four photos one is gone */
    assert_int_equal(count(page, "data:image"), 3);
    assert_int_equal(count(page, "<use href=\"#p0\"/>"), 3); /* wrong, least sure, in its cell */
    assert_int_equal(count(page, "cannot be shown"), 3);
}

/* From the data's folder on, to be broken behind '/' and '_'; all of it for who points at it. */
static void page_shortens_paths(void **state)
{
    fixture *f = *state;
    char want[600];
    const char *page = write_page(f, "report.html");
    snprintf(want, sizeof want, "<span class=\"path\" title=\"%s/gone.png\">gone.png</span>",
             f->dir);
    assert_non_null(strstr(page, want));
    assert_non_null(strstr(page, "<code>ab/<wbr>cd_<wbr>ef</code>"));
}

static void page_tells_the_numbers(void **state)
{
    const char *page = write_page(*state, "report.html");
    assert_non_null(strstr(page, "50.0" NBSP "%"));
    assert_non_null(strstr(page, "2 of 4 validation photos"));
    assert_non_null(strstr(page, "15.0" NBSP "% to 85.0" NBSP "%")); /* Wilson, 2 of 4 */
    assert_non_null(strstr(page, "<b>4 photos: between 15 and 85" NBSP "%</b>. So few photos"));
    const char *wrong = strstr(page, "<h2 id=\"wrong-h\"");
    assert_non_null(wrong);
    const char *sure = strstr(wrong, "90.0" NBSP "%"), *unsure = strstr(wrong, "60.0" NBSP "%");
    assert_non_null(sure);
    assert_true(sure < unsure); /* the surest mistake first */
}

/* Six photos of one class, one of the other: 5 of 6 and 0 of 1 are right. */
static void page_of_unequal_classes_tells_the_balanced_accuracy(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    hst_eval *equal = f->eval;
    static const float right[] = {.9f, .1f}, wrong[] = {.1f, .9f};
    assert_null(strstr(write_page(f, "report.html"), "balanced accuracy"));
    f->eval = hst_eval_new(scene_labels, 2, 7, &err);
    for (int i = 0; i < 7; i++)
        check_ok(hst_eval_add(
                     f->eval,
                     &(hst_judged){.path = "x", .truth = i == 6, .prob = i == 5 ? wrong : right},
                     &err),
                 &err);
    check_ok(hst_eval_finish(f->eval, &err), &err);
    assert_non_null(strstr(write_page(f, "report.html"),
                           "; balanced accuracy, the mean of the classes' recalls, 41.7" NBSP
                           "%."));
    hst_eval_free(equal);
}

static void page_tells_an_estimate_out_of_fold(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"a", "b"};
    static const float sure[] = {1, 0};
    hst_err err = {0};
    hst_eval *aside = hst_eval_new(names, 2, 1, &err);
    check_ok(hst_eval_add(aside, &(hst_judged){.path = "x.png", .truth = 0, .prob = sure}, &err),
             &err);
    check_ok(hst_eval_finish(aside, &err), &err);
    hst_report_in in = {.title = "t", .eval = f->eval, .holdout = aside, .n_train = 5};
    char *path = in_dir(f, "folds.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = read_back(f, "folds.html");
    assert_null(strstr(page, "validation photos"));
    assert_non_null(strstr(page, "2 of 4 photos right"));
    assert_non_null(strstr(page, "learned from all 5 photos"));
    assert_non_null(strstr(page, "a model of the other 4: 100.0" NBSP "% of 1 right"));
    free(path);
    hst_eval_free(aside);
}

/* Two photos of one picture, and one that the model has learned from. */
static void page_tells_what_does_not_count(void **state)
{
    fixture *f = *state;
    static const float sure[] = {1, 0};
    const hst_judged photos[] = {{.path = "1", .prob = sure, .pixels = 7},
                                 {.path = "2", .truth = 1, .prob = sure, .pixels = 7},
                                 {.path = "3", .prob = sure, .pixels = 8, .seen = 1}};
    hst_err err = {0};
    hst_eval *e = hst_eval_new(scene_labels, 2, 3, &err);
    for (int i = 0; i < 3; i++)
        check_ok(hst_eval_add(e, &photos[i], &err), &err);
    check_ok(hst_eval_finish(e, &err), &err);
    hst_report_in in = {.title = "t", .eval = e, .evaluation = "runs/x/model.safetensors"};
    char *path = in_dir(f, "counts.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = read_back(f, "counts.html");
    assert_non_null(strstr(page, "<b>1 photo: between"));
    assert_non_null(strstr(page, "1 of 1 photos right"));
    assert_non_null(strstr(page, "Not counted: 1 photo that the model has learned from, of which "
                                 "100.0" NBSP "% are right"));
    assert_non_null(strstr(page, "1 photo is a copy of another"));
    assert_non_null(strstr(page, "judged by runs/<wbr>x/<wbr>model.safetensors"));
    assert_int_equal(count(page, "class=\"panel\""), 1);
    free(path);
    hst_eval_free(e);
}

static void page_draws_how_calibrated_it_is(void **state)
{
    const char *page = write_page(*state, "report.html");
    const char *section = strstr(page, "<section id=\"calibration\"");
    assert_non_null(section);
    /* Three bins: two photos at 0.9, one at 0.75, one at 0.6. */
    assert_non_null(strstr(section, "Expected calibration error "));
    assert_int_equal(count(section, "<circle"), 3);
    assert_null(strstr(section, "temperature"));
    assert_null(strstr(page, "nan"));
}

static const char *write_curves(fixture *f, const hst_epoch *history, size_t n)
{
    hst_err err = {0};
    hst_report_in in = {
        .title = "t", .eval = f->eval, .history = history, .n_history = n, .temperature = 1.25};
    char *path = in_dir(f, "curves.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    free(path);
    return read_back(f, "curves.html");
}

static void page_draws_curves_and_names_their_ends(void **state)
{
    static const hst_epoch history[] = {
        {1, 1.4, .40, 1.2, .60, 0}, {2, 1.0, .70, .95, .75, 0}, {3, .80, .85, .99, .80, 0}};
    static const hst_epoch nothing_aside[] = {{1, 1.4, .40, -1, -1, 0}, {2, 1.0, .70, -1, -1, 0}};
    const char *page = write_curves(*state, history, 3);
    assert_int_equal(count(page, "<polyline class=\"line a\""), 2);
    assert_int_equal(count(page, "<polyline class=\"line b\""), 2);
    assert_non_null(strstr(page, "training 0.800</span>"));
    assert_non_null(
        strstr(page, "validation 80.0" NBSP "%</span>. Best epoch, 2: validation 75.0"));
    assert_non_null(strstr(page, "divided by the temperature 1.250"));
    page = write_curves(*state, nothing_aside, 2);
    assert_int_equal(count(page, "<polyline class=\"line a\""), 2);
    assert_int_equal(count(page, "<polyline class=\"line b\""), 0);
    assert_null(strstr(page, "Best epoch"));
    assert_null(strstr(write_curves(*state, history, 1), "id=\"training\""));
}

/* Two doubted scene_labels, one of a photo that the evaluation does not have. */
static void page_shows_likely_wrong_labels(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    char *one = in_dir(f, "2.png"), *other = in_dir(f, "other.png"), *path = in_dir(f, "w.html");
    write_photo(f, "other.png", 30, 30);
    hst_review_photo photo[] = {{.path = other, .label = 0, .suggested = 1, .suggested_prob = .95},
                                {.path = one, .label = 1, .suggested = 0, .suggested_prob = .8}};
    size_t list[] = {0, 1};
    hst_review review = {.photo = photo, .n = 2};
    review.list[HST_REVIEW_WRONG] = list;
    hst_report_in in = {.title = "t", .eval = f->eval, .review = &review};
    check_ok(hst_report_html(&in, path, &err), &err);
    assert_null(strstr(read_back(f, "w.html"), "id=\"labels\"")); /* none is doubted */
    review.n_list[HST_REVIEW_WRONG] = 2;
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = strstr(read_back(f, "w.html"), "id=\"labels\"");
    assert_non_null(page);
    assert_non_null(strstr(page, "2 have labels that are doubted"));
    const char *first = strstr(page, "labelled <b>a &amp; &lt;b&gt;</b><br>likely <b>&quot;quoted");
    const char *second = strstr(page, "labelled <b>&quot;quoted");
    assert_true(first && second && first < second);
    assert_int_equal(count(page, "<image"), 4); /* three of the evaluation, and the other one */
    free(one);
    free(other);
    free(path);
}

/* Of five photos two are one picture in two classes, two others nearly the same. */
static void page_shows_copies(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    static const char *const classes[] = {"a <a>", "b"};
    char *path = in_dir(f, "copies.html");
    hst_photo photos[5];
    const uint64_t pixels[5] = {1, 2, 3, 2, 1};
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "same%d.png", i);
        write_photo(f, name, 30, 30);
        photos[i] = (hst_photo){.path = in_dir(f, name), .label = i == 4};
    }
    hst_data data = {
        .classes = (const char **)(uintptr_t)classes, .n_classes = 2, .photos = photos};
    size_t group[] = {0, 1, 1, 3, 0};
    hst_near near = {.n = 5, .group = group};
    hst_report_in in = {
        .title = "t", .eval = f->eval, .data = &data, .pixels = pixels, .near = &near};
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = strstr(read_back(f, "copies.html"), "id=\"copies\"");
    assert_non_null(page);
    assert_non_null(strstr(page, "4 photos are there more than once, in 2 groups."));
    assert_non_null(strstr(page, "1 group has different classes"));
    const char *first = strstr(page, "2 files of the same picture, in different classes");
    const char *second = strstr(page, "2 photos that are nearly the same<");
    assert_true(first && second && first < second);
    assert_non_null(strstr(page, "<b>a &lt;a&gt;</b>"));
    assert_int_equal(count(page, "<image"), 3 + 4);
    for (int i = 0; i < 5; i++)
        free((void *)(uintptr_t)photos[i].path);
    free(path);
}

/* A row a kind: two blurred photos, and copies, which have no section here. */
static void page_tells_what_is_wrong_with_the_photos(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    const char *const paths[] = {"a/<1>.jpg", "a/2.jpg"};
    hst_found found[3] = {0};
    for (int i = 0; i < 3; i++)
        found[i].told = (hst_inspection_finding){.kind = i < 2 ? "blurred" : "copies",
                                                 .severity = HST_SEVERITY_WARNING,
                                                 .title = i < 2 ? "blurred" : "the same picture",
                                                 .what = "sharpness 0.1",
                                                 .advice = "Look.",
                                                 .paths = paths + i % 2,
                                                 .n_paths = 1};
    const hst_inspection inspection = {.found = found, .n_found = 3};
    hst_report_in in = {.title = "t", .eval = f->eval, .inspection = &inspection};
    char *path = in_dir(f, "doctor.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = strstr(read_back(f, "doctor.html"), "<section id=\"doctor\"");
    assert_non_null(page);
    assert_non_null(strstr(page, "<td>warning</td><th scope=\"row\">blurred<details>"));
    assert_non_null(strstr(page, "<li>a/<wbr>&lt;1&gt;.jpg: sharpness 0.1</li>"));
    assert_non_null(strstr(page, "<td class=\"num\">2</td><td>Look.</td>"));
    assert_null(strstr(page, "href=\"#copies\""));
    free(path);
}

static void page_draws_what_more_photos_would_bring(void **state)
{
    fixture *f = *state;
    hst_err err = {0};
    const hst_learning_curve growth = {.photos = {48, 96, 192, 384, 480},
                                       .accuracy = {.7, .8, .85, .88, .9},
                                       .low = {.6, .75, .8, .85, .87},
                                       .high = {.8, .85, .9, .91, .93},
                                       .words = "200 more photos would bring <1> point"};
    hst_report_in in = {.title = "t", .eval = f->eval, .growth = &growth};
    char *path = in_dir(f, "growth.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = strstr(read_back(f, "growth.html"), "<section id=\"growth\"");
    assert_non_null(page);
    assert_non_null(strstr(page, "<b>200 more photos would bring &lt;1&gt; point.</b>"));
    assert_int_equal(count(page, "<polygon"), 1);
    assert_int_equal(count(page, "<circle"), 5);
    assert_non_null(strstr(page, "48 photos: 70.0" NBSP "%, 96 photos: 80.0"));
    free(path);
}

/* Of very many classes there is no matrix, so that nothing may lead to its cells. */
static void page_of_very_many_classes_has_no_matrix(void **state)
{
    enum { MANY = 101 };
    fixture *f = *state;
    hst_err err = {0};
    const char *names[MANY];
    char text[MANY][16];
    float prob[MANY] = {1};
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "c%d", i);
        names[i] = text[i];
    }
    hst_eval *e = hst_eval_new(names, MANY, MANY, &err);
    for (int i = 0; i < MANY; i++)
        check_ok(hst_eval_add(e, &(hst_judged){.path = names[i], .truth = i, .prob = prob}, &err),
                 &err);
    check_ok(hst_eval_finish(e, &err), &err);
    hst_report_in in = {.title = "t", .eval = e};
    char *path = in_dir(f, "many.html");
    check_ok(hst_report_html(&in, path, &err), &err);
    const char *page = read_back(f, "many.html");
    assert_non_null(strstr(page, "101 classes are too many to draw"));
    assert_null(strstr(page, "class=\"matrix"));
    assert_null(strstr(page, "class=\"panel"));
    assert_non_null(strstr(page, "The 60 surest mistakes of 100."));
    assert_true(check_links(page) > 3);
    free(path);
    hst_eval_free(e);
}

static void page_is_the_same_twice_and_in_any_locale(void **state)
{
    fixture *f = *state;
    char *first = strdup(write_page(f, "1.html"));
    setlocale(LC_NUMERIC, "de_DE.UTF-8"); /* a comma, where that locale is installed */
    const char *second = write_page(f, "2.html");
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(first, second);
    free(first);
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
        cmocka_unit_test_setup_teardown(page_escapes_everything, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_needs_nothing_but_itself, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_forbids_all_but_its_own_style, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_links_lead_somewhere, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_holds_a_picture_once, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_shortens_paths, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_tells_the_numbers, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_of_unequal_classes_tells_the_balanced_accuracy,
                                        scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_tells_an_estimate_out_of_fold, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_tells_what_does_not_count, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_draws_how_calibrated_it_is, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_draws_curves_and_names_their_ends, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_shows_likely_wrong_labels, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_shows_copies, scene_set_up, scene_tear_down),
        cmocka_unit_test_setup_teardown(page_tells_what_is_wrong_with_the_photos, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_of_very_many_classes_has_no_matrix, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_draws_what_more_photos_would_bring, scene_set_up,
                                        scene_tear_down),
        cmocka_unit_test_setup_teardown(page_is_the_same_twice_and_in_any_locale, scene_set_up,
                                        scene_tear_down),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
