/* tune.h - the loop in which a backbone and its head learn from photos. */
#ifndef HST_TRAINING_TUNE_H
#define HST_TRAINING_TUNE_H
#include "training/recipe.h"

/* What recipes do differently. */
typedef struct hst_tuning {
    /* Sets the head that training begins with, in the model; not called when training goes on from
     * a checkpoint. */
    int (*start)(hst_fit *f, hst_err *err);
    int refit;         /* 1: the head is fitted anew in the end (judge.h) */
    int first_phase;   /* 1: start is a phase of training: its result is epoch 0 of the history */
    int whole_batches; /* 1: an epoch is n / batch steps; 0: all photos */
} hst_tuning;

/* Trains f's backbone and head as f->run->settings say; fills the model's head, backbone and
 * record, and the features of the validation photos under the new weights. */
HST_CHECK int hst_tune(hst_fit *f, const hst_tuning *how, hst_err *err);
#endif
