/* judge.h - whether the backbone learned to any use, and the head that fine-tuning ends with.
 *
 * A head that learned together with the backbone is behind it all the time; one like recipe
 * auto's, fitted to the features as they are in the end, is better. But photos that the backbone
 * has learned from tell little of either: their classes lie further apart than those of new ones.
 * So one of five folds of the training side is kept from the backbone. These photos choose the
 * head's L2 strength, and they decide between the network as it was and as it became, each with the
 * head that suits it. */
#ifndef HST_TRAINING_JUDGE_H
#define HST_TRAINING_JUDGE_H
#include "training/cross_validation.h"
#include "training/recipe.h"

typedef struct hst_judge {
    const hst_fit *fit;
    int *fold;              /* [train.n] 0: kept from the backbone, else HST_FOLDS; NULL: none is */
    hst_examples learn;     /* what the backbone learns from */
    double *weight;         /* [train.n], or NULL for 1 */
    hst_out_of_fold before; /* what the frozen features say */
    double l2;              /* of the head that was fitted last */
} hst_judge;

/* keep: photos are kept from the backbone, as far as there are any to spare. On failure
 * hst_judge_clear() is still due. Errors: HST_EMEM. */
HST_CHECK int hst_judge_init(hst_judge *j, const hst_fit *f, int keep, hst_err *err);
void hst_judge_clear(hst_judge *j);

/* While the features of the training side are the frozen backbone's. Errors: as hst_cross_validate.
 */
HST_CHECK int hst_judge_before(hst_judge *j, hst_err *err);
/* With the features that the backbone gives now. *better: it stays as it became, and the model's
 * head is fitted to it. It is given up where the loss on the photos kept from it rose by more than
 * the standard error of that. The verdict is recorded and logged. */
HST_CHECK int hst_judge_after(hst_judge *j, int *better, hst_err *err);
/* The head of recipe auto, on the features as they are. */
HST_CHECK int hst_judge_fit_auto(hst_judge *j, hst_err *err);
#endif
