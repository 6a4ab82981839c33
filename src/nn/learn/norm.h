/* norm.h - what steps with a batch norm in them share. */
#ifndef HST_NN_LEARN_NORM_H
#define HST_NN_LEARN_NORM_H
#include "nn/learn/step.h"

/* Per channel, [c] each: y = x scale + shift;  x^ = (x - mean) inverse. */
typedef struct hst_bn_state {
    float *scale, *shift, *mean, *inverse;
} hst_bn_state;
enum { HST_BN_FLOATS = 4 }; /* a channel */
hst_bn_state hst_bn_state_at(float *state, size_t c);

/* From the node's gamma, beta and the given statistics; NULL: the moving ones. A layer scale is a
 * norm that has gamma alone, a factor one whose gamma is a number. node -1: nothing. */
void hst_bn_fix(const hst_plan *p, int node, const double *mean, const double *variance,
                hst_bn_state *n);
/* Moves the moving statistics toward those of count pixels. */
void hst_bn_move(const hst_learn *l, int node, double count, const double *mean,
                 const double *variance);
/* Joins mean and sum of squared differences from it of `count` and of `more` numbers (Chan, Golub,
 * LeVeque 1979). */
void hst_bn_join(double *mean, double *squares, double count, const double *more_mean,
                 const double *more_squares, double more, size_t c);
/* Statistics of the whole batch, moments[2][c]: mean and variance, from each image's mean and sum
 * of squared differences over `pixels` pixels (hst_learn_sums), which are joined in image order. */
void hst_bn_moments(hst_learn *l, const hst_step *s, size_t c, double pixels, double *moments);
#endif
