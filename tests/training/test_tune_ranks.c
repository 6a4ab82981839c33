/* training: fine-tuning by several processes against one, bit by bit; stopping and going on. */
#include "forked_ranks.h"
#include "tuning_scene.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RANKS = 4, BIG = 14 /* photos of a batch: three groups and a half */ };

/* What a job does in each of its processes, and what is to come of it. */
typedef struct job {
    void (*set)(hst_train_opts *o);
    char *run_dir;
    int resume;
    uint64_t stop; /* where rank 0 asks to stop; 0: nowhere */
    result want;
} job;

static hst_train_opts options_of(const scene *s, const job *j)
{
    hst_train_opts o = fine_tune(s);
    o.batch = BIG;
    o.epochs = 2;
    o.run_dir = j->run_dir;
    o.resume = j->resume;
    j->set(&o);
    return o;
}

static scene join(hst_ranks *r)
{
    hst_err e = {0};
    scene s = set_up(1 + r->rank % 2);
    check_ok(hst_ranks_meet(r, hst_threads(s.ctx), &e), &e);
    s.ctx->ranks = r;
    return s;
}

static void part(scene *s)
{
    free(s->ctx->ranks->threads);
    s->ctx->ranks = NULL; /* the job's */
    tear_down(s);
}

static int take_part(hst_ranks *r, void *arg)
{
    job *j = arg;
    hst_err e = {0};
    result got = {0};
    scene s = join(r);
    hst_train_opts o = options_of(&s, j);
    int rc = train(&s, &o, r->rank == 0 ? j->stop : 0, &got, &e), wrong = 0;
    if (j->stop)
        wrong = rc != HST_ESTOPPED;
    else
        wrong = rc != 0 || memcmp(&got, &j->want, sizeof got) != 0;
    if (wrong)
        print_message("rank %d of %d: %d, %s, not %s: %s\n", r->rank, r->size, rc, got.sha256,
                      j->want.sha256, e.msg);
    part(&s);
    return wrong;
}

static result alone(const job *j)
{
    scene s = set_up(2);
    hst_train_opts o = options_of(&s, j);
    o.run_dir = NULL;
    result r = trained(&s, &o);
    tear_down(&s);
    return r;
}

/* ---- ways to learn ---- */

static void frozen(hst_train_opts *o)
{
    o->augment = "auto";
}

static void batch(hst_train_opts *o)
{
    o->batch_norm = "batch";
    o->optimizer = "sgd";
    o->clip = 0.5;
    o->class_weight = "balanced";
}

static void mixed(hst_train_opts *o)
{
    o->mixup = 0.4;
    o->cutmix = 1;
    o->ema = 0.9;
    o->batch = 9;
}

static void tutorial(hst_train_opts *o)
{
    o->recipe = "tutorial";
    o->fine_tune = 1;
    o->dropout = 0.2;
    o->batch = 5; /* two groups: of four processes two are idle */
}

static void found_rate(hst_train_opts *o)
{
    o->learning_rate = 0;
    o->epochs = 1;
}

static void any_number_of_processes(void **state)
{
    static void (*const ways[])(hst_train_opts *) = {frozen, batch, mixed, tutorial, found_rate};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        job j = {.set = ways[i], .run_dir = temporary_folder()};
        j.want = alone(&j);
        for (int size = i == 0 ? 1 : 2; size <= MOST_RANKS; size += i == 0 || i == 3 ? 1 : 2)
            assert_int_equal(forked_ranks(size, take_part, &j), 0);
        remove_tree(j.run_dir);
        free(j.run_dir);
    }
}

/* Rank 0 is asked to stop; all stop at that step, and other numbers of processes go on. */
static void a_stopped_job_goes_on_with_any_number(void **state)
{
    (void)state;
    job j = {.set = batch, .run_dir = temporary_folder()};
    j.want = alone(&j);
    j.stop = 1;
    assert_int_equal(forked_ranks(3, take_part, &j), 0);
    j.resume = 1;
    j.stop = BIG + 1;
    assert_int_equal(forked_ranks(2, take_part, &j), 0);
    j.stop = 0;
    assert_int_equal(forked_ranks(4, take_part, &j), 0);
    j.resume = 0;
    j.stop = BIG + 1;
    assert_int_equal(forked_ranks(2, take_part, &j), 0);
    j.resume = 1;
    j.stop = 0;
    assert_int_equal(forked_ranks(1, take_part, &j), 0);
    remove_tree(j.run_dir);
    free(j.run_dir);
}

/* ---- what goes wrong on one ---- */

typedef struct loss {
    scene *s;
    int is_due; /* when learning is first told of, as not every step is */
} loss;

static int lose_photos(void *arg, const hst_progress *p)
{
    loss *l = arg;
    if (strcmp(p->what, "training") == 0 && l->is_due) {
        remove_tree(l->s->dir);
        l->is_due = 0;
    }
    return 0;
}

static int lose(hst_ranks *r, void *arg)
{
    const job *j = arg;
    hst_err e = {0};
    scene s = join(r);
    hst_train_opts o = options_of(&s, j);
    loss l = {&s, r->rank == 1};
    s.ctx->progress = lose_photos;
    s.ctx->progress_arg = &l;
    hst_model *m = hst_train(s.ctx, s.b, s.d, &o, NULL, &e);
    const int lost = e.code == HST_EDATA && strstr(e.msg, "was readable and is not any more");
    /* missed in a step, or in a loop that is shared, where these sockets tell no reason */
    const int told = r->rank == 1 ? lost
                     : lost       ? strstr(e.msg, "rank 1 on host1: ") == e.msg
                                  : e.code == HST_EPROC && strstr(e.msg, " is gone");
    if (m || !told)
        print_message("rank %d: %d, %s\n", r->rank, e.code, e.msg);
    hst_model_free(m);
    part(&s);
    return m || !told;
}

static void a_photo_lost_by_one_ends_all(void **state)
{
    (void)state;
    job j = {.set = frozen};
    assert_int_equal(forked_ranks(3, lose, &j), 0);
}

static int differ(hst_ranks *r, void *arg)
{
    const job *j = arg;
    hst_err e = {0};
    result got;
    scene s = join(r);
    hst_train_opts o = options_of(&s, j);
    o.seed += r->rank == 1;
    const int rc = train(&s, &o, 0, &got, &e);
    part(&s);
    return rc != HST_EARG || !strstr(e.msg, "rank 1 on host1 has another");
}

static void all_must_learn_the_same(void **state)
{
    (void)state;
    job j = {.set = frozen};
    assert_int_equal(forked_ranks(2, differ, &j), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_number_of_processes),
                                       cmocka_unit_test(a_stopped_job_goes_on_with_any_number),
                                       cmocka_unit_test(a_photo_lost_by_one_ends_all),
                                       cmocka_unit_test(all_must_learn_the_same)};
    return cmocka_run_group_tests_name("tune_ranks", tests, NULL, NULL);
}
