/* guard.h - buffers between pages that cannot be touched, numbers to fill them, and how far a float
 * sum may be off. */
#ifndef HST_TESTS_KERNELS_GUARD_H
#define HST_TESTS_KERNELS_GUARD_H
#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

typedef struct guarded {
    float *p; /* [n] */
    void *map;
    size_t bytes;
} guarded;

/* Where the buffer touches the forbidden pages. */
enum { AT_END, AT_START };

guarded guard(size_t n, int place);
float number(uint32_t *state); /* -4 .. 4 */
/* The environment's HEADSTART_SEED, if it is set, gives other numbers. */
guarded numbers(size_t n, int place, uint32_t seed);
void release(guarded *g);

/* 1; the first element of a check that is wrong is kept for say_wrong(). */
int differs(size_t at, double got, double want);
/* One line: the instruction set, the check and its shape, the first wrong element with what it is
 * and ought to be, and the seed; then the element is forgotten. */
void say_wrong(const hst_kernels *k, const char *shape, ...) __attribute__((format(printf, 2, 3)));

/* 1, and differs(), unless got is want but for rounding. A float sum of n products is off by at
 * most about n roundings of the sum of their sizes (Higham, Accuracy and Stability of Numerical
 * Algorithms, section 3.1). */
int far(size_t at, double got, double want, double sizes, int n);
#endif
