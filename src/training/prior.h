/* prior.h - which shares of photos a model is to expect, in place of those it learned from.
 *
 * A classifier that has learned from shares s_c of photos gives p(c | x) ~ p(x | c) s_c. Where the
 * photos to come have shares q_c it should give p(c | x) q_c / s_c, made to sum to 1 (Saerens,
 * Latinne and Decaestecker 2002): of a softmax ln(q_c / s_c) more in the bias of class c. */
#ifndef HST_TRAINING_PRIOR_H
#define HST_TRAINING_PRIOR_H
#include "training/recipe.h"

/* What text stands for: "as-trained" (*prior NULL), "balanced", or a CSV file with a line
 * label,share for each class (a first line of other words is a header); shares are divided by their
 * sum. (*prior)[classes] is the caller's to free. Errors: HST_EARG (no such file, a class that is
 * missing, unknown or there twice, a share that is no number above 0), HST_EIO, HST_EMEM. */
HST_CHECK int hst_prior_read(const char *text, const hst_data *d, double **prior, hst_err *err);

/* Logs that there are priors, where classes of the training side are unequal and no prior or class
 * weight does anything about it. */
void hst_prior_suggest(const hst_fit *f);

/* share[classes]: of the photos, each counted with the weight it is learned from with. */
void hst_prior_shares(const hst_examples *e, int n_classes, const hst_class_weights *w,
                      double *share);

/* bias[c] += ln(prior[c] / share[c]). */
void hst_prior_shift(const double *prior, const double *share, int n_classes, float *bias);

/* Moves the model's head, which has learned from e, to the prior of f's run, and records it: to be
 * called once after each fit of the final head. */
HST_CHECK int hst_prior_apply(hst_fit *f, const hst_examples *e, hst_err *err);
/* The same for predictions of e's photos by heads that learned from shares like e's. */
HST_CHECK int hst_prior_reweight(const hst_fit *f, const hst_examples *e, hst_out_of_fold *o,
                                 hst_err *err);
#endif
