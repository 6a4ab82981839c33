/* executor.c - the threads themselves, and the plain loop. */
#include "base/executor_parts.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- one process, and its children ---- */

/* No helper has been started, nobody is inside. */
static void make_own(hst_executor *ex)
{
    pthread_mutex_init(&ex->lock, NULL);
    pthread_cond_init(&ex->moved, NULL);
    ex->open = NULL;
    ex->n_helpers = 0;
    atomic_store(&ex->users, 0);
}

/* A child of fork() has none of its parent's helpers, and its copies of the locks are as the parent
 * held them at that moment: it begins anew in the same memory. */
static void check_process(hst_executor *ex)
{
    const int mine = (int)getpid();
    int was = atomic_load(&ex->process);
    while (was != mine) {
        if (was != 0 && atomic_compare_exchange_strong(&ex->process, &was, 0)) {
            make_own(ex);
            atomic_store(&ex->process, mine);
            return;
        }
        sched_yield(); /* another thread of the child is at it */
        was = atomic_load(&ex->process);
    }
}

/* ---- loops ---- */

static void unlist(hst_executor *ex, const hst_loop *l)
{
    hst_loop **at = &ex->open;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
}

/* Takes an item, one of which is left, and does it. Lock held on entry and exit, released for the
 * work. The loop may be gone afterwards. */
static void do_item(hst_executor *ex, hst_loop *l, int thread)
{
    const size_t i = l->taken++, n = l->n;
    if (l->taken == n)
        unlist(ex, l);
    pthread_mutex_unlock(&ex->lock);
    l->work(l->arg, i, thread);
    pthread_mutex_lock(&ex->lock);
    const int is_slept_for = l->is_slept_for;
    if (atomic_fetch_add(&l->finished, 1) == n - 1 && is_slept_for)
        pthread_cond_broadcast(&ex->moved);
}

void hst_loop_begin(hst_executor *ex, hst_loop *l, int background)
{
    hst_loop **at = &ex->open;
    while (background && *at)
        at = &(*at)->next;
    l->next = *at;
    *at = l;
    size_t wanted = background ? l->n : l->n - 1;
    for (int i = 0; i < ex->n_helpers && wanted > 0; i++) {
        hst_helper *h = &ex->helper[i];
        if (h->busy || atomic_load(&h->called))
            continue;
        hst_helper_call(h);
        wanted--;
    }
}

int hst_loop_help(hst_executor *ex, hst_loop *l)
{
    pthread_mutex_lock(&ex->lock);
    const int left = l->taken < l->n;
    if (left)
        do_item(ex, l, 0);
    pthread_mutex_unlock(&ex->lock);
    return left;
}

void hst_loop_end(hst_executor *ex, hst_loop *l)
{
    while (l->taken < l->n)
        do_item(ex, l, 0);
    if (atomic_load(&l->finished) == l->n)
        return;
    pthread_mutex_unlock(&ex->lock);
    for (int i = 0; i < HST_SPINS && atomic_load(&l->finished) < l->n; i++)
        hst_pause();
    pthread_mutex_lock(&ex->lock);
    l->is_slept_for = 1;
    while (atomic_load(&l->finished) < l->n)
        pthread_cond_wait(&ex->moved, &ex->lock);
}

void hst_executor_for(hst_executor *ex, size_t n, hst_item_fn *work, void *arg)
{
    const int threads = hst_executor_threads(ex);
    if (threads < 2 || n < 2) {
        for (size_t i = 0; i < n; i++)
            work(arg, i, 0);
        return;
    }
    hst_loop l = {.work = work, .arg = arg, .n = n};
    hst_executor_lock(ex, n < (size_t)threads ? (int)n : threads);
    hst_loop_begin(ex, &l, 0);
    hst_loop_end(ex, &l);
    pthread_mutex_unlock(&ex->lock);
}

/* ---- helpers ---- */

void hst_helper_call(hst_helper *h)
{
    atomic_store(&h->called, 1);
    if (h->asleep)
        pthread_cond_signal(&h->wake);
}

/* Until it is called. Lock held on entry and exit, not in between. */
static void rest(hst_executor *ex, hst_helper *h)
{
    h->busy = 0;
    pthread_mutex_unlock(&ex->lock);
    for (int i = 0; i < HST_SPINS && !atomic_load(&h->called); i++)
        hst_pause();
    pthread_mutex_lock(&ex->lock);
    h->asleep = 1;
    while (!atomic_load(&h->called))
        pthread_cond_wait(&h->wake, &ex->lock);
    h->asleep = 0;
    atomic_store(&h->called, 0);
    h->busy = 1;
}

static void *help(void *arg)
{
    hst_helper *h = arg;
    hst_executor *ex = h->executor;
    pthread_mutex_lock(&ex->lock);
    h->busy = 1;
    while (!ex->ending) {
        if (h->claim)
            hst_barrier_serve(ex, h);
        else if (ex->open)
            do_item(ex, ex->open, h->number);
        else
            rest(ex, h);
    }
    pthread_mutex_unlock(&ex->lock);
    return NULL;
}

void hst_executor_lock(hst_executor *ex, int threads)
{
    check_process(ex);
    pthread_mutex_lock(&ex->lock);
    while (ex->n_helpers < threads - 1) {
        hst_helper *h = &ex->helper[ex->n_helpers];
        *h = (hst_helper){.executor = ex, .number = ex->n_helpers + 1};
        if (pthread_create(&h->thread, NULL, help, h) != 0)
            return;
        pthread_cond_init(&h->wake, NULL); /* before it can look: it needs the lock */
        ex->n_helpers++;
    }
}

/* ---- the executor ---- */

hst_executor *hst_executor_new(int threads, hst_err *err)
{
    hst_executor *ex = hst_alloc(1, sizeof *ex, err);
    if (!ex)
        return NULL;
    ex->threads = threads > 1 ? threads : 1;
    ex->helper = hst_alloc((size_t)ex->threads - 1, sizeof *ex->helper, err);
    if (!ex->helper) {
        free(ex);
        return NULL;
    }
    make_own(ex);
    atomic_store(&ex->process, (int)getpid());
    return ex;
}

/* Ends the helpers. */
static void end(hst_executor *ex)
{
    pthread_mutex_lock(&ex->lock);
    ex->ending = 1;
    for (int i = 0; i < ex->n_helpers; i++)
        hst_helper_call(&ex->helper[i]);
    pthread_mutex_unlock(&ex->lock);
    for (int i = 0; i < ex->n_helpers; i++) {
        pthread_join(ex->helper[i].thread, NULL);
        pthread_cond_destroy(&ex->helper[i].wake);
    }
    pthread_cond_destroy(&ex->moved);
    pthread_mutex_destroy(&ex->lock);
}

void hst_executor_free(hst_executor *ex)
{
    if (!ex)
        return;
    if (atomic_load(&ex->process) == (int)getpid())
        end(ex);
    free(ex->helper);
    free(ex);
}

int hst_executor_threads(const hst_executor *ex)
{
    return ex ? ex->threads : 1;
}

int hst_executor_enter(hst_executor *ex)
{
    if (!ex)
        return 0;
    check_process(ex);
    return atomic_fetch_add(&ex->users, 1) == 0 && ex->threads > 1;
}

void hst_executor_leave(hst_executor *ex)
{
    if (ex)
        atomic_fetch_sub(&ex->users, 1);
}
