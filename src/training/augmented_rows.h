/* augmented_rows.h - photos for a linear classifier, and augmented views of each.
 *
 * A photo and its views are a group that is held out together. Together they weigh what the photo
 * did; held out, the photo counts and its views do not, since nobody will ask about them. */
#ifndef HST_TRAINING_AUGMENTED_ROWS_H
#define HST_TRAINING_AUGMENTED_ROWS_H
#include "training/cross_validation.h"
#include "training/recipe.h"

typedef struct hst_augmented_rows {
    size_t n;        /* (1 + views) * photos */
    const float **x; /* [n] the photos first, then the views of one after those of the other */
    int *label;      /* [n] */
    double *weight;  /* [n] with which a row is learned from */
    double *score;   /* [n] with which it counts when it is held out */
    int *fold;       /* [n] of hst_folds_deal */
    float *views;    /* [photos][views][dim] */
} hst_augmented_rows;

/* Of e's photos with the run's number of views, seen through the model's extractor. weight[e->n]:
 * of the photos; NULL: 1. Errors: as hst_features_changed. On failure hst_augmented_rows_clear() is
 * still due. */
HST_CHECK int hst_augmented_rows_make(const hst_fit *f, const hst_examples *e, const double *weight,
                                      hst_augmented_rows *out, hst_err *err);
void hst_augmented_rows_clear(hst_augmented_rows *r);
#endif
