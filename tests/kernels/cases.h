/* cases.h - one check a kernel, without a test framework, so that the same checks run where there
 * are no libraries (scripts/test-neon.sh). Each returns how many comparisons failed and says the
 * first of them on standard output. */
#ifndef HST_TESTS_KERNELS_CASES_H
#define HST_TESTS_KERNELS_CASES_H
#include "kernels/kernels.h"

typedef struct kernel_case {
    const char *name;
    int (*check)(const hst_kernels *k);
} kernel_case;

/* grad_cases.c */
int grad_matrices(const hst_kernels *k);
int grad_windows(const hst_kernels *k);
int grad_inputs(const hst_kernels *k);
int grad_sums(const hst_kernels *k);

/* act_cases.c */
int activations(const hst_kernels *k);

/* grouped_cases.c */
int grouped_rows(const hst_kernels *k);

/* odd_cases.c */
int odd_gradients(const hst_kernels *k);

/* low_cases.c */
int low_rounding(const hst_kernels *k);
int low_products(const hst_kernels *k);
int low_odd(const hst_kernels *k);
int low_matrices(const hst_kernels *k);

/* int8_cases.c */
int int8_products(const hst_kernels *k);
int int8_odd(const hst_kernels *k);

/* norm_cases.c */
int norm_maps(const hst_kernels *k);
int norm_backs(const hst_kernels *k);
int norm_sums(const hst_kernels *k);

/* token_cases.c */
int layer_norms(const hst_kernels *k);
int layer_norm_backs(const hst_kernels *k);
int softmaxes(const hst_kernels *k);
int softmax_backs(const hst_kernels *k);

/* winograd_cases.c */
int winograd_maps(const hst_kernels *k);

extern const kernel_case kernel_cases[]; /* ended by a NULL name */
#endif
