/* Model files whose head tells labels or a number: they come back as they were; lies are
 * refused. */
#include "file_scene.h"
#include "made_up.h"
#include "support.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void save(scene *s)
{
    hst_err err = {0};
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
}

/* The file again, read and written once more. */
static hst_model *load_twice(scene *s)
{
    hst_err err = {0};
    uint8_t *again;
    size_t n;
    save(s);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    check_ok(m == NULL || hst_model_save(m, s->path, &err), &err);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &again, &n, &err), &err);
    assert_int_equal(n, s->n);
    assert_memory_equal(again, s->bytes, n);
    free(again);
    return m;
}

static scene *labels_scene(void)
{
    hst_err err = {0};
    scene *s = set_up();
    check_ok(hst_model_set_target(s->m, HST_TARGET_LABELS, &err), &err);
    return s;
}

static scene *number_scene(void)
{
    static const char *const age[] = {"age"};
    hst_err err = {0};
    scene *s = set_up();
    hst_model_free(s->m);
    s->m = made_up_model(s->b, age, 1);
    check_ok(hst_model_set_target(s->m, HST_TARGET_NUMBER, &err), &err);
    s->m->number = (hst_number){-3, 90.5, {-20, -8, 7.5, 31}};
    return s;
}

/* Each label by itself: 1 / (1 + exp(-z)). */
static void labels_are_kept(void **state)
{
    (void)state;
    scene *s = labels_scene();
    float x[4096], prob[3];
    assert_true(s->m->dim <= 4096);
    for (int i = 0; i < s->m->dim; i++)
        x[i] = (float)made_up_noise(5, (uint32_t)i);
    assert_true(hst_model_threshold(s->m, 1) == 0.5);
    s->m->threshold[0] = 0.25f;
    s->m->threshold[2] = 1;
    hst_model *m = load_twice(s);
    assert_int_equal(hst_model_target(m), HST_TARGET_LABELS);
    assert_memory_equal(m->threshold, s->m->threshold, 3 * sizeof(float));
    assert_true(hst_model_threshold(m, 0) == 0.25);
    assert_true(isnan(hst_model_threshold(m, 3)) && isnan(hst_model_threshold(m, -1)));
    hst_model_head(m, x, prob);
    for (int c = 0; c < 3; c++)
        assert_true(prob[c] == (float)(1 / (1 + exp(-hst_model_logit(m, x, c)))));
    double low, high;
    assert_false(hst_model_interval(m, 0.95, 1, &low, &high));
    assert_false(hst_model_range(m, &low, &high));
    hst_model_free(m);
    tear_down(s);
}

static void a_number_is_kept(void **state)
{
    (void)state;
    scene *s = number_scene();
    double low, high;
    float x[4096], y;
    for (int i = 0; i < s->m->dim; i++)
        x[i] = (float)made_up_noise(6, (uint32_t)i);
    hst_model *m = load_twice(s);
    assert_int_equal(hst_model_target(m), HST_TARGET_NUMBER);
    assert_true(hst_model_range(m, &low, &high) && low == -3 && high == 90.5);
    assert_true(hst_model_interval(m, 0.95, 10, &low, &high) && low == -10 && high == 41);
    assert_true(hst_model_interval(m, 0.8, 10, &low, &high) && low == 2 && high == 17.5);
    assert_false(hst_model_interval(m, 0.9, 10, &low, &high));
    assert_true(isnan(hst_model_threshold(m, 0)));
    hst_model_head(m, x, &y);
    assert_true(y == (float)hst_model_logit(m, x, 0));
    hst_model_free(m);
    s->m->number.ends[3] = INFINITY; /* too few photos to say */
    m = load_twice(s);
    assert_false(hst_model_interval(m, 0.95, 10, &low, &high));
    assert_true(hst_model_interval(m, 0.8, 10, &low, &high));
    hst_model_free(m);
    tear_down(s);
}

static void a_number_has_one_name(void **state)
{
    (void)state;
    hst_err err = {0};
    scene *s = set_up();
    assert_int_equal(hst_model_set_target(s->m, HST_TARGET_NUMBER, &err), HST_EARG);
    assert_int_equal(hst_model_target(s->m), HST_TARGET_CLASS);
    tear_down(s);
}

/* A tensor instead of the one there, or, with n_dims 0, none. */
static void lie(scene *s, const char *name, hst_tensor t, const char *why)
{
    parts *p = calloc(1, sizeof *p);
    take_apart(s, p);
    hst_tensor *at = &p->named[tensor_at(p, name)];
    if (t.n_dims == 0) {
        *at = p->named[--p->n];
    } else {
        t.name = name;
        t.n_bytes = hst_tensor_count(&t) * hst_dtype_bytes(t.dtype);
        *at = t;
    }
    refused_parts(s, p, why);
    free(p);
}

static void lie_in_meta(scene *s, const char *key, const char *value, const char *why)
{
    parts *p = calloc(1, sizeof *p);
    take_apart(s, p);
    for (size_t i = 0; i < p->n_meta; i++)
        if (strcmp(p->meta[i].key, key) == 0)
            p->meta[i].value = value;
    refused_parts(s, p, why);
    free(p);
}

static void lies_about_labels_are_refused(void **state)
{
    (void)state;
    static const float above[3] = {0, 0.5f, 1.5f}, odd[3] = {0, NAN, 1};
    scene *s = labels_scene();
    save(s);
    lie(s, "head/threshold", (hst_tensor){0}, "tensors, expected");
    lie(s, "head/threshold", (hst_tensor){.dtype = HST_F32, .n_dims = 1, .dim = {2}, .data = above},
        "head/threshold");
    lie(s, "head/threshold", (hst_tensor){.dtype = HST_F32, .n_dims = 1, .dim = {3}, .data = above},
        "no probability");
    lie(s, "head/threshold", (hst_tensor){.dtype = HST_F32, .n_dims = 1, .dim = {3}, .data = odd},
        "head/threshold");
    lie_in_meta(s, "target", "class", "target 'class'");
    lie_in_meta(s, "target", "number", "3 labels of a number");
    lie_in_meta(s, "format_version", "3", "version 4 begins with");
    lie_in_meta(s, "format_version", "6", "expected 1 to 5");
    tear_down(s);
}

static void lies_about_a_number_are_refused(void **state)
{
    (void)state;
    static const double lies[][6] = {{2, 1, -2, -1, 1, 2},
                                     {0, 1, -2, -3, 1, 2},
                                     {0, 1, -2, -1, 1, NAN},
                                     {NAN, 1, -2, -1, 1, 2},
                                     {0, INFINITY, -2, -1, 1, 2}};
    scene *s = number_scene();
    save(s);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        lie(s, "head/number",
            (hst_tensor){.dtype = HST_F64, .n_dims = 1, .dim = {6}, .data = lies[i]},
            "makes no sense");
    lie(s, "head/number", (hst_tensor){.dtype = HST_F64, .n_dims = 1, .dim = {5}, .data = lies[0]},
        "head/number");
    lie(s, "head/number", (hst_tensor){0}, "tensors, expected");
    tear_down(s);
}

/* Programs that know no targets refuse the file; models of one class write what they wrote. */
static void versions(void **state)
{
    (void)state;
    scene *s = labels_scene();
    parts *p = calloc(1, sizeof *p);
    save(s);
    take_apart(s, p);
    assert_string_equal(hst_tensors_meta(p->t, "format_version"), "4");
    assert_string_equal(hst_tensors_meta(p->t, "target"), "labels");
    hst_tensors_free(p->t);
    tear_down(s);
    s = set_up();
    take_apart(s, p);
    assert_string_equal(hst_tensors_meta(p->t, "format_version"), "1");
    assert_null(hst_tensors_meta(p->t, "target"));
    hst_tensors_free(p->t);
    free(p);
    tear_down(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_kept),
        cmocka_unit_test(a_number_is_kept),
        cmocka_unit_test(a_number_has_one_name),
        cmocka_unit_test(lies_about_labels_are_refused),
        cmocka_unit_test(lies_about_a_number_are_refused),
        cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
