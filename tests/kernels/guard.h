/* guard.h - buffers between pages that cannot be touched, numbers to fill them, and how far a float
 * sum may be off. */
#ifndef HST_TESTS_KERNELS_GUARD_H
#define HST_TESTS_KERNELS_GUARD_H
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
guarded numbers(size_t n, int place, uint32_t seed);
void release(guarded *g);

/* 1 unless got is want but for rounding. A float sum of n products is off by at most about n
 * roundings of the sum of their sizes (Higham, Accuracy and Stability of Numerical Algorithms,
 * section 3.1). */
int far(double got, double want, double sizes, int n);
#endif
