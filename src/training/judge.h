/* judge.h - what of the learning is kept, and the head that fine-tuning ends with.
 *
 * A head that learned together with the backbone is behind it all the time; one like recipe
 * auto's, fitted to the features as they are in the end, is better. But photos that the backbone
 * has learned from tell little of either: their classes lie further apart than those of new ones.
 * So one of five folds of the training side is kept from the backbone. These photos choose the
 * head's L2 strength, and they decide between three backbones, each with the head that suits it:
 * as it was, as it became, and the mean of the two's weights, which is often better than either
 * (Wortsman et al. 2022, arXiv 2109.01903). */
#ifndef HST_TRAINING_JUDGE_H
#define HST_TRAINING_JUDGE_H
#include "training/recipe.h"
#include "training/temperature.h"

enum hst_tuned { HST_FROZEN, HST_HALFWAY, HST_TUNED, HST_N_TUNED };

typedef struct hst_judge {
    const hst_fit *fit;
    int *fold;          /* [train.n] 0: kept from the backbone, else HST_FOLDS; NULL: none is */
    hst_examples learn; /* what the backbone learns from */
    double *weight;     /* [train.n], or NULL for 1 */
    double loss[HST_N_TUNED], l2[HST_N_TUNED]; /* on the photos kept from it, and the head's */
    hst_temperature temperature[HST_N_TUNED];  /* of these photos */
} hst_judge;

/* keep: photos are kept from the backbone, as far as there are any to spare. On failure
 * hst_judge_clear() is still due. Errors: HST_EMEM. */
HST_CHECK int hst_judge_init(hst_judge *j, const hst_fit *f, int keep, hst_err *err);
void hst_judge_clear(hst_judge *j);

/* Asks the photos kept from the backbone while the features of the training side are those of
 * `which`. Errors: as hst_cross_validate. */
HST_CHECK int hst_judge_ask(hst_judge *j, enum hst_tuned which, hst_err *err);
/* Once all were asked: the one with the smallest loss, of equals the least changed; without photos
 * to ask HST_TUNED. Recorded and logged. */
HST_CHECK int hst_judge_decide(const hst_judge *j, enum hst_tuned *best, hst_err *err);
/* The model's head on the features as they are, those of `which`. HST_FROZEN: recipe auto's. */
HST_CHECK int hst_judge_fit(hst_judge *j, enum hst_tuned which, hst_err *err);
#endif
