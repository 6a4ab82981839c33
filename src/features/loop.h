/* loop.h - photos through an extractor on all threads.
 *
 * A worker thread takes one photo through all of it, or the few that a network does best at a time,
 * so decoding overlaps with the networks of the others, a pixel is copied once, and nothing about a
 * photo depends on its neighbours. */
#ifndef HST_FEATURES_LOOP_H
#define HST_FEATURES_LOOP_H
#include "base/buf.h"
#include "base/context.h"
#include "extractor/extractor.h"

enum { HST_PHOTO_RUN = 8 }; /* the most photos of a run */

typedef struct hst_photo_loop {
    const hst_ctx *ctx;
    const hst_extractor *extractor;
    const char *phase; /* what progress calls it; NULL: too short to be told of */
    size_t n;
    void *arg;
    /* Photo i of n, on a thread of its own, with that thread's memory; a negative error ends the
     * loop. */
    int (*work)(void *arg, size_t i, hst_looking *l, hst_err *err);
    /* NULL, or in its place: photos first .. first+n-1, n up to HST_PHOTO_RUN. */
    int (*work_run)(void *arg, size_t first, size_t n, hst_looking *l, hst_err *err);
    /* NULL, or what is to be done when it is finished, in order, one at a time; a negative error
     * ends the loop. */
    int (*done)(void *arg, size_t i, hst_err *err);
    /* NULL: of several processes each does all of it. Else they share the photos, and these bring
     * what work made of photo i to rank 0, on which alone it is done. */
    void (*pack)(void *arg, size_t i, hst_buf *b);
    int (*unpack)(void *arg, size_t i, const uint8_t *p, size_t n, hst_err *err);
} hst_photo_loop;
/* Of all processes together: photo i is done before photo i + so many is begun. */
size_t hst_photos_under_way(const hst_ctx *ctx, const hst_extractor *e);
/* Errors: the first photo's whose work failed or was not done, HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_photos_each(const hst_photo_loop *l, hst_err *err);
#endif
