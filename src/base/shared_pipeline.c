#include "base/shared_pipeline.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLOTS_PER_THREAD = 4,
    AHEAD_PER_THREAD = 2, /* items that another rank has: one in work, one that waits */
    MOST_BYTES = 1 << 28, /* of an item or a result */
    REST_NS = 500000
};

/* In front of an item or a result: how many bytes follow. */
typedef struct head {
    uint64_t bytes;
    uint64_t is_end;
} head;

/* Bytes on their way to another rank, which stay until they are there. */
typedef struct parcel {
    head h;
    hst_buf b;
    hst_message m[2];
    size_t n; /* of m, begun and not finished */
    uint64_t item;
} parcel;

static size_t threads_of(const hst_ranks *r, int rank)
{
    return (size_t)r->threads[rank];
}

static int finish(hst_ranks *r, parcel *p, hst_err *err)
{
    const size_t n = p->n;
    p->n = 0;
    return n ? r->finish(r, p->m, n, err) : 0;
}

/* p->b, or the end. */
static int post(hst_ranks *r, int to, parcel *p, int is_end, hst_err *err)
{
    p->h = (head){.bytes = p->b.n, .is_end = (uint64_t)is_end};
    p->n = 0;
    int rc = hst_buf_check(&p->b, err);
    if (rc == 0 && (rc = r->send(r, to, &p->h, sizeof p->h, &p->m[0], err)) == 0)
        p->n = 1;
    if (rc == 0 && p->b.n && (rc = r->send(r, to, p->b.p, p->b.n, &p->m[1], err)) == 0)
        p->n = 2;
    return rc;
}

/* The buffer for the next content. */
static hst_buf *emptied(parcel *p)
{
    p->b.n = 0;
    p->b.max = MOST_BYTES;
    return &p->b;
}

static int room_for(hst_buf *b, const head *h, hst_err *err)
{
    if (h->bytes > MOST_BYTES)
        return hst_fail(err, HST_EPROC, "a message of %llu bytes", (unsigned long long)h->bytes);
    if (h->bytes <= b->cap)
        return 0;
    char *p = hst_resize(b->p, h->bytes, 1, err);
    if (!p)
        return HST_EMEM;
    b->p = p;
    b->cap = h->bytes;
    return 0;
}

/* ---- rank 0 ---- */

enum waits { NOTHING, HEAD, RESULT };

typedef struct remote {
    int rank;
    parcel *parcel; /* [most]: items that it has, the oldest at `first`, in a ring */
    size_t first, n, most;
    enum waits waits; /* for what `in` is */
    hst_message in;
    head head; /* of its next result */
    hst_buf result;
} remote;

typedef struct giver {
    const hst_shared *s;
    hst_pipeline_run *run;
    remote *remote; /* [n] */
    int n;
    int more; /* next may have items */
} giver;

/* Items for a rank that has too few. 1: it got some; 0: none; or an error. */
static int give_items(giver *g, remote *to, hst_err *err)
{
    const hst_shared *s = g->s;
    int rc = 0, given = 0;
    while (rc == 0 && g->more && to->n < to->most) {
        parcel *p = &to->parcel[(to->first + to->n) % to->most];
        rc = finish(s->ranks, p, err);
        const int taken = rc ? 0 : hst_pipeline_take(g->run, &p->item);
        g->more = taken >= 0;
        if (taken <= 0)
            break;
        to->n++;
        s->pack_item(s->p.arg, p->item % s->p.n_slots, emptied(p));
        rc = post(s->ranks, to->rank, p, 0, err);
        given = 1;
    }
    return rc ? rc : given;
}

/* Its oldest item is done. */
static int take_result(giver *g, remote *from, hst_err *err)
{
    const hst_shared *s = g->s;
    const uint64_t item = from->parcel[from->first].item;
    const int rc = s->unpack_result(s->p.arg, item % s->p.n_slots, (const uint8_t *)from->result.p,
                                    from->head.bytes, err);
    if (rc)
        return rc;
    hst_pipeline_give(g->run, item);
    from->first = (from->first + 1) % from->most;
    from->n--;
    return 0;
}

/* What waits has come. */
static int take_part_of_result(giver *g, remote *from, hst_err *err)
{
    const int is_head = from->waits == HEAD;
    int rc = 0;
    from->waits = NOTHING;
    if (!is_head || from->head.bytes == 0)
        return take_result(g, from, err);
    rc = room_for(&from->result, &from->head, err);
    if (rc == 0)
        rc = g->s->ranks->receive(g->s->ranks, from->rank, from->result.p, from->head.bytes,
                                  &from->in, err);
    from->waits = rc ? NOTHING : RESULT;
    return rc;
}

/* 1: something came from that rank; 0: nothing; or an error. */
static int take_results(giver *g, remote *from, hst_err *err)
{
    hst_ranks *r = g->s->ranks;
    int rc = 0;
    if (from->waits == NOTHING && from->n > 0) {
        rc = r->receive(r, from->rank, &from->head, sizeof from->head, &from->in, err);
        from->waits = rc ? NOTHING : HEAD;
    }
    if (rc || from->waits == NOTHING)
        return rc;
    rc = r->test(r, &from->in, err);
    if (rc < 0)
        from->waits = NOTHING;
    else if (rc > 0 && (rc = take_part_of_result(g, from, err)) == 0)
        rc = 1;
    return rc;
}

static int anybody_has(const giver *g)
{
    for (int i = 0; i < g->n; i++)
        if (g->remote[i].n > 0)
            return 1;
    return 0;
}

/* The thread of rank 0 that serves the others. */
static void serve(void *arg, hst_pipeline_run *run)
{
    giver *g = arg;
    hst_err err = {0};
    int rc = 0;
    g->run = run;
    while (rc >= 0 && (g->more || anybody_has(g)) && !hst_pipeline_has_failed(run)) {
        int moved = 0;
        for (int i = 0; i < g->n && rc >= 0; i++) {
            rc = take_results(g, &g->remote[i], &err);
            moved |= rc > 0;
            if (rc >= 0)
                rc = give_items(g, &g->remote[i], &err);
            moved |= rc > 0;
        }
        if (moved)
            continue;
        hst_pipeline_idle(run);
        nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
    }
    if (rc < 0)
        hst_pipeline_fail(run, &err);
}

static int make_remotes(giver *g, hst_err *err)
{
    const hst_ranks *r = g->s->ranks;
    g->n = r->size - 1;
    g->remote = hst_alloc((size_t)g->n, sizeof *g->remote, err);
    for (int i = 0; g->remote && i < g->n; i++) {
        remote *to = &g->remote[i];
        to->rank = i + 1;
        to->parcel = hst_alloc(AHEAD_PER_THREAD * threads_of(r, to->rank), sizeof *to->parcel, err);
        if (!to->parcel)
            return HST_EMEM;
        to->most = AHEAD_PER_THREAD * threads_of(r, to->rank);
    }
    return g->remote ? 0 : HST_EMEM;
}

/* Every rank is told that there are no more items; where that fails, or all has, the job's end. */
static int end_remotes(giver *g, int rc, hst_err *err)
{
    hst_ranks *r = g->s->ranks;
    for (int i = 0; i < g->n && rc == 0; i++) {
        remote *to = &g->remote[i];
        rc = finish(r, &to->parcel[0], err);
        (void)emptied(&to->parcel[0]);
        rc = rc ? rc : post(r, to->rank, &to->parcel[0], 1, err);
    }
    for (int i = 0; i < g->n && rc == 0; i++)
        for (size_t k = 0; k < g->remote[i].most && rc == 0; k++)
            rc = finish(r, &g->remote[i].parcel[k], err);
    if (rc)
        (void)r->leave(r, err);
    return rc;
}

static void free_remotes(giver *g)
{
    hst_ranks *r = g->s->ranks;
    for (int i = 0; g->remote && i < g->n; i++) {
        remote *to = &g->remote[i];
        if (to->waits != NOTHING)
            (void)r->finish(r, &to->in, 1, NULL);
        for (size_t k = 0; k < to->most; k++) {
            (void)finish(r, &to->parcel[k], NULL);
            hst_buf_free(&to->parcel[k].b);
        }
        free(to->parcel);
        hst_buf_free(&to->result);
    }
    free(g->remote);
}

static int give_out(hst_executor *ex, const hst_shared *s, hst_err *err)
{
    giver g = {.s = s, .more = 1};
    hst_pipeline p = s->p;
    p.beside = serve;
    p.beside_arg = &g;
    int rc = make_remotes(&g, err);
    if (rc == 0)
        rc = hst_executor_pipeline(ex, &p, err);
    rc = end_remotes(&g, rc, err);
    free_remotes(&g);
    return rc;
}

/* ---- the others ---- */

typedef struct taker {
    const hst_shared *s;
    hst_buf item;
    parcel *parcel; /* [slots]: results */
    size_t slots;
} taker;

static int receive(hst_ranks *r, void *data, size_t bytes, hst_err *err)
{
    hst_message m;
    const int rc = r->receive(r, 0, data, bytes, &m, err);
    return rc ? rc : r->finish(r, &m, 1, err);
}

static int next_item(void *arg, size_t slot, hst_err *err)
{
    taker *t = arg;
    const hst_shared *s = t->s;
    head h = {0};
    int rc = finish(s->ranks, &t->parcel[slot], err);
    rc = rc ? rc : receive(s->ranks, &h, sizeof h, err);
    if (rc || h.is_end)
        return rc;
    rc = room_for(&t->item, &h, err);
    if (rc == 0 && h.bytes > 0)
        rc = receive(s->ranks, t->item.p, h.bytes, err);
    if (rc == 0)
        rc = s->unpack_item(s->p.arg, slot, (const uint8_t *)t->item.p, h.bytes, err);
    return rc ? rc : 1;
}

static int work_on(void *arg, size_t slot, int thread, hst_err *err)
{
    const taker *t = arg;
    const int rc = t->s->p.work(t->s->p.arg, slot, thread, err);
    if (rc < 0) /* rank 0 waits for this item, and another thread here for what rank 0 then gives */
        (void)t->s->ranks->leave(t->s->ranks, err);
    return rc;
}

static int send_result(void *arg, size_t slot, hst_err *err)
{
    taker *t = arg;
    t->s->pack_result(t->s->p.arg, slot, emptied(&t->parcel[slot]));
    return post(t->s->ranks, 0, &t->parcel[slot], 0, err);
}

static int take_items(hst_executor *ex, const hst_shared *s, hst_err *err)
{
    taker t = {.s = s, .slots = SLOTS_PER_THREAD * (size_t)hst_executor_threads(ex)};
    int rc = HST_EMEM;
    t.parcel = hst_alloc(t.slots, sizeof *t.parcel, err);
    if (t.parcel)
        rc = hst_executor_pipeline(ex,
                                   &(hst_pipeline){.arg = &t,
                                                   .next = next_item,
                                                   .work = work_on,
                                                   .deliver = send_result,
                                                   .n_slots = t.slots},
                                   err);
    for (size_t i = 0; rc == 0 && i < t.slots; i++)
        rc = finish(s->ranks, &t.parcel[i], err);
    if (rc)
        (void)s->ranks->leave(s->ranks, err);
    for (size_t i = 0; t.parcel && i < t.slots; i++) {
        (void)finish(s->ranks, &t.parcel[i], NULL);
        hst_buf_free(&t.parcel[i].b);
    }
    free(t.parcel);
    hst_buf_free(&t.item);
    return rc;
}

size_t hst_shared_slots(const hst_ranks *r, const hst_executor *ex)
{
    size_t threads = 0;
    for (int i = 0; i < hst_ranks_size(r); i++)
        threads += r ? threads_of(r, i) : (size_t)hst_executor_threads(ex);
    return SLOTS_PER_THREAD * threads;
}

int hst_shared_pipeline(hst_executor *ex, const hst_shared *s, hst_err *err)
{
    hst_err why = {0}; /* the others are told */
    if (hst_ranks_size(s->ranks) == 1)
        return hst_executor_pipeline(ex, &s->p, err);
    const int rc = s->ranks->rank == 0 ? give_out(ex, s, &why) : take_items(ex, s, &why);
    if (rc && err)
        *err = why;
    return rc;
}
