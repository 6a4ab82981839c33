/* base: an executor whose threads the system does not start. */
#include "support.h"

#include "base/executor.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ITEMS = 100 };

/* Threads get stacks of so many bytes from now on. */
static void set_stack(size_t bytes)
{
    pthread_attr_t attr;
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, bytes), 0);
    assert_int_equal(pthread_setattr_default_np(&attr), 0);
    pthread_attr_destroy(&attr);
}

static void *nothing(void *arg)
{
    return arg;
}

static int count(void *arg, size_t i, int thread, hst_err *err)
{
    atomic_int *times = arg;
    (void)err;
    times[i] += thread == 0 ? 1 : ITEMS;
    return 0;
}

static void tell_threads(void *arg, int thread, int threads, hst_barrier *barrier)
{
    hst_barrier_wait(barrier);
    if (thread == 0)
        *(int *)arg = threads;
}

static void check_ones(const atomic_int *times)
{
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(times[i], 1);
}

static void callers_do_all_the_work(void **state)
{
    enum { TOO_MUCH = 50 }; /* 2^50 bytes are more than there are addresses for */
    (void)state;
    hst_err e = {0};
    pthread_attr_t attr;
    pthread_t thread;
    size_t usual;
    int threads = 0;
    assert_int_equal(pthread_getattr_default_np(&attr), 0);
    assert_int_equal(pthread_attr_getstacksize(&attr, &usual), 0);
    pthread_attr_destroy(&attr);
    hst_executor *ex = hst_executor_new(THREADS, &e);
    check_ok(!ex, &e);
    hst_async *a = hst_async_new(ex, &e);
    check_ok(!a, &e);

    set_stack((size_t)1 << TOO_MUCH);
    assert_int_not_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
    atomic_int loop[ITEMS] = {0}, background[ITEMS] = {0};
    hst_async_begin(a, ITEMS, count, background);
    check_ok(hst_executor_try(ex, ITEMS, count, loop, &e), &e);
    check_ok(hst_async_end(a, &e), &e);
    check_ones(loop);
    check_ones(background);
    hst_executor_together(ex, THREADS, tell_threads, &threads);
    assert_int_equal(threads, 1);

    set_stack(usual); /* what could not start then starts now */
    hst_executor_together(ex, THREADS, tell_threads, &threads);
    assert_int_equal(threads, THREADS);
    hst_async_free(a);
    hst_executor_free(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_do_all_the_work),
    };
    return cmocka_run_group_tests_name("executor alone", tests, NULL, NULL);
}
