/* executor_together.c - one function on several threads at once.
 *
 *   caller     fn(0) ---- wait ---- fn(0) ---- end
 *   helper     fn(1) ---- wait ---- fn(1) ---- end
 *   ...
 *
 * Each spins for some microseconds before it sleeps, so that a wait is short where all arrive at
 * the same time. */
#include "base/executor_parts.h"

/* The run's, at its caller's. The last of `threads` to arrive begins the next phase. */
struct hst_barrier {
    hst_executor *executor;
    hst_together_fn *fn;
    void *arg;
    int threads;
    atomic_int arrived, sleeping;
    atomic_uint phase;
    atomic_int inside; /* helpers that have not ended; written with the lock held. 0: nobody touches
                          this any more */
    int is_slept_for;  /* the caller sleeps until then; lock held */
};

static void sleep_through(hst_barrier *b, unsigned phase)
{
    hst_executor *ex = b->executor;
    pthread_mutex_lock(&ex->lock);
    atomic_fetch_add(&b->sleeping, 1);
    while (atomic_load(&b->phase) == phase)
        pthread_cond_wait(&ex->moved, &ex->lock);
    atomic_fetch_sub(&b->sleeping, 1);
    pthread_mutex_unlock(&ex->lock);
}

void hst_barrier_wait(hst_barrier *b)
{
    if (!b || b->threads < 2)
        return;
    const unsigned phase = atomic_load(&b->phase);
    if (atomic_fetch_add(&b->arrived, 1) == b->threads - 1) {
        atomic_store(&b->arrived, 0);
        atomic_store(&b->phase, phase + 1);
        /* Whoever decides to sleep counts itself first and looks at the phase afterwards. */
        if (atomic_load(&b->sleeping) > 0) {
            pthread_mutex_lock(&b->executor->lock);
            pthread_cond_broadcast(&b->executor->moved);
            pthread_mutex_unlock(&b->executor->lock);
        }
        return;
    }
    for (int i = 0; i < HST_SPINS; i++) {
        if (atomic_load(&b->phase) != phase)
            return;
        hst_pause();
    }
    sleep_through(b, phase);
}

void hst_barrier_serve(hst_executor *ex, hst_helper *h)
{
    hst_barrier *b = h->claim;
    const int place = h->place;
    pthread_mutex_unlock(&ex->lock);
    b->fn(b->arg, place, b->threads, b);
    pthread_mutex_lock(&ex->lock);
    h->claim = NULL;
    const int is_slept_for = b->is_slept_for;
    if (atomic_fetch_sub(&b->inside, 1) == 1 && is_slept_for)
        pthread_cond_broadcast(&ex->moved);
}

/* The helpers that have nothing to do, so that all will come to every barrier. */
static void claim(hst_barrier *b, int most)
{
    hst_executor *ex = b->executor;
    hst_executor_lock(ex, most);
    for (int i = 0; i < ex->n_helpers && b->threads < most; i++) {
        hst_helper *h = &ex->helper[i];
        if (h->busy || h->claim)
            continue;
        h->claim = b;
        h->place = b->threads++;
        hst_helper_call(h);
    }
    atomic_store(&b->inside, b->threads - 1);
    pthread_mutex_unlock(&ex->lock);
}

static void await(hst_barrier *b)
{
    hst_executor *ex = b->executor;
    for (int i = 0; i < HST_SPINS && atomic_load(&b->inside) > 0; i++)
        hst_pause();
    if (atomic_load(&b->inside) == 0)
        return;
    pthread_mutex_lock(&ex->lock);
    b->is_slept_for = 1;
    while (atomic_load(&b->inside) > 0)
        pthread_cond_wait(&ex->moved, &ex->lock);
    pthread_mutex_unlock(&ex->lock);
}

void hst_executor_together(hst_executor *ex, int most, hst_together_fn *fn, void *arg)
{
    hst_barrier b = {.executor = ex, .fn = fn, .arg = arg, .threads = 1};
    const int threads = hst_executor_threads(ex);
    if (most > 1 && threads > 1)
        claim(&b, most < threads ? most : threads);
    fn(arg, 0, b.threads, &b);
    await(&b);
}
