/* training: a linear classifier that learns from augmented views of each photo as well. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "training/augmented_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLASSES = 3, PER_CLASS = 12, VIEWS = 3, SEED = 7 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;
} scene;

static void open_photos(scene *s)
{
    hst_err e = {0};
    hst_data_opts o = hst_data_opts_default();
    s->d = hst_data_open(s->ctx, s->dir, &o, &e);
    check_ok(s->d ? 0 : e.code, &e);
}

static scene set_up(int threads)
{
    scene s = {.ctx = made_up_ctx(threads), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, PER_CLASS, 40, 45);
    open_photos(&s);
    return s;
}

static void tear_down(scene *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static hst_model *train(const scene *s, int views, hst_run **run)
{
    hst_err e = {0};
    hst_train_opts o = hst_train_opts_default();
    o.seed = SEED;
    o.augmented = views;
    hst_model *m = hst_train(s->ctx, s->b, s->d, &o, run, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

/* A view by itself: what hst_augment_image makes of the photo for the key that its content says. */
static void plain_view(const scene *s, const hst_run *run, size_t photo, uint32_t number,
                       float *out)
{
    hst_err e = {0};
    uint8_t *bytes, digest[32];
    size_t n, pixels = hst_size_pixels(run->features->prep.size);
    hst_image img = {0};
    float *x = calloc(pixels * 3, sizeof *x);
    hst_work *work = hst_work_new(s->b->plan, &e);
    check_ok(work ? 0 : e.code, &e);
    check_ok(hst_file_read(s->d->photos[photo].path, 1 << 24, HST_EIO, &bytes, &n, &e), &e);
    check_ok(hst_sha256_bytes(bytes, n, digest, &e), &e);
    hst_augment_key key = {SEED, number,
                           (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
                               (uint32_t)digest[2] << 8 | digest[3]};
    check_ok(hst_image_decode(&(hst_decode){.resampler = run->features->prep.resampler}, bytes, n,
                              &img, &e),
             &e);
    check_ok(hst_augment_image(HST_AUGMENT_AUTO, &run->features->prep, &img, &key, x, &e), &e);
    hst_plan_run(s->b->plan, work, x, 1, out);
    hst_image_clear(&img);
    hst_work_free(work);
    free(bytes);
    free(x);
}

typedef struct side {
    const float *x[CLASSES * PER_CLASS];
    int label[CLASSES * PER_CLASS];
    size_t photo[CLASSES * PER_CLASS];
    size_t n;
} side;

static side training_side(const scene *s, const hst_run *run)
{
    side t = {.n = 0};
    for (size_t i = 0; i < hst_data_count(s->d); i++)
        if (hst_run_side(run, i) == HST_TRAIN) {
            t.x[t.n] = hst_features_row(run->features, i);
            t.label[t.n] = hst_data_label(s->d, i);
            t.photo[t.n++] = i;
        }
    return t;
}

static hst_augmented_rows make(const scene *s, hst_run *run, hst_model *m, side *t,
                               const double *weight)
{
    hst_err e = {0};
    hst_augmented_rows r;
    hst_fit f = {.ctx = s->ctx, .run = run, .model = m};
    hst_examples all = {.x = t->x, .label = t->label, .photo = t->photo, .n = t->n};
    check_ok(hst_augmented_rows_make(&f, &all, weight, &r, &e), &e);
    return r;
}

static void check_rows(int threads)
{
    scene s = set_up(threads);
    hst_run *run = NULL;
    hst_model *m = train(&s, VIEWS, &run);
    side t = training_side(&s, run);
    double weight[CLASSES * PER_CLASS];
    size_t dim = (size_t)m->dim;
    float *want = calloc(dim, sizeof *want);
    for (size_t i = 0; i < t.n; i++)
        weight[i] = 1 + t.label[i];
    hst_augmented_rows r = make(&s, run, m, &t, weight);
    assert_int_equal(r.n, t.n * (VIEWS + 1));
    for (size_t i = 0; i < t.n; i++) {
        double sum = r.weight[i];
        assert_ptr_equal(r.x[i], t.x[i]);
        assert_true(r.label[i] == t.label[i] && r.score[i] == weight[i]);
        for (size_t k = 0; k < VIEWS; k++) {
            size_t row = t.n + i * VIEWS + k;
            plain_view(&s, run, t.photo[i], (uint32_t)k + 1, want);
            assert_memory_equal(r.x[row], want, dim * sizeof *want);
            assert_true(r.label[row] == t.label[i] && r.score[row] == 0);
            assert_true(r.fold[row] == r.fold[i] && r.weight[row] == r.weight[i]);
            sum += r.weight[row];
        }
        assert_true(fabs(sum - weight[i]) < 1e-12);
    }
    assert_memory_not_equal(r.x[t.n], r.x[t.n + 1], dim * sizeof *want);
    hst_augmented_rows_clear(&r);
    free(want);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

static void a_view_is_the_photo_augmented_by_itself(void **state)
{
    (void)state;
    check_rows(1);
    check_rows(3);
}

static void threads_change_nothing_and_views_do(void **state)
{
    (void)state;
    scene one = set_up(1), three = set_up(3);
    hst_run *run = NULL;
    hst_model *a = train(&one, VIEWS, &run), *b = train(&three, VIEWS, NULL);
    const char *key = "content_sha256";
    assert_string_equal(hst_model_record(a, key), hst_model_record(b, key));
    assert_string_equal(hst_model_record(a, "augmented"), "3");
    hst_model_free(b);
    b = train(&one, 0, NULL);
    assert_string_not_equal(hst_model_record(a, key), hst_model_record(b, key));
    assert_null(hst_model_record(b, "augmented"));
    assert_string_equal(hst_model_record(a, "n_train"), hst_model_record(b, "n_train"));
    hst_model_free(a);
    hst_model_free(b);
    hst_run_free(run);
    tear_down(&one);
    tear_down(&three);
}

/* The store's vectors are those of the views, and of these views only. */
static void the_store_keeps_views(void **state)
{
    (void)state;
    need_part("SQLite");
    scene s = set_up(2);
    hst_run *run = NULL;
    char *cache = temporary_folder(), *none = s.ctx->cache_dir;
    hst_model *plain = train(&s, VIEWS, NULL);
    s.ctx->cache_dir = cache;
    hst_model_free(train(&s, 1, NULL));
    hst_model *first = train(&s, VIEWS, NULL), *again = train(&s, VIEWS, &run);
    const char *key = "content_sha256";
    assert_string_equal(hst_model_record(first, key), hst_model_record(plain, key));
    assert_string_equal(hst_model_record(again, key), hst_model_record(plain, key));
    side t = training_side(&s, run);
    for (size_t i = 0; i < t.n; i++) /* what is not read again cannot be missed */
        unlink(s.d->photos[t.photo[i]].path);
    hst_augmented_rows r = make(&s, run, again, &t, NULL);
    hst_augmented_rows_clear(&r);
    hst_err e = {0};
    hst_fit f = {.ctx = s.ctx, .run = run, .model = again};
    hst_examples all = {.x = t.x, .label = t.label, .photo = t.photo, .n = t.n};
    run->settings.augmented = VIEWS + 1;
    assert_int_equal(hst_augmented_rows_make(&f, &all, NULL, &r, &e), HST_EDATA);
    assert_non_null(strstr(e.msg, "was usable and is not any more"));
    hst_augmented_rows_clear(&r);
    hst_model_free(plain);
    hst_model_free(first);
    hst_model_free(again);
    hst_run_free(run);
    s.ctx->cache_dir = none;
    tear_down(&s);
    remove_tree(cache);
    free(cache);
}

/* Its key would lie about a photo that was exchanged meanwhile. */
static void another_photo_is_noticed(void **state)
{
    (void)state;
    scene s = set_up(2);
    hst_err e = {0};
    hst_run *run = NULL;
    hst_augmented_rows r;
    hst_model *m = train(&s, VIEWS, &run);
    side t = training_side(&s, run);
    hst_fit f = {.ctx = s.ctx, .run = run, .model = m};
    hst_examples all = {.x = t.x, .label = t.label, .photo = t.photo, .n = t.n};
    made_up_png(s.d->photos[t.photo[2]].path, 40, 45, 999);
    assert_int_equal(hst_augmented_rows_make(&f, &all, NULL, &r, &e), HST_EDATA);
    assert_non_null(strstr(e.msg, "its content has changed"));
    hst_augmented_rows_clear(&r);
    hst_model_free(m);
    hst_run_free(run);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_is_the_photo_augmented_by_itself),
        cmocka_unit_test(threads_change_nothing_and_views_do),
        cmocka_unit_test(the_store_keeps_views),
        cmocka_unit_test(another_photo_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
