/* feature_stream.h - the features of photos that augmentation changes anew in every pass, through a
 * backbone that stays as it is, step by step.
 *
 * A thread takes a photo from its file to its features, so photos of the next steps are on their
 * way while one is taken; steps are taken in order. Memory is a few photos a thread and the
 * features of one step, however many there are. */
#ifndef HST_TRAINING_FEATURE_STREAM_H
#define HST_TRAINING_FEATURE_STREAM_H
#include "training/dense_head.h"
#include "training/recipe.h"
#include "training/sampler.h"

typedef struct hst_feature_stream {
    const hst_fit *fit; /* its training photos, changed as its settings say */
    hst_sampler *sampler;
    uint64_t begin, end; /* steps begin .. end-1 of the sampler's */
    void *arg;
    /* One step's features and labels, without order, dropout or weights; they are gone when it
     * returns. A negative error ends the stream. One call at a time, none touches the sampler. */
    int (*step)(void *arg, const hst_head_batch *b, hst_err *err);
} hst_feature_stream;

/* Errors: those of step, HST_EDATA (a photo that could be read before cannot be any more),
 * HST_EMEM. */
HST_CHECK int hst_feature_stream_run(const hst_feature_stream *s, hst_err *err);
#endif
