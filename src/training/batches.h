/* batches.h - what a step learns from, made of photos that were loaded: mixed, weighted, with what
 * dropout leaves of their features. */
#ifndef HST_TRAINING_BATCHES_H
#define HST_TRAINING_BATCHES_H
#include "training/loader.h"
#include "training/trainer.h"

typedef struct hst_batches {
    const hst_fit *fit;
    double *class_weight; /* [classes], or NULL */
    float *weight;        /* [batch], or NULL */
    int *other;           /* [batch] the labels mixed in, or NULL */
    uint8_t *keep;        /* [batch][dim], or NULL without dropout */
} hst_batches;

/* As the settings of f say; of up to `batch` photos. On failure hst_batches_clear() is still due.
 * Errors: HST_EMEM. */
HST_CHECK int hst_batches_init(hst_batches *b, const hst_fit *f, size_t batch, hst_err *err);
void hst_batches_clear(hst_batches *b);

/* Mixes the photos in their place. Until the next call. */
hst_train_batch hst_batches_make(hst_batches *b, const hst_load *load, double learning_rate);
#endif
