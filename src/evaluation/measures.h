/* measures.h - metrics of an evaluation by name, computed when they are asked for and then kept. */
#ifndef HST_EVALUATION_MEASURES_H
#define HST_EVALUATION_MEASURES_H
#include "evaluation/auroc.h"
#include "evaluation/evaluation.h"
#include "evaluation/outcomes.h"

/* What was asked for so far. */
struct hst_measures {
    hst_outcomes outcomes; /* photo NULL: not made yet */
    int have_values, have_intervals;
    double value[HST_N_MEASURES], low[HST_N_MEASURES], high[HST_N_MEASURES];
    hst_estimate *area; /* [n_classes + 1], NULL: not yet */
    int have_area_intervals;
    /* Of labels and numbers (hst_target_values): [measures] values, low and high ends, one behind
     * the other; NULL: not yet. */
    double *of_target;
    int have_target_intervals;
};

HST_CHECK struct hst_measures *hst_measures_new(hst_err *err);
void hst_measures_clear(struct hst_measures *m); /* as new */
void hst_measures_free(struct hst_measures *m);
#endif
