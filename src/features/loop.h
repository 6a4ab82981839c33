/* loop.h - photos through a network on all threads.
 *
 * A worker thread takes one photo through all of it, so decoding overlaps with the network of the
 * others, a pixel is copied once, and nothing about a photo depends on its neighbours. */
#ifndef HST_FEATURES_LOOP_H
#define HST_FEATURES_LOOP_H
#include "backbones/backbone.h"
#include "base/context.h"

/* What one thread works with; its memory is made at its first photo. */
typedef struct hst_photo_worker {
    const hst_plan *plan;
    const hst_prep *prep;
    hst_work *work;
    float *input; /* [px][px][3] */
} hst_photo_worker;
/* The bytes of an image file -> out[hst_plan_output]. */
HST_CHECK int hst_photo_worker_run(hst_photo_worker *w, const void *bytes, size_t n, float *out,
                                   hst_err *err);

typedef struct hst_photo_loop {
    const hst_ctx *ctx;
    const hst_plan *plan;
    const hst_prep *prep;
    const char *phase; /* what progress calls it */
    size_t n;
    void *arg;
    /* Photo i of n, on a thread of its own; a negative error ends the loop. */
    int (*work)(void *arg, size_t i, hst_photo_worker *w, hst_err *err);
    /* NULL, or what is to be done when it is finished, in order, one at a time. */
    void (*done)(void *arg, size_t i);
} hst_photo_loop;
/* Errors: the first photo's whose work failed, HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_photos_each(const hst_photo_loop *l, hst_err *err);
#endif
