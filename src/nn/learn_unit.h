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

/* Channels at a time of `hidden`, a multiple of a panel: about 64, which makes sums long enough for
 * the gradient of the input, and few enough for some buffers of them in the cache. */
int hst_unit_group(int hidden, int panel);
/* to[n][rows] = w[rows][n] transposed. */
void hst_unit_transpose(const hst_unit *u, const float *w, float *to);
/* Folded w transposed and packed a group of channels at a time, each [group][rows], to go from the
 * gradient of a group to that of the input. turned: [n][rows] of scratch. */
size_t hst_unit_packed_groups(const hst_kernels *k, const hst_unit *u, int group);
void hst_unit_pack_groups(const hst_kernels *k, const hst_unit *u, const float *w, int group,
                          float *turned, float *out);

/* Where a task's d W' and d b' go. */
float *hst_unit_kernel_grad(const hst_learn_task *t, const hst_unit *u);
float *hst_unit_bias_grad(const hst_learn_task *t, const hst_unit *u);
/* Makes d W' and d b' in the plan's gradient the true gradients. */
void hst_unit_unfold(const hst_learn *l, const hst_unit *u);
#endif
