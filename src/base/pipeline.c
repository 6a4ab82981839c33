#include "base/pipeline.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>

/* A slot's item moves through these in order; the ring is indexed by item number modulo n_slots. */
enum state { FREE, WORKING, DONE };

struct hst_pipeline_run {
    const hst_pipeline *p;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t moved; /* a slot became free, or the run ended */
    enum state *state;    /* [n_slots] */
    uint64_t taken;       /* items that next has given */
    uint64_t delivered;
    int fetching, delivering; /* a thread is inside next / deliver */
    int ended;                /* next said 0, or an error stops the run */
    uint64_t failed_at;       /* item of the first error */
    hst_err err;
};
typedef hst_pipeline_run run;

/* Keeps the error of the earliest item. Lock held. */
static void fail(run *r, uint64_t item, const hst_err *e)
{
    if (r->err.code == 0 || item < r->failed_at) {
        r->err = *e;
        r->failed_at = item;
    }
    r->ended = 1;
    pthread_cond_broadcast(&r->moved);
}

/* Hands over finished items in order. Lock held on entry and exit, released inside deliver. */
static void deliver(run *r)
{
    if (r->delivering)
        return;
    r->delivering = 1;
    while (r->delivered < r->taken && r->err.code == 0) {
        size_t slot = r->delivered % r->p->n_slots;
        if (r->state[slot] != DONE)
            break;
        hst_err e = {0};
        int rc = 0;
        pthread_mutex_unlock(&r->lock);
        if (r->p->deliver)
            rc = r->p->deliver(r->p->arg, slot, &e);
        pthread_mutex_lock(&r->lock);
        if (rc < 0)
            fail(r, r->delivered, &e);
        r->state[slot] = FREE;
        r->delivered++;
        pthread_cond_broadcast(&r->moved);
    }
    r->delivering = 0;
}

static int is_full(const run *r)
{
    return r->fetching || r->state[r->taken % r->p->n_slots] != FREE;
}

/* The next item, where there is room: 1 with *item set, 0 when there is none left. Lock held. */
static int fetch(run *r, uint64_t *item)
{
    size_t slot = r->taken % r->p->n_slots;
    hst_err e = {0};
    r->fetching = 1;
    pthread_mutex_unlock(&r->lock);
    int rc = r->p->next(r->p->arg, slot, &e);
    pthread_mutex_lock(&r->lock);
    r->fetching = 0;
    if (rc < 0)
        fail(r, r->taken, &e);
    if (rc <= 0) {
        r->ended = 1;
    } else {
        r->state[slot] = WORKING;
        *item = r->taken++;
    }
    pthread_cond_broadcast(&r->moved);
    return rc > 0;
}

/* As fetch, once there is room. */
static int take(run *r, uint64_t *item)
{
    while (!r->ended && is_full(r))
        pthread_cond_wait(&r->moved, &r->lock);
    return r->ended ? 0 : fetch(r, item);
}

/* Lock held. */
static void give(run *r, uint64_t item)
{
    r->state[item % r->p->n_slots] = DONE;
    deliver(r);
}

int hst_pipeline_take(run *r, uint64_t *item)
{
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    if (!r->ended && !is_full(r))
        rc = fetch(r, item);
    if (rc == 0 && r->ended)
        rc = -1;
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void hst_pipeline_give(run *r, uint64_t item)
{
    pthread_mutex_lock(&r->lock);
    give(r, item);
    pthread_mutex_unlock(&r->lock);
}

void hst_pipeline_idle(run *r)
{
    hst_err e = {0};
    pthread_mutex_lock(&r->lock);
    if (r->p->idle && !r->delivering) {
        r->delivering = 1;
        pthread_mutex_unlock(&r->lock);
        const int rc = r->p->idle(r->p->arg, &e);
        pthread_mutex_lock(&r->lock);
        r->delivering = 0;
        if (rc < 0)
            fail(r, r->delivered, &e);
        deliver(r);
    }
    pthread_mutex_unlock(&r->lock);
}

void hst_pipeline_fail(run *r, const hst_err *err)
{
    pthread_mutex_lock(&r->lock);
    if (r->err.code == 0)
        fail(r, r->delivered, err);
    pthread_mutex_unlock(&r->lock);
}

int hst_pipeline_has_failed(run *r)
{
    pthread_mutex_lock(&r->lock);
    const int failed = r->err.code != 0;
    pthread_mutex_unlock(&r->lock);
    return failed;
}

/* One thread's part of the run, from when it joins to the end. */
static void take_part(void *arg, size_t i, int thread)
{
    run *r = arg;
    uint64_t item = 0;
    (void)i;
    pthread_mutex_lock(&r->lock);
    while (take(r, &item)) {
        size_t slot = item % r->p->n_slots;
        hst_err e = {0};
        pthread_mutex_unlock(&r->lock);
        int rc = r->p->work(r->p->arg, slot, thread, &e);
        pthread_mutex_lock(&r->lock);
        if (rc < 0)
            fail(r, item, &e);
        give(r, item);
    }
    pthread_mutex_unlock(&r->lock);
}

static void *take_part_beside(void *arg)
{
    run *r = arg;
    r->p->beside(r->p->beside_arg, r);
    return NULL;
}

int hst_executor_pipeline(hst_executor *ex, const hst_pipeline *p, hst_err *err)
{
    run r = {.p = p};
    r.state = hst_alloc(p->n_slots, sizeof *r.state, err);
    if (!r.state)
        return HST_EMEM;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.moved, NULL);
    pthread_t beside;
    const int refused = p->beside ? pthread_create(&beside, NULL, take_part_beside, &r) : 0;
    if (refused)
        (void)hst_fail_errno(&r.err, HST_EPROC, refused, "no further thread can be started");
    else
        hst_executor_for(ex, (size_t)hst_executor_threads(ex), take_part, &r);
    if (p->beside && !refused)
        pthread_join(beside, NULL);
    pthread_cond_destroy(&r.moved);
    pthread_mutex_destroy(&r.lock);
    free(r.state);
    if (r.err.code && err)
        *err = r.err;
    return r.err.code;
}
