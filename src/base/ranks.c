#include "base/ranks.h"

#include "base/context.h"
#include "base/executor.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30 /* of a message */ };

int hst_ranks_rank(const hst_ranks *r)
{
    return r ? r->rank : 0;
}

int hst_ranks_size(const hst_ranks *r)
{
    return r ? r->size : 1;
}

int hst_ranks_send(hst_ranks *r, int to, const void *data, size_t bytes, hst_message *m,
                   hst_err *err)
{
    r->sent += bytes;
    return r->send(r, to, data, bytes, m, err);
}

int hst_ranks_receive(hst_ranks *r, int from, void *data, size_t bytes, hst_message *m,
                      hst_err *err)
{
    return r->receive(r, from, data, bytes, m, err);
}

/* 1 as soon as m is finished; 0 where it is not within `most` seconds; or an error. */
static int test_for(hst_ranks *r, hst_message *m, double most, hst_err *err)
{
    const double since = hst_now_s();
    int done;
    while ((done = r->test(r, m, err)) == 0 && hst_now_s() - since < most)
        sched_yield();
    r->waited_s += hst_now_s() - since;
    return done;
}

/* What another rank is just sending is there sooner than a piece of other work is done. */
static const double soon_s = 1e-4;

int hst_ranks_finish(hst_ranks *r, hst_message *m, size_t n, hst_err *err)
{
    int rc = 0;
    while (n > 0 && rc == 0 && r->meanwhile) {
        const int done = test_for(r, m, soon_s, err);
        if (done == 0 && !r->meanwhile(r->meanwhile_arg))
            break;
        if (done != 0) {
            m++;
            n--;
        }
        rc = done < 0 ? done : 0;
    }
    const double since = hst_now_s();
    const int last = n > 0 ? r->finish(r, m, n, rc ? NULL : err) : 0;
    r->waited_s += hst_now_s() - since;
    return rc ? rc : last;
}

static size_t piece(size_t left)
{
    return left < MOST_BYTES ? left : MOST_BYTES;
}

static int send_all(hst_ranks *r, int to, const unsigned char *data, size_t bytes, hst_err *err)
{
    int rc = 0;
    for (size_t at = 0; at < bytes && !rc; at += piece(bytes - at)) {
        hst_message m;
        rc = hst_ranks_send(r, to, data + at, piece(bytes - at), &m, err);
        if (!rc)
            rc = hst_ranks_finish(r, &m, 1, err);
    }
    return rc;
}

static int receive_all(hst_ranks *r, int from, unsigned char *data, size_t bytes, hst_err *err)
{
    int rc = 0;
    for (size_t at = 0; at < bytes && !rc; at += piece(bytes - at)) {
        hst_message m;
        rc = hst_ranks_receive(r, from, data + at, piece(bytes - at), &m, err);
        if (!rc)
            rc = hst_ranks_finish(r, &m, 1, err);
    }
    return rc;
}

/* A binomial tree: in each round who has the bytes passes them on to one that lacks them. Places
 * are counted from the rank `from` on. */
static int broadcast(hst_ranks *r, int from, void *data, size_t bytes, hst_err *err)
{
    int rc = 0;
    for (int have = 1; r && have < r->size && !rc; have *= 2) {
        const int place = (r->rank + r->size - from) % r->size;
        if (place < have && place + have < r->size)
            rc = send_all(r, (r->rank + have) % r->size, data, bytes, err);
        else if (place >= have && place < 2 * have)
            rc = receive_all(r, (r->rank + r->size - have) % r->size, data, bytes, err);
    }
    return rc;
}

int hst_ranks_broadcast(hst_ranks *r, void *data, size_t bytes, hst_err *err)
{
    return broadcast(r, 0, data, bytes, err);
}

int hst_ranks_before(hst_ranks *r, int last, void *data, size_t bytes, hst_err *err)
{
    const int rank = hst_ranks_rank(r);
    return rank > 0 && rank <= last ? receive_all(r, rank - 1, data, bytes, err) : 0;
}

int hst_ranks_behind(hst_ranks *r, int last, void *data, size_t bytes, hst_err *err)
{
    const int rank = hst_ranks_rank(r);
    const int rc = rank < last ? send_all(r, rank + 1, data, bytes, err) : 0;
    return rc ? rc : broadcast(r, last, data, bytes, err);
}

/* To the rank `up` places further and from the one as far back, a message each at a time. */
static int swap_ranges(hst_ranks *r, unsigned char *data, const size_t *offset, int up,
                       hst_err *err)
{
    const int to = (r->rank + up) % r->size, from = (r->rank + r->size - up) % r->size;
    size_t out = offset[r->rank], in = offset[from];
    while (out < offset[r->rank + 1] || in < offset[from + 1]) {
        const size_t sent = piece(offset[r->rank + 1] - out), got = piece(offset[from + 1] - in);
        hst_message m[2];
        size_t n = 0;
        int rc = 0;
        if (got > 0)
            rc = hst_ranks_receive(r, from, data + in, got, &m[n++], err);
        if (!rc && sent > 0)
            rc = hst_ranks_send(r, to, data + out, sent, &m[n++], err);
        if (!rc)
            rc = hst_ranks_finish(r, m, n, err);
        if (rc)
            return rc;
        out += sent;
        in += got;
    }
    return 0;
}

int hst_ranks_share(hst_ranks *r, void *data, const size_t *offset, hst_err *err)
{
    int rc = 0;
    for (int up = 1; r && up < r->size && !rc; up++)
        rc = swap_ranges(r, data, offset, up, err);
    return rc;
}

/* size equal pieces of so many bytes, this rank's at its place. */
static int share_equal(hst_ranks *r, void *data, size_t bytes, hst_err *err)
{
    size_t *offset = hst_alloc((size_t)r->size + 1, sizeof *offset, err);
    if (!offset)
        return HST_EMEM;
    for (int i = 0; i <= r->size; i++)
        offset[i] = (size_t)i * bytes;
    int rc = hst_ranks_share(r, data, offset, err);
    free(offset);
    return rc;
}

int hst_ranks_barrier(hst_ranks *r, hst_err *err)
{
    if (hst_ranks_size(r) == 1)
        return 0;
    char *here = hst_alloc((size_t)r->size, 1, err);
    int rc = here ? share_equal(r, here, 1, err) : HST_EMEM;
    free(here);
    return rc;
}

/* 0 in *any: every rank is fine. A byte each, as that is so nearly always. */
static int ask_all(hst_ranks *r, int bad, int *any, hst_err *err)
{
    char *all = hst_alloc((size_t)r->size, 1, err);
    if (!all)
        return HST_EMEM;
    all[r->rank] = (char)bad;
    const int rc = share_equal(r, all, 1, err);
    for (int i = 0; i < r->size; i++)
        *any |= all[i];
    free(all);
    return rc;
}

int hst_ranks_agree(hst_ranks *r, int rc, hst_err *err)
{
    hst_err own = {0};
    int any = 0;
    if (hst_ranks_size(r) == 1)
        return rc;
    int shared = ask_all(r, rc != 0, &any, &own);
    if (shared == 0 && !any)
        return 0;
    hst_err *all = shared ? NULL : hst_alloc((size_t)r->size, sizeof *all, &own);
    if (!all)
        return rc ? rc : hst_fail(err, own.code, "%s", own.msg);
    if (rc && err)
        all[r->rank] = *err;
    all[r->rank].code = rc;
    shared = share_equal(r, all, sizeof *all, &own);
    int worst = 0;
    while (!shared && worst < r->size && all[worst].code == 0)
        worst++;
    if (shared && !rc)
        rc = hst_fail(err, shared, "%s", own.msg);
    else if (!shared && worst < r->size && worst != r->rank) {
        all[worst].msg[sizeof all[worst].msg - 1] = '\0';
        rc = hst_fail(err, all[worst].code, "rank %d on %s: %s", worst, r->host(r, worst),
                      all[worst].msg);
    }
    free(all);
    return rc;
}

int hst_ranks_same(hst_ranks *r, const char *what, const void *data, size_t bytes, hst_err *err)
{
    if (hst_ranks_size(r) == 1)
        return 0;
    hst_digest *all = hst_alloc((size_t)r->size, sizeof *all, err);
    if (!all)
        return HST_EMEM;
    int rc = hst_sha256_bytes(data, bytes, all[r->rank].byte, err);
    if (!rc)
        rc = share_equal(r, all, sizeof *all, err);
    for (int i = 1; i < r->size && !rc; i++)
        if (memcmp(&all[i], &all[0], sizeof *all) != 0)
            rc = hst_fail(err, HST_EARG, "rank %d on %s has another %s than rank 0 on %s", i,
                          r->host(r, i), what, r->host(r, 0));
    free(all);
    return rc;
}

int hst_ranks_alike(hst_ranks *r, const char *what, const char *text, hst_err *err)
{
    enum { BYTES = 256 };
    char(*all)[BYTES] = hst_ranks_size(r) == 1 ? NULL : hst_alloc((size_t)r->size, BYTES, err);
    if (!all)
        return hst_ranks_size(r) == 1 ? 0 : HST_EMEM;
    strncpy(all[r->rank], text, BYTES - 1);
    int rc = share_equal(r, all, BYTES, err);
    for (int i = 1; i < r->size && !rc; i++) {
        all[i][BYTES - 1] = '\0';
        if (strcmp(all[i], all[0]) != 0)
            rc = hst_fail(err, HST_EARG, "rank %d on %s has %s %s, rank 0 on %s has %s", i,
                          r->host(r, i), what, all[i], r->host(r, 0), all[0]);
    }
    free(all);
    return rc;
}

static int processors_in(const uint8_t *mask)
{
    int n = 0;
    for (int i = 0; i < HST_PROCESSOR_BYTES; i++)
        n += __builtin_popcount(mask[i]);
    return n;
}

static int overlap(const uint8_t *a, const uint8_t *b)
{
    for (int i = 0; i < HST_PROCESSOR_BYTES; i++)
        if (a[i] & b[i])
            return 1;
    return 0;
}

int hst_ranks_threads(hst_ranks *r, int *threads, hst_err *err)
{
    if (hst_ranks_size(r) == 1) {
        *threads = hst_processors();
        return 0;
    }
    uint8_t(*all)[HST_PROCESSOR_BYTES] = hst_alloc((size_t)r->size, HST_PROCESSOR_BYTES, err);
    if (!all)
        return HST_EMEM;
    const uint8_t *own = all[r->rank];
    hst_processor_mask(all[r->rank]);
    const int rc = share_equal(r, all, HST_PROCESSOR_BYTES, err);
    int sharers = 0, before = 0; /* this rank among the sharers */
    for (int i = 0; i < r->size; i++) {
        const int shares = strcmp(r->host(r, i), r->host(r, r->rank)) == 0 && overlap(all[i], own);
        sharers += shares || i == r->rank;
        before += shares && i < r->rank;
    }
    const int n = processors_in(own), part = n * (before + 1) / sharers - n * before / sharers;
    *threads = part > 1 ? part : 1;
    free(all);
    return rc;
}

int hst_ranks_meet(hst_ranks *r, int threads, hst_err *err)
{
    if (!r)
        return 0;
    r->threads = hst_alloc((size_t)r->size, sizeof *r->threads, err);
    if (!r->threads)
        return HST_EMEM;
    r->threads[r->rank] = threads;
    return share_equal(r, r->threads, sizeof *r->threads, err);
}

void hst_ranks_close(hst_ranks *r)
{
    if (!r)
        return;
    free(r->threads);
    r->close(r);
}
