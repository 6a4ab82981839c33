/* sampler.h - which photos a step learns from.
 *
 * One endless stream: every pass over the photos is shuffled anew and cut into batches, the last of
 * a pass may be short. Where the stream stands is the number of the step alone, so that training
 * can go on at any step. */
#ifndef HST_TRAINING_SAMPLER_H
#define HST_TRAINING_SAMPLER_H
#include "base/err.h"

typedef struct hst_sampler {
    uint64_t seed;
    size_t n, batch;
    size_t *order; /* [n] of this pass */
    uint32_t pass; /* that order belongs to */
} hst_sampler;

/* What one step takes. Borrowed until the next call. */
typedef struct hst_sample {
    const size_t *order; /* [n] */
    size_t n;            /* 1 .. batch */
    uint32_t pass;       /* 0, 1, ... */
} hst_sample;

/* n, batch at least 1. On failure hst_sampler_clear() is still due. */
HST_CHECK int hst_sampler_init(hst_sampler *s, size_t n, size_t batch, uint64_t seed, hst_err *err);
void hst_sampler_clear(hst_sampler *s);
/* Steps in one pass. */
uint64_t hst_sampler_steps(const hst_sampler *s);
/* Photos that the steps before this one take together. */
uint64_t hst_sampler_seen(const hst_sampler *s, uint64_t step);
hst_sample hst_sampler_at(hst_sampler *s, uint64_t step);
#endif
