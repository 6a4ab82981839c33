/* learn_unit.h - a convolution and the frozen batch norm behind it, learning as one affine map.
 *
 * With s = gamma / sigma the two are a convolution with kernel W' = s W and bias
 * b' = beta + (b - mean) s. Backward sums the gradients of W' and b' alone, where those of the
 * kernel and of beta belong; the true ones follow without another look at any activation:
 *
 *   d beta = d b',   d b = s d b',   d W = s d W'
 *   d gamma = (sum_k W_k d W'_k + (b - mean) d b') / sigma       k: all that share the channel */
#ifndef HST_NN_LEARN_UNIT_H
#define HST_NN_LEARN_UNIT_H
#include "nn/learn_step.h"

typedef struct hst_unit {
    int conv, norm; /* nodes */
    size_t rows, n; /* the kernel as a matrix [rows][n] */
} hst_unit;

/* A unit that starts at `node` and ends before `limit`, its values read by nobody else; relu6: one
 * follows. Returns the node behind it, 0: there is none. */
int hst_unit_match(const hst_learn *l, int node, int limit, int relu6, hst_unit *u);

/* w [rows][n], then b' [n]. */
void hst_unit_fold(const hst_learn *l, const hst_unit *u, float *w);

/* Where a task's d W' and d b' go. */
float *hst_unit_kernel_grad(const hst_learn_task *t, const hst_unit *u);
float *hst_unit_bias_grad(const hst_learn_task *t, const hst_unit *u);
/* Makes d W' and d b' in the plan's gradient the true gradients. */
void hst_unit_unfold(const hst_learn *l, const hst_unit *u);
#endif
