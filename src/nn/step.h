/* step.h - a plan is a list of steps; a step is one or more nodes of the graph done by one kernel
 * loop. */
#ifndef HST_NN_STEP_H
#define HST_NN_STEP_H
#include "base/executor.h"
#include "nn/op.h"
#include "nn/plan.h"

/* Where an activation lives. */
typedef struct hst_value {
    hst_shape shape;
    size_t floats;   /* of one image */
    int first, last; /* steps that write it and read it last */
    size_t offset;   /* in the work block; unused for the plan's input and output */
    int is_input, is_output;
} hst_value;

typedef struct hst_step hst_step;
typedef struct hst_fused hst_fused; /* fused.h */

/* What a step runs on: resolved addresses, and which part of it is this thread's. Every thread of a
 * run together runs every step; a step begins when all have ended the one before. */
typedef struct hst_run_args {
    const hst_kernels *kernels;
    const float *x, *z; /* inputs; z: what is added, or NULL */
    float *y;
    float *scratch; /* [hst_step_memory.own], this thread's */
    float *shared;  /* [hst_step_memory.shared], of all threads */
    int thread, threads;
    hst_barrier *barrier; /* NULL: one thread */
} hst_run_args;

/* Work memory beside the activations, in floats. */
typedef struct hst_step_memory {
    size_t own, shared; /* of each thread; of all together */
} hst_step_memory;

/* Items first .. end-1 of n are this thread's. */
typedef struct hst_share {
    int first, end;
} hst_share;
static inline hst_share hst_share_of(const hst_run_args *a, int n)
{
    const int64_t t = a->thread;
    return (hst_share){(int)(n * t / a->threads), (int)(n * (t + 1) / a->threads)};
}

struct hst_step {
    void (*run)(const hst_step *s, const hst_run_args *a);
    hst_shape in, out;
    int x, z, y; /* values; z: -1 when nothing is added */
    hst_conv conv;
    float *weights;    /* the plan's: packed kernel, or [k][k][c], or [c] scale; NULL where none */
    const float *bias; /* inside weights */
    int relu6;
    int acts; /* 1: act is done to y in the end; not with relu6 */
    enum hst_act act;
    size_t scratch;   /* floats */
    hst_fused *fused; /* owned; NULL: a step by itself */
};

struct hst_plan {
    const hst_kernels *kernels;
    hst_step *step;
    int n_steps;
    hst_value *value; /* one a node; those fused away have first = -1 */
    int n_values;
    hst_shape input, output;
    size_t block_floats;
    float *weights; /* of all steps, in one block */
};

/* How a plan is made; results have the same bits whatever is chosen here. */
typedef struct hst_plan_options {
    int fuse;           /* 1: whole blocks as one step (fused.c) */
    size_t cache_bytes; /* of the cache that one thread has to itself */
} hst_plan_options;
hst_plan_options hst_plan_defaults(void);
/* hst_plan_new with other than the default options. */
HST_CHECK hst_plan *hst_plan_make(const hst_graph *g, const hst_kernels *k,
                                  const hst_plan_options *o, hst_err *err);
/* Bytes of the second-level cache, or a usual size where the system does not tell (cache_*.c). */
size_t hst_cache_bytes(void);

/* The steps' loops (steps.c). */
void hst_step_conv2d(const hst_step *s, const hst_run_args *a);
void hst_step_depthwise(const hst_step *s, const hst_run_args *a);
void hst_step_average(const hst_step *s, const hst_run_args *a);
void hst_step_pooled(const hst_step *s, const hst_run_args *a); /* 1x1 convolution, then average */
void hst_step_pointwise(const hst_step *s, const hst_run_args *a); /* y = act(x scale + bias + z) */

/* This thread's part of a matrix product: some rows, or some panels of columns. */
void hst_step_product(const hst_run_args *a, const hst_gemm *g);
/* The step's activation, if it has one, of n numbers where they are. */
void hst_step_activate(const hst_step *s, const hst_run_args *a, float *y, size_t n);

/* Weights of a convolution node with a following batch norm (or NULL) folded in, packed for k
 * (fold.c): with  g = gamma / sqrt(variance + epsilon)  kernel' = kernel g,  bias' = beta + (bias -
 * mean) g, in double. Fills s->weights[hst_fold_floats]. */
HST_CHECK int hst_fold(const hst_graph *g, const hst_node *node, const hst_node *norm,
                       const hst_kernels *k, hst_step *s, hst_err *err);

/* 0 for a node without weights. */
size_t hst_fold_floats(const hst_graph *g, const hst_node *node, const hst_kernels *k);

/* n windows (of kernel x kernel inputs) under output row oy as rows of a matrix, padding as zeros.
 */
void hst_step_windows(const hst_step *s, const float *x, int oy, float *out);

/* Gives every value that lives in the block its offset, reusing the memory of dead ones (layout.c).
 */
HST_CHECK int hst_layout(hst_plan *p, hst_err *err);
/* The same for any n values with their floats and life times; raises *end to where the block ends.
 * Sorts v. */
void hst_layout_place(hst_value **v, int n, size_t *end);
#endif
