/* narrow.h - weights in fewer bits. */
#ifndef HST_EXPORTS_NARROW_H
#define HST_EXPORTS_NARROW_H
#include "exports/export.h"

/* Whether a kernel of n numbers is kept in those bits: small ones and, in float16, depthwise ones,
 * are a twentieth of a network's weights and would make most of its error (of MobileNetV2's in
 * float16 three quarters). Of 8 bits as TensorFlow's converter has it. */
int hst_is_narrow(enum hst_weights weights, size_t n, int is_depthwise);

/* IEEE binary16: rounded to nearest, ties to even; beyond 65504 infinity. */
uint16_t hst_half_of(float x);
/* out[n]: x, whose last axis are the output channels, as numbers that binary16 has. The errors of
 * a channel add up to as little as they can, for which some numbers are rounded to the second
 * nearest: inputs are seldom around 0, and a sum of errors would be times their mean in every
 * output. Errors: HST_EMEM. */
HST_CHECK int hst_halves(const float *x, size_t n, size_t channels, float *out, hst_err *err);
/* What the largest of the n numbers x[0], x[step], ... makes of 127 steps on either side of 0: the
 * width of one; of zeros alone 1. */
float hst_int8_scale(const float *x, size_t n, size_t step);
/* The step nearest to x, -127 to 127; ties away from 0. */
int8_t hst_int8_of(float x, float scale);
/* What an output is off on average by the rounding of its n numbers x[0], x[step], ... to steps,
 * where number i is times an input that is mean[i % n_mean] on average. */
double hst_int8_shift(const float *x, size_t n, size_t step, float scale, const float *mean,
                      size_t n_mean);
/* The step nearest to x where `zero` stands for 0, from least to most; ties away from 0. */
int32_t hst_steps_of(float x, float scale, int zero, int32_t least, int32_t most);
#endif
