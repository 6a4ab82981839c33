/* recipe.h - ways to train, on frozen features or on photos. One file a recipe, one line in
 * train.c. */
#ifndef HST_TRAINING_RECIPE_H
#define HST_TRAINING_RECIPE_H
#include "model/model.h"
#include "training/run.h"

/* The usable photos of one side. Rows point into the run's features. */
typedef struct hst_examples {
    const float **x; /* [n] rows of dim floats */
    hst_spill *home; /* where the rows live (hst_logistic) */
    int *label;      /* [n] of classes */
    uint8_t *marks;  /* [n][classes] of labels; else NULL */
    double *number;  /* [n] of numbers; else NULL */
    size_t *photo;   /* [n] index in the data */
    size_t *group;   /* [n] copies and near copies among them (hst_deal); NULL: copies are */
    size_t n;
} hst_examples;

typedef struct hst_fit {
    hst_ctx *ctx;
    hst_run *run; /* history is filled here */
    hst_examples train, validation;
    hst_examples all;            /* both; made where the final head learns from them */
    hst_extractor *extractor;    /* until the model has it */
    double began_s;              /* when training began, in hst_now_s */
    hst_out_of_fold out_of_fold; /* of train, where no final head learns from all; n 0: not made */
    double l2; /* above 0: the head\'s strength, chosen on photos that no backbone has seen */
    hst_model *model; /* kernel, bias and record are filled here; the backbone, when it learned */
} hst_fit;

typedef struct hst_recipe {
    /* Refuses backbones and settings that the table of settings lets pass (HST_EARG). Called before
     * any photo is read; NULL: nothing to refuse. */
    int (*check)(const hst_settings *s, const hst_backbone *b, hst_err *err);
    int (*fit)(hst_fit *f, hst_err *err);
    /* The head again, from f->all, and the run's predictions out of fold; NULL: always of the
     * training side. */
    int (*fit_all)(hst_fit *f, hst_err *err);
} hst_recipe;

extern const hst_recipe hst_recipe_auto, hst_recipe_fine_tune, hst_recipe_tutorial;
/* Recipe auto of photos with several labels, and with a number. */
extern const hst_recipe hst_recipe_labels, hst_recipe_number;
/* HST_EARG: a setting that is for photos of one class each, where d has others. */
HST_CHECK int hst_target_check(const hst_settings *s, const hst_data *d, hst_err *err);

/* weight[n_classes] of the photos of each class (class_weights.h). No class is empty. */
void hst_weigh_classes(const hst_class_weights *w, const hst_examples *e, int n_classes,
                       double *weight);
/* The same of each photo, [e->n]. NULL: HST_EMEM. */
HST_CHECK double *hst_photo_weights(const hst_class_weights *w, const hst_examples *e,
                                    int n_classes, hst_err *err);

/* Logistic regression to convergence, its L2 strength chosen by cross-validation (auto.c): fills
 * the model's head. */
HST_CHECK int hst_fit_logistic(hst_fit *f, hst_err *err);

/* scale[e->dim] that brings the features of each branch to a mean length of 1 over the rows x[n],
 * so that none outweighs another; 1 where there is one branch. home: of the rows, or NULL. */
void hst_branch_scales(const hst_extractor *e, const float *const *x, hst_spill *home, size_t n,
                       float *scale);

/* Adds a line to the run's history. */
HST_CHECK int hst_run_add_epoch(hst_run *r, const hst_epoch *e, hst_err *err);
/* The same, and logs it; where nothing was kept aside, val_loss and val_accuracy are not looked at.
 * Errors: HST_EARG when a loss is no finite number. */
HST_CHECK int hst_run_end_epoch(hst_fit *f, const hst_epoch *e, hst_err *err);

/* Mean cross-entropy -ln p(label) and accuracy of the model's head over examples; of none -1. */
HST_CHECK int hst_head_score(const hst_model *m, const hst_examples *e, double *loss,
                             double *accuracy, hst_err *err);

/* A record line with a number, written so that it reads back exactly. */
HST_CHECK int hst_record_number(hst_model *m, const char *key, double value, hst_err *err);
/* What the run was set to, as far as not all recipes have it. */
HST_CHECK int hst_record_settings(hst_model *m, const hst_settings *s, hst_err *err);
#endif
