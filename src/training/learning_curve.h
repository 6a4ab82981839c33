/* learning_curve.h - how accurate a head is that learned from a part of the photos, and what more
 * photos would bring.
 *
 * Five draws, one for each fold: the photos of the fold are judged by heads that learned from 10,
 * 20, 40, 80 and 100 % of those of the other folds, drawn class by class (at least one of each),
 * the smaller draws inside the larger ones; copies of a photo come and go together and share a
 * fold. So each photo is judged once at each size, by heads that have not seen it.
 *
 * The errors follow e(m) = a + b / sqrt(m), a >= 0 being what no number of photos takes away,
 * fitted by least squares with the weight m. Measured on thirds of flowers and clothing, 16 draws,
 * it foresaw +2.4, +2.4 and +2.7 points of twice as many photos where +1.9, +2.2 and +2.7 came;
 * with the exponent left free it scattered twice as much. The interval is that of 400 resamples of
 * the photos (bootstrap), each with its own fit: it holds what the choice of photos to judge leaves
 * open, not that the law may bend. */
#ifndef HST_TRAINING_LEARNING_CURVE_H
#define HST_TRAINING_LEARNING_CURVE_H
#include "training/cross_validation.h"

typedef struct hst_curve_in {
    const float *const *x; /* [n] */
    hst_spill *home;       /* as of hst_logistic */
    const float *scale;    /* [dim] or NULL */
    const int *label;      /* [n] */
    const double *weight;  /* [n] or NULL, as hst_logistic */
    const size_t *group;   /* [n] copies, as hst_deal; NULL: photos with equal features */
    size_t n;
    int dim, n_classes;
    const char *const *classes; /* [n_classes] names, for the words */
    /* Of the same photos: folds and strength are taken from it, and at 100 % its predictions. NULL:
     * made here. */
    const hst_out_of_fold *whole;
    uint64_t seed;
} hst_curve_in;

/* Whether there are enough photos, at least five a class in the mean. */
int hst_curve_possible(size_t n, int n_classes);
/* Whether it costs little beside training: some 0.15 s of one core at most. */
int hst_curve_cheap(size_t n, int dim, int n_classes);

/* The same bits for any number of threads. Errors: as of hst_cross_validate. */
HST_CHECK int hst_learning_curve_make(const hst_ctx *ctx, const hst_curve_in *in,
                                      hst_learning_curve *out, hst_err *err);
#endif
