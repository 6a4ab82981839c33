/* training: with rows in files instead of memory the same model, byte by byte. */
#include "support.h"

#include "base/executor.h"
#include "base/file.h"
#include "base/random.h"
#include "features/features.h"
#include "formats/safetensors.h"
#include "made_up.h"
#include "training/label_fit.h"
#include "training/ridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- fits ---- */

enum { N = 700, DIM = 40, LABELS = 6 };

typedef struct scene {
    hst_ctx ctx[2]; /* all in memory; all in files */
    char *dir;
    hst_spill *home[2];
    const float *row[2][N];
    int label[N], fold[N];
    uint8_t marks[N][LABELS];
    double y[N];
} scene;

static int set_up(void **state)
{
    hst_err e = {0};
    scene *s = *state = calloc(1, sizeof *s);
    hst_rng r = hst_rng_new(5, HST_RNG_INIT, 0, 0);
    assert_non_null(s);
    s->dir = temporary_folder();
    hst_executor *ex = hst_executor_new(2, &e);
    for (int k = 0; k < 2; k++) {
        s->ctx[k] = (hst_ctx){.executor = ex, .kernels = hst_kernels_best(), .cache_dir = s->dir};
        s->ctx[k].spill_from = (size_t)k;
        s->home[k] = hst_spill_new(&s->ctx[k], N, DIM * sizeof(float), &e);
        check_ok(!s->home[k], &e);
        assert_int_equal(hst_spill_is_file(s->home[k]), k);
    }
    float *x = hst_spill_at(s->home[0]);
    for (size_t i = 0; i < N; i++) {
        s->label[i] = (int)(i % LABELS);
        s->fold[i] = (int)(i / 3 % HST_FOLDS);
        for (size_t k = 0; k < DIM; k++)
            x[i * DIM + k] = (float)(hst_rng_uniform(&r) + (k == (size_t)s->label[i] ? 0.3 : 0));
        for (size_t c = 0; c < LABELS; c++)
            s->marks[i][c] = x[i * DIM + c] + x[i * DIM + c + 1] > 1.2f;
        s->y[i] = (double)x[i * DIM] - 2 * (double)x[i * DIM + 3] + 0.1 * hst_rng_uniform(&r);
        for (int k = 0; k < 2; k++)
            s->row[k][i] = (const float *)hst_spill_at(s->home[k]) + i * DIM;
    }
    memcpy(hst_spill_at(s->home[1]), x, N * DIM * sizeof *x);
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    for (int k = 0; k < 2; k++)
        hst_spill_free(s->home[k]);
    hst_executor_free(s->ctx[0].executor);
    remove_tree(s->dir);
    free(s->dir);
    free(s);
    return 0;
}

static void classes_are_fitted_alike(void **state)
{
    scene *s = *state;
    static float kernel[2][DIM * LABELS], bias[2][LABELS];
    static float prob[2][N * LABELS];
    double l2[2];
    hst_err e = {0};
    for (int k = 0; k < 2; k++) {
        const hst_logistic p = {.x = s->row[k],
                                .home = s->home[k],
                                .label = s->label,
                                .n = N,
                                .dim = DIM,
                                .n_classes = LABELS};
        hst_out_of_fold o;
        check_ok(hst_cross_validate(&s->ctx[k], &(hst_cross_validation){.p = &p, .fold = s->fold},
                                    &o, &e),
                 &e);
        l2[k] = o.l2;
        memcpy(prob[k], o.prob, sizeof prob[k]);
        hst_out_of_fold_clear(&o);
        check_ok(hst_logistic_fit(&s->ctx[k], &p, l2[k], kernel[k], bias[k], &e), &e);
    }
    assert_memory_equal(&l2[0], &l2[1], sizeof *l2);
    assert_memory_equal(prob[0], prob[1], sizeof prob[0]);
    assert_memory_equal(kernel[0], kernel[1], sizeof kernel[0]);
    assert_memory_equal(bias[0], bias[1], sizeof bias[0]);
}

static void labels_are_fitted_alike(void **state)
{
    scene *s = *state;
    static float kernel[2][DIM * LABELS], bias[2][LABELS];
    double l2[2][LABELS];
    hst_err e = {0};
    for (int k = 0; k < 2; k++) {
        const hst_labels p = {.x = s->row[k],
                              .home = s->home[k],
                              .marks = s->marks[0],
                              .n = N,
                              .dim = DIM,
                              .n_labels = LABELS,
                              .fold = s->fold};
        hst_out_of_fold o;
        check_ok(hst_labels_validate(&s->ctx[k], &p, l2[k], &o, &e), &e);
        hst_out_of_fold_clear(&o);
        check_ok(hst_labels_fit(&s->ctx[k], &p, l2[k], kernel[k], bias[k], &e), &e);
    }
    assert_memory_equal(l2[0], l2[1], sizeof l2[0]);
    assert_memory_equal(kernel[0], kernel[1], sizeof kernel[0]);
    assert_memory_equal(bias[0], bias[1], sizeof bias[0]);
}

static void numbers_are_fitted_alike(void **state)
{
    scene *s = *state;
    double kernel[2][DIM], bias[2], l2[2];
    static double said[2][N];
    hst_err e = {0};
    for (int k = 0; k < 2; k++) {
        const hst_ridge p = {
            .x = s->row[k], .home = s->home[k], .y = s->y, .n = N, .dim = DIM, .fold = s->fold};
        check_ok(hst_ridge_validate(&s->ctx[k], &p, &l2[k], said[k], &e), &e);
        check_ok(hst_ridge_fit(&s->ctx[k], &p, l2[k], kernel[k], &bias[k], &e), &e);
    }
    assert_memory_equal(said[0], said[1], sizeof said[0]);
    assert_memory_equal(kernel[0], kernel[1], sizeof kernel[0]);
}

/* ---- a whole training, and features ---- */

enum { CLASSES = 3, PER_CLASS = 12 };

typedef struct photos {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir, *cache;
} photos;

static photos make_photos(void)
{
    hst_err e = {0};
    photos s = {.dir = temporary_folder(), .cache = temporary_folder()};
    char path[4096];
    hst_config cfg = hst_config_default();
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.no_store = 1;
    cfg.cache_dir = s.cache;
    s.ctx = hst_open(&cfg, &e);
    check_ok(!s.ctx, &e);
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, PER_CLASS, 50, 45);
    snprintf(path, sizeof path, "%s/b/3.png", s.dir);
    FILE *f = fopen(path, "r+b"); /* still a PNG by its first bytes, but none that is whole */
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 60), 0);
    fclose(f);
    s.d = hst_data_open(s.ctx, s.dir, NULL, &e);
    check_ok(!s.d, &e);
    return s;
}

static void end_photos(photos *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    remove_tree(s->cache);
    free(s->dir);
    free(s->cache);
}

static void check_same_file(const char *a, const char *b)
{
    hst_err e = {0};
    uint8_t *x, *y;
    size_t n, m;
    check_ok(hst_file_read(a, SIZE_MAX / 2, HST_EIO, &x, &n, &e), &e);
    check_ok(hst_file_read(b, SIZE_MAX / 2, HST_EIO, &y, &m, &e), &e);
    if (n != m || memcmp(x, y, n) != 0)
        fail_msg("%s is not %s", a, b);
    free(x);
    free(y);
}

static void trained_models_are_the_same_bytes(void **state)
{
    (void)state;
    hst_err e = {0};
    photos s = make_photos();
    char path[2][4096];
    for (size_t k = 0; k < 2; k++) {
        hst_run *run = NULL;
        s.ctx->spill_from = k;
        hst_model *m = hst_train(s.ctx, s.b, s.d, NULL, &run, &e);
        check_ok(!m, &e);
        snprintf(path[k], sizeof path[k], "%s/%zu.safetensors", s.cache, k);
        check_ok(hst_model_save(m, path[k], &e), &e);
        hst_model_free(m);
        hst_run_free(run);
    }
    check_same_file(path[0], path[1]);
    end_photos(&s);
}

static void features_that_stream_are_the_same_bytes(void **state)
{
    (void)state;
    static const char *const name[2][2] = {{"kept.npy", "kept.csv"}, {"out.npy", "out.csv"}};
    hst_err e = {0};
    photos s = make_photos();
    char path[2][2][4096];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 2; i++)
            snprintf(path[k][i], sizeof path[k][i], "%s/%s", s.cache, name[k][i]);
    hst_features *f = hst_features_compute(s.ctx, s.b, s.d, NULL, &e);
    check_ok(!f, &e);
    check_ok(hst_features_save(f, s.d, path[0][0], &e), &e);
    hst_features *g = hst_features_stream(s.ctx, s.b, s.d, NULL, path[1][0], &e);
    check_ok(!g, &e);
    for (int i = 0; i < 2; i++)
        check_same_file(path[0][i], path[1][i]);
    assert_int_equal(hst_features_used(g), CLASSES * PER_CLASS - 1);
    assert_int_equal(hst_features_used(f), hst_features_used(g));
    assert_int_equal(hst_features_count(f), hst_features_count(g));
    assert_int_equal(hst_features_dim(f), hst_features_dim(g));
    for (size_t i = 0; i < hst_features_count(g); i++) {
        const char *why = hst_features_skipped(f, i), *other = hst_features_skipped(g, i);
        assert_true(!why == !other && (!why || strcmp(why, other) == 0));
        assert_null(hst_features_row(g, i));
        assert_string_equal(hst_features_sha256(g, i), "");
        assert_int_equal(strlen(hst_features_sha256(f, i)), 64);
    }
    assert_int_equal(hst_features_save(g, s.d, path[0][0], &e), HST_EARG);
    hst_features_free(f);
    hst_features_free(g);
    end_photos(&s);
}

/* The same numbers behind another header. */
static void safetensors_have_the_same_rows(void **state)
{
    (void)state;
    hst_err e = {0};
    photos s = make_photos();
    char path[2][4096];
    snprintf(path[0], sizeof path[0], "%s/x.npy", s.cache);
    snprintf(path[1], sizeof path[1], "%s/x.safetensors", s.cache);
    for (int k = 0; k < 2; k++) {
        hst_features *f = hst_features_stream(s.ctx, s.b, s.d, NULL, path[k], &e);
        check_ok(!f, &e);
        hst_features_free(f);
    }
    hst_tensors *st = hst_tensors_read(path[1], &e);
    check_ok(!st, &e);
    const hst_tensor *t = hst_tensors_find(st, "features");
    npy x = npy_read(path[0]);
    assert_non_null(t);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dim[0], x.dim[0]);
    assert_int_equal(t->dim[1], x.dim[1]);
    assert_memory_equal(t->data, x.data, x.count * sizeof(float));
    free(x.data);
    hst_tensors_free(st);
    end_photos(&s);
}

static void what_cannot_stream_leaves_no_file(void **state)
{
    (void)state;
    hst_err e = {0};
    photos s = make_photos();
    char table[4096], csv[4096], bad[4096];
    snprintf(table, sizeof table, "%s/out.npy", s.cache);
    snprintf(csv, sizeof csv, "%s/out.csv", s.cache);
    snprintf(bad, sizeof bad, "%s/b/3.png", s.dir);
    hst_data *d = hst_data_from_files(&(const char *){bad}, 1, &e);
    check_ok(!d, &e);
    for (int i = 0; i < 2; i++) {
        assert_null(hst_features_stream(s.ctx, s.b, d, NULL, i ? csv : table, &e));
        assert_int_equal(e.code, HST_EDATA);
    }
    assert_false(hst_is_file(table) || hst_is_file(csv));
    hst_data_free(d);
    end_photos(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_fitted_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_are_fitted_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_fitted_alike, set_up, tear_down),
        cmocka_unit_test(trained_models_are_the_same_bytes),
        cmocka_unit_test(features_that_stream_are_the_same_bytes),
        cmocka_unit_test(safetensors_have_the_same_rows),
        cmocka_unit_test(what_cannot_stream_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
