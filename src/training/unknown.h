/* unknown.h - what of its training photos a model keeps to know photos of no class by. */
#ifndef HST_TRAINING_UNKNOWN_H
#define HST_TRAINING_UNKNOWN_H
#include "training/recipe.h"

/* Gives the model what hst_unknown is made of, where the settings want that: e's photos to compare
 * with, as many as fit, the same number of each class as far as there are; and a threshold that
 * such a part of photos that the model has not learned from is above as the settings say
 * (split conformal prediction: of n scores the ceil((n + 1) (1 - part))-th). These photos are e's
 * own as o, of the same photos, has them: judged by heads of the other folds, compared with photos
 * of the other folds. Where o is empty, as after fine-tuning, they are those of the validation
 * side. Too few of them for that part, and the model does without: logged. The same bits for any
 * number of threads. Errors: HST_EMEM. */
HST_CHECK int hst_unknown_fit(hst_fit *f, const hst_examples *e, const hst_out_of_fold *o,
                              hst_err *err);
/* row[most]: of n photos those to compare with, ascending; returns how many, most or less. Each
 * class gives the same number, or all it has; of these they are evenly spaced. Negative: HST_EMEM.
 */
HST_CHECK int64_t hst_unknown_choose(const int *label, size_t n, int n_classes, size_t most,
                                     size_t *row, hst_err *err);
#endif
