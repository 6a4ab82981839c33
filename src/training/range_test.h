/* range_test.h - a learning rate from a short trial (Smith 2017, arXiv 1506.01186): steps of
 * training at a rate that grows exponentially, until the loss rises. */
#ifndef HST_TRAINING_RANGE_TEST_H
#define HST_TRAINING_RANGE_TEST_H
#include "base/err.h"

/* Steps of a whole trial, and the rate of the first and of the last. */
enum { HST_RANGE_STEPS = 100 };
#define HST_RANGE_FIRST 1e-6
#define HST_RANGE_LAST  1.0
/* What a suggestion is never outside of. */
#define HST_RANGE_LEAST 1e-5
#define HST_RANGE_MOST  0.1

/* One step of training, 0 .. HST_RANGE_STEPS-1, at this rate; *loss: before the step, no finite
 * number where it failed. */
typedef struct hst_range_trial {
    int (*step)(void *arg, uint64_t step, double rate, double *loss, hst_err *err);
    void *arg;
} hst_range_trial;

double hst_range_rate(uint64_t step);

/* A tenth of the rate at which the smoothed loss was least (fastai's lr_find calls that rule
 * "minimum"), in three digits and not outside of HST_RANGE_LEAST and HST_RANGE_MOST. The loss is
 * smoothed by an exponential mean with decay 0.9, corrected for having begun at zero; the trial
 * ends early where that exceeds 4 times its minimum or the loss is no finite number. *steps (may be
 * NULL): how many were tried. Errors: HST_EARG (the first loss is no finite number), those of the
 * steps. */
HST_CHECK int hst_range_test(const hst_range_trial *t, double *rate, uint64_t *steps, hst_err *err);
#endif
