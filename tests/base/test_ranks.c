/* base/ranks.h: what is made of messages between two ranks, for 1 to 5 of them. */
#include "forked_ranks.h"
#include "support.h"

#include "base/ranks.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 5, BYTES = 300000 /* more than a socket takes at once */ };

static unsigned char byte(int rank, size_t i)
{
    return (unsigned char)(i * 7 + (size_t)rank * 31 + i / 251);
}

static int broadcast(hst_ranks *r, void *arg)
{
    unsigned char *data = calloc(BYTES, 1);
    (void)arg;
    for (size_t i = 0; i < BYTES && r->rank == 0; i++)
        data[i] = byte(0, i);
    int wrong = hst_ranks_broadcast(r, data, BYTES, NULL);
    for (size_t i = 0; i < BYTES; i++)
        wrong |= data[i] != byte(0, i);
    free(data);
    return wrong;
}

static int share(hst_ranks *r, void *arg)
{
    size_t offset[MOST + 1] = {0}; /* rank 1 has nothing to share */
    (void)arg;
    for (int i = 0; i < r->size; i++)
        offset[i + 1] = offset[i] + (i == 1 ? 0 : (size_t)(i + 1) * BYTES / 3);
    unsigned char *data = calloc(offset[r->size], 1);
    for (size_t i = offset[r->rank]; i < offset[r->rank + 1]; i++)
        data[i] = byte(r->rank, i);
    int wrong = hst_ranks_share(r, data, offset, NULL);
    for (int k = 0; k < r->size; k++)
        for (size_t i = offset[k]; i < offset[k + 1]; i++)
            wrong |= data[i] != byte(k, i);
    free(data);
    return wrong | hst_ranks_barrier(r, NULL);
}

/* Ranks from `first` on fail: everybody hears of the lowest of them. */
static int agree(hst_ranks *r, void *first)
{
    const int bad = *(int *)first;
    hst_err e = {0};
    int rc = r->rank < bad ? 0 : hst_fail(&e, HST_EDATA, "photo %d", r->rank);
    char expected[64];
    snprintf(expected, sizeof expected, r->rank == bad ? "photo %d" : "rank %d on host%d: photo %d",
             bad, bad, bad);
    rc = hst_ranks_agree(r, rc, &e);
    if (bad >= r->size)
        return rc != 0;
    return rc != HST_EDATA || e.code != HST_EDATA || strcmp(e.msg, expected) != 0;
}

static int same(hst_ranks *r, void *arg)
{
    hst_err e = {0};
    const int odd = r->rank == r->size - 1;
    (void)arg;
    if (hst_ranks_same(r, "text", "as it is", 8, &e))
        return 1;
    const int rc = hst_ranks_same(r, "text", odd ? "as it was" : "as it is", odd ? 9 : 8, &e);
    return r->size == 1 ? rc
                        : rc != HST_EARG || !strstr(e.msg, "another text than rank 0 on host0");
}

/* The last rank leaves; who waits for it is told who that was. */
static int leave(hst_ranks *r, void *arg)
{
    hst_err e = {0};
    (void)arg;
    if (r->rank == r->size - 1)
        return 0;
    const int rc = hst_ranks_barrier(r, &e);
    return rc != HST_EPROC || !strstr(e.msg, "host");
}

/* ---- work while waiting ---- */

enum { PIECES = 5 };
typedef struct other_work {
    int told[2]; /* a pipe: a byte for a piece */
    int left;
} other_work;

static int do_piece(void *arg)
{
    other_work *w = arg;
    return w->left > 0 && w->left-- && write(w->told[1], "", 1) == 1;
}

/* Rank 0 sends nothing before rank 1 has done all pieces: it would wait for ever otherwise. */
static int wait_at_work(hst_ranks *r, void *arg)
{
    enum { MESSAGES = 3 };
    other_work *w = arg;
    hst_message m[MESSAGES];
    int said[MESSAGES] = {0}, rc = 0;
    for (int i = 0; i < PIECES && r->rank == 0; i++) {
        struct pollfd to_read = {.fd = w->told[0], .events = POLLIN};
        char piece;
        if (poll(&to_read, 1, 10000) != 1 || read(w->told[0], &piece, 1) != 1)
            return 1;
    }
    for (int i = 0; i < MESSAGES && !rc; i++) {
        said[i] = r->rank == 0 ? i + 1 : 0;
        rc = r->rank == 0 ? hst_ranks_send(r, 1, &said[i], sizeof said[i], &m[i], NULL)
                          : hst_ranks_receive(r, 0, &said[i], sizeof said[i], &m[i], NULL);
    }
    if (r->rank == 1) {
        r->meanwhile = do_piece;
        r->meanwhile_arg = w;
    }
    rc = rc ? rc : hst_ranks_finish(r, m, MESSAGES, NULL);
    return rc || said[0] != 1 || said[1] != 2 || said[2] != 3;
}

/* What fails fails, and is not waited for. */
static int wait_for_the_gone(hst_ranks *r, void *arg)
{
    hst_message m[2];
    hst_err e = {0};
    int said[2];
    if (r->rank == 0)
        return 0;
    r->meanwhile = do_piece;
    r->meanwhile_arg = arg;
    for (int i = 0; i < 2; i++)
        if (hst_ranks_receive(r, 0, &said[i], sizeof said[i], &m[i], NULL))
            return 1;
    return hst_ranks_finish(r, m, 2, &e) != HST_EPROC || !strstr(e.msg, "host0 is gone");
}

static void who_waits_does_other_work(void **state)
{
    (void)state;
    other_work w = {.left = PIECES};
    assert_int_equal(pipe(w.told), 0);
    assert_int_equal(forked_ranks(2, wait_at_work, &w), 0);
    assert_int_equal(forked_ranks(2, wait_for_the_gone, &w), 0);
    close(w.told[0]);
    close(w.told[1]);
}

static void every_number_of_ranks(void **state)
{
    (void)state;
    for (int size = 1; size <= MOST; size++) {
        assert_int_equal(forked_ranks(size, broadcast, NULL), 0);
        assert_int_equal(forked_ranks(size, share, NULL), 0);
        assert_int_equal(forked_ranks(size, same, NULL), 0);
        for (int bad = 0; bad <= size; bad++)
            assert_int_equal(forked_ranks(size, agree, &bad), 0);
        if (size > 1)
            assert_int_equal(forked_ranks(size, leave, NULL), 0);
    }
}

static void one_process_needs_no_table(void **state)
{
    (void)state;
    hst_err e = {0};
    char text[4] = "abc";
    const size_t offset[2] = {0, 4};
    assert_int_equal(hst_ranks_rank(NULL), 0);
    assert_int_equal(hst_ranks_size(NULL), 1);
    check_ok(hst_ranks_broadcast(NULL, text, 4, &e), &e);
    check_ok(hst_ranks_share(NULL, text, offset, &e), &e);
    check_ok(hst_ranks_barrier(NULL, &e), &e);
    check_ok(hst_ranks_same(NULL, "text", text, 4, &e), &e);
    assert_string_equal(text, "abc");
    assert_int_equal(hst_ranks_agree(NULL, hst_fail(&e, HST_EDATA, "photo"), &e), HST_EDATA);
    assert_string_equal(e.msg, "photo");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_number_of_ranks),
                                       cmocka_unit_test(who_waits_does_other_work),
                                       cmocka_unit_test(one_process_needs_no_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
