/* unknown: the measures against NumPy (golden_unknown.py), and what cannot be told. */
#include "support.h"

#include "base/mem.h"
#include "model/unknown.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 10, CLASSES = 3, ROWS = 7 };

/* Of two backbones; photos are never put through it. */
static const hst_extractor extractor = {
    .dim = DIM, .n_branches = 2, .branch = {{.dim = 6, .first = 0}, {.dim = 4, .first = 6}}};

static json_t *golden;

static int load(void **state)
{
    json_error_t why;
    char *path;
    (void)state;
    assert_true(asprintf(&path, "%s/tests/golden/unknown/measures.json", getenv("HEADSTART_ROOT")) >
                0);
    golden = json_load_file(path, 0, &why);
    free(path);
    return golden ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

static double number(const json_t *list, size_t i)
{
    const json_t *v = json_array_get(list, i);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static void floats(const json_t *list, float *out, size_t n)
{
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)number(list, i);
}

static hst_unknown *of_golden(int fold[ROWS])
{
    hst_err err = {0};
    float x[ROWS][DIM];
    const float *row[ROWS];
    int label[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        floats(json_array_get(json_object_get(golden, "rows"), i), x[i], DIM);
        row[i] = x[i];
        label[i] = (int)number(json_object_get(golden, "label"), i);
        fold[i] = (int)number(json_object_get(golden, "fold"), i);
    }
    hst_unknown *u = hst_unknown_new(&extractor, row, NULL, label, ROWS, &err);
    check_ok(u ? 0 : err.code, &err);
    for (size_t i = 0; i < HST_N_STRANGE; i++) {
        u->mean[i] = number(json_object_get(golden, "mean"), i);
        u->deviation[i] = number(json_object_get(golden, "deviation"), i);
    }
    return u;
}

static hst_unknown_work *work_new(void)
{
    hst_err err = {0};
    hst_unknown_work *w = hst_unknown_work_new(DIM, CLASSES, &err);
    check_ok(w ? 0 : err.code, &err);
    return w;
}

static void check_near(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 1e-12 * fmax(1, fabs(want)))) /* sums in another order */
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static void measures_are_those_of_numpy(void **state)
{
    (void)state;
    int fold[ROWS];
    hst_unknown *u = of_golden(fold);
    hst_unknown_work *w = work_new();
    const json_t *cases = json_object_get(golden, "cases");
    assert_int_equal(json_array_size(cases), 12);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *want = json_object_get(c, "measures");
        const size_t k = (size_t)json_integer_value(json_object_get(c, "asked"));
        float x[DIM], prob[CLASSES];
        double got[HST_N_STRANGE];
        floats(json_array_get(json_object_get(golden, "x"), k), x, DIM);
        floats(json_array_get(json_object_get(golden, "prob"), k), prob, CLASSES);
        const int left_out = (int)json_integer_value(json_object_get(c, "left_out"));
        const hst_unknown_asked a = {.x = x,
                                     .prob = prob,
                                     .n_classes = CLASSES,
                                     .fold = left_out < 0 ? NULL : fold,
                                     .left_out = left_out};
        assert_int_equal(hst_unknown_measure(u, &a, w, got), 1);
        check_near(got[HST_UNSURE], number(want, HST_UNSURE), "unsure");
        check_near(got[HST_APART], number(want, HST_APART), "apart");
        check_near(got[HST_AWAY], number(want, HST_AWAY), "away");
        check_near(hst_unknown_combine(u, got), json_number_value(json_object_get(c, "score")),
                   "score");
    }
    hst_unknown_work_free(w);
    hst_unknown_free(u);
}

/* Whatever the features, and where a measure tells nothing, there is a score. */
static void odd_photos_have_a_score(void **state)
{
    (void)state;
    const float prob[CLASSES] = {0, 0, 1}; /* of the class without a photo */
    float x[][DIM] = {{0}, {NAN, INFINITY, -INFINITY, 1}, {-3e38f, 3e38f}, {1e-45f, 1e-45f}};
    int fold[ROWS];
    hst_unknown *u = of_golden(fold);
    hst_unknown_work *w = work_new();
    double m[HST_N_STRANGE];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        const hst_unknown_asked a = {.x = x[i], .prob = prob, .n_classes = CLASSES};
        assert_int_equal(hst_unknown_measure(u, &a, w, m), 1);
        assert_true(isfinite(hst_unknown_combine(u, m)));
        assert_true(m[HST_APART] >= 0 && m[HST_AWAY] >= 0);
    }
    check_near(m[HST_UNSURE], log(0x1p-126) * 2 / 3, "of probability 0");
    memset(u->deviation, 0, sizeof u->deviation);
    assert_true(hst_unknown_combine(u, m) == 0);
    hst_unknown_work_free(w);
    hst_unknown_free(u);
}

/* What "effort" has taken the square root of is kept as if it had not. */
static void square_roots_are_no_roots_twice(void **state)
{
    (void)state;
    hst_extractor e = {.dim = DIM, .n_branches = 1, .branch = {{.dim = DIM}}};
    float x[DIM], r[DIM];
    for (int i = 0; i < DIM; i++) {
        r[i] = (float)(i - 3) * 0.5f;
        x[i] = r[i] * fabsf(r[i]);
    }
    hst_err err = {0};
    hst_unknown *u = hst_unknown_new(&e, &(const float *){x}, NULL, &(int){0}, 1, &err);
    e.branch[0].transform = HST_ROOT;
    hst_unknown *v = hst_unknown_new(&e, &(const float *){r}, NULL, &(int){0}, 1, &err);
    assert_true(u && v);
    assert_memory_equal(u->root, v->root, DIM);
    assert_int_equal(u->root[9], 127);
    assert_int_equal(u->root[0], -90); /* (3/6)^(1/2) of 127 */
    hst_unknown_free(u);
    hst_unknown_free(v);
}

static void without_anything_to_compare_with(void **state)
{
    (void)state;
    const float prob[CLASSES] = {1, 0, 0}, x[DIM] = {1};
    int fold[ROWS];
    hst_unknown *u = of_golden(fold);
    hst_unknown_work *w = work_new();
    double m[HST_N_STRANGE];
    memset(fold, 0, sizeof fold);
    const hst_unknown_asked a = {.x = x, .prob = prob, .n_classes = CLASSES, .fold = fold};
    assert_int_equal(hst_unknown_measure(u, &a, w, m), 0);
    hst_unknown_work_free(w);
    hst_unknown_free(u);
}

/* A model file must not grow by more than promised, whatever the features. */
static void as_many_as_fit(void **state)
{
    (void)state;
    for (int dim = 1; dim < 200000; dim = dim * 3 + 1) {
        const size_t n = hst_unknown_most(dim), bytes = (size_t)dim + sizeof(int32_t);
        assert_true(n * bytes <= HST_UNKNOWN_MAX_BYTES);
        assert_true((n + 1) * bytes > HST_UNKNOWN_MAX_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_are_those_of_numpy),
        cmocka_unit_test(odd_photos_have_a_score),
        cmocka_unit_test(square_roots_are_no_roots_twice),
        cmocka_unit_test(without_anything_to_compare_with),
        cmocka_unit_test(as_many_as_fit),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
