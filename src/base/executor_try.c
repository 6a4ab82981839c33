/* executor_try.c - loops whose items can fail, in the foreground and in the background. */
#include "base/executor_parts.h"

#include <stdlib.h>

typedef struct trial {
    hst_try_fn *work;
    void *arg;
    atomic_size_t failed_at; /* the earliest item that failed; SIZE_MAX: none */
    pthread_mutex_t lock;    /* guards the change of it, and: */
    hst_err err;
} trial;

static void trial_begin(trial *t, hst_try_fn *work, void *arg)
{
    *t = (trial){.work = work, .arg = arg};
    atomic_store(&t->failed_at, SIZE_MAX);
    pthread_mutex_init(&t->lock, NULL);
}

/* An item in front of the one that failed is done: its error would count. */
static void try_item(void *arg, size_t i, int thread)
{
    trial *t = arg;
    hst_err e = {0};
    if (i > atomic_load(&t->failed_at))
        return;
    int rc = t->work(t->arg, i, thread, &e);
    if (rc >= 0)
        return;
    pthread_mutex_lock(&t->lock);
    if (i < atomic_load(&t->failed_at)) {
        atomic_store(&t->failed_at, i);
        t->err = e;
        t->err.code = rc;
    }
    pthread_mutex_unlock(&t->lock);
}

static int trial_end(trial *t, hst_err *err)
{
    pthread_mutex_destroy(&t->lock);
    if (t->err.code && err)
        *err = t->err;
    return t->err.code;
}

int hst_executor_try(hst_executor *ex, size_t n, hst_try_fn *work, void *arg, hst_err *err)
{
    trial t;
    trial_begin(&t, work, arg);
    hst_executor_for(ex, n, try_item, &t);
    return trial_end(&t, err);
}

/* ---- in the background ---- */

struct hst_async {
    hst_executor *executor;
    hst_loop loop;
    trial trial;
    int begun;
};

hst_async *hst_async_new(hst_executor *ex, hst_err *err)
{
    hst_async *a = hst_alloc(1, sizeof *a, err);
    if (a)
        a->executor = ex;
    return a;
}

void hst_async_free(hst_async *a)
{
    if (!a)
        return;
    int rc = hst_async_end(a, NULL);
    (void)rc; /* nobody asks for it any more */
    free(a);
}

void hst_async_begin(hst_async *a, size_t n, hst_try_fn *work, void *arg)
{
    const int threads = hst_executor_threads(a->executor);
    trial_begin(&a->trial, work, arg);
    a->loop = (hst_loop){.work = try_item, .arg = &a->trial, .n = n};
    a->begun = 1;
    if (threads < 2 || n == 0)
        return;
    hst_executor_lock(a->executor, n < (size_t)threads ? (int)n + 1 : threads);
    hst_loop_begin(a->executor, &a->loop, 1);
    pthread_mutex_unlock(&a->executor->lock);
}

int hst_async_help(hst_async *a)
{
    if (!a->begun)
        return 0;
    if (hst_executor_threads(a->executor) > 1)
        return hst_loop_help(a->executor, &a->loop);
    if (a->loop.taken == a->loop.n)
        return 0;
    try_item(&a->trial, a->loop.taken++, 0);
    return 1;
}

int hst_async_end(hst_async *a, hst_err *err)
{
    if (!a->begun)
        return 0;
    if (hst_executor_threads(a->executor) < 2 || a->loop.n == 0) {
        while (hst_async_help(a))
            continue;
    } else {
        pthread_mutex_lock(&a->executor->lock);
        hst_loop_end(a->executor, &a->loop);
        pthread_mutex_unlock(&a->executor->lock);
    }
    a->begun = 0;
    return trial_end(&a->trial, err);
}
