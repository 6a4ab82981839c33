/* effort_search.h - what the steps of a search for better features share (effort.h). */
#ifndef HST_TRAINING_EFFORT_SEARCH_H
#define HST_TRAINING_EFFORT_SEARCH_H
#include "training/cross_validation.h"
#include "training/recipe.h"

typedef struct hst_search {
    hst_fit *fit;
    double spent;   /* passes of all photos so far */
    double budget;  /* and how many there may be */
    double began_s; /* of the training, for time_s */
    int *fold;      /* [train.n] the same folds for every candidate */
    double *loss;   /* [train.n] of what is kept: -ln p(label), out of fold */
    double *weight; /* [train.n] with which a photo is learned from, or NULL for 1 */
} hst_search;

/* Out-of-fold losses of the training side under an extractor with features g, into loss[train.n]; 0
 * where a photo was not held out. */
HST_CHECK int hst_search_judge(const hst_search *s, const hst_extractor *e, const hst_features *g,
                               const int *fold, double *loss, hst_effort_step *step, hst_err *err);
/* Passes that a candidate's new views cost; whether there is time and budget left for so many. */
double hst_search_passes(const hst_search *s, const hst_extractor *c);
int hst_search_affordable(const hst_search *s, double passes);
/* Tries an extractor, which is taken; NULL: it could not be made. Kept, it is the fit's. */
HST_CHECK int hst_search_consider(hst_search *s, const char *what, hst_extractor *c, hst_err *err);
/* Takes a candidate with its features and losses. */
void hst_search_keep(hst_search *s, hst_extractor *c, hst_features *g, double *loss);
HST_CHECK int hst_search_note(hst_search *s, const hst_effort_step *step, hst_err *err);

/* *more, a copy of p, of the photo's middle, 7/8 of the shorter edge; 0: p is a part already. */
int hst_search_cropped(const hst_prep *p, hst_prep *more);

/* Up to `most` of the backbones that are here already, beside the first. */
HST_CHECK int hst_search_companions(hst_search *s, int most, hst_err *err);
/* The first backbone after fine-tuning, beside what there is. Its step must come last: what follows
 * would be judged on photos that it has learned from. */
HST_CHECK int hst_search_tuned(hst_search *s, hst_err *err);
#endif
