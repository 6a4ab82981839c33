/* run.h - what a training run did, kept for whoever reports it. */
#ifndef HST_TRAINING_RUN_H
#define HST_TRAINING_RUN_H
#include "evaluation/evaluation.h"
#include "features/features.h"
#include "training/cross_validation.h"
#include "training/settings.h"

/* One line of results.csv. Losses are means over photos; accuracies 0..1. */
typedef struct hst_epoch {
    int epoch; /* 1, 2, ...; 0: the head alone, before the backbone learned */
    double train_loss, train_accuracy;
    double val_loss, val_accuracy; /* negative: no photo was kept aside */
    double lr;                     /* learning rate; 0 where the recipe has none */
} hst_epoch;

typedef struct hst_phase {
    const char *what; /* "features", "training", "evaluation" */
    double seconds;
} hst_phase;

enum { HST_MAX_PHASES = 8 };

struct hst_run {
    const hst_data *data;         /* borrowed */
    const hst_backbone *backbone; /* borrowed */
    hst_ctx ctx; /* threads and kernels for what is worked out later; silent, nothing to close */
    hst_settings settings;                  /* its texts are constants and what follows */
    char *thaw, *prior_text, *class_weight; /* NULL: none */
    hst_class_weights class_weights;
    double *prior;               /* [classes] shares, sum 1; NULL: as trained */
    hst_features *features;      /* owned: vectors, hashes, reasons for skipping */
    uint8_t *side;               /* [photos] enum hst_side */
    hst_near near;               /* near copies among the photos */
    size_t *group;               /* [photos] of copies and near copies (hst_near_copies_group) */
    size_t n_train;              /* photos that the final head learned from */
    hst_eval *holdout;           /* of the validation side, by a head of the training side */
    hst_eval *eval;              /* out of fold, of all photos; NULL: the final head is holdout's */
    hst_out_of_fold out_of_fold; /* of all usable photos; n 0: not made */
    size_t *out_of_fold_photo;   /* [out_of_fold.n] index in the data */
    hst_epoch *history;
    size_t n_history;
    hst_learning_curve *curve; /* NULL: not made */
    hst_effort_step *step;     /* what a search for better features tried (effort.h) */
    size_t n_steps;
    hst_phase phase[HST_MAX_PHASES];
    int n_phases;
};
#endif
