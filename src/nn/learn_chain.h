/* learn_chain.h - a chain of convolutions, each with its batch norm and ReLU6, as one step:
 *
 *     x -> conv -> z1 -> norm, ReLU6 -> conv -> z2 -> norm, ReLU6 -> ... -> zn -> norm [+ residual]
 *
 * Only the convolutions' outputs z are kept. What lies between is made from them tile by tile, in
 * the cache, where the next loop reads it: norm and ReLU6 of the input, gradients of the norm. So
 * each z is written once and read once forward and twice backward, and each gradient is written and
 * read once. Sums over the batch separate the loops: a unit's loop begins when those of its norm
 * are complete.
 *
 * Tiles are cut by constants, never by the size of a cache: their sums are joined, and results must
 * not depend on the machine. */
#ifndef HST_NN_LEARN_CHAIN_H
#define HST_NN_LEARN_CHAIN_H
#include "nn/learn_norm.h"

enum { HST_CHAIN_MOST = 4 };

/* A convolution and its norm. Offsets are into the step's memory. */
typedef struct hst_link {
    int conv, norm; /* nodes */
    int deep;       /* depthwise */
    int windows;    /* not depthwise, and not 1x1 with stride 1 */
    int relu6;
    int lazy;          /* its input is made from the z before */
    hst_step view;     /* shapes and convolution */
    int k;             /* inputs of an output: rows of the kernel's matrix */
    size_t z;          /* of an image's kept floats: [pixels][c] */
    size_t g;          /* of its floats in backward: gradient of the norm's output (not the last) */
    size_t w, back;    /* state: kernel packed for forward, for the gradient of the input */
    size_t norm_state; /* state: HST_NORM_FLOATS c, then of_dy, of_x, shift of hst_norm_back */
    size_t bias;       /* state: depthwise only */
    size_t sums;       /* state doubles: mean and variance, or the two sums */
    size_t first_param; /* from the step's; kernel, bias, gamma, beta */
    size_t n_params;
} hst_link;

typedef struct hst_chain_step {
    hst_link unit[HST_CHAIN_MOST];
    int n;
    int now; /* the unit whose loop runs */
} hst_chain_step;

/* The step's inputs: what is added, so that its gradient is the first, then x. */
enum { HST_CHAIN_ADDED, HST_CHAIN_X };

/* Pixels of a tile of a 1x1 convolution, output rows of a band of a depthwise one. */
int hst_link_tile(const hst_link *u);
int hst_link_band(const hst_link *u);
/* Rows of the rings that hold a band's inputs and output gradients. */
int hst_link_ring(const hst_link *u);
int hst_link_back_ring(const hst_link *u);

/* Rows of a unit's input, made in a ring when the unit is lazy. */
typedef struct hst_link_rows {
    const float *x; /* the whole image where the unit is not lazy, or z before */
    float *ring;    /* [hst_link_ring rows][w][c] */
    int made;       /* rows below this were made */
} hst_link_rows;
/* norm and ReLU6 of `rows` pixels of the unit before u, from its z. */
void hst_link_input(const hst_learn_task *t, int u, const float *z, size_t rows, float *out);
void hst_link_make_rows(const hst_learn_task *t, int u, hst_link_rows *r, int end);
const float *hst_link_row(const hst_learn_task *t, int u, const hst_link_rows *r, int row);

hst_norm_state hst_link_norm(const hst_learn_step *s, const hst_link *u);
void hst_chain_forward(hst_learn *l, hst_learn_step *s);
void hst_chain_backward(hst_learn *l, hst_learn_step *s);
extern const hst_learn_kind hst_learn_chain_kind;
#endif
