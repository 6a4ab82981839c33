/* matrix.h - the products of learning: in float32, or of operands that are rounded to bf16 on their
 * way into the product. What is rounded is a copy: weights, activations, gradients and all sums
 * stay float32. Bits depend on neither how rows are cut nor on the thread. */
#ifndef HST_NN_LEARN_MATRIX_H
#define HST_NN_LEARN_MATRIX_H
#include "nn/infer/unit.h"

/* What multiplies. */
typedef struct hst_multiplier {
    const hst_kernels *kernels;
    const hst_products *low; /* NULL: float32 */
} hst_multiplier;
/* What the unit's products are done with: those of lower precision are the ones that are in
 * inference, too. */
hst_multiplier hst_multiplier_of(const hst_plan *p, const hst_unit *u);

/* w[k][n] and its bias packed (hst_gemm_pack): floats that they fill; where the bias is; where the
 * matrix of the columns from c on is, c at the beginning of a panel. */
size_t hst_matrix_floats(hst_multiplier m, int k, int n);
const float *hst_matrix_bias(hst_multiplier m, const float *packed, int k, int n);
const float *hst_matrix_columns(hst_multiplier m, const float *packed, int k, int c);
/* Both return where the bias is. bias NULL: zeros. The second packs the transpose of w[k][n]. */
const float *hst_matrix_pack(hst_multiplier m, const float *w, const float *bias, int k, int n,
                             float *out);
const float *hst_matrix_pack_transposed(hst_multiplier m, const float *w, int k, int n, float *out);

/* hst_kernels.gemm with a packed matrix; a gate has the rows of y one behind the other, as y.
 * scratch: [hst_multiply_floats] for rows of k numbers. */
size_t hst_multiply_floats(hst_multiplier m, int k);
void hst_multiply(hst_multiplier m, const hst_gemm *g, float *scratch);

/* The gradient of a matrix, dw[k][n] += sum_r a[r][k] b[r][n], of rows that come a few at a time.
 * In bf16 they are gathered, as a sum over few costs as much in reading and writing dw as in
 * multiplying. */
typedef struct hst_gradient {
    hst_multiplier by;
    int k, n;
    float *dw; /* rows ldw floats apart */
    size_t ldw;
    float *scratch;     /* [hst_gradient_floats] */
    size_t most, taken; /* rows that are gathered, an even number; those that are converted */
    int has_odd;        /* 1: one row waits for the second of its pair */
} hst_gradient;
size_t hst_gradient_floats(hst_multiplier m, int k, int n);
/* Of so many rows in all; dw and ldw are left to the caller. */
hst_gradient hst_gradient_begin(hst_multiplier m, int k, int n, size_t rows, float *scratch);
void hst_gradient_add(hst_gradient *g, const float *a, size_t lda, const float *b, size_t ldb,
                      size_t rows);
/* What is gathered is in dw then; more may follow. */
void hst_gradient_end(hst_gradient *g);
#endif
