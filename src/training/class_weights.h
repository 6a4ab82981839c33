/* class_weights.h - how much a photo of each class counts in training.
 *
 * Of n photos in k classes, n_c in class c, "balanced" gives each photo (n / (k n_c)), so that all
 * classes count the same; power X gives (n / (k n_c))^X, which for X below 1 is milder; a file
 * gives weights themselves. All are scaled so that photos weigh 1 in the mean, as they do with
 * "balanced" and without weights. */
#ifndef HST_TRAINING_CLASS_WEIGHTS_H
#define HST_TRAINING_CLASS_WEIGHTS_H
#include "dataset/dataset.h"

#define HST_CLASS_WEIGHT_NONE     "none"
#define HST_CLASS_WEIGHT_BALANCED "balanced"

enum hst_weighting { HST_UNWEIGHTED, HST_WEIGHT_POWER, HST_WEIGHT_GIVEN };

typedef struct hst_class_weights {
    enum hst_weighting kind;
    double power;  /* HST_WEIGHT_POWER; 1: balanced */
    double *given; /* HST_WEIGHT_GIVEN: [classes], owned */
} hst_class_weights;

/* "none", "balanced", "power:X" with X from 0 to 4, or a file of label,weight. d NULL: only the
 * text is looked at, and no file is opened. Errors: HST_EARG, HST_EIO, HST_EMEM. */
HST_CHECK int hst_class_weights_read(const char *text, const hst_data *d, hst_class_weights *w,
                                     hst_err *err);
void hst_class_weights_clear(hst_class_weights *w);

/* 1: every class counts the same. */
int hst_class_weights_are_equal(const hst_class_weights *w);
/* The weight of a photo of class c, of which there are n_c of n photos, but for the scale. */
double hst_class_weight_of(const hst_class_weights *w, int c, double n_c, double n, int n_classes);
#endif
