/* base: the executor's threads, and every way of sharing work out to them. */
#include "support.h"

#include "base/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 9, STEPS = 200, ITEMS = 1000 };
static const int sizes[] = {0, 1, 2, 3, 8}; /* threads; 0: no executor */
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static hst_executor *executor(int threads)
{
    hst_err e = {0};
    hst_executor *ex = threads ? hst_executor_new(threads, &e) : NULL;
    check_ok(threads && !ex, &e);
    assert_int_equal(hst_executor_threads(ex), threads > 1 ? threads : 1);
    return ex;
}

/* ---- loops ---- */

typedef struct tally {
    hst_executor *ex;
    atomic_int times[ITEMS]; /* an item was done */
    atomic_int inside[MOST]; /* threads of that number */
    atomic_int wrong;
} tally;

static void count(void *arg, size_t i, int thread)
{
    tally *t = arg;
    if (thread < 0 || thread >= hst_executor_threads(t->ex)) {
        t->wrong++;
        return;
    }
    t->wrong += t->inside[thread]++ > 0;
    t->times[i]++;
    for (int k = 0; k < 20; k++)
        hst_pause();
    t->inside[thread]--;
}

/* 1 when items 0 .. n-1 were done once. */
static int is_right(const tally *t, int n)
{
    int right = t->wrong == 0;
    for (int i = 0; i < ITEMS; i++)
        right &= t->times[i] == (i < n);
    return right;
}

static void loops_do_every_item_once(void **state)
{
    (void)state;
    static const int counts[] = {0, 1, 2, 7, ITEMS};
    for (int s = 0; s < N_SIZES; s++) {
        hst_executor *ex = executor(sizes[s]);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            tally t = {.ex = ex};
            hst_executor_for(ex, (size_t)counts[c], count, &t);
            assert_true(is_right(&t, counts[c]));
        }
        hst_executor_free(ex);
    }
}

/* Those who ask for work on threads that the test does not run on. */
typedef struct callers {
    hst_executor *ex;
    atomic_int wrong;
} callers;

/* Every item is a loop itself. */
static void count_inside(void *arg, size_t i, int thread)
{
    callers *c = arg;
    tally t = {.ex = c->ex};
    (void)thread;
    hst_executor_for(c->ex, 10 + i, count, &t);
    c->wrong += !is_right(&t, 10 + (int)i);
}

static void loops_may_be_inside_others(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        callers c = {.ex = executor(sizes[s])};
        hst_executor_for(c.ex, 40, count_inside, &c);
        assert_int_equal(c.wrong, 0);
        hst_executor_free(c.ex);
    }
}

static void *call_often(void *arg)
{
    callers *c = arg;
    for (int i = 0; i < 100; i++) {
        tally t = {.ex = c->ex};
        hst_executor_for(c->ex, 30, count, &t);
        c->wrong += !is_right(&t, 30);
    }
    return NULL;
}

static void on_threads(int n, void *(*run)(void *), callers *c)
{
    pthread_t thread[4];
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, run, c), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(c->wrong, 0);
}

static void callers_may_be_many(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        callers c = {.ex = executor(sizes[s])};
        on_threads(4, call_often, &c);
        hst_executor_free(c.ex);
    }
}

/* ---- errors ---- */

typedef struct fallible {
    int fails[3]; /* items */
    atomic_int done[ITEMS];
} fallible;

static int may_fail(void *arg, size_t i, int thread, hst_err *err)
{
    fallible *f = arg;
    (void)thread;
    f->done[i]++;
    for (int k = 0; k < 3; k++)
        if ((int)i == f->fails[k])
            return hst_fail(err, HST_EDATA, "item %zu", i);
    return 0;
}

static void check_failure(fallible *f, int rc, const hst_err *e)
{
    assert_int_equal(rc, HST_EDATA);
    assert_string_equal(e->msg, "item 500");
    for (int i = 0; i <= 500; i++)
        assert_int_equal(f->done[i], 1);
}

static void the_earliest_error_is_returned(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        hst_executor *ex = executor(sizes[s]);
        for (int again = 0; again < 20; again++) {
            fallible f = {.fails = {503, 500, 501}}, well = {.fails = {-1, -1, -1}};
            hst_err e = {0};
            check_failure(&f, hst_executor_try(ex, ITEMS, may_fail, &f, &e), &e);
            e = (hst_err){0};
            check_ok(hst_executor_try(ex, ITEMS, may_fail, &well, &e), &e);
        }
        hst_executor_free(ex);
    }
}

static void work_in_the_background_is_done_when_it_ends(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        hst_err e = {0};
        hst_executor *ex = executor(sizes[s]);
        hst_async *a = hst_async_new(ex, &e);
        check_ok(!a, &e);
        check_ok(hst_async_end(a, &e), &e); /* nothing was begun */
        for (int again = 0; again < 20; again++) {
            fallible f = {.fails = {503, 500, 501}}, well = {.fails = {-1, -1, -1}};
            tally t = {.ex = ex};
            hst_async_begin(a, ITEMS, may_fail, &well);
            hst_executor_for(ex, 100, count, &t); /* meanwhile */
            assert_true(is_right(&t, 100));
            check_ok(hst_async_end(a, &e), &e);
            for (int i = 0; i < ITEMS; i++)
                assert_int_equal(well.done[i], 1);
            fallible helped = {.fails = {-1, -1, -1}};
            hst_async_begin(a, ITEMS, may_fail, &helped);
            while (hst_async_help(a))
                continue;
            check_ok(hst_async_end(a, &e), &e);
            for (int i = 0; i < ITEMS; i++)
                assert_int_equal(helped.done[i], 1);
            assert_int_equal(hst_async_help(a), 0); /* nothing was begun */
            hst_async_begin(a, ITEMS, may_fail, &f);
            (void)hst_async_help(a);
            check_failure(&f, hst_async_end(a, &e), &e);
            e = (hst_err){0};
        }
        fallible left = {.fails = {-1, -1, -1}};
        hst_async_begin(a, ITEMS, may_fail, &left);
        hst_async_free(a); /* ends it */
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(left.done[i], 1);
        hst_executor_free(ex);
    }
    hst_async_free(NULL);
}

/* ---- pipelines ---- */

/* A pipeline over 0..n-1 that delivers squares; fail_at: the item whose work fails. */
enum { SLOTS = 8 };
typedef struct squares {
    int n, at, fail_at, delivered;
    int item[SLOTS], square[SLOTS];
    int in_order;
} squares;

static int squares_next(void *arg, size_t slot, hst_err *err)
{
    squares *s = arg;
    (void)err;
    if (s->at == s->n)
        return 0;
    s->item[slot] = s->at++;
    return 1;
}

static int squares_work(void *arg, size_t slot, int thread, hst_err *err)
{
    squares *s = arg;
    (void)thread;
    if (s->item[slot] % 7 == 3)
        usleep(100); /* some items finish late */
    if (s->item[slot] >= s->fail_at)
        return hst_fail(err, HST_EDATA, "item %d", s->item[slot]);
    s->square[slot] = s->item[slot] * s->item[slot];
    return 0;
}

static int squares_deliver(void *arg, size_t slot, hst_err *err)
{
    squares *s = arg;
    (void)err;
    if (s->item[slot] != s->delivered || s->square[slot] != s->delivered * s->delivered)
        s->in_order = 0;
    s->delivered++;
    return 0;
}

static void pipelines_deliver_in_order(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        hst_err e = {0};
        hst_executor *ex = executor(sizes[s]);
        squares q = {.n = ITEMS, .fail_at = 2 * ITEMS, .in_order = 1};
        hst_pipeline p = {&q, squares_next, squares_work, squares_deliver, .n_slots = SLOTS};
        check_ok(hst_executor_pipeline(ex, &p, &e), &e);
        assert_int_equal(q.delivered, ITEMS);
        assert_true(q.in_order);
        hst_executor_free(ex);
    }
}

static void pipelines_return_the_earliest_error(void **state)
{
    (void)state;
    for (int s = 0; s < N_SIZES; s++) {
        hst_err e = {0};
        hst_executor *ex = executor(sizes[s]);
        squares q = {.n = ITEMS, .fail_at = 500, .in_order = 1};
        hst_pipeline p = {&q, squares_next, squares_work, squares_deliver, .n_slots = SLOTS};
        assert_int_equal(hst_executor_pipeline(ex, &p, &e), HST_EDATA);
        assert_string_equal(e.msg, "item 500");
        assert_true(q.delivered <= 500);
        hst_executor_free(ex);
    }
}

/* ---- together ---- */

typedef struct relay {
    int value[STEPS][MOST]; /* what a thread made in a step */
    int threads;
    atomic_int wrong;
} relay;

/* A step reads what all threads made in the one before. */
static void run_relay(void *arg, int thread, int threads, hst_barrier *barrier)
{
    relay *r = arg;
    if (thread == 0)
        r->threads = threads;
    for (int s = 0; s < STEPS; s++) {
        for (int t = 0; s > 0 && t < threads; t++)
            r->wrong += r->value[s - 1][t] != (s - 1) * MOST + t + 1;
        r->value[s][thread] = s * MOST + thread + 1;
        hst_barrier_wait(barrier);
    }
}

/* How many threads ran; 0 when a step went wrong. */
static int threads_of_relay(hst_executor *ex, int most)
{
    relay r = {0};
    hst_executor_together(ex, most, run_relay, &r);
    for (int i = 0; i < r.threads; i++)
        r.wrong += r.value[STEPS - 1][i] != (STEPS - 1) * MOST + i + 1;
    return r.wrong ? 0 : r.threads;
}

static void steps_wait_for_all_threads(void **state)
{
    (void)state;
    for (int n = 0; n <= MOST; n += 3) {
        hst_executor *ex = executor(n);
        for (int again = 0; again < 3; again++) {
            assert_int_equal(threads_of_relay(ex, MOST), n > 1 ? n : 1); /* nobody else was there */
            assert_in_range(threads_of_relay(ex, 2), 1, 2);
        }
        hst_executor_free(ex);
    }
    hst_barrier_wait(NULL);
}

static void relay_inside(void *arg, size_t i, int thread)
{
    callers *c = arg;
    (void)i;
    (void)thread;
    c->wrong += threads_of_relay(c->ex, MOST) == 0;
}

static void *relay_often(void *arg)
{
    for (size_t i = 0; i < 20; i++)
        relay_inside(arg, i, 0);
    return NULL;
}

/* With those that are free. */
static void several_may_run_together_at_a_time(void **state)
{
    (void)state;
    callers c = {.ex = executor(3)};
    on_threads(3, relay_often, &c);
    hst_executor_for(c.ex, 20, relay_inside, &c);
    assert_int_equal(c.wrong, 0);
    hst_executor_free(c.ex);
}

static void who_is_alone_is_told_so(void **state)
{
    (void)state;
    hst_executor *ex = executor(2), *one = executor(1);
    assert_int_equal(hst_executor_enter(ex), 1);
    assert_int_equal(hst_executor_enter(ex), 0);
    hst_executor_leave(ex);
    assert_int_equal(hst_executor_enter(ex), 0); /* the first is still inside */
    hst_executor_leave(ex);
    hst_executor_leave(ex);
    assert_int_equal(hst_executor_enter(ex), 1);
    hst_executor_leave(ex);
    assert_int_equal(hst_executor_enter(one), 0); /* there is nobody to help */
    hst_executor_leave(one);
    assert_int_equal(hst_executor_enter(NULL), 0);
    hst_executor_leave(NULL);
    hst_executor_free(ex); /* its threads were never started */
    hst_executor_free(one);
    hst_executor_free(NULL);
}

/* ---- fork ---- */

/* In a child: 0 when all is well. */
static int use_all(hst_executor *ex)
{
    tally t = {.ex = ex};
    hst_executor_for(ex, ITEMS, count, &t);
    if (!is_right(&t, ITEMS))
        return 1;
    if (threads_of_relay(ex, MOST) != hst_executor_threads(ex))
        return 2;
    if (hst_executor_enter(ex) != 1)
        return 3;
    hst_executor_leave(ex);
    hst_executor_free(ex);
    return 0;
}

/* 0: the child used it; else it only ended it. */
static void fork_one(hst_executor *ex, int only_end)
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20); /* a child that hangs ends */
        if (only_end)
            hst_executor_free(ex);
        _exit(only_end ? 0 : use_all(ex));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void children_have_threads_of_their_own(void **state)
{
    (void)state;
    skip_where_threads_are_watched();
    hst_executor *ex = executor(3);
    fork_one(ex, 0); /* before it started any thread */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(threads_of_relay(ex, MOST), 3);
        fork_one(ex, i % 2); /* while its threads are on their way to sleep */
    }
    assert_int_equal(threads_of_relay(ex, MOST), 3); /* and the parent goes on */
    hst_executor_free(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_do_every_item_once),
        cmocka_unit_test(loops_may_be_inside_others),
        cmocka_unit_test(callers_may_be_many),
        cmocka_unit_test(the_earliest_error_is_returned),
        cmocka_unit_test(work_in_the_background_is_done_when_it_ends),
        cmocka_unit_test(pipelines_deliver_in_order),
        cmocka_unit_test(pipelines_return_the_earliest_error),
        cmocka_unit_test(steps_wait_for_all_threads),
        cmocka_unit_test(several_may_run_together_at_a_time),
        cmocka_unit_test(who_is_alone_is_told_so),
        cmocka_unit_test(children_have_threads_of_their_own),
    };
    return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
