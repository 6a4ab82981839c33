/* training: the tutorial's head on a frozen backbone that sees each photo changed in every pass. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "base/random.h"
#include "training/feature_stream.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 36 photos, of which Keras' split leaves 28 to train on: a pass is 8, 8, 8 and 4 of them. */
enum { CLASSES = 3, PER_CLASS = 12, TRAIN = 28, BATCH = 8, PASS_STEPS = 4, STEPS = 3, EPOCHS = 5 };
enum { SEED = 7 };

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;
    uint64_t stop; /* training is stopped at so many photos; 0: never */
    uint64_t done, total, n_reports;
} scene;

static int on_progress(void *arg, const hst_progress *p)
{
    scene *s = arg;
    if (strcmp(p->what, "training") != 0)
        return 0;
    assert_true(p->done == 0 || (p->loss > 0 && p->accuracy >= 0 && p->accuracy <= 1));
    s->done = p->done;
    s->total = p->total;
    s->n_reports++;
    return s->stop && p->done >= s->stop;
}

static void open_photos(scene *s)
{
    hst_err e = {0};
    hst_data_opts o = hst_data_opts_default();
    o.split = "keras";
    o.val_part = 0.24;
    o.seed = SEED;
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

static hst_train_opts tutorial(const char *augment)
{
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "tutorial";
    o.augment = augment;
    o.seed = SEED;
    o.epochs = EPOCHS;
    o.batch = BATCH;
    return o;
}

/* NULL with e filled when it fails. */
static hst_model *try_to_train(scene *s, const hst_train_opts *o, hst_run **run, hst_err *e)
{
    s->ctx->progress = on_progress;
    s->ctx->progress_arg = s;
    return hst_train(s->ctx, s->b, s->d, o, run, e);
}

static hst_model *train(scene *s, const hst_train_opts *o, hst_run **run)
{
    hst_err e = {0};
    hst_model *m = try_to_train(s, o, run, &e);
    check_ok(m ? 0 : e.code, &e);
    return m;
}

/* ---- the definition ---- */

/* The photos of the training side; order[p]: as pass p takes them. */
typedef struct plain {
    size_t photo[TRAIN], order[EPOCHS][TRAIN];
    int label[TRAIN];
} plain;

static plain plain_new(const scene *s, const hst_run *run)
{
    plain p;
    size_t n = 0;
    for (size_t i = 0; i < hst_data_count(s->d); i++)
        if (hst_run_side(run, i) == HST_TRAIN) {
            assert_true(n < TRAIN);
            p.photo[n] = i;
            p.label[n++] = hst_data_label(s->d, i);
        }
    assert_int_equal(n, TRAIN);
    for (uint32_t pass = 0; pass < EPOCHS; pass++) {
        hst_rng r = hst_rng_new(SEED, HST_RNG_SHUFFLE, pass, 0);
        for (size_t i = 0; i < TRAIN; i++)
            p.order[pass][i] = i;
        hst_rng_shuffle(&r, p.order[pass], TRAIN);
    }
    return p;
}

/* The examples of a step; returns how many. */
static size_t plain_step(const plain *p, uint64_t step, size_t *example)
{
    size_t begin = (size_t)(step % PASS_STEPS) * BATCH;
    size_t n = TRAIN - begin < BATCH ? TRAIN - begin : BATCH;
    memcpy(example, p->order[step / PASS_STEPS] + begin, n * sizeof *example);
    return n;
}

/* One photo as a pass sees it, by itself. */
static void plain_features(const scene *s, const hst_run *run, uint32_t pass, size_t photo,
                           float *out)
{
    hst_err e = {0};
    uint8_t *bytes;
    size_t n, pixels = hst_size_pixels(run->features->prep.size);
    hst_image img = {0};
    hst_augment_key key = {SEED, pass, (uint32_t)photo};
    float *x = calloc(pixels * 3, sizeof *x);
    hst_work *work = hst_work_new(s->b->plan, &e);
    check_ok(work ? 0 : e.code, &e);
    check_ok(hst_file_read(s->d->photos[photo].path, 1 << 24, HST_EIO, &bytes, &n, &e), &e);
    check_ok(hst_image_decode(&(hst_decode){.resampler = run->features->prep.resampler}, bytes, n,
                              &img, &e),
             &e);
    check_ok(hst_augment_image(run->settings.augment, &run->features->prep, &img, &key, x, &e), &e);
    hst_plan_run(s->b->plan, work, x, 1, out);
    hst_image_clear(&img);
    hst_work_free(work);
    free(bytes);
    free(x);
}

/* ---- features ---- */

typedef struct checked {
    const scene *s;
    const hst_run *run;
    const plain *want;
    uint64_t step, fail_at;
    double moved; /* from the features of the photos as they are */
} checked;

static int check_step(void *arg, const hst_head_batch *b, hst_err *err)
{
    checked *c = arg;
    size_t example[BATCH], dim = (size_t)c->run->features->dim;
    float *x = calloc(dim, sizeof *x);
    if (c->step == c->fail_at) {
        free(x);
        return hst_fail(err, HST_EDATA, "not this step");
    }
    assert_int_equal(b->n, plain_step(c->want, c->step, example));
    assert_true(!b->order && !b->keep && !b->weight);
    for (size_t i = 0; i < b->n; i++) {
        size_t photo = c->want->photo[example[i]];
        plain_features(c->s, c->run, (uint32_t)(c->step / PASS_STEPS), photo, x);
        assert_memory_equal(b->x[i], x, dim * sizeof *x);
        assert_int_equal(b->label[i], c->want->label[example[i]]);
        for (size_t k = 0; k < dim; k++)
            c->moved += fabs((double)x[k] - (double)hst_features_row(c->run->features, photo)[k]);
    }
    free(x);
    c->step++;
    return 0;
}

/* From a step inside a pass to one inside another. */
static void check_features(int threads, const char *augment)
{
    hst_err e = {0};
    scene s = set_up(threads);
    hst_run *run = NULL;
    hst_train_opts o = tutorial(augment);
    hst_model_free(train(&s, &o, &run));
    plain p = plain_new(&s, run);
    hst_fit fit = {.ctx = s.ctx, .run = run};
    fit.train = (hst_examples){.label = p.label, .photo = p.photo, .n = TRAIN};
    hst_sampler sampler;
    check_ok(hst_sampler_init(&sampler, TRAIN, BATCH, SEED, &e), &e);
    checked c = {.s = &s, .run = run, .want = &p, .step = 2, .fail_at = UINT64_MAX};
    hst_feature_stream stream = {.fit = &fit,
                                 .sampler = &sampler,
                                 .begin = 2,
                                 .end = 2 * PASS_STEPS + 1,
                                 .arg = &c,
                                 .step = check_step};
    check_ok(hst_feature_stream_run(&stream, &e), &e);
    assert_int_equal(c.step, stream.end);
    assert_true(c.moved > 1e-2);
    c.step = stream.begin;
    c.fail_at = 3;
    assert_int_equal(hst_feature_stream_run(&stream, &e), HST_EDATA);
    assert_string_equal(e.msg, "not this step");
    assert_int_equal(c.step, 3);
    hst_sampler_clear(&sampler);
    hst_run_free(run);
    tear_down(&s);
}

static void features_are_those_of_each_photo_by_itself(void **state)
{
    (void)state;
    check_features(1, "tutorial");
    check_features(3, "tutorial");
    check_features(2, "auto");
}

/* ---- the head ---- */

/* A head in double, by the book: w[dim][CLASSES], then the bias; v is what momentum keeps. */
typedef struct book {
    size_t dim;
    double *w, *v, *g;
} book;

/* Adds one example's loss to the return value and its slope to b->g. */
static double learn_one(book *b, const float *x, int label, size_t n)
{
    double z[CLASSES], sum = 0, loss = 0;
    for (int c = 0; c < CLASSES; c++) {
        z[c] = b->w[b->dim * CLASSES + (size_t)c];
        for (size_t i = 0; i < b->dim; i++)
            z[c] += (double)x[i] * b->w[i * CLASSES + (size_t)c];
        sum += exp(z[c]);
    }
    for (int c = 0; c < CLASSES; c++) {
        double target = 0.9 * (c == label) + 0.1 / CLASSES, p = exp(z[c]) / sum;
        loss -= target * log(p);
        for (size_t i = 0; i < b->dim; i++)
            b->g[i * CLASSES + (size_t)c] += (p - target) * (double)x[i] / (double)n;
        b->g[b->dim * CLASSES + (size_t)c] += (p - target) / (double)n;
    }
    return loss;
}

/* The L2 term of the loss; its slope is added to b->g. */
static double weigh_kernel(book *b)
{
    double squares = 0;
    for (size_t i = 0; i < b->dim * CLASSES; i++) {
        squares += b->w[i] * b->w[i];
        b->g[i] += 2 * 1e-4 * b->w[i];
    }
    return 1e-4 * squares;
}

static book book_new(size_t dim)
{
    size_t n = (dim + 1) * CLASSES;
    book b = {dim, calloc(n, sizeof(double)), calloc(n, sizeof(double)), calloc(n, sizeof(double))};
    hst_rng r = hst_rng_new(SEED, HST_RNG_INIT, 0, 0);
    double limit = sqrt(6.0 / ((double)dim + CLASSES));
    for (size_t i = 0; i < dim * CLASSES; i++)
        b.w[i] = (2 * hst_rng_uniform(&r) - 1) * limit;
    return b;
}

/* The mean loss of an epoch's photos, each before its step. */
static double run_epoch(book *b, const scene *s, const hst_run *run, const plain *p, int epoch)
{
    size_t example[BATCH], seen = 0, params = (b->dim + 1) * CLASSES;
    float *x = calloc(b->dim, sizeof *x);
    double sum = 0;
    for (uint64_t step = (uint64_t)epoch * STEPS; step < (uint64_t)(epoch + 1) * STEPS; step++) {
        size_t n = plain_step(p, step, example);
        memset(b->g, 0, params * sizeof *b->g);
        for (size_t i = 0; i < n; i++) {
            plain_features(s, run, (uint32_t)(step / PASS_STEPS), p->photo[example[i]], x);
            sum += learn_one(b, x, p->label[example[i]], n);
        }
        sum += (double)n * weigh_kernel(b);
        seen += n;
        for (size_t i = 0; i < params; i++) {
            b->v[i] = 0.9 * b->v[i] - 0.005 * b->g[i];
            b->w[i] += b->v[i];
        }
    }
    free(x);
    return sum / (double)seen;
}

/* The third epoch ends in the third pass. float32 sums of a batch are good to six digits. */
static void losses_are_those_of_the_definition(void **state)
{
    (void)state;
    scene s = set_up(2);
    hst_run *run = NULL;
    hst_train_opts o = tutorial("tutorial");
    o.dropout = 0;
    hst_model *m = train(&s, &o, &run);
    plain p = plain_new(&s, run);
    book b = book_new((size_t)m->dim);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        double want = run_epoch(&b, &s, run, &p, epoch), got = run->history[epoch].train_loss;
        if (!(fabs(got - want) < 1e-6 * want))
            fail_msg("epoch %d: loss %.9g, want %.9g", epoch + 1, got, want);
    }
    check_close_f64(m->kernel, b.w, b.dim * CLASSES, 2e-6, 0, "kernel");
    check_close_f64(m->bias, b.w + b.dim * CLASSES, CLASSES, 2e-6, 0, "bias");
    free(b.w);
    free(b.v);
    free(b.g);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

/* ---- a run ---- */

static const char *digest(const hst_model *m)
{
    return hst_model_record(m, "content_sha256");
}

static void neither_threads_nor_what_is_not_asked_for_change_anything(void **state)
{
    (void)state;
    scene one = set_up(1), three = set_up(3);
    hst_train_opts o = tutorial("tutorial"), none = tutorial("none"), left_out = tutorial(NULL);
    hst_model *a = train(&one, &o, NULL), *b = train(&three, &o, NULL);
    assert_string_equal(digest(a), digest(b));
    assert_string_equal(hst_model_record(a, "augment"), "tutorial");
    hst_model_free(b);
    b = train(&one, &none, NULL);
    assert_string_not_equal(digest(a), digest(b));
    assert_null(hst_model_record(b, "augment"));
    hst_model_free(a);
    a = train(&one, &left_out, NULL);
    assert_string_equal(digest(a), digest(b));
    hst_model_free(a);
    hst_model_free(b);
    tear_down(&one);
    tear_down(&three);
}

static void it_tells_how_far_it_is_and_stops(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_run *run = NULL;
    scene s = set_up(2);
    hst_train_opts o = tutorial("tutorial");
    hst_model_free(train(&s, &o, NULL));
    assert_int_equal(s.total, 3 * TRAIN + 3 * BATCH); /* 15 steps: three passes and three steps */
    assert_int_equal(s.done, s.total);
    s.stop = 1;
    s.n_reports = 0;
    assert_null(try_to_train(&s, &o, &run, &e));
    assert_int_equal(e.code, HST_ESTOPPED);
    assert_null(run);
    assert_true(s.n_reports == 1 && s.done >= 1 && s.done < s.total);
    tear_down(&s);
}

/* Takes a photo away when training has begun. */
static int take_away(void *arg, const hst_progress *p)
{
    scene *s = arg;
    char path[4096];
    snprintf(path, sizeof path, "%s/b/3.png", s->dir);
    if (strcmp(p->what, "training") == 0)
        unlink(path);
    return 0;
}

static void a_photo_that_is_gone_ends_it(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up(2);
    hst_train_opts o = tutorial("auto");
    s.ctx->progress = take_away;
    s.ctx->progress_arg = &s;
    assert_null(hst_train(s.ctx, s.b, s.d, &o, NULL, &e));
    assert_int_equal(e.code, HST_EDATA);
    assert_non_null(strstr(e.msg, "b/3.png was readable and is not any more"));
    tear_down(&s);
}

/* ---- Keras ---- */

#define NETWORK "fixtures/mobilenet_v2_1.0_224/huggingface/google--mobilenet_v2_1.0_224"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Links to the first photos of a folder of photos. */
static void link_class(const char *from, const char *to)
{
    char *name[1000];
    size_t n = 0;
    hst_err e = {0};
    DIR *d = opendir(from);
    assert_non_null(d);
    for (struct dirent *f; n < 1000 && (f = readdir(d));)
        if (f->d_name[0] != '.')
            name[n++] = strdup(f->d_name);
    closedir(d);
    assert_true(n >= PER_CLASS);
    qsort(name, n, sizeof *name, by_name);
    assert_int_equal(mkdir(to, 0777), 0);
    for (size_t i = 0; i < n; i++) {
        char *a = hst_path_join(from, name[i], &e), *b = hst_path_join(to, name[i], &e);
        assert_true(i >= PER_CLASS || symlink(a, b) == 0);
        free(name[i]);
        free(a);
        free(b);
    }
}

/* What tf_keras gave (golden_augmented.py): 0 where the network or the photos are not here. */
static int open_flowers(scene *s)
{
    static const char *const classes[CLASSES] = {"daisy", "dandelion", "roses"};
    hst_err e = {0};
    char from[4096], to[4096];
    char *network = shared_path(NETWORK), *flowers = shared_path("data/datasets/flowers");
    if (network && flowers) {
        *s = (scene){.ctx = made_up_ctx(2), .dir = temporary_folder()};
        for (int c = 0; c < CLASSES; c++) {
            snprintf(from, sizeof from, "%s/%s", flowers, classes[c]);
            snprintf(to, sizeof to, "%s/%s", s->dir, classes[c]);
            link_class(from, to);
        }
        open_photos(s);
        s->b = hst_backbone_open(s->ctx, network, &e);
        check_ok(s->b ? 0 : e.code, &e);
    }
    int there = network && flowers;
    free(network);
    free(flowers);
    return there;
}

static npy golden(const char *name)
{
    char relative[100];
    snprintf(relative, sizeof relative, "golden/augmented_head/%s.npy", name);
    char *path = shared_path(relative);
    assert_non_null(path);
    npy a = npy_read(path);
    free(path);
    return a;
}

/* Of the first step, every 20th number. Features of two float32 programs whose 32 layers differ in
 * the last bits come out within 2e-5 of each other, of changed photos as of others. */
static void check_first_step(const scene *s, const hst_run *run)
{
    npy want = golden("features");
    const float *row = want.data;
    size_t dim = (size_t)run->features->dim, example[BATCH];
    plain p = plain_new(s, run);
    float *x = calloc(dim, sizeof *x);
    size_t n = plain_step(&p, 0, example);
    assert_true(want.dim[0] == n && want.dim[1] == dim / 20);
    for (size_t i = 0; i < n; i++, row += dim / 20) {
        plain_features(s, run, 0, p.photo[example[i]], x);
        for (size_t k = 0; k < dim / 20; k++)
            x[k] = x[20 * k];
        check_close(x, row, dim / 20, 2e-5, 0, "features");
    }
    free(x);
    free(want.data);
}

/* Losses within what the head alone is allowed on equal features (test_head.c); those of the few
 * validation photos, which no mean evens out, within twice that. */
static void epochs_are_those_of_keras(void **state)
{
    (void)state;
    scene s;
    if (!open_flowers(&s))
        skip_shared(NETWORK);
    hst_run *run = NULL;
    hst_train_opts o = tutorial("tutorial");
    hst_model *m = train(&s, &o, &run);
    check_first_step(&s, run);
    npy want = golden("epochs");
    assert_true(strcmp(want.type, "<f8") == 0 && want.dim[0] == EPOCHS && want.dim[1] == 4);
    const double *w = want.data;
    for (size_t i = 0; i < EPOCHS; i++, w += 4) {
        const hst_epoch *e = &run->history[i];
        if (!(fabs(e->train_loss - w[0]) < 2e-6 && fabs(e->val_loss - w[2]) < 4e-6))
            fail_msg("epoch %zu: losses %.9g and %.9g, want %.9g and %.9g", i + 1, e->train_loss,
                     e->val_loss, w[0], w[2]);
        assert_true(fabs(e->train_accuracy - w[1]) < 1e-6 && fabs(e->val_accuracy - w[3]) < 1e-6);
    }
    free(want.data);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_each_photo_by_itself),
        cmocka_unit_test(losses_are_those_of_the_definition),
        cmocka_unit_test(neither_threads_nor_what_is_not_asked_for_change_anything),
        cmocka_unit_test(it_tells_how_far_it_is_and_stops),
        cmocka_unit_test(a_photo_that_is_gone_ends_it),
        cmocka_unit_test(epochs_are_those_of_keras),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
