/* design_matrix.h - feature rows made ready for a linear classifier, and the two products it needs.
 */
#ifndef HST_TRAINING_DESIGN_MATRIX_H
#define HST_TRAINING_DESIGN_MATRIX_H
#include "base/executor.h"
#include "base/spill.h"
#include "kernels/kernels.h"
#include "training/logistic.h"

/* Rows z_i = (x_i - mean) / scale, scale^2 = weighted mean of |x_i - mean|^2: centred, and of
 * length 1 in the mean. One scale for all features keeps the penalty's meaning (every direction of
 * feature space counts the same) and makes a given strength mean the same for any backbone.
 * Centring changes the bias only, which is not penalised. */
typedef struct hst_design {
    const hst_kernels *kernels;
    hst_spill *rows; /* where z lives */
    float *z;        /* [n][p] */
    size_t n;
    int p;
    double *mean; /* [dim] */
    double scale; /* 1 where all rows are equal */
    /* The rows again, packed block by block as the right side of a product. NULL: rows in a file
     * are packed each time, which takes less time than reading twice as much. */
    float *packed;
    size_t packed_block; /* floats from block to block */
} hst_design;

/* HST_EDATA when a feature or weight is not finite or no weight is positive; HST_EMEM. Ends with
 * hst_design_clear, also after failure. */
HST_CHECK int hst_design_make(hst_design *r, const hst_ctx *ctx, const hst_logistic *p,
                              hst_err *err);
void hst_design_clear(hst_design *r);

/* The head of theta (softmax_fit.h), which was fitted to rows that were not reduced: from classes
 * first and rows as they are here to kernel[dim][n_classes] and the caller's units. */
void hst_design_restore(const hst_design *r, const hst_logistic *of, const double *theta,
                        float *kernel, float *bias);

/* With fewer rows than columns the rows live in a space of n dimensions: Z Z^T = L L^T (Cholesky),
 * and the rows of L have the same lengths and angles as those of Z, so that the same losses are
 * reached by kernels of the same length. Replaces Z by L [n][n] where that is smaller. */
HST_CHECK int hst_design_reduce(hst_design *r, hst_executor *ex, hst_err *err);

/* Before the first product. */
HST_CHECK int hst_design_pack(hst_design *r, hst_err *err);

/* Products go by blocks of rows: sums are float inside a block and double beyond. */
enum { HST_DESIGN_BLOCK = 128 };
size_t hst_design_blocks(const hst_design *r);
/* Floats of scratch memory that a block takes, with n columns in all; aligned. */
size_t hst_design_scratch(const hst_design *r, size_t n);
/* y[rows][n] = Z kernel, for the rows of one block; returns how many there are. kernel: [p][n], of
 * hst_gemm_pack, which leaves zeros behind it. */
size_t hst_design_forward(const hst_design *r, const float *kernel, size_t n, size_t block,
                          float *y);

/* A block as the right side of a product, and memory for the work with it. */
typedef struct hst_packed_block {
    size_t first, rows;
    const float *packed;
    float *scratch; /* [n][HST_DESIGN_BLOCK] and [n][p] */
} hst_packed_block;
/* scratch: in use until the block is done with. */
hst_packed_block hst_design_packed(const hst_design *r, size_t block, float *scratch);
/* y[n][p] = x[n][rows] Z. */
void hst_design_backward(const hst_design *r, const hst_packed_block *b, const float *x, size_t n,
                         float *y);
#endif
