/* design_matrix.h - feature rows made ready for a linear classifier, and the two products it needs.
 */
#ifndef HST_TRAINING_DESIGN_MATRIX_H
#define HST_TRAINING_DESIGN_MATRIX_H
#include "base/executor.h"
#include "kernels/kernels.h"
#include "training/logistic.h"

/* Rows z_i = (x_i - mean) / scale, scale^2 = weighted mean of |x_i - mean|^2: centred, and of
 * length 1 in the mean. One scale for all features keeps the penalty's meaning (every direction of
 * feature space counts the same) and makes a given strength mean the same for any backbone.
 * Centring changes the bias only, which is not penalised. */
typedef struct hst_design {
    const hst_kernels *kernels;
    float *z; /* [n][p] */
    size_t n;
    int p;
    double *mean; /* [dim] */
    double scale; /* 1 where all rows are equal */
    /* The rows again, packed block by block as the right side of a product. */
    float *packed;
    size_t packed_block; /* floats from block to block */
} hst_design;

/* HST_EDATA when a feature or weight is not finite or no weight is positive; HST_EMEM. Ends with
 * hst_design_clear, also after failure. */
HST_CHECK int hst_design_make(hst_design *r, const hst_kernels *kernels, const hst_logistic *p,
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
/* Floats of scratch memory that each of the following needs. */
size_t hst_design_scratch(const hst_design *r, int n_classes);
/* Floats of a packed kernel. */
size_t hst_design_kernel_size(const hst_design *r, int n_classes);
/* kernel[n_classes][p] as forward reads it. Returns what forward takes as zeros. */
const float *hst_design_kernel(const hst_design *r, const double *kernel, int n_classes,
                               float *scratch, float *packed);

typedef struct hst_product {
    const hst_design *rows;
    int n_classes;
    const float *packed, *zeros; /* of hst_design_kernel; forward only */
    const double *bias;          /* [n_classes]; forward only */
} hst_product;
/* out[n][n_classes] = Z kernel^T + bias, for the rows of one block. */
void hst_design_forward(const hst_product *m, size_t block, float *scratch, double *out);
/* gradient[n_classes][p] += residual^T Z over one block; residual[n][n_classes]. */
void hst_design_backward(const hst_product *m, size_t block, const double *residual, float *scratch,
                         double *gradient);
#endif
