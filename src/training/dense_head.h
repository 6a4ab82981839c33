/* dense_head.h - Dropout -> Dense(classes), trained by softmax cross-entropy as Keras computes it.
 *
 *   dropped = keep ? x * keep_scale : 0                  (inputs of one photo, [dim])
 *   logit   = dropped . kernel + bias                    ([classes])
 *   target  = (1 - smoothing) [class == label] + smoothing / classes
 *             (of a mixture of two photos: part [class == label] + (1 - part) [class == other])
 *   loss    = mean over the batch of -weight sum target * log(softmax(logit)),
 *             + l2 * sum kernel^2
 *
 * The L2 term has no factor 1/2, covers the kernel only and is part of every loss reported here.
 * Float32 as in Keras; only the softmax of a row and sums of losses run in double. */
#ifndef HST_TRAINING_DENSE_HEAD_H
#define HST_TRAINING_DENSE_HEAD_H
#include "base/err.h"

#include <stdint.h>

/* Examples in a given order, and what dropout leaves of each. */
typedef struct hst_head_batch {
    const float *const *x; /* rows of dim floats */
    const int *label;
    const size_t *order; /* [n] indices into x and label; NULL: 0 .. n-1 */
    size_t n;
    const uint8_t *keep; /* [n][dim] 1: the input stays, 0: it is dropped; NULL: all stay */
    float keep_scale;    /* 1 / (1 - dropout): the mean input stays the same */
    const float *weight; /* [n] factor of each photo's loss, or NULL for 1 */
    const int *other;    /* [n] second label of each, or NULL for none; in the order of the batch */
    float part;          /* of the first, where there is a second */
} hst_head_batch;

typedef struct hst_batch_score {
    double loss;  /* mean over the batch, with the L2 term */
    size_t right; /* rows whose largest logit, the first of equals, is the label's */
} hst_batch_score;

typedef struct hst_dense_head {
    int dim, n_classes;
    float l2, label_smoothing;
    size_t n_params; /* (dim + 1) * n_classes */
    float *param;    /* [n_classes][dim] kernel, transposed; [n_classes] bias */
    float *grad;     /* as param; behind it, in the same memory, total */
    /* Working memory, for batches of up to max_batch: */
    size_t max_batch;
    float *dropped;         /* [max_batch][dim] */
    float *delta;           /* [max_batch][n_classes] d loss / d logit */
    double *p;              /* [n_classes] */
    hst_batch_score *row;   /* [max_batch] each row's */
    hst_batch_score *total; /* of the rows added so far: sums */
    size_t sum_bytes;       /* of grad and total */
} hst_dense_head;

/* What a step's dropout depends on, and nothing else. */
typedef struct hst_dropout {
    uint64_t seed;
    uint32_t step;
    double part; /* of the inputs */
} hst_dropout;
/* keep[n][dim] of a batch; rows draw from streams of their own. */
void hst_dropout_draw(const hst_dropout *d, size_t n, size_t dim, uint8_t *keep);

/* Parameters zero. On failure hst_dense_head_clear() is still due. */
HST_CHECK int hst_dense_head_init(hst_dense_head *h, int dim, int n_classes, size_t max_batch,
                                  hst_err *err);
void hst_dense_head_clear(hst_dense_head *h);

/* Between param and kernel[dim][n_classes], bias[n_classes]. */
void hst_dense_head_set(hst_dense_head *h, const float *kernel, const float *bias);
void hst_dense_head_get(const hst_dense_head *h, float *kernel, float *bias);

/* Fills h->grad from a batch of 1 .. max_batch rows. */
hst_batch_score hst_dense_head_gradient(hst_dense_head *h, const hst_head_batch *b);
/* The same in pieces, for a batch whose rows are in several processes. Of rows first .. first+n-1:
 * looks at them; then, h->grad and h->total being what the rows in front made (begin: none), adds
 * them. end: the score, when all are added. */
void hst_dense_head_look(hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n);
void hst_dense_head_begin(hst_dense_head *h);
void hst_dense_head_add(hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n);
hst_batch_score hst_dense_head_end(const hst_dense_head *h, const hst_head_batch *b);
/* Of rows that were looked at, while the parameters are as they were: out[n][dim] is
 * d loss / d x. */
void hst_dense_head_inputs(const hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n,
                           float *out);
/* The score alone, of any number of rows (b->keep is not looked at). */
hst_batch_score hst_dense_head_score(hst_dense_head *h, const hst_head_batch *b);
#endif
