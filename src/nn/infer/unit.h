/* unit.h - a unit (graph/pattern.h) made ready for inference: norm folded into the weights, what
 * comes behind done while the numbers are in registers or in the first-level cache. */
#ifndef HST_NN_INFER_UNIT_H
#define HST_NN_INFER_UNIT_H
#include "nn/plan/step.h"

typedef struct hst_infer_unit {
    hst_node node; /* a copy of its first: op and attributes */
    hst_shape in, out;
    hst_shape in2; /* of the second input, where it has one */
    /* The head's packed weights and bias; without a head, the norm's [c] scale and shift; NULL:
     * none. */
    const float *weights, *bias;
    const float *param[HST_MAX_SLOTS]; /* of a node with parameters but nothing to pack */
    enum hst_act act;
    const hst_products *products; /* that the weights are packed for; NULL: float32 */
    hst_quanta quanta;            /* of what these read */
    size_t block;                 /* rows of a product in lower precision at a time (low.h) */
} hst_infer_unit;

/* Fills all but weights and bias; a step's input[0] and [1] are the unit's value and what is added.
 */
void hst_infer_unit_describe(const hst_plan *p, const hst_unit *u, hst_infer_unit *out);
/* What multiplies the unit's weights: products of the plan's precision, for ops that have such and
 * are not better left in float32; NULL: float32. */
const hst_products *hst_infer_unit_products(const hst_plan *p, const hst_unit *u);
/* Packed weights: floats of them, and the packing with the norm folded in, in double. */
size_t hst_infer_unit_floats(const hst_plan *p, const hst_unit *u);
HST_CHECK int hst_infer_unit_pack(const hst_plan *p, const hst_unit *u, float *state,
                                  hst_infer_unit *out, hst_err *err);

/* y = scale x + shift behind the unit's convolution, a channel each: its bias, then the norm. */
void hst_infer_unit_affine(const hst_plan *p, const hst_unit *u, double *scale, double *shift);
/* HST_EMODEL: a packed weight is not finite; the same where one is not. */
HST_CHECK int hst_infer_unit_infinite(const hst_infer_unit *u, hst_err *err);
HST_CHECK int hst_infer_unit_finite(const hst_infer_unit *u, const float *state, size_t floats,
                                    hst_err *err);

/* Activations that product and depthwise kernels do themselves (hst_gemm.clamp), 0: none; those
 * left for later. */
float hst_act_clamp(enum hst_act act);
enum hst_act hst_act_late(enum hst_act act);

/* The loops of units over one image (loops.c): ops' infer. */
size_t hst_infer_conv2d_scratch(const hst_node *n, hst_shape in);
void hst_infer_depthwise(const hst_infer_unit *u, const hst_run_args *a);
void hst_infer_average(const hst_infer_unit *u, const hst_run_args *a);
/* y = act(x scale + shift + z) */
void hst_infer_elementwise(const hst_infer_unit *u, const hst_run_args *a);
/* A 1x1 convolution and the average of its outputs: y[channels]. scratch: [pixels][panel]. */
void hst_infer_pooled(const hst_infer_unit *u, const hst_run_args *a);

/* This thread's part of a matrix product: some rows, or, where these are few, some panels. */
int hst_infer_shares_panels(size_t rows, int threads);
void hst_infer_product(const hst_run_args *a, const hst_gemm *g);
/* The activation that is left for later, if there is one, of n numbers where they are. */
void hst_infer_activate(const hst_infer_unit *u, const hst_run_args *a, float *y, size_t n);

/* A convolution's windows (im2col): those of the inputs under output row oy as rows
 * [kernel][wide][c] of a matrix, padding as zeros. x: [in.h][in.w][in.c]. */
typedef struct hst_geometry {
    hst_conv conv;
    hst_shape in, out;
    size_t ld; /* floats between windows; 0: they lie one behind the other */
} hst_geometry;
void hst_im2col(const hst_geometry *g, const float *x, int oy, float *out);

extern const hst_runner hst_infer_unit_runner, hst_infer_pooled_runner,
    hst_infer_inverted_residual_runner, hst_infer_squeezed_residual_runner,
    hst_infer_winograd_runner, hst_infer_convolution_runner;
#endif
