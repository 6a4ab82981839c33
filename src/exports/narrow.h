/* narrow.h - weights in fewer bits. */
#ifndef HST_EXPORTS_NARROW_H
#define HST_EXPORTS_NARROW_H
#include <stddef.h>
#include <stdint.h>

/* IEEE binary16: rounded to nearest, ties to even; beyond 65504 infinity. */
uint16_t hst_half_of(float x);
/* What the largest of the n numbers x[0], x[step], ... makes of 127 steps on either side of 0: the
 * width of one; of zeros alone 1. */
float hst_int8_scale(const float *x, size_t n, size_t step);
/* The step nearest to x, -127 to 127; ties away from 0. */
int8_t hst_int8_of(float x, float scale);
#endif
