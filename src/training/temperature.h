/* temperature.h - probabilities that mean what they say.
 *
 * Of photos that are given 0.8 about four of five should be right. Where a classifier is too sure,
 * or not sure enough, dividing its logits by one number, the temperature, is most of the
 * cure (Guo et al. 2017, arXiv 1706.04599). It is chosen on photos that the classifier has not
 * learned from, and changes no guess. The head is divided by it, so that whoever uses the head
 * predicts calibrated. */
#ifndef HST_TRAINING_TEMPERATURE_H
#define HST_TRAINING_TEMPERATURE_H
#include "training/cross_validation.h"
#include "training/recipe.h"

typedef struct hst_temperature {
    double t;             /* 1: nothing changes; 0: none was fitted */
    double before, after; /* mean log loss of the held-out photos */
} hst_temperature;

/* The temperature of smallest log loss over the photos that were held out, whose labels are given,
 * each counted with its weight (NULL: 1), and a normal prior on ln t with mean 0 and deviation 0.5,
 * which matters where there are few dozen photos: three photos that all came out right would make a
 * classifier as sure as it can be. Between 0.05 and 20; t 0 where no photo was held out. */
hst_temperature hst_temperature_fit(const hst_out_of_fold *o, const int *label,
                                    const double *weight);
/* The predictions of heads that are divided by t. */
void hst_temperature_cool(double t, hst_out_of_fold *o);
/* Divides the model's head by it, and records it: "temperature", "log_loss_uncalibrated",
 * "log_loss_calibrated". Nothing where none was fitted. Errors: HST_EMEM. */
HST_CHECK int hst_temperature_apply(const hst_temperature *t, hst_model *m, hst_err *err);
#endif
