#include "nn/learn/exchange.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- whose groups are whose ---- */

hst_deal hst_deal_of(const hst_ranks *r, size_t images)
{
    return (hst_deal){.rank = hst_ranks_rank(r),
                      .ranks = hst_ranks_size(r),
                      .groups = (images + HST_LEARN_GROUP - 1) / HST_LEARN_GROUP};
}

size_t hst_deal_begin(const hst_deal *d, int rank)
{
    const size_t all = (size_t)d->ranks, i = (size_t)rank, rest = d->groups % all;
    return i * (d->groups / all) + (i < rest ? i : rest);
}

int hst_deal_last(const hst_deal *d)
{
    return d->groups < (size_t)d->ranks ? (int)d->groups - 1 : d->ranks - 1;
}

int hst_deal_has(const hst_deal *d, size_t a, size_t groups)
{
    const size_t end = a + groups < d->groups ? a + groups : d->groups;
    int rank = 0;
    while (hst_deal_begin(d, rank + 1) <= a)
        rank++;
    return end <= hst_deal_begin(d, rank + 1);
}

hst_learn_share hst_learn_own(const hst_ranks *r, int n)
{
    const hst_deal d = hst_deal_of(r, (size_t)n);
    const int first = (int)hst_deal_begin(&d, d.rank) * HST_LEARN_GROUP;
    const int end = (int)hst_deal_begin(&d, d.rank + 1) * HST_LEARN_GROUP;
    hst_learn_share own = {.first = first < n ? first : n, .last = hst_deal_last(&d)};
    own.n = (end < n ? end : n) - own.first;
    return own;
}

/* How many groups group g's subtree takes up when it is added to the one in front of it. */
static size_t width(size_t g)
{
    return g & (~g + 1);
}

int hst_deal_hands_over(const hst_deal *d, size_t g)
{
    return g == 0 || !hst_deal_has(d, g - width(g), 2 * width(g));
}

static size_t handed_over(const hst_deal *d, int rank)
{
    size_t n = 0;
    for (size_t g = hst_deal_begin(d, rank); g < hst_deal_begin(d, rank + 1); g++)
        n += (size_t)hst_deal_hands_over(d, g);
    return n;
}

/* ---- buckets ---- */

enum { BUCKET = 1 << 18 /* floats from which a bucket is sent */, UNDER_WAY = 3, LATE = 64 };

enum progress { FREE, SUMMING, SPREADING };

typedef struct bucket {
    size_t from, end; /* parameters */
    enum progress progress;
    float *own;      /* [subtrees][room] of this rank, a parameter p at room - (end - p) */
    float *others;   /* [subtrees of the others][slice] of this rank's slice */
    hst_message *at; /* [n] under way */
    size_t n;
} bucket;

struct hst_exchange {
    hst_ranks *ranks;
    hst_deal deal;
    float *grad;
    bucket bucket[UNDER_WAY];
    int filling; /* the one that grows */
    size_t room; /* floats that a bucket has at most */
    float **sum; /* [groups] where a slice's subtrees are while they are added up */
    float *floats;
    hst_message *messages;
    hst_message late[LATE]; /* sums on their way to the next rank */
    size_t n_late, bytes;
    int rc;
    hst_err err;
};

typedef struct most {
    size_t own, all; /* subtrees of this rank, of all ranks */
} most;

static most most_of(const hst_ranks *r, size_t max_images)
{
    most m = {0};
    hst_deal d = hst_deal_of(r, max_images);
    for (; d.groups > 0; d.groups--) {
        size_t all = 0;
        for (int i = 0; i < d.ranks; i++)
            all += handed_over(&d, i);
        const size_t own = handed_over(&d, d.rank);
        m.all = all > m.all ? all : m.all;
        m.own = own > m.own ? own : m.own;
    }
    return m;
}

hst_exchange *hst_exchange_new(hst_ranks *r, size_t max_images, size_t most_floats, hst_err *err)
{
    const size_t ranks = (size_t)hst_ranks_size(r);
    const most m = most_of(r, max_images);
    hst_exchange *x = hst_alloc(1, sizeof *x, err);
    if (!x)
        return NULL;
    x->ranks = r;
    x->room = BUCKET + most_floats;
    const size_t slice = x->room / ranks + 1, messages = ranks * (m.own + 2) + m.all;
    const size_t floats = m.own * x->room + m.all * slice;
    x->floats = hst_alloc(floats, UNDER_WAY * sizeof *x->floats, err);
    x->messages = x->floats ? hst_alloc(messages, UNDER_WAY * sizeof *x->messages, err) : NULL;
    x->sum = x->messages ? hst_alloc(max_images, sizeof *x->sum, err) : NULL;
    if (!x->sum) {
        hst_exchange_free(x);
        return NULL;
    }
    x->bytes = UNDER_WAY * (floats * sizeof *x->floats + messages * sizeof *x->messages);
    for (size_t i = 0; i < UNDER_WAY; i++) {
        x->bucket[i].own = x->floats + i * floats;
        x->bucket[i].others = x->bucket[i].own + m.own * x->room;
        x->bucket[i].at = x->messages + i * messages;
    }
    return x;
}

void hst_exchange_free(hst_exchange *x)
{
    if (!x)
        return;
    free(x->floats);
    free(x->messages);
    free(x->sum);
    free(x);
}

size_t hst_exchange_bytes(const hst_exchange *x)
{
    return x ? x->bytes : 0;
}

void hst_exchange_begin(hst_exchange *x, const hst_deal *d, float *grad)
{
    x->deal = *d;
    x->grad = grad;
}

/* ---- messages: nothing more is begun once something went wrong ---- */

static void send_floats(hst_exchange *x, bucket *b, int to, const float *data, size_t n)
{
    if (n == 0 || x->rc)
        return;
    x->rc = hst_ranks_send(x->ranks, to, data, n * sizeof *data, &b->at[b->n], &x->err);
    b->n += x->rc == 0;
}

static void receive_floats(hst_exchange *x, bucket *b, int from, float *data, size_t n)
{
    if (n == 0 || x->rc)
        return;
    x->rc = hst_ranks_receive(x->ranks, from, data, n * sizeof *data, &b->at[b->n], &x->err);
    b->n += x->rc == 0;
}

/* Also of what has failed, as the memory of messages stays theirs until they are finished. */
static void finish_messages(hst_exchange *x, hst_message *m, size_t *n)
{
    hst_err why = {0};
    const int rc = *n ? hst_ranks_finish(x->ranks, m, *n, &why) : 0;
    *n = 0;
    if (rc && !x->rc) {
        x->rc = rc;
        x->err = why;
    }
}

/* ---- a bucket's way ---- */

static size_t slice_from(const hst_exchange *x, const bucket *b, int rank)
{
    return b->from + (b->end - b->from) * (size_t)rank / (size_t)x->deal.ranks;
}

static size_t slice_floats(const hst_exchange *x, const bucket *b, int rank)
{
    return slice_from(x, b, rank + 1) - slice_from(x, b, rank);
}

static float *own_place(const hst_exchange *x, const bucket *b, size_t subtree, size_t param)
{
    return b->own + (subtree + 1) * x->room - (b->end - param);
}

/* Every owner gets this rank's subtrees of its slice. */
static void begin_sums(hst_exchange *x, bucket *b)
{
    const hst_deal *d = &x->deal;
    const size_t own = handed_over(d, d->rank), n = slice_floats(x, b, d->rank);
    float *to = b->others;
    for (int rank = 0; rank < d->ranks; rank++) {
        const size_t theirs = handed_over(d, rank);
        if (rank == d->rank)
            continue;
        for (size_t k = 0; k < own; k++)
            send_floats(x, b, rank, own_place(x, b, k, slice_from(x, b, rank)),
                        slice_floats(x, b, rank));
        for (size_t k = 0; k < theirs; k++, to += n)
            receive_floats(x, b, rank, to, n);
    }
    b->progress = SUMMING;
}

/* What is left of the tree, of this rank's slice. */
static void add_up(hst_exchange *x, const bucket *b)
{
    const hst_deal *d = &x->deal;
    const size_t from = slice_from(x, b, d->rank), n = slice_floats(x, b, d->rank);
    const size_t first = hst_deal_begin(d, d->rank), end = hst_deal_begin(d, d->rank + 1);
    float *other = b->others;
    size_t own = 0;
    for (size_t g = 0; g < d->groups; g++) {
        if (!hst_deal_hands_over(d, g))
            continue;
        if (g >= first && g < end) {
            x->sum[g] = own_place(x, b, own++, from);
        } else {
            x->sum[g] = other;
            other += n;
        }
    }
    for (size_t step = 1; step < d->groups; step *= 2)
        for (size_t g = step; g < d->groups; g += 2 * step) {
            if (!hst_deal_hands_over(d, g))
                continue;
            float *restrict to = x->sum[g - step];
            const float *restrict more = x->sum[g];
            for (size_t k = 0; k < n; k++)
                to[k] += more[k];
        }
    memcpy(x->grad + from, x->sum[0], n * sizeof(float));
}

/* The owner has its slice; all get it. */
static void spread(hst_exchange *x, bucket *b)
{
    const hst_deal *d = &x->deal;
    finish_messages(x, b->at, &b->n);
    if (x->rc == 0)
        add_up(x, b);
    for (int rank = 0; rank < d->ranks; rank++) {
        if (rank == d->rank)
            continue;
        send_floats(x, b, rank, x->grad + slice_from(x, b, d->rank), slice_floats(x, b, d->rank));
        receive_floats(x, b, rank, x->grad + slice_from(x, b, rank), slice_floats(x, b, rank));
    }
    b->progress = SPREADING;
}

static void advance(hst_exchange *x, bucket *b)
{
    if (b->progress == SUMMING) {
        spread(x, b);
    } else if (b->progress == SPREADING) {
        finish_messages(x, b->at, &b->n);
        b->progress = FREE;
    }
}

/* The full one sets out, the one before it is spread, the one before that is through. */
static void set_out(hst_exchange *x)
{
    begin_sums(x, &x->bucket[x->filling]);
    for (int i = 1; i < UNDER_WAY; i++)
        advance(x, &x->bucket[(x->filling + UNDER_WAY - i) % UNDER_WAY]);
    x->filling = (x->filling + 1) % UNDER_WAY;
    x->bucket[x->filling].from = x->bucket[x->filling].end = 0;
}

float *hst_exchange_room(hst_exchange *x, size_t from, size_t n, size_t *apart)
{
    if (x->bucket[x->filling].end > 0 && x->bucket[x->filling].from != from + n)
        set_out(x);
    bucket *b = &x->bucket[x->filling];
    if (b->end == 0)
        b->end = from + n;
    b->from = from;
    *apart = x->room;
    return own_place(x, b, 0, from);
}

void hst_exchange_added(hst_exchange *x)
{
    const bucket *b = &x->bucket[x->filling];
    if (b->end - b->from >= BUCKET)
        set_out(x);
}

int hst_exchange_finish(hst_exchange *x, hst_err *err)
{
    if (x->bucket[x->filling].end > 0)
        set_out(x);
    for (int round = 0; round < 2; round++)
        for (int i = UNDER_WAY; i > 0; i--)
            advance(x, &x->bucket[(x->filling + UNDER_WAY - i) % UNDER_WAY]);
    finish_messages(x, x->late, &x->n_late);
    return x->rc ? hst_fail(err, x->rc, "%s", x->err.msg) : 0;
}

/* ---- sums in the order of images ---- */

void hst_exchange_before(hst_exchange *x, double *sum, size_t n)
{
    if (x->rc == 0)
        x->rc = hst_ranks_before(x->ranks, hst_deal_last(&x->deal), sum, n * sizeof *sum, &x->err);
}

void hst_exchange_behind(hst_exchange *x, double *sum, size_t n, int to_all)
{
    const hst_deal *d = &x->deal;
    if (x->rc == 0 && to_all)
        x->rc = hst_ranks_behind(x->ranks, hst_deal_last(d), sum, n * sizeof *sum, &x->err);
    if (x->rc || to_all || d->rank >= hst_deal_last(d))
        return;
    if (x->n_late == LATE)
        finish_messages(x, x->late, &x->n_late);
    x->rc =
        hst_ranks_send(x->ranks, d->rank + 1, sum, n * sizeof *sum, &x->late[x->n_late], &x->err);
    x->n_late += x->rc == 0;
}
