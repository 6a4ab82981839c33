/* dataset: photos of which the caller knows several labels or a number. */
#include "support.h"

#include "dataset/dataset.h"

#include <math.h>
#include <string.h>

static const char *const paths[] = {"a.jpg", "b.jpg", "c.jpg"};
static const char *const names[] = {"dark", "shirt"};
static const uint8_t marks[] = {1, 1, 0, 0, 0, 1};
static const double numbers[] = {3, -0.5, 1e9};

static hst_labelled labels(void)
{
    hst_labelled l = hst_labelled_default();
    l.paths = paths;
    l.n = 3;
    l.names = names;
    l.n_names = 2;
    l.marks = marks;
    return l;
}

static hst_labelled ages(void)
{
    hst_labelled l = labels();
    static const char *const age[] = {"age"};
    l.names = age;
    l.n_names = 1;
    l.marks = NULL;
    l.numbers = numbers;
    return l;
}

static void several_labels(void **state)
{
    (void)state;
    hst_err e = {0};
    const hst_labelled l = labels();
    hst_data *d = hst_data_from_labelled(&l, NULL, &e);
    assert_non_null(d);
    assert_int_equal(hst_data_target(d), HST_TARGET_LABELS);
    assert_int_equal(hst_data_count(d), 3);
    assert_int_equal(hst_data_classes(d), 2);
    assert_string_equal(hst_data_class(d, 1), "shirt");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(hst_data_path(d, i), paths[i]);
        assert_memory_equal(hst_data_marks(d, i), marks + 2 * i, 2);
        assert_int_equal(hst_data_label(d, i), -1);
        assert_true(isnan(hst_data_number(d, i)));
    }
    assert_null(hst_data_marks(d, 3));
    hst_data_free(d);
}

static void numbers_and_sides(void **state)
{
    (void)state;
    hst_err e = {0};
    static const int sides[] = {HST_TRAIN, HST_VALIDATION, HST_TRAIN};
    hst_labelled l = ages();
    l.sides = sides;
    hst_data *d = hst_data_from_labelled(&l, NULL, &e);
    assert_non_null(d);
    uint8_t side[3];
    hst_digest content[3] = {0};
    check_ok(hst_split_assign(d, content, NULL, side, &e), &e);
    assert_int_equal(hst_data_target(d), HST_TARGET_NUMBER);
    assert_string_equal(hst_data_class(d, 0), "age");
    for (size_t i = 0; i < 3; i++) {
        assert_true(hst_data_number(d, i) == numbers[i]);
        assert_null(hst_data_marks(d, i));
        assert_int_equal(side[i], sides[i]);
    }
    assert_true(isnan(hst_data_number(d, 3)));
    hst_data_free(d);
}

/* By content alone: what the other photos are moves none. */
static void a_split_without_classes(void **state)
{
    (void)state;
    hst_err e = {0};
    enum { N = 200 };
    static const char *many[N];
    static double number[N];
    static hst_digest content[N];
    uint8_t side[N], fewer[N];
    for (size_t i = 0; i < N; i++) {
        many[i] = "x.jpg";
        content[i].byte[0] = (uint8_t)(i + 1);
        content[i].byte[1] = 7;
    }
    hst_labelled l = ages();
    l.paths = many;
    l.numbers = number;
    l.n = N;
    hst_data *d = hst_data_from_labelled(&l, NULL, &e);
    assert_non_null(d);
    check_ok(hst_split_assign(d, content, NULL, side, &e), &e);
    d->n_photos = N / 2;
    check_ok(hst_split_assign(d, content, NULL, fewer, &e), &e);
    assert_memory_equal(side, fewer, N / 2);
    size_t aside = 0;
    for (size_t i = 0; i < N; i++)
        aside += side[i] == HST_VALIDATION;
    assert_in_range(aside, 20, 60);
    hst_data_free(d);
}

static void refused(const hst_labelled *l, const hst_data_opts *o, int code, const char *words)
{
    hst_err e = {0};
    assert_null(hst_data_from_labelled(l, o, &e));
    assert_int_equal(e.code, code);
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not say '%s'", e.msg, words);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const equal[] = {"red", "red"}, *const empty[] = {"red", ""};
    static const uint8_t odd[] = {1, 1, 0, 2, 0, 1};
    static const double none[] = {3, NAN, 1};
    static const int sides[] = {HST_TRAIN, HST_UNSPLIT, HST_TRAIN};
    hst_labelled l = labels();
    refused(NULL, NULL, HST_EARG, "no photos");
    l.numbers = numbers;
    refused(&l, NULL, HST_EARG, "both");
    l.marks = NULL;
    refused(&l, NULL, HST_EARG, "2 names");
    l.numbers = NULL;
    refused(&l, NULL, HST_EARG, "neither");
    l = labels();
    l.n = 0;
    refused(&l, NULL, HST_EDATA, "no photos");
    l = labels();
    l.names = equal;
    refused(&l, NULL, HST_EARG, "two labels are 'red'");
    l.names = empty;
    refused(&l, NULL, HST_EARG, "empty");
    l = labels();
    l.marks = odd;
    refused(&l, NULL, HST_EARG, "b.jpg: label shirt is 2");
    l = ages();
    l.numbers = none;
    refused(&l, NULL, HST_EARG, "b.jpg: its age is not a finite number");
    l = ages();
    l.sides = sides;
    refused(&l, NULL, HST_EARG, "b.jpg: side 2");
    l = ages();
    hst_data_opts o = hst_data_opts_default();
    o.split = "keras";
    refused(&l, &o, HST_EARG, "split keras");
    o = hst_data_opts_default();
    o.val_dir = "held";
    refused(&l, &o, HST_EARG, "folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_labels),
                                       cmocka_unit_test(numbers_and_sides),
                                       cmocka_unit_test(a_split_without_classes),
                                       cmocka_unit_test(what_makes_no_sense_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
