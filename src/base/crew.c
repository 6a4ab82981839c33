#include "base/crew.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SPINS = 2000 }; /* 30 to 100 microseconds: longer than the steps of a network differ */

struct hst_crew {
    int size, threads; /* wanted; running, the caller's included; 0: not yet started */
    pthread_t *thread; /* [size - 1] */
    atomic_int users;  /* threads between enter and leave */
    hst_crew_fn *fn;   /* NULL: the threads end */
    void *arg;
    /* The barrier: the last of `threads` to arrive begins the next phase. */
    atomic_int arrived, sleeping;
    atomic_uint phase;
    pthread_mutex_t lock; /* for those who sleep, and until all threads are started */
    pthread_cond_t moved;
    int numbers; /* given out to threads; lock held */
};

static void sleep_through(hst_crew *t, unsigned phase)
{
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleeping, 1);
    while (atomic_load(&t->phase) == phase)
        pthread_cond_wait(&t->moved, &t->lock);
    atomic_fetch_sub(&t->sleeping, 1);
    pthread_mutex_unlock(&t->lock);
}

void hst_crew_wait(hst_crew *t)
{
    if (!t || t->threads < 2)
        return;
    const unsigned phase = atomic_load(&t->phase);
    if (atomic_fetch_add(&t->arrived, 1) == t->threads - 1) {
        atomic_store(&t->arrived, 0);
        atomic_store(&t->phase, phase + 1);
        /* Whoever decides to sleep counts itself first and looks at the phase afterwards. */
        if (atomic_load(&t->sleeping) > 0) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_broadcast(&t->moved);
            pthread_mutex_unlock(&t->lock);
        }
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&t->phase) != phase)
            return;
        hst_pause();
    }
    sleep_through(t, phase);
}

static void *worker(void *arg)
{
    hst_crew *t = arg;
    pthread_mutex_lock(&t->lock); /* until `threads` is known */
    const int number = ++t->numbers;
    pthread_mutex_unlock(&t->lock);
    for (;;) {
        hst_crew_wait(t);
        if (!t->fn)
            return NULL;
        t->fn(t->arg, number, t->threads);
        hst_crew_wait(t);
    }
}

static void start(hst_crew *t)
{
    int n = 1;
    pthread_mutex_lock(&t->lock);
    while (n < t->size && pthread_create(&t->thread[n - 1], NULL, worker, t) == 0)
        n++;
    t->threads = n;
    pthread_mutex_unlock(&t->lock);
}

hst_crew *hst_crew_new(int n, hst_err *err)
{
    hst_crew *t = hst_alloc(1, sizeof *t, err);
    if (!t)
        return NULL;
    t->size = n > 1 ? n : 1;
    t->thread = hst_alloc((size_t)t->size, sizeof *t->thread, err);
    if (!t->thread) {
        free(t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
    return t;
}

void hst_crew_free(hst_crew *t)
{
    if (!t)
        return;
    t->fn = NULL;
    hst_crew_wait(t); /* the threads' first wait: they end */
    for (int i = 0; i < t->threads - 1; i++)
        pthread_join(t->thread[i], NULL);
    pthread_cond_destroy(&t->moved);
    pthread_mutex_destroy(&t->lock);
    free(t->thread);
    free(t);
}

int hst_crew_size(const hst_crew *t)
{
    return t ? t->size : 1;
}

int hst_crew_enter(hst_crew *t)
{
    return atomic_fetch_add(&t->users, 1) == 0;
}

void hst_crew_leave(hst_crew *t)
{
    atomic_fetch_sub(&t->users, 1);
}

void hst_crew_run(hst_crew *t, hst_crew_fn *fn, void *arg)
{
    if (t->threads == 0)
        start(t);
    t->fn = fn;
    t->arg = arg;
    hst_crew_wait(t);
    fn(arg, 0, t->threads);
    hst_crew_wait(t);
}
