/* abi: each job's own log and progress (hst_ctx_with). */
#include "scene.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct listener {
    int stops;                       /* at the first report */
    int reports, strangers, n_lines; /* strangers: structs of another size */
} listener;

static int on_progress(void *arg, const hst_progress *p)
{
    listener *l = arg;
    l->reports++;
    l->strangers += p->size != sizeof *p;
    return l->stops;
}

static void on_log(void *arg, int level, const char *line)
{
    (void)level;
    (void)line;
    ((listener *)arg)->n_lines++;
}

typedef struct job {
    const scene *s;
    const char *photos;
    listener heard;
    hst_features *f;
    hst_err err;
} job;

/* A job of a server: its view is gone before its result is used. */
static void *run_job(void *arg)
{
    job *j = arg;
    hst_callbacks c = hst_callbacks_default();
    c.log = on_log;
    c.progress = on_progress;
    c.log_arg = c.progress_arg = &j->heard;
    hst_ctx *view = hst_ctx_with(j->s->ctx, &c, &j->err);
    hst_data *d = view ? hst_data_open(view, j->photos, NULL, &j->err) : NULL;
    j->f = d ? hst_features_compute(view, j->s->b, d, NULL, &j->err) : NULL;
    hst_data_free(d);
    hst_close(view);
    return NULL;
}

static void jobs_log_and_stop_by_themselves(void **state)
{
    const scene *s = *state;
    char *broken = temporary_folder(), path[4096];
    scene_photos(broken);
    snprintf(path, sizeof path, "%s/a/words.png", broken);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("words", f);
    fclose(f);
    job jobs[2] = {{.s = s, .photos = broken}, {.s = s, .photos = s->dir, .heard = {.stops = 1}}};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run_job, &jobs[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    check_ok(jobs[0].f == NULL, &jobs[0].err);
    assert_int_equal(hst_features_used(jobs[0].f), 2 * SCENE_PER_CLASS);
    assert_int_equal(jobs[0].heard.n_lines, 1); /* the photo that is none */
    assert_true(jobs[0].heard.reports > 0 && jobs[0].heard.strangers == 0);
    assert_null(jobs[1].f);
    assert_int_equal(jobs[1].err.code, HST_ESTOPPED);
    assert_int_equal(jobs[1].heard.reports, 1);
    assert_int_equal(jobs[1].heard.n_lines, 0);
    hst_features_free(jobs[0].f);
    remove_tree(broken);
    free(broken);
}

static int features_of(hst_ctx *ctx, const scene *s, hst_err *err)
{
    hst_features *f = hst_features_compute(ctx, s->b, s->d, NULL, err);
    hst_features_free(f);
    return f ? 0 : err->code;
}

/* A view of a view: each sets one of the two. */
static void what_a_job_does_not_set_is_the_contexts(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    listener outer = {0}, inner = {0};
    hst_callbacks c = hst_callbacks_default();
    c.progress = on_progress;
    c.progress_arg = &outer;
    hst_ctx *a = hst_ctx_with(s->ctx, &c, &err);
    check_ok(a == NULL, &err);
    c = hst_callbacks_default();
    c.log = on_log;
    c.log_arg = &inner;
    hst_ctx *b = hst_ctx_with(a, &c, &err);
    check_ok(b == NULL, &err);
    check_ok(features_of(b, s, &err), &err);
    assert_true(outer.reports > 0 && inner.reports == 0);
    assert_int_equal(hst_threads(b), hst_threads(s->ctx));
    assert_string_equal(hst_cpu(b), hst_cpu(s->ctx));
    hst_close(b);
    hst_close(a);
}

static void what_a_job_made_outlives_its_view(void **state)
{
    const scene *s = *state;
    hst_err err = {0};
    float want[2], got[2];
    const char *photo = hst_data_path(s->d, 0);
    check_ok(hst_predict_file(s->s, photo, want, 2, &err), &err);
    hst_ctx *view = hst_ctx_with(s->ctx, NULL, &err);
    hst_backbone *b = hst_backbone_open(view, s->network, &err);
    check_ok(b == NULL, &err);
    hst_session *session = hst_session_open(view, s->m, &err);
    check_ok(session == NULL, &err);
    hst_close(view);
    check_ok(hst_predict_file(session, photo, got, 2, &err), &err);
    assert_memory_equal(got, want, sizeof got);
    check_ok(features_of(s->ctx, &(scene){.b = b, .d = s->d}, &err), &err);
    hst_session_free(session);
    hst_backbone_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_log_and_stop_by_themselves),
        cmocka_unit_test(what_a_job_does_not_set_is_the_contexts),
        cmocka_unit_test(what_a_job_made_outlives_its_view),
    };
    return cmocka_run_group_tests(tests, scene_set_up, scene_tear_down);
}
