/* Prediction: the same probabilities by every way in, in order, whatever the threads and the files.
 */
#include "made_up.h"
#include "support.h"

#include "base/file.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_CLASSES = 3 };
static const char *const labels[N_CLASSES] = {"a", "b", "c"};

typedef struct scene {
    hst_ctx *ctx;
    hst_backbone *b;
    hst_model *m;
    hst_session *s;
    char *dir;
} scene;

static scene set_up(int threads)
{
    hst_err err = {0};
    scene s = {.ctx = made_up_ctx(threads)};
    s.b = made_up_backbone(s.ctx, 1);
    s.m = made_up_model(s.b, labels, N_CLASSES);
    s.s = hst_session_open(s.ctx, s.m, &err);
    check_ok(s.s == NULL, &err);
    s.dir = temporary_folder();
    return s;
}

static void tear_down(scene *s)
{
    hst_session_free(s->s);
    hst_model_free(s->m);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static const char *in(const scene *s, const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", s->dir, name);
    return path;
}

static int predict_rgb(hst_session *s, const uint8_t *rgb, int w, int h, size_t row_bytes,
                       float *prob, hst_err *err)
{
    hst_pixels p = hst_pixels_default();
    p.rgb = rgb;
    p.width_px = w;
    p.height_px = h;
    p.row_bytes = row_bytes;
    return hst_predict_rgb(s, &p, prob, N_CLASSES, err);
}

static void every_way_in_gives_the_same(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    char path[4096];
    float file[3], bytes[3], rgb[3], strided[3];
    made_up_png(in(&s, "x.png", path), 50, 41, 1);
    check_ok(hst_predict_file(s.s, path, file, 3, &err), &err);
    assert_true(fabsf(file[0] + file[1] + file[2] - 1) < 1e-6f);
    assert_true(file[0] != file[1]);

    uint8_t *data;
    size_t n;
    check_ok(hst_file_read(path, 1 << 20, HST_EIO, &data, &n, &err), &err);
    check_ok(hst_predict_bytes(s.s, data, n, bytes, 3, &err), &err);
    assert_memory_equal(file, bytes, sizeof file);

    hst_image img;
    check_ok(hst_image_decode(&(hst_decode){.resampler = HST_RESAMPLE_PIL}, data, n, &img, &err),
             &err);
    check_ok(predict_rgb(s.s, img.rgb, 50, 41, 0, rgb, &err), &err);
    assert_memory_equal(file, rgb, sizeof file);
    uint8_t *wide = malloc(41 * 167);
    memset(wide, 99, 41 * 167);
    for (int y = 0; y < 41; y++)
        memcpy(wide + (ptrdiff_t)y * 167, img.rgb + (ptrdiff_t)y * 150, 150);
    check_ok(predict_rgb(s.s, wide, 50, 41, 167, strided, &err), &err);
    assert_memory_equal(file, strided, sizeof file);
    free(wide);
    hst_image_clear(&img);
    free(data);
    tear_down(&s);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    hst_err err = {0};
    float want[3], prob[3];
    for (int threads = 1; threads <= 5; threads += 2) {
        scene s = set_up(threads);
        char path[4096];
        made_up_png(in(&s, "x.png", path), 70, 61, 1);
        check_ok(hst_predict_file(s.s, path, threads == 1 ? want : prob, 3, &err), &err);
        for (int again = 0; threads > 1 && again < 3; again++) {
            assert_memory_equal(prob, want, sizeof want);
            check_ok(hst_predict_file(s.s, path, prob, 3, &err), &err);
        }
        tear_down(&s);
    }
}

typedef struct user {
    const scene *s;
    char path[4096];
    float prob[3];
    int rc;
} user;

static void *use(void *arg)
{
    user *u = arg;
    hst_err err = {0};
    hst_session *s = hst_session_open(u->s->ctx, u->s->m, &err);
    for (int i = 0; s && u->rc == 0 && i < 20; i++)
        u->rc = hst_predict_file(s, u->path, u->prob, 3, &err);
    u->rc |= !s;
    hst_session_free(s);
    return NULL;
}

/* Sessions of one context share its threads. */
static void sessions_predict_at_the_same_time(void **state)
{
    enum { USERS = 4 };
    (void)state;
    pthread_t thread[USERS];
    user u[USERS] = {0};
    scene s = set_up(3);
    for (int i = 0; i < USERS; i++) {
        u[i].s = &s;
        made_up_png(in(&s, i % 2 ? "x.png" : "y.png", u[i].path), 50, 41, 1);
    }
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, use, &u[i]), 0);
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(u[i].rc, 0);
        assert_memory_equal(u[i].prob, u[0].prob, sizeof u->prob);
    }
    tear_down(&s);
}

/* In a child: 0 when it predicts what its parent did, by a session of its parent's and by one of
 * its own. */
static int predict_again(scene *s, const char *path, const float *want)
{
    hst_err err = {0};
    float prob[3];
    hst_session *own = hst_session_open(s->ctx, s->m, &err);
    if (!own)
        return 1;
    for (int i = 0; i < 4; i++)
        if (hst_predict_file(i % 2 ? own : s->s, path, prob, 3, &err) ||
            memcmp(prob, want, sizeof prob))
            return 2;
    hst_session_free(own);
    hst_session_free(s->s);
    hst_model_free(s->m);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    return 0;
}

static void a_forked_child_predicts_and_closes(void **state)
{
    (void)state;
    skip_where_threads_are_watched();
    hst_err err = {0};
    scene s = set_up(3);
    char path[4096];
    float want[3], prob[3];
    made_up_png(in(&s, "x.png", path), 50, 41, 1);
    check_ok(hst_predict_file(s.s, path, want, 3, &err), &err);
    for (int i = 0; i < 3; i++) {
        int status;
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(20); /* a child that hangs ends */
            _exit(predict_again(&s, path, want));
        }
        check_ok(hst_predict_file(s.s, path, prob, 3, &err), &err); /* at the same time */
        assert_memory_equal(prob, want, sizeof want);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    tear_down(&s);
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    char path[4096];
    float prob[3] = {7, 7, 7};
    const uint8_t rgb[12] = {0};
    assert_int_equal(hst_predict_file(s.s, in(&s, "none.png", path), prob, 3, &err), HST_EIMAGE);
    assert_non_null(strstr(err.msg, "none.png"));
    assert_int_equal(hst_predict_file(s.s, s.dir, prob, 3, &err), HST_EIMAGE);
    assert_int_equal(hst_predict_file(s.s, path, prob, 2, &err), HST_EARG);
    assert_int_equal(hst_predict_bytes(s.s, "words", 5, prob, 3, &err), HST_EIMAGE);
    assert_int_equal(hst_predict_bytes(s.s, "", 0, prob, 3, &err), HST_EIMAGE);
    assert_int_equal(predict_rgb(s.s, NULL, 2, 2, 6, prob, &err), HST_EARG);
    assert_int_equal(predict_rgb(s.s, rgb, 0, 2, 6, prob, &err), HST_EARG);
    assert_int_equal(predict_rgb(s.s, rgb, 2, -1, 6, prob, &err), HST_EARG);
    assert_int_equal(predict_rgb(s.s, rgb, 2, 2, 5, prob, &err), HST_EARG);
    assert_int_equal(predict_rgb(s.s, rgb, 2000000000, 2000000000, (size_t)1 << 40, prob, &err),
                     HST_EARG);
    assert_true(prob[0] == 7 && prob[1] == 7 && prob[2] == 7);
    tear_down(&s);
}

/* What came out of a stream over n files; every fifth is no image, every seventh is missing. */
typedef struct stream {
    const scene *s;
    size_t n, at, delivered;
    size_t stop_at;  /* deliver says stop there; 0: never */
    size_t break_at; /* next fails there; 0: never */
    float (*prob)[N_CLASSES];
    int *code;
    int stored; /* photos whose features the store had */
} stream;

static int next(void *arg, char *path, size_t cap)
{
    stream *t = arg;
    if (t->break_at && t->at == t->break_at)
        return -1;
    if (t->at == t->n)
        return 0;
    size_t i = t->at++;
    snprintf(path, cap, "%s/%s", t->s->dir,
             i % 7 == 6   ? "missing.png"
             : i % 5 == 4 ? "words.png"
             : i % 2      ? "one.png"
                          : "two.png");
    return 1;
}

static int deliver(void *arg, const hst_prediction *p)
{
    stream *t = arg;
    assert_int_equal(p->index, t->delivered);
    assert_int_equal(p->n, N_CLASSES);
    assert_non_null(strstr(p->path, t->s->dir));
    t->code[p->index] = p->code;
    if (p->code == 0)
        memcpy(t->prob[p->index], p->prob, sizeof t->prob[0]);
    else
        assert_true(strlen(p->why) > 5);
    t->delivered++;
    return t->stop_at && t->delivered == t->stop_at;
}

static int run(const scene *s, stream *t, hst_err *err)
{
    char path[4096];
    hst_err e = {0};
    t->s = s;
    t->prob = calloc(t->n, sizeof *t->prob);
    t->code = calloc(t->n, sizeof *t->code);
    made_up_png(in(s, "one.png", path), 40, 40, 1);
    made_up_png(in(s, "two.png", path), 33, 60, 2);
    check_ok(hst_file_write(in(s, "words.png", path), "words", 5, &e), &e);
    return hst_predict_stream(s->ctx, s->m, next, deliver, t, err);
}

static void clear(stream *t)
{
    free(t->prob);
    free(t->code);
}

static void a_stream_keeps_order_and_goes_on(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1), s4 = set_up(4);
    stream one = {.n = 300}, four = {.n = 300};
    check_ok(run(&s, &one, &err), &err);
    check_ok(run(&s4, &four, &err), &err);
    assert_int_equal(one.delivered, 300);
    assert_int_equal(four.delivered, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(one.code[i], i % 7 == 6 || i % 5 == 4 ? HST_EIMAGE : 0);
        assert_int_equal(one.code[i], four.code[i]);
    }
    assert_memory_equal(one.prob, four.prob, 300 * sizeof *one.prob);
    float alone[3];
    char path[4096];
    check_ok(hst_predict_file(s.s, in(&s, "two.png", path), alone, 3, &err), &err);
    assert_memory_equal(alone, one.prob[0], sizeof alone);
    assert_memory_not_equal(one.prob[0], one.prob[1], sizeof alone);
    clear(&one);
    clear(&four);
    tear_down(&s);
    tear_down(&s4);
}

static void a_stream_can_be_stopped(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads += 2) {
        hst_err err = {0};
        scene s = set_up(threads);
        stream stops = {.n = 100, .stop_at = 10}, breaks = {.n = 100, .break_at = 20};
        stream none = {.n = 0};
        assert_int_equal(run(&s, &stops, &err), HST_ESTOPPED);
        assert_int_equal(stops.delivered, 10);
        assert_int_equal(run(&s, &breaks, &err), HST_ESTOPPED);
        assert_true(breaks.delivered <= 20);
        check_ok(run(&s, &none, &err), &err);
        clear(&stops);
        clear(&breaks);
        clear(&none);
        tear_down(&s);
    }
}

static int count_stored(void *arg, const hst_prediction *p)
{
    stream *t = arg;
    t->stored += p->stored;
    return deliver(arg, p) + (p->code && p->stored); /* a bad photo has nothing stored */
}

/* Counts how many of n photos came from the store; prob as it was delivered. */
static int stored_of(hst_ctx *ctx, scene *s, stream *t)
{
    hst_err err = {0};
    check_ok(run(s, t, &err), &err); /* makes the photos, without a store */
    float(*want)[N_CLASSES] = t->prob;
    t->prob = calloc(t->n, sizeof *t->prob);
    t->at = t->delivered = 0;
    check_ok(hst_predict_stream(ctx, s->m, next, count_stored, t, &err), &err);
    assert_memory_equal(t->prob, want, t->n * sizeof *want);
    free(want);
    clear(t);
    return t->stored;
}

/* What is known is not computed again, and has the same bits. */
static void a_stream_asks_the_store(void **state)
{
    (void)state;
    need_part("SQLite");
    hst_err err = {0};
    scene s = set_up(1);
    char cache[4096];
    hst_config cfg = hst_config_default();
    cfg.threads = 1; /* so that a photo is in the store before its copy is looked up */
    cfg.cache_dir = in(&s, "cache", cache);
    hst_ctx *with = hst_open(&cfg, &err);
    cfg.no_store = 1;
    hst_ctx *without = hst_open(&cfg, &err);
    check_ok(!with || !without, &err);
    assert_int_equal(stored_of(without, &s, &(stream){.n = 4}), 0);
    assert_int_equal(stored_of(with, &s, &(stream){.n = 2}), 0);   /* all is new */
    assert_int_equal(stored_of(with, &s, &(stream){.n = 30}), 20); /* the others are bad */
    assert_int_equal(stored_of(without, &s, &(stream){.n = 4}), 0);
    hst_close(with);
    hst_close(without);
    tear_down(&s);
}

static void make_class(const scene *s, const char *name, int n, uint64_t seed)
{
    char dir[4096], path[4200];
    assert_int_equal(mkdir(in(s, name, dir), 0777), 0);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%d.png", dir, i);
        made_up_png(path, 36, 36, seed + (uint64_t)i);
    }
}

static void listen_for(void *arg, int level, const char *line)
{
    int *heard = arg;
    *heard +=
        level == HST_LOG_WARN && strstr(line, "does not say which photos it has learned from");
}

/* A model of before that was kept may be asked about its own photos. */
static void what_was_learned_may_not_be_known(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(2);
    int heard = 0;
    hst_callbacks c = hst_callbacks_default();
    c.log = listen_for;
    c.log_arg = &heard;
    hst_ctx *ctx = hst_ctx_with(s.ctx, &c, &err);
    check_ok(ctx == NULL, &err);
    make_class(&s, "a", 2, 10);
    hst_data_opts o = hst_data_opts_default();
    o.split = "none";
    hst_data *d = hst_data_open(ctx, s.dir, &o, &err);
    check_ok(d == NULL, &err);
    for (int knows = 0; knows < 2; knows++) {
        const uint64_t other = 7;
        if (knows)
            check_ok(hst_model_set_seen(s.m, &other, 1, &err), &err);
        heard = 0;
        hst_eval *e = hst_evaluate(ctx, s.m, d, &err);
        check_ok(e == NULL, &err);
        assert_int_equal(heard, !knows);
        hst_eval_free(e);
    }
    hst_data_free(d);
    hst_close(ctx);
    tear_down(&s);
}

/* A folder with two of the model's three classes and one bad file. */
static void evaluation_matches_labels_by_name(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(2);
    char path[4096];
    make_class(&s, "c", 4, 10);
    make_class(&s, "b", 3, 20);
    check_ok(hst_file_write(in(&s, "b/bad.png", path), "words", 5, &err), &err);
    hst_data_opts o = hst_data_opts_default();
    o.split = "none";
    hst_data *d = hst_data_open(s.ctx, s.dir, &o, &err);
    check_ok(d == NULL, &err);
    hst_eval *e = hst_evaluate(s.ctx, s.m, d, &err);
    check_ok(e == NULL, &err);
    double n, skipped, low, high;
    check_ok(hst_eval_metric(e, "n", &n, &low, &high, &err), &err);
    check_ok(hst_eval_metric(e, "skipped", &skipped, &low, &high, &err), &err);
    assert_true(n == 7 && skipped == 1);
    assert_int_equal(hst_eval_classes(e), 3);
    assert_string_equal(hst_eval_label(e, 2), "c");
    assert_int_equal(hst_eval_class(e, 0)->support, 0);
    assert_int_equal(hst_eval_class(e, 1)->support, 3);
    assert_int_equal(hst_eval_class(e, 2)->support, 4);
    const hst_eval_photo *p = hst_eval_at(e, 0);
    assert_non_null(p);
    float alone[3];
    check_ok(hst_predict_file(s.s, p->path, alone, 3, &err), &err);
    assert_memory_equal(alone, p->prob, sizeof alone);
    assert_int_equal(p->truth, 1);
    hst_eval_free(e);
    hst_data_free(d);
    tear_down(&s);
}

static void evaluation_refuses_what_it_cannot_compare(void **state)
{
    (void)state;
    hst_err err = {0};
    scene s = set_up(1);
    char path[4096];
    make_class(&s, "a", 1, 1);
    make_class(&s, "zebra", 1, 2);
    hst_data_opts o = hst_data_opts_default();
    o.split = "none";
    hst_data *d = hst_data_open(s.ctx, s.dir, &o, &err);
    check_ok(d == NULL, &err);
    assert_null(hst_evaluate(s.ctx, s.m, d, &err));
    assert_int_equal(err.code, HST_EDATA);
    assert_non_null(strstr(err.msg, "zebra"));
    hst_data_free(d);

    const char *files[1] = {in(&s, "a/0.png", path)};
    d = hst_data_from_files(files, 1, &err);
    check_ok(d == NULL, &err);
    assert_null(hst_evaluate(s.ctx, s.m, d, &err));
    assert_int_equal(err.code, HST_EDATA);
    hst_data_free(d);

    remove_tree(in(&s, "zebra", path));
    check_ok(hst_file_write(in(&s, "a/0.png", path), "words", 5, &err), &err);
    d = hst_data_open(s.ctx, s.dir, &o, &err);
    check_ok(d == NULL, &err);
    assert_null(hst_evaluate(s.ctx, s.m, d, &err));
    assert_int_equal(err.code, HST_EDATA);
    hst_data_free(d);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_in_gives_the_same),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(sessions_predict_at_the_same_time),
        cmocka_unit_test(a_forked_child_predicts_and_closes),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(a_stream_keeps_order_and_goes_on),
        cmocka_unit_test(a_stream_can_be_stopped),
        cmocka_unit_test(a_stream_asks_the_store),
        cmocka_unit_test(what_was_learned_may_not_be_known),
        cmocka_unit_test(evaluation_matches_labels_by_name),
        cmocka_unit_test(evaluation_refuses_what_it_cannot_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
