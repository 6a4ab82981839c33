/* base: threads that work together, step by step. */
#include "support.h"

#include "base/crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MOST = 9, STEPS = 200 };

typedef struct relay {
    hst_crew *crew;
    int value[STEPS][MOST]; /* what a thread made in a step */
    int threads;
    atomic_int wrong;
} relay;

/* A step reads what all threads made in the one before. */
static void run_relay(void *arg, int thread, int threads)
{
    relay *r = arg;
    if (thread == 0)
        r->threads = threads;
    for (int s = 0; s < STEPS; s++) {
        for (int t = 0; s > 0 && t < threads; t++)
            r->wrong += r->value[s - 1][t] != (s - 1) * MOST + t + 1;
        r->value[s][thread] = s * MOST + thread + 1;
        hst_crew_wait(r->crew);
    }
}

static void steps_wait_for_all_threads(void **state)
{
    (void)state;
    hst_err e = {0};
    for (int n = 1; n <= MOST; n += 2) {
        hst_crew *t = hst_crew_new(n, &e);
        check_ok(!t, &e);
        assert_int_equal(hst_crew_size(t), n);
        for (int again = 0; again < 3; again++) {
            relay r = {.crew = t};
            hst_crew_run(t, run_relay, &r);
            assert_in_range(r.threads, 1, n);
            assert_int_equal(r.wrong, 0);
            for (int i = 0; i < r.threads; i++)
                assert_int_equal(r.value[STEPS - 1][i], (STEPS - 1) * MOST + i + 1);
        }
        hst_crew_free(t);
    }
}

static void a_crew_has_one_user_at_a_time(void **state)
{
    (void)state;
    hst_err e = {0};
    hst_crew *t = hst_crew_new(2, &e);
    check_ok(!t, &e);
    assert_int_equal(hst_crew_enter(t), 1);
    assert_int_equal(hst_crew_enter(t), 0);
    hst_crew_leave(t);
    assert_int_equal(hst_crew_enter(t), 0); /* the first is still inside */
    hst_crew_leave(t);
    hst_crew_leave(t);
    assert_int_equal(hst_crew_enter(t), 1);
    hst_crew_leave(t);
    hst_crew_free(t); /* its threads were never started */
    hst_crew_free(NULL);
    assert_int_equal(hst_crew_size(NULL), 1);
    hst_crew_wait(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_wait_for_all_threads),
        cmocka_unit_test(a_crew_has_one_user_at_a_time),
    };
    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
