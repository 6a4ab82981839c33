/* chain.h - a chain of convolutions, each with its batch norm and activation, as one step:
 *
 *     x -> conv -> z1 -> norm, act -> conv -> z2 -> norm, act -> ... -> zn -> norm [+ added] [act]
 *
 * Only the convolutions' outputs z are saved. What lies between is made from them tile by tile, in
 * the cache, where the next loop reads it: norm and activation of the input, gradients of the norm.
 * So each z is written once and read once forward and twice backward, and each gradient is written
 * and read once. Sums over the batch separate the loops: a link's loop begins when those of its
 * norm are complete. A convolution without a norm has scale 1 and shift 0.
 *
 * Tiles are cut by constants, never by the size of a cache: their sums are joined, and results must
 * not depend on the machine. */
#ifndef HST_NN_LEARN_CHAIN_H
#define HST_NN_LEARN_CHAIN_H
#include "nn/learn/matrix.h"
#include "nn/learn/norm.h"

/* A convolution, its norm and its activation. Offsets are into the step's memory. */
typedef struct hst_link {
    int conv, norm;  /* nodes; norm: a batch norm, a layer scale or a factor; -1: none */
    int norm_params; /* of the norm that learn, a channel */
    int depthwise;
    int im2col;       /* not depthwise, and not 1x1 with stride 1 */
    int lazy;         /* its input is made from the z before */
    int cuts_no_sums; /* no batch norm's sums are of its tiles */
    enum hst_act act;
    int act_after_add; /* the activation is that of the sum */
    hst_geometry geometry;
    hst_multiplier by; /* of its products, unless it is depthwise */
    int k;             /* inputs of an output: rows of the kernel's matrix */
    size_t z;          /* of an image's saved floats: [pixels][c] */
    size_t g;          /* of its floats in backward: gradient of the norm's output (not the last) */
    size_t w, back;    /* state: kernel packed for forward, for the gradient of the input */
    size_t norm_state; /* state: HST_BN_FLOATS c, then of_dy, of_x, shift of hst_norm_back */
    size_t bias;       /* state: depthwise only */
    size_t sums;       /* state doubles: mean and variance, or the two sums */
    size_t rounded, gathered; /* scratch, behind the loop's: of products, of the gradient */
    hst_learn_range params;   /* of the step's: kernel, bias, gamma, beta */
} hst_link;

typedef struct hst_chain {
    hst_link link[HST_MAX_UNITS];
    int n;
} hst_chain;

/* The step's inputs: what is added, so that its gradient is the first, then x. */
enum { HST_CHAIN_ADDED, HST_CHAIN_X };

/* The link whose loop the task is part of. */
static inline const hst_link *hst_link_of(const hst_learn_task *t)
{
    return &((const hst_chain *)t->step->own)->link[t->part];
}

/* Pixels of a tile of a 1x1 convolution, output rows of one of any other, and of a band of a
 * depthwise one. */
int hst_link_tile(const hst_link *u);
int hst_link_rows_at_once(const hst_link *u);
int hst_link_band(const hst_link *u);
/* Rows of the rings that hold a band's inputs and output gradients. */
int hst_link_ring(const hst_link *u);
int hst_link_back_ring(const hst_link *u);

/* Rows of a link's input, made in a ring when the link is lazy. */
typedef struct hst_link_rows {
    const float *x; /* the whole image where the link is not lazy, or z before */
    float *ring;    /* [hst_link_ring rows][w][c] */
    int made;       /* rows below this were made */
} hst_link_rows;
/* norm and activation of `rows` pixels of the link before the task's, from its z. */
void hst_link_input(const hst_learn_task *t, const float *z, size_t rows, float *out);
void hst_link_make_rows(const hst_learn_task *t, hst_link_rows *r, int end);
const float *hst_link_row(const hst_learn_task *t, const hst_link_rows *r, int row);

hst_bn_state hst_link_norm(const hst_step *s, const hst_link *u);
void hst_chain_forward(hst_learn *l, hst_step *s);
void hst_chain_backward(hst_learn *l, hst_step *s);
#endif
