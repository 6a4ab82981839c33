/* loader.h - photos for the next step, read and prepared while this one is computed. */
#ifndef HST_TRAINING_LOADER_H
#define HST_TRAINING_LOADER_H
#include "images/augment.h"
#include "training/mixing.h"
#include "training/recipe.h"
#include "training/sampler.h"

/* A photo of f's data as it is learned from in a pass: out[height][width][3]. Any thread may call
 * it. Errors: HST_EDATA (it could be read before and cannot be any more), HST_EMEM. */
HST_CHECK int hst_load_photo(const hst_fit *f, enum hst_augment how, uint32_t pass, size_t photo,
                             float *out, hst_err *err);

/* The photos of one step. */
typedef struct hst_load {
    uint64_t step;
    size_t n;
    hst_mix_rows rows; /* of them those that this process learns from */
    /* [n][height][width][3], of the own rows and, where photos are mixed, of their partners; the
     * caller may change them */
    float *x;
    size_t *photo; /* [n] indices in the data */
    int *label;    /* [n] */
} hst_load;

/* HST_EARG: in their step, of epoch 0, 1, ..., training left the range of numbers. The message
 * names them, and says where there is a checkpoint; when they are too many, the log has them all.
 */
int hst_load_diverged(const hst_fit *f, const hst_load *b, int epoch, int has_checkpoint,
                      hst_err *err);

typedef struct hst_loader hst_loader;

/* Batches of f's photos that are in `from`, shared out to the processes of the job. Borrows all
 * three. Errors: HST_EMEM. */
HST_CHECK hst_loader *hst_loader_new(const hst_fit *f, const hst_examples *from, hst_sampler *s,
                                     enum hst_augment how, hst_err *err);
void hst_loader_free(hst_loader *l);

/* The photos of a step, which stay until the call after the next; those of the step behind it are
 * begun to be read unless it is `end`. Errors: HST_EDATA (a photo that could be read before cannot
 * be any more), HST_EMEM. */
HST_CHECK const hst_load *hst_loader_take(hst_loader *l, uint64_t step, uint64_t end, hst_err *err);
#endif
