/* op.h - what an op is: one const object, one file per op. No op numbers, no switch over ops.
 *
 * A node is an op at work in a graph: its inputs, its attributes, its output shape, its parameters.
 */
#ifndef HST_NN_OP_H
#define HST_NN_OP_H
#include "kernels/kernels.h"
#include "nn/graph.h"

typedef struct hst_node hst_node;
struct hst_step; /* step.h */
struct hst_run_args;

/* A parameter that an op has: the ending of its name and its shape as a function of the node. */
typedef struct hst_slot {
    const char *ending; /* "kernel": the full name is "Conv1/kernel" */
    int statistic;
    int dim[4], n_dims;
} hst_slot;

enum { HST_MAX_SLOTS = 4, HST_MAX_INPUTS = 2 };

/* A node at work on one image in training. */
typedef struct hst_op_args {
    const hst_node *node;
    const hst_shape *in; /* [HST_MAX_INPUTS] */
    const hst_kernels *kernels;
    const float *x[HST_MAX_INPUTS];
    const float *param[HST_MAX_SLOTS];
    float *y; /* forward writes it */
    const float *dy;
    float *dx[HST_MAX_INPUTS];    /* backward adds to it; NULL: not wanted */
    float *dparam[HST_MAX_SLOTS]; /* backward adds to it; NULL: not wanted */
} hst_op_args;

enum { HST_READS_INPUT = 1, HST_READS_OUTPUT = 2 }; /* what backward reads */

typedef struct hst_op {
    const char *name; /* "conv2d" */
    /* Output shape (n->out) and parameter slots from inputs and attributes, or why they do not fit.
     */
    int (*shape)(hst_node *n, const hst_shape in[HST_MAX_INPUTS], hst_err *err);
    /* Floating-point operations of one image; a multiply-add counts 2. */
    double (*flops)(const hst_node *n, const hst_shape in[HST_MAX_INPUTS]);
    /* Training, image by image; backward is NULL where the op cannot learn (batch norm looks at all
     * images: learn_norm.c), forward where `step` does the same. The plain loops: steps of a
     * learning plan do the frequent cases faster. */
    void (*forward)(const hst_op_args *a);
    void (*backward)(const hst_op_args *a);
    int reads; /* HST_READS_* */
    /* The loop of a plan; NULL: the plan has one for this op (plan.c). */
    void (*step)(const struct hst_step *s, const struct hst_run_args *a);
} hst_op;

struct hst_node {
    const hst_op *op;
    char name[64];             /* of its parameters; "" where it has none */
    int input[HST_MAX_INPUTS]; /* node numbers; -1: none */
    hst_conv conv;             /* conv2d, depthwise */
    double epsilon;            /* batchnorm */
    hst_shape out;
    hst_slot slot[HST_MAX_SLOTS];
    int n_slots;
    int first_param; /* of the graph's parameters */
};

extern const hst_op hst_op_input, hst_op_conv2d, hst_op_depthwise, hst_op_batchnorm, hst_op_relu6,
    hst_op_add, hst_op_global_average, hst_op_relu, hst_op_sigmoid, hst_op_hsigmoid, hst_op_hswish,
    hst_op_swish, hst_op_max_pool, hst_op_scale;

const hst_node *hst_graph_node(const hst_graph *g, int i);

/* Output length and padding in front along one axis; length 0 when the kernel does not fit. */
typedef struct hst_span {
    int out, before;
} hst_span;
hst_span hst_conv_span(const hst_conv *c, int in);
#endif
