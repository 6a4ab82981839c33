/* learn_fused.h - a whole inverted residual as one learning step (learn_fused.c): what
 * learn_fused_run.c needs to know. */
#ifndef HST_NN_LEARN_FUSED_H
#define HST_NN_LEARN_FUSED_H
#include "nn/learn_unit.h"

enum { HST_FUSED_BAND = 64, HST_FUSED_ROWS = (HST_FUSED_BAND - 1) * 2 + 5 };

/* How a pass is cut. */
typedef struct hst_fused_cut {
    int images;    /* at a time; more than one only when a band is a whole image */
    int band;      /* output rows at a time, <= HST_FUSED_BAND */
    int e_rows;    /* of the ring of expanded rows */
    int g_rows;    /* of the ring of gradients of the depthwise outputs */
    int back_rows; /* expanded rows whose gradient one band completes, at most */
} hst_fused_cut;

typedef struct hst_learn_block {
    hst_unit expand, deep, project; /* expand.n 0: the depthwise convolution reads the input */
    hst_conv front;                 /* the expansion's; kernel or stride above 1: a stem */
    int windows;                    /* 1: it is such */
    hst_conv conv;                  /* of the depthwise convolution */
    hst_shape in, wide, out;        /* of the block; expanded; of the block */
    hst_span rows, cols;            /* of the depthwise convolution */
    int keeps;                      /* 1: the expanded rows are kept from forward to backward */
    int residual;                   /* the input is added to the output */
    int group;                      /* hidden channels at a time, a multiple of a panel */
    hst_fused_cut forward, backward;
    /* In s->state: kernels packed for forward, transposed ones for backward. */
    const float *expand_w, *expand_b, *deep_w, *deep_b, *project_w, *project_b;
    const float *project_t; /* [project n][hidden] packed: from dy to d deep */
    const float *zero;      /* its bias, zeros */
    const float *expand_t;  /* for each group [channels][in c] packed: from d expanded to dx */
} hst_learn_block;

/* Floats of a thread. */
size_t hst_fused_forward_floats(const hst_learn_block *b);
size_t hst_fused_backward_floats(const hst_learn_block *b);
/* Sizes of a cut into bands of that many rows. */
hst_fused_cut hst_fused_cut_of(const hst_learn_block *b, int images, int band);

void hst_fused_forward(const hst_learn_task *t); /* s->own: the block */
void hst_fused_backward(const hst_learn_task *t);
#endif
