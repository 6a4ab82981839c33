/* training: how many threads there are, and run, while two are asked for; counted from outside, by
 * a thread that reads what the system says of all the others. */
#include "made_up.h"
#include "support.h"

#include "training/cross_validation.h"
#include "training/recipe.h"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLASSES = 3, PER_CLASS = 10, THREADS = 2, MOST_BEFORE = 16, LEAST = 5, ROUNDS = 500 };

typedef struct watch {
    char before[MOST_BEFORE][32]; /* threads that are no part of what is watched */
    int n_before;
    atomic_int most, most_running; /* of the others, at a time */
    atomic_int looks, ends;
    pthread_t thread;
} watch;

/* The letter behind the name in brackets: R is running, or waits for a processor. */
static int is_running(const char *thread)
{
    char path[64], text[256] = {0};
    snprintf(path, sizeof path, "/proc/self/task/%.32s/stat", thread);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0; /* it has just ended */
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    const char *end = n ? strrchr(text, ')') : NULL;
    return end && end[1] == ' ' && end[2] == 'R';
}

static int was_before(const watch *w, const char *thread)
{
    for (int i = 0; i < w->n_before; i++)
        if (strcmp(w->before[i], thread) == 0)
            return 1;
    return 0;
}

static void look(watch *w)
{
    int n = 0, running = 0;
    DIR *all = opendir("/proc/self/task");
    for (const struct dirent *d = readdir(all); d; d = readdir(all)) {
        if (!isdigit((unsigned char)d->d_name[0]) || was_before(w, d->d_name))
            continue;
        n++;
        running += is_running(d->d_name);
    }
    closedir(all);
    w->most = n > w->most ? n : w->most;
    w->most_running = running > w->most_running ? running : w->most_running;
}

static void *keep_looking(void *arg)
{
    watch *w = arg;
    while (!atomic_load(&w->looks))
        sched_yield();
    while (!atomic_load(&w->ends))
        look(w);
    return NULL;
}

/* From now on. The threads that there are already do not count, but for this one. */
static void begin(watch *w)
{
    char this_one[32];
    DIR *all = opendir("/proc/self/task");
    if (!all) {
        print_message("no /proc/self/task here: threads are not counted\n");
        skip();
    }
    assert_int_equal(pthread_create(&w->thread, NULL, keep_looking, w), 0);
    snprintf(this_one, sizeof this_one, "%d", (int)getpid());
    for (const struct dirent *d = readdir(all); d; d = readdir(all)) {
        if (!isdigit((unsigned char)d->d_name[0]) || strcmp(d->d_name, this_one) == 0)
            continue;
        assert_true(w->n_before < MOST_BEFORE);
        snprintf(w->before[w->n_before++], sizeof *w->before, "%.31s", d->d_name);
    }
    closedir(all);
    atomic_store(&w->looks, 1);
}

static void end(watch *w)
{
    atomic_store(&w->ends, 1);
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    assert_int_equal(w->most, THREADS);
    assert_int_equal(w->most_running, THREADS);
}

/* Both threads have been seen at work, so that it is time to end. */
static int seen(watch *w)
{
    return atomic_load(&w->most_running) >= THREADS;
}

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
    char *dir;
} scene;

static scene set_up(void)
{
    hst_err e = {0};
    scene s = {.ctx = made_up_ctx(THREADS), .dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, PER_CLASS, 150, 125);
    s.d = hst_data_open(s.ctx, s.dir, NULL, &e);
    check_ok(!s.d, &e);
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

static void features_take_no_more_threads(void **state)
{
    (void)state;
    hst_err e = {0};
    watch w = {0};
    begin(&w);
    scene s = set_up();
    for (int i = 0; i < ROUNDS && (i < LEAST || !seen(&w)); i++) {
        hst_features *f = hst_features_compute(s.ctx, s.b, s.d, NULL, &e);
        check_ok(!f, &e);
        hst_features_free(f);
    }
    end(&w);
    tear_down(&s);
}

static void learning_backbones_take_no_more_threads(void **state)
{
    (void)state;
    hst_err e = {0};
    watch w = {0};
    begin(&w);
    scene s = set_up();
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "fine-tune";
    o.epochs = 1;
    o.batch = 8;
    for (int i = 0; i < ROUNDS && (i < LEAST || !seen(&w)); i++) {
        hst_run *run = NULL;
        hst_model *m = hst_train(s.ctx, s.b, s.d, &o, &run, &e);
        check_ok(!m, &e);
        hst_model_free(m);
        hst_run_free(run);
    }
    end(&w);
    tear_down(&s);
}

/* L-BFGS, with the search for its penalty in front of it. */
static void heads_take_no_more_threads(void **state)
{
    enum { N = 600, DIM = 40 };
    static float x[N * DIM], kernel[DIM * CLASSES], bias[CLASSES];
    static const float *row[N];
    static int label[N];
    (void)state;
    hst_err e = {0};
    watch w = {0};
    begin(&w);
    hst_ctx *ctx = made_up_ctx(THREADS);
    for (uint32_t i = 0; i < N; i++) {
        row[i] = x + (size_t)i * DIM;
        label[i] = (int)i % CLASSES;
        for (uint32_t k = 0; k < DIM; k++)
            x[i * DIM + k] = (float)(made_up_noise(1, i * DIM + k) + 0.1 * (label[i] == (int)k));
    }
    const hst_logistic p = {.x = row, .label = label, .n = N, .dim = DIM, .n_classes = CLASSES};
    for (int i = 0; i < ROUNDS && (i < LEAST || !seen(&w)); i++) {
        int fold[N];
        hst_out_of_fold out;
        check_ok(hst_folds_make(&p, 1, fold, &e), &e);
        check_ok(hst_cross_validate(ctx, &(hst_cross_validation){.p = &p, .fold = fold}, &out, &e),
                 &e);
        check_ok(hst_logistic_fit(ctx, &p, out.l2, kernel, bias, &e), &e);
        hst_out_of_fold_clear(&out);
    }
    end(&w);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_take_no_more_threads),
        cmocka_unit_test(learning_backbones_take_no_more_threads),
        cmocka_unit_test(heads_take_no_more_threads),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
