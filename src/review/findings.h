/* findings.h - what looks wrong, odd or hard among labelled photos, from their features.
 *
 * Three voices say how likely a photo's label is:
 *
 *   1  a classifier that has not seen it (out of fold);
 *   2  another one, over other folds, that has not learned from the photos that confident learning
 *      suspects after the first (robust.h), so that wrong labels cannot vouch for each other;
 *   3  its 40 nearest neighbours, suspects apart, each with a vote of exp(cosine / T), where T is
 *      1/16 of the distance that photos have in the mean (1 - their mean cosine).
 *
 * Each photo's probabilities are the mean of the three, its score is 1 - that of its label.
 * Measured with 5 % of the labels of flowers flipped (600 photos, efficientnet_lite0, 10 draws): of
 * as many photos with the highest scores as were flipped 79 % are flipped ones, and the average
 * precision is 0.87; with the first voice alone 73 % and 0.83. Clothing, other backbones and fewer
 * photos gain as much. Copies of a photo share its folds and are no neighbours of it. */
#ifndef HST_REVIEW_FINDINGS_H
#define HST_REVIEW_FINDINGS_H
#include "training/cross_validation.h"

/* Photos to look over; as for hst_logistic and hst_deal. */
typedef struct hst_findings_in {
    const float *const *x; /* [n] */
    hst_spill *home;       /* as of hst_logistic */
    const float *scale;    /* [dim] or NULL */
    const int *label;      /* [n] */
    const size_t *group;   /* [n] copies; NULL: found here, as photos with equal features */
    size_t n;
    int dim, n_classes;
    const hst_out_of_fold *out_of_fold; /* the first voice, of the same photos; NULL: made here */
    uint64_t seed;                      /* of folds */
} hst_findings_in;

/* What is found of one photo. */
typedef struct hst_finding {
    float prob;    /* of its label */
    int suggested; /* the most probable class, which may be its label */
    float suggested_prob;
    float next_prob; /* of the most probable class besides its label; 0: there is none */
    float distance;  /* 1 - the mean cosine to its 5 nearest neighbours; 2: it has none */
    char judged;     /* 0: there is no other photo of its class, and prob is 1 */
    char wrong;      /* the label is likely wrong: confident learning on the three voices' mean */
    char outlier;    /* farther than the third quartile of all by 1.5 times what lies between the
                        quartiles (Tukey 1977), among 20 photos at least */
    char hard;       /* the label is the most probable class, but by less than a quarter */
} hst_finding;

/* out[n]. The same bits for any number of threads. Errors: as of hst_cross_validate. */
HST_CHECK int hst_findings_make(const hst_ctx *ctx, const hst_findings_in *in, hst_finding *out,
                                hst_err *err);
#endif
