/* rows.h - feature rows made ready for a linear classifier, and the two products it needs. */
#ifndef HST_TRAINING_ROWS_H
#define HST_TRAINING_ROWS_H
#include "training/logistic.h"

/* Rows z_i = (x_i - mean) / scale, scale^2 = weighted mean of |x_i - mean|^2: centred, and of
 * length 1 in the mean. One scale for all features keeps the penalty's meaning (every direction of
 * feature space counts the same) and makes a given strength mean the same for any backbone.
 * Centring changes the bias only, which is not penalised. */
typedef struct hst_rows {
    float *z; /* [n][stride] */
    size_t n, stride;
    int p;        /* columns in use */
    double *mean; /* [dim] */
    double scale; /* 1 where all rows are equal */
    double total_weight;
} hst_rows;

/* HST_EDATA when a feature or weight is not finite or no weight is positive; HST_EMEM. Ends with
 * hst_rows_clear, also after failure. */
HST_CHECK int hst_rows_make(hst_rows *r, const hst_logistic *p, hst_err *err);
void hst_rows_clear(hst_rows *r);

/* With fewer rows than columns the rows live in a space of n dimensions: Z Z^T = L L^T (Cholesky),
 * and the rows of L have the same lengths and angles as those of Z, so that the same losses are
 * reached by kernels of the same length. Replaces Z by L [n][n] where that is smaller. */
HST_CHECK int hst_rows_reduce(hst_rows *r, int threads, hst_err *err);

/* Some of the rows, and the products with them. Kernels and gradients: [n_classes][p]. */
typedef struct hst_subset {
    const hst_rows *rows;
    const size_t *index; /* [n] */
    size_t n;
    int n_classes;
} hst_subset;

/* out[n][n_classes] = Z kernel^T + bias. packed: room for hst_packed_size() floats. */
void hst_subset_forward(const hst_subset *s, const float *packed, const double *bias, double *out);
/* gradient[n_classes][p] = residual^T Z, residual[n][n_classes]. scratch: as packed. */
void hst_subset_backward(const hst_subset *s, const double *residual, float *scratch,
                         double *gradient);
/* The kernel as forward reads it: [class / 8][p][class % 8], zeros behind the last class. */
size_t hst_packed_size(int n_classes, int p);
void hst_pack_kernel(const double *kernel, int n_classes, int p, float *packed);
#endif
