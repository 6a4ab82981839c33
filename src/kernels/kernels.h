/* kernels.h - pure arithmetic on pointers: one table of functions per instruction set.
 *
 * Callers never look at the processor: they get a table once (hst_kernels_best) and call through
 * it. To add an instruction set, write one file of vector primitives and one line in kernels.c. */
#ifndef HST_KERNELS_KERNELS_H
#define HST_KERNELS_KERNELS_H
#include <stddef.h>

typedef struct hst_kernels hst_kernels;

/* The best table this processor and operating system can run. Never NULL. */
const hst_kernels *hst_kernels_best(void);
/* By name ("portable", "avx2", "avx512", "neon"); NULL: not compiled in, or cannot run here. */
const hst_kernels *hst_kernels_find(const char *name);
/* The i-th compiled in, best last; NULL past the end. *usable (may be NULL): can run here. */
const char *hst_kernels_name(int i, int *usable);
const char *hst_kernels_isa(const hst_kernels *k);
#endif
