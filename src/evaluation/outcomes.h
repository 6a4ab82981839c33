/* outcomes.h - the counted photos of an evaluation as the few numbers that metrics are made of, and
 * the bootstrap over them (Efron and Tibshirani 1993): photos are drawn again, with replacement,
 * and how the metric varies from one such sample to the next tells how sure it is. */
#ifndef HST_EVALUATION_OUTCOMES_H
#define HST_EVALUATION_OUTCOMES_H
#include "base/err.h"

enum {
    HST_RESAMPLES = 1000,
    HST_BINS = 15 /* of confidence, of equal width; the k-th is (k / 15, (k + 1) / 15] */
};

typedef struct hst_outcome {
    const float *prob; /* [n_classes], its owner's */
    int truth, guess;
    int rank;          /* of the true class (hst_rank) */
    double confidence; /* the largest probability */
    double log_loss, brier;
} hst_outcome;

typedef struct hst_outcomes {
    size_t n;
    int n_classes;
    hst_outcome *photo; /* [n] */
    size_t draws;       /* photos of a sample drawn again */
} hst_outcomes;

/* What is computed from a sample in one go; a formula each in outcomes.c. */
enum hst_measure {
    HST_BALANCED_ACCURACY,
    HST_LOG_LOSS,
    HST_BRIER,
    HST_MACRO_PRECISION,
    HST_MACRO_RECALL,
    HST_MACRO_F1,
    HST_WEIGHTED_PRECISION,
    HST_WEIGHTED_F1,
    HST_CALIBRATION_ERROR,
    HST_N_MEASURES
};

/* The bin of a photo by its confidence. */
int hst_bin(double confidence);

/* times[i]: how often the i-th photo is in the b-th sample drawn again. It depends on nothing but
 * n, draws and b. */
void hst_resample(const hst_outcomes *s, uint32_t b, uint32_t *times);

/* value[HST_N_MEASURES]; NaN without photos. Errors: HST_EMEM. */
HST_CHECK int hst_outcomes_measure(const hst_outcomes *s, double *value, hst_err *err);
/* The ends of the 95 % intervals around value[HST_N_MEASURES]. Errors: HST_EMEM. */
HST_CHECK int hst_outcomes_bootstrap(const hst_outcomes *s, const double *value, double *low,
                                     double *high, hst_err *err);

/* The 2.5th and the 97.5th percentile of x[n], which is sorted by it; numbers between two of them
 * as NumPy has them (linear). NaN is left out; both are NaN where nothing is left. */
void hst_percentiles(double *x, size_t n, double *low, double *high);
#endif
