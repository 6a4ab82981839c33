/* inverted_residual.h - a whole inverted residual as one learning step (inverted_residual.c): what
 * inverted_residual_loops.c needs to know. */
#ifndef HST_NN_LEARN_INVERTED_RESIDUAL_H
#define HST_NN_LEARN_INVERTED_RESIDUAL_H
#include "nn/infer/unit.h"
#include "nn/learn/conv_norm.h"

enum { HST_BLOCK_BAND = 64, HST_BLOCK_ROWS = (HST_BLOCK_BAND - 1) * 2 + 5 };

/* How a pass is cut. */
typedef struct hst_block_cut {
    int images;    /* at a time; more than one only when a band is a whole image */
    int band;      /* output rows at a time, <= HST_BLOCK_BAND */
    int e_rows;    /* of the ring of expanded rows */
    int g_rows;    /* of the ring of gradients of the depthwise outputs */
    int back_rows; /* expanded rows whose gradient one band completes, at most */
} hst_block_cut;

typedef struct hst_learn_block {
    /* expand.n 0: the depthwise convolution reads the input */
    hst_conv_norm expand, depthwise, project;
    float expand_top, depthwise_top, top; /* clamps behind them (hst_gemm.clamp); top 0: none */
    hst_geometry front;                   /* the expansion; kernel or stride above 1: a stem */
    int im2col;                           /* 1: it is such */
    hst_conv conv;                        /* of the depthwise convolution */
    hst_shape in, wide, out;              /* of the block; expanded; of the block */
    hst_span rows, cols;                  /* of the depthwise convolution */
    int saves_expanded; /* 1: the expanded rows are saved from forward to backward */
    int residual;       /* the input is added to the output */
    int group;          /* hidden channels at a time, a multiple of a panel */
    hst_multiplier by_expand, by_project; /* of the products of the two */
    hst_block_cut forward, backward;
    /* In s->state: kernels packed for forward, transposed ones for backward. */
    const float *expand_w, *expand_b, *depthwise_w, *depthwise_b, *project_w, *project_b;
    const float *project_t; /* [project n][hidden] packed: from dy to d depthwise */
    const float *expand_t;  /* for each group [channels][in c] packed: from d expanded to dx */
    /* Scratch of products and of the kernels' gradients, behind that of the loops. */
    size_t rounded, gathered, gathered_expand;
} hst_learn_block;

/* Floats of a thread. */
size_t hst_block_forward_floats(const hst_learn_block *b);
size_t hst_block_backward_floats(const hst_learn_block *b);
/* Sizes of a cut into bands of that many rows. */
hst_block_cut hst_block_cut_of(const hst_learn_block *b, int images, int band);

void hst_block_forward(const hst_learn_task *t); /* s->own: the block */
void hst_block_backward(const hst_learn_task *t);
#endif
