/* shared_pipeline.h - a pipeline whose items are worked on by all processes of a job.
 *
 * Rank 0 has the items: it calls next and deliver as in a pipeline of one process, and its threads
 * work. Beside them a thread of rank 0 hands items to the other ranks, a few ahead for each of
 * their threads, and takes the results back; who is faster gets more. What a rank sends and what it
 * keeps does not grow with the number of items.
 *
 *   rank 0       next -> slot -> work ----------------------------------> deliver
 *                         | pack_item                    unpack_result ^
 *   rank k                v unpack_item -> slot -> work -> pack_result |
 *
 * An error on any rank is the job's: all ranks return it. */
#ifndef HST_BASE_SHARED_PIPELINE_H
#define HST_BASE_SHARED_PIPELINE_H
#include "base/buf.h"
#include "base/pipeline.h"
#include "base/ranks.h"

typedef struct hst_shared {
    hst_pipeline p;   /* without beside; its n_slots as hst_shared_slots says */
    hst_ranks *ranks; /* NULL: an ordinary pipeline */
    /* Bytes that say what to do, and what came of it; memory that fails is noticed in the buffer.
     * Errors of unpacking: HST_EPROC, HST_EMEM and the caller's. */
    void (*pack_item)(void *arg, size_t slot, hst_buf *b);
    int (*unpack_item)(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err);
    void (*pack_result)(void *arg, size_t slot, hst_buf *b);
    int (*unpack_result)(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err);
} hst_shared;

/* How many items are under way at most, on all ranks together; the same on every rank. */
size_t hst_shared_slots(const hst_ranks *r, const hst_executor *ex);
/* As hst_executor_pipeline. On other ranks than 0 neither next nor deliver is called. */
HST_CHECK int hst_shared_pipeline(hst_executor *ex, const hst_shared *s, hst_err *err);
#endif
