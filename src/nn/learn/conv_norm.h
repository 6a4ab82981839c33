/* conv_norm.h - a convolution and the frozen batch norm behind it, learning as one affine map.
 *
 * With s = gamma / sigma the two are a convolution with kernel W' = s W and bias
 * b' = beta + (b - mean) s. Backward sums the gradients of W' and b' alone, where those of the
 * kernel and of beta belong; the true ones follow without another look at any activation:
 *
 *   d beta = d b',   d b = s d b',   d W = s d W'
 *   d gamma = (sum_k W_k d W'_k + (b - mean) d b') / sigma       k: all that share the channel */
#ifndef HST_NN_CONV_NORM_H
#define HST_NN_CONV_NORM_H
#include "nn/learn/matrix.h"
#include "nn/learn/step.h"

typedef struct hst_conv_norm {
    int conv, norm; /* nodes */
    size_t rows, n; /* the kernel as a matrix [rows][n] */
} hst_conv_norm;

/* Of a unit with a convolution and a norm whose statistics are frozen; 0: it is not such. */
int hst_conv_norm_of(const hst_plan *p, const hst_unit *unit, hst_conv_norm *out);

/* w [rows][n], then b' [n]. */
void hst_conv_norm_fold(const hst_plan *p, const hst_conv_norm *u, float *w);

/* Channels at a time of `hidden`, a multiple of a panel: about 64, which makes sums long enough for
 * the gradient of the input, and few enough for some buffers of them in the cache. Sums of bf16 are
 * cut in the same way on every instruction set. */
int hst_conv_norm_group(int hidden, hst_multiplier by);
/* to[n][rows] = w[rows][n] transposed. */
void hst_conv_norm_transpose(const hst_conv_norm *u, const float *w, float *to);
/* Folded w transposed and packed a group of channels at a time, each [group][rows], to go from the
 * gradient of a group to that of the input. transposed: [n][rows] of scratch. */
size_t hst_conv_norm_packed_groups(hst_multiplier by, const hst_conv_norm *u, int group);
void hst_conv_norm_pack_groups(hst_multiplier by, const hst_conv_norm *u, const float *w, int group,
                               float *transposed, float *out);

/* Where a task's d W' and d b' go. */
float *hst_conv_norm_kernel_grad(const hst_learn_task *t, const hst_conv_norm *u);
float *hst_conv_norm_bias_grad(const hst_learn_task *t, const hst_conv_norm *u);
/* Makes d W' and d b' in the plan's gradient the true gradients. */
void hst_conv_norm_unfold(const hst_learn *l, const hst_conv_norm *u);
#endif
