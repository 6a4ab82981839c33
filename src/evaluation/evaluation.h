/* evaluation.h - predictions over labelled photos, kept with what was computed from them. */
#ifndef HST_EVALUATION_EVALUATION_H
#define HST_EVALUATION_EVALUATION_H
#include "evaluation/metrics.h"

/* Photos of the largest class for one of the smallest, beyond which accuracy alone misleads. */
enum { HST_UNEQUAL = 5 };

struct hst_eval {
    int n_classes;
    char **labels;
    size_t n, n_skipped;    /* n: added so far; n_skipped: set by who adds */
    size_t n_stored;        /* of n, those that needed no forward pass; set by who adds */
    size_t cap;             /* room, in photos */
    int folds;              /* out of so many folds (hst_fold_trials); 1: of one model */
    uint64_t hits;          /* guess == truth */
    hst_eval_photo *photo;  /* [n]; of each, path and prob are its own */
    float *prob;            /* [n][n_classes] */
    uint64_t *confusion;    /* [truth][guess] */
    hst_class_score *score; /* [n_classes] */
    /* NaN where there are no photos: */
    double log_loss; /* mean of -ln p(truth), p clipped below at DBL_EPSILON as scikit-learn */
    double balanced_accuracy; /* mean recall of the classes that have photos */
    double imbalance;         /* photos of the largest of them for one of the smallest */
};

/* Room for n photos. Fill with hst_eval_add (HST_EARG: full, or truth out of range), then
 * hst_eval_finish. */
HST_CHECK hst_eval *hst_eval_new(const char *const *labels, int n_classes, size_t n, hst_err *err);
HST_CHECK int hst_eval_add(hst_eval *e, const char *path, int truth, const float *prob,
                           hst_err *err);
void hst_eval_finish(hst_eval *e);
#endif
