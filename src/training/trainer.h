/* trainer.h - a backbone and its head, learning together, step by step. */
#ifndef HST_TRAINING_TRAINER_H
#define HST_TRAINING_TRAINER_H
#include "backbones/backbone.h"
#include "nn/learn.h"
#include "training/dense_head.h"
#include "training/optimiser.h"
#include "training/thaw.h"

/* The parameters of one layer, which learn at a rate of their own. */
typedef struct hst_group {
    hst_optimiser optimiser;
    size_t begin; /* of the learning parameters */
    int decays;   /* 1: the optimiser's weight decay is for them */
    double rate;  /* factor of the learning rate */
} hst_group;

typedef struct hst_trainer {
    hst_graph *graph; /* the weights; the backbone they came from stays as it is */
    hst_learn *learn;
    hst_ranks *ranks; /* the processes that learn together, or NULL */
    hst_dense_head head;
    hst_optimiser head_optimiser;
    hst_group *group; /* [n_groups], in the order of the parameters */
    size_t n_groups;
    float *grad;       /* [hst_learn_count] */
    float *features;   /* [max_batch][dim] */
    float *dfeatures;  /* as features */
    const float **row; /* [max_batch] rows of features */
    double clip;
    /* The mean of the learning parameters and of the head's over the steps; NULL: none is kept. */
    double ema;
    float *mean;      /* [hst_learn_count] */
    float *head_mean; /* as the head's */
} hst_trainer;

typedef struct hst_trainer_options {
    hst_thaw thaw;
    hst_learn_options learn; /* first_node, max_batch, executor, precision and ranks are set here */
    size_t max_batch;
    int n_classes;
    const hst_optimiser_rule *rule;
    double momentum;    /* negative: none */
    double layer_decay; /* the rate of a layer: this times that of the layer behind it */
    double clip;        /* a gradient longer than this is shortened to it; 0: never */
    double l2, label_smoothing;
    double ema; /* decay of the mean of the weights; 0 or less: none */
} hst_trainer_options;

/* Starts from b's weights, the head zero. On failure hst_trainer_clear() is still due. Errors:
 * HST_EMEM, HST_EMODEL. */
HST_CHECK int hst_trainer_init(hst_trainer *t, const hst_ctx *ctx, const hst_backbone *b,
                               const hst_trainer_options *o, hst_err *err);
void hst_trainer_clear(hst_trainer *t);

/* What one step learns from: photos prepared, and their labels. */
typedef struct hst_train_batch {
    /* [own][height][width][3]: those of the batch's n that are this process's (hst_learn_own) */
    const float *x;
    hst_head_batch head; /* of all n; its x is filled here */
    double learning_rate;
} hst_train_batch;

/* One step, of all processes of the job together. A loss, a gradient or, after it, weights that are
 * not finite show in score->loss. Errors: HST_EPROC, of the processes. */
HST_CHECK int hst_trainer_step(hst_trainer *t, hst_train_batch *batch, hst_batch_score *score,
                               hst_err *err);

/* Where a mean of the weights is kept: begins with the weights as they are; takes those after so
 * many steps into it; puts it in the place of the weights, and back. No step in between. */
void hst_trainer_mean_start(hst_trainer *t);
void hst_trainer_mean_move(hst_trainer *t, uint64_t steps);
void hst_trainer_mean_exchange(hst_trainer *t);
/* The backbone's parameters, statistics too, one after the other: how many; out of the graph; into
 * it; and their mean with those of another graph of the same network, in their place. */
size_t hst_trainer_n_params(const hst_trainer *t);
void hst_trainer_get(const hst_trainer *t, float *out);
void hst_trainer_set(hst_trainer *t, const float *x);
/* What a trial of some steps starts from, and is undone to: weights, statistics and head. The
 * optimisers begin anew, so it comes before the first step. *kept is the caller's to free. */
HST_CHECK int hst_trainer_keep(const hst_trainer *t, float **kept, hst_err *err);
void hst_trainer_undo(hst_trainer *t, const float *kept);
void hst_trainer_go_halfway(hst_trainer *t, const hst_graph *other);
#endif
