/* compare: against SciPy (golden_metrics.py). */
#include "support.h"

#include "evaluation/evaluation.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const labels[2] = {"a", "b"};

static int load(void **state)
{
    char *path;
    json_error_t why;
    assert_true(asprintf(&path, "%s/tests/golden/metrics/more.json", getenv("HEADSTART_ROOT")) > 0);
    *state = json_load_file(path, 0, &why);
    free(path);
    return *state ? 0 : -1;
}

static int unload(void **state)
{
    json_decref(*state);
    return 0;
}

static double at(const json_t *list, int i)
{
    return json_number_value(json_array_get(list, (size_t)i));
}

static void close_to(double got, double want, double rtol, const char *what)
{
    if (!(fabs(got - want) <= rtol * fabs(want)))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void add(hst_eval *e, const char *path, int truth, const float *prob, int seen)
{
    hst_err err = {0};
    const hst_judged j = {.path = path, .truth = truth, .prob = prob, .seen = seen};
    check_ok(hst_eval_add(e, &j, &err), &err);
}

static void finish(hst_eval *e)
{
    hst_err err = {0};
    check_ok(hst_eval_finish(e, &err), &err);
}

static void the_sign_test_is_that_of_scipy(void **state)
{
    const json_t *golden = *state;
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(golden, "binomtest"), i, row) close_to(
        hst_sign_test((uint64_t)at(row, 0), (uint64_t)at(row, 1)), at(row, 2), 1e-9, "p-value");
    assert_true(i > 30);
    assert_true(hst_sign_test(0, 0) == 1);
    assert_true(hst_sign_test(6, 10) == hst_sign_test(4, 10));
    /* of 100: 2 and 6 are 2.5 and 6.5 of 102; -4/102 -+ 1.96 sqrt((9/102 - (4/102)^2) / 102) */
    double low, high, turned_low, turned_high;
    hst_paired_difference(2, 6, 100, &low, &high);
    assert_true(fabs(low + 0.0963571) < 1e-6 && fabs(high - 0.0179257) < 1e-6);
    hst_paired_difference(6, 2, 100, &turned_low, &turned_high);
    assert_true(turned_low == -high && turned_high == -low);
    hst_paired_difference(0, 1, 1, &low, &high);
    assert_true(low == -1 && high > 0 && high <= 1);
}

static void several_tests_are_adjusted(void **state)
{
    const json_t *golden = *state;
    const json_t *pair = json_object_get(golden, "holm");
    hst_err err = {0};
    double p[7], adjusted[7];
    for (int i = 0; i < 6; i++)
        p[i] = at(json_array_get(pair, 0), i);
    p[6] = NAN;
    check_ok(hst_holm(p, 7, adjusted, &err), &err);
    for (int i = 0; i < 6; i++)
        close_to(adjusted[i], at(json_array_get(pair, 1), i), 1e-12, "adjusted");
    assert_true(isnan(adjusted[6]));
}

/* An evaluation of photos 0.jpg, 1.jpg, ... of classes a and b in turn; marks: 1 right, 0 wrong,
 * s seen, '-' not there. */
static hst_eval *marked(const char *marks)
{
    hst_err err = {0};
    hst_eval *e = hst_eval_new(labels, 2, strlen(marks), &err);
    for (size_t i = 0; marks[i]; i++) {
        char path[32];
        int truth = i & 1, guess = marks[i] == '1' ? truth : !truth;
        const float prob[2] = {guess ? 0 : 1, guess ? 1 : 0};
        snprintf(path, sizeof path, "%zu.jpg", i);
        if (marks[i] != '-')
            add(e, path, truth, prob, marks[i] == 's');
    }
    finish(e);
    return e;
}

static void models_are_compared_photo_by_photo(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_eval *a = marked("1111110000-111s"), *b = marked("1100001110111-0"),
             *c = marked("111111000011110");
    const hst_eval *all[] = {a, b, c};
    hst_comparison *two = hst_compare(all, 2, &err), *three = hst_compare(all, 3, &err);
    const hst_compared *v = hst_comparison_at(two, 1);
    assert_true(v->n == 12 && hst_comparison_at(two, 0)->right == 8 && v->right == 7);
    assert_true(v->only_first == 4 && v->only_this == 3);
    close_to(v->p_value, 1, 1e-15, "p of 3 and 4"); /* 2 (1 + 7 + 21 + 35) / 128 */
    assert_true(v->p_adjusted == v->p_value);
    double low, high;
    hst_wilson(7, 12, &low, &high);
    assert_true(v->accuracy == 7. / 12 && v->low == low && v->high == high);
    assert_true(isnan(hst_comparison_at(two, 0)->p_value));
    assert_null(hst_comparison_at(two, -1));
    assert_null(hst_comparison_at(two, 2));
    assert_string_equal(hst_comparison_differs(two, 0, 0)->path, "2.jpg");
    assert_string_equal(hst_comparison_differs(two, 6, 1)->path, "8.jpg");
    assert_null(hst_comparison_differs(two, 7, 0));
    assert_null(hst_comparison_differs(two, 0, 2));
    v = hst_comparison_at(three, 2);
    assert_true(v->n == 12 && v->only_first == 0 && v->only_this == 0 && v->p_value == 1);
    hst_comparison_free(two);
    hst_comparison_free(three);
    hst_eval_free(a);
    hst_eval_free(b);
    hst_eval_free(c);
}

static void what_cannot_be_compared(void **state)
{
    (void)state;
    static const float prob[] = {1, 0};
    hst_err err = {0};
    hst_eval *a = marked("11"), *b = marked("--"), *c = hst_eval_new(labels, 2, 1, &err);
    add(c, "1.jpg", 0, prob, 0);
    finish(c);
    const hst_eval *none[] = {a, b}, *other[] = {a, c};
    assert_null(hst_compare(none, 1, &err));
    assert_int_equal(err.code, HST_EARG);
    assert_null(hst_compare(other, 2, &err));
    assert_int_equal(err.code, HST_EARG);
    assert_non_null(strstr(err.msg, "1.jpg"));
    hst_comparison *k = hst_compare(none, 2, &err);
    assert_true(hst_comparison_at(k, 1)->n == 0 && isnan(hst_comparison_at(k, 1)->p_value));
    assert_null(hst_comparison_differs(k, 0, 0));
    hst_comparison_free(k);
    hst_comparison_free(NULL);
    hst_eval_free(a);
    hst_eval_free(b);
    hst_eval_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sign_test_is_that_of_scipy),
        cmocka_unit_test(several_tests_are_adjusted),
        cmocka_unit_test(models_are_compared_photo_by_photo),
        cmocka_unit_test(what_cannot_be_compared),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
