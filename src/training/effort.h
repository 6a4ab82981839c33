/* effort.h - a search for features that serve these photos better than the backbone's own.
 *
 * Each step tries one change of the extractor: a transform of the features, another backbone beside
 * the first, more views. It is kept where five-fold cross-validation on the training side says so:
 * the mean gain in log loss over the photos, in pairs, must exceed its standard error; a step that
 * costs nothing in prediction, a quarter of it. The validation side is not looked at. */
#ifndef HST_TRAINING_EFFORT_H
#define HST_TRAINING_EFFORT_H
#include "training/recipe.h"

enum { HST_EFFORT_MOST = 3 };

/* Arithmetic that a search may spend on new views, against one pass of all photos through the first
 * backbone, which is counted too. */
double hst_effort_budget(int effort);

/* Changes f's extractor and its run's features, whose views are kept, and the rows of both sides'
 * examples with them; notes each step in the run. Nothing to do with effort 0. Errors:
 * HST_ESTOPPED, HST_EMEM. */
HST_CHECK int hst_effort_search(hst_fit *f, hst_err *err);

/* Whether the losses b[n] of n photos are smaller in the mean than a[n], by more than margin times
 * the standard error of the difference in pairs. n < 2: never. */
int hst_effort_gains(const double *a, const double *b, size_t n, double margin);
#endif
