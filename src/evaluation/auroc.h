/* auroc.h - area under the receiver operating characteristic of each class against the rest: how
 * often a photo of the class has a larger probability of it than one of another class has; equal
 * ones count half (Mann-Whitney). */
#ifndef HST_EVALUATION_AUROC_H
#define HST_EVALUATION_AUROC_H
#include "evaluation/outcomes.h"

/* Photos times classes up to which intervals are bootstrapped. */
enum { HST_AUROC_MOST = 1 << 17 };

/* area[n_classes + 1]: of each class and, behind them, the mean of those that are not NaN; values
 * only; NaN where the class, or the rest, has no photo. Errors: HST_EMEM. */
HST_CHECK int hst_auroc(const hst_outcomes *s, hst_estimate *area, hst_err *err);
/* Fills the intervals in, once the values are there. With at most `most` photos times classes that
 * have photos: percentiles of the bootstrap. With more, where that takes minutes: value +- 1.96
 * standard errors, those of the infinitesimal jackknife, which is DeLong's variance (DeLong et al.
 * 1988) with n in place of n - 1; over the mean of the classes photo by photo. */
HST_CHECK int hst_auroc_intervals(const hst_outcomes *s, size_t most, hst_estimate *area,
                                  hst_err *err);
#endif
