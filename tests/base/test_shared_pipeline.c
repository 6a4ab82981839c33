/* A pipeline whose items several processes work on. */
#include "forked_ranks.h"
#include "support.h"

#include "base/shared_pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 4, ITEMS = 200, NOWHERE = -1 };

typedef struct job {
    int threads;
    size_t n;
    int bad, dies; /* an item that fails; a rank that is gone at its first; or NOWHERE */
    int stops;     /* what is delivered last */
    const hst_ranks *ranks;
    size_t next, delivered, elsewhere;
    struct {
        uint64_t item, square;
        int rank;
    } slot[4 * MOST * MOST];
} job;

static int next(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    (void)err;
    if (j->next == j->n)
        return 0;
    j->slot[slot].item = j->next++;
    return 1;
}

static int work(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    (void)thread;
    const uint64_t item = j->slot[slot].item;
    if (hst_ranks_rank(j->ranks) == j->dies)
        _exit(9);
    if ((int)item == j->bad)
        return hst_fail(err, HST_EDATA, "item %d", j->bad);
    usleep((useconds_t)(item * 7919 % 300)); /* they are finished in another order */
    j->slot[slot].square = item * item;
    j->slot[slot].rank = hst_ranks_rank(j->ranks);
    return 0;
}

static int deliver(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    if (j->slot[slot].item != j->delivered || j->slot[slot].square != j->delivered * j->delivered)
        return hst_fail(err, HST_EIO, "not item %zu", j->delivered);
    j->elsewhere += j->slot[slot].rank != 0;
    if ((int)j->delivered == j->stops)
        return hst_fail(err, HST_ESTOPPED, "stopped");
    j->delivered++;
    return 0;
}

static void pack_item(void *arg, size_t slot, hst_buf *b)
{
    hst_buf_add(b, &((job *)arg)->slot[slot].item, sizeof(uint64_t));
}

static int unpack_item(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err)
{
    if (n != sizeof(uint64_t))
        return hst_fail(err, HST_EIO, "%zu bytes", n);
    memcpy(&((job *)arg)->slot[slot].item, p, n);
    return 0;
}

/* Of some items more, and of some nothing at all: a result may be empty. */
static void pack_result(void *arg, size_t slot, hst_buf *b)
{
    const job *j = arg;
    for (uint64_t i = 0; i < j->slot[slot].item % 3; i++)
        hst_buf_add(b, &j->slot[slot], sizeof j->slot[slot]);
}

static int unpack_result(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err)
{
    job *j = arg;
    const uint64_t item = j->slot[slot].item;
    if (n != item % 3 * sizeof j->slot[slot])
        return hst_fail(err, HST_EIO, "%zu bytes", n);
    j->slot[slot].square = item * item;
    j->slot[slot].rank = NOWHERE;
    for (; n > 0; n -= sizeof j->slot[slot], p += sizeof j->slot[slot])
        memcpy(&j->slot[slot], p, sizeof j->slot[slot]);
    return 0;
}

static int run(hst_ranks *r, job *j, hst_err *err)
{
    hst_executor *ex = hst_executor_new(j->threads, err);
    int rc = hst_ranks_meet(r, j->threads, err);
    j->ranks = r;
    if (rc == 0)
        rc = hst_shared_pipeline(ex,
                                 &(hst_shared){.p = {.arg = j,
                                                     .next = next,
                                                     .work = work,
                                                     .deliver = deliver,
                                                     .n_slots = hst_shared_slots(r, ex)},
                                               .ranks = r,
                                               .pack_item = pack_item,
                                               .unpack_item = unpack_item,
                                               .pack_result = pack_result,
                                               .unpack_result = unpack_result},
                                 err);
    hst_executor_free(ex);
    if (r)
        free(r->threads);
    return rc;
}

/* All of it, twice, as the second begins where the first has ended. */
static int all(hst_ranks *r, void *arg)
{
    hst_err e = {0};
    for (int again = 0; again < 2; again++) {
        job j = *(job *)arg;
        if (run(r, &j, &e))
            return 1;
        if (r->rank == 0 && (j.delivered != j.n || (r->size > 1 && j.n && !j.elsewhere)))
            return 1;
        if (r->rank != 0 && (j.delivered || j.next))
            return 1;
    }
    return 0;
}

/* Rank 0 says why; the others fail too. */
static int fails(hst_ranks *r, void *arg)
{
    hst_err e = {0};
    job j = *(job *)arg;
    const int rc = run(r, &j, &e);
    const int expected = j.stops != NOWHERE ? HST_ESTOPPED : HST_EDATA;
    if (j.dies != NOWHERE || r->rank != 0)
        return rc == 0;
    return rc != expected && rc != HST_EPROC; /* the forked ranks tell no reasons */
}

static void every_number_of_ranks(void **state)
{
    (void)state;
    for (int size = 1; size <= MOST; size++)
        for (int threads = 1; threads <= 3; threads++) {
            job j = {
                .threads = threads, .n = ITEMS, .bad = NOWHERE, .dies = NOWHERE, .stops = NOWHERE};
            assert_int_equal(forked_ranks(size, all, &j), 0);
            j.n = 0;
            assert_int_equal(forked_ranks(size, all, &j), 0);
        }
}

static void errors_end_the_job(void **state)
{
    (void)state;
    for (int size = 2; size <= MOST; size++) {
        const job fine = {
            .threads = 2, .n = ITEMS, .bad = NOWHERE, .dies = NOWHERE, .stops = NOWHERE};
        job bad = fine, stops = fine, dies = fine;
        bad.bad = ITEMS / 2;
        stops.stops = ITEMS / 3;
        dies.dies = size - 1;
        assert_int_equal(forked_ranks(size, fails, &bad), 0);
        assert_int_equal(forked_ranks(size, fails, &stops), 0);
        assert_int_equal(forked_ranks(size, fails, &dies), 1); /* the dead one */
    }
}

static void one_process(void **state)
{
    (void)state;
    hst_err e = {0};
    job j = {.threads = 2, .n = ITEMS, .bad = NOWHERE, .dies = NOWHERE, .stops = NOWHERE};
    check_ok(run(NULL, &j, &e), &e);
    assert_int_equal(j.delivered, ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_number_of_ranks),
                                       cmocka_unit_test(errors_end_the_job),
                                       cmocka_unit_test(one_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
