/* checkpoint.h - training at one moment, as a file from which it goes on to the same bytes.
 *
 * safetensors: "backbone/<param>", "head/param", the optimisers' running means, F64 "progress" and
 * "history", where they are kept the mean of the weights, with early stopping the best ones so far,
 * and the learning rate that a range test found. Metadata: what it was made for (options, data,
 * backbone), a line each, what computed it (kernels, version), and a digest of it all. The file is
 * replaced in one move once the new one is durable, so there is always a whole one. */
#ifndef HST_TRAINING_CHECKPOINT_H
#define HST_TRAINING_CHECKPOINT_H
#include "base/ranks.h"
#include "training/recipe.h"
#include "training/trainer.h"

/* What training goes on from, besides weights and running means. */
typedef struct hst_resume_state {
    uint64_t step;            /* steps done */
    double loss, right, seen; /* of the steps of this epoch: sums over photos */
    int epoch;                /* epochs finished: scored and in the history */
    double best_loss;         /* of validation, with early stopping */
    int best_epoch;
} hst_resume_state;

/* The weights of an earlier epoch. */
typedef struct hst_best {
    float *param; /* [n] of the graph, one after the other */
    float *head;  /* as in the head */
    size_t n;     /* 0: nothing is kept */
} hst_best;

typedef struct hst_checkpoint {
    const hst_ctx *ctx;
    hst_trainer *trainer;
    hst_run *run; /* its history */
    hst_resume_state *state;
    hst_best *best;
    double *found_rate;  /* the learning rate, where it was found before training; else NULL */
    const char *options; /* "epochs=5\nbatch=32\n...": what decides the result */
    char data[65];       /* hst_checkpoint_data */
} hst_checkpoint;

/* What of the photos decides the result: SHA-256 of them in their order, with label, side and
 * whether they could be used. */
HST_CHECK int hst_checkpoint_data(const hst_run *r, char hex[65], hst_err *err);

HST_CHECK int hst_checkpoint_write(const hst_checkpoint *c, const char *path, hst_err *err);
/* Fills trainer, history, state and best. HST_EARG when the file was made with other options,
 * other photos or another backbone, which the message names; HST_EMODEL when it is damaged. Other
 * kernels or another version of the library are only warned about: training goes on, to other last
 * bits. */
HST_CHECK int hst_checkpoint_read(const hst_checkpoint *c, const char *path, hst_err *err);

/* What training is at on rank 0, on all ranks, which may have nothing of it yet. Errors: as
 * hst_ranks_broadcast. */
HST_CHECK int hst_checkpoint_share(const hst_checkpoint *c, hst_ranks *r, hst_err *err);

/* HST_EARG, on every rank, where one would learn from other photos or weights, or in another way,
 * than rank 0. */
HST_CHECK int hst_checkpoint_alike(const hst_ctx *ctx, const hst_run *run, hst_err *err);

/* Before any photo is read: unless o->resume is set, a checkpoint of an earlier run in o->run_dir
 * is removed, since from now on it is this run's place. Errors: HST_EIO, HST_EMEM. */
HST_CHECK int hst_checkpoint_claim(const hst_ctx *ctx, const hst_settings *o, hst_err *err);

/* The file's name in the run folder. */
#define HST_CHECKPOINT_NAME "checkpoint.safetensors"
#endif
