/* evaluate.h - what operators of graphs compute, on arrays of numbers: so that a file's own graph
 * can be asked what it makes of a picture, and a network of its tensors be compared.
 *
 * Every number is a float, those of shapes and places too: they are exact up to 2^24. All functions
 * check shapes, fill *out, which the caller ends with ev_free(), and return 0 or HST_EMODEL,
 * HST_EMEM. */
#ifndef CONVERT_EVALUATE_H
#define CONVERT_EVALUATE_H
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { EV_DIMS = 6 };

typedef struct ev_array {
    int n_dims;
    int64_t dim[EV_DIMS];
    int whole; /* whole numbers: their quotients are, too */
    const float *x;
    float *own; /* NULL: x is somebody else's */
} ev_array;

typedef struct ev_window {
    int64_t kernel[2], stride[2], pad[4]; /* height, width; top, left, bottom, right */
    int64_t groups;
    int rounds_up;    /* of a pooling: windows may reach past the padding */
    int counts_zeros; /* of a pooling: an average divides by all of the window */
} ev_window;

/* So many more operations may be done, about. */
typedef struct evaluator {
    double left;
} evaluator;

void ev_free(ev_array *a);
size_t ev_count(const ev_array *a);
/* Room for an array of that shape, zeros. */
HST_CHECK int ev_new(evaluator *e, int n_dims, const int64_t *dim, ev_array *out, hst_err *err);

/* Element by element; axes of length 1, and those that one lacks in front, go with any length.
 * op: + - * / % ^, < and = (1 or 0), m and M (the smaller, the larger), & (neither is 0) */
HST_CHECK int ev_binary(evaluator *e, char op, const ev_array *a, const ev_array *b, ev_array *out,
                        hst_err *err);
enum ev_function {
    EV_RELU,
    EV_RELU6,
    EV_SIGMOID,
    EV_SWISH,
    EV_HARD_SIGMOID,
    EV_HARD_SWISH,
    EV_GELU,
    EV_GELU_TANH, /* its approximation by tanh */
    EV_ERF,
    EV_TANH,
    EV_EXP,
    EV_SQRT,
    EV_RSQRT,
    EV_NEGATIVE,
    EV_RECIPROCAL,
    EV_ABS,
    EV_SIN,
    EV_COS,
    EV_FLOOR,
    EV_CEIL,
    EV_TRUNC,
    EV_NOT,
    EV_IS_NOT_ZERO,
    EV_IS_NAN,
    EV_ITSELF,
    EV_FUNCTIONS
};
HST_CHECK int ev_unary(evaluator *e, enum ev_function f, const ev_array *a, ev_array *out,
                       hst_err *err);
/* Of a shape that a goes with, or that a and `dim` together lead to. */
HST_CHECK int ev_expand(evaluator *e, const ev_array *a, int n_dims, const int64_t *dim,
                        ev_array *out, hst_err *err);
HST_CHECK int ev_where(evaluator *e, const ev_array *a, const ev_array *yes, const ev_array *no,
                       ev_array *out, hst_err *err);

/* ---- places (evaluate_places.c) ---- */

HST_CHECK int ev_reshape(evaluator *e, const ev_array *a, int n_dims, const int64_t *dim,
                         ev_array *out, hst_err *err);
/* Axis i of the result is axis order[i]. */
HST_CHECK int ev_transpose(evaluator *e, const ev_array *a, const int *order, ev_array *out,
                           hst_err *err);
HST_CHECK int ev_concat(evaluator *e, const ev_array *const *a, int n, int axis, ev_array *out,
                        hst_err *err);
/* count places along the axis, from first on, `step` apart. */
typedef struct ev_cut {
    int axis;
    int64_t first, step, count;
} ev_cut;
HST_CHECK int ev_slice(evaluator *e, const ev_array *a, const ev_cut *c, ev_array *out,
                       hst_err *err);
/* The places along the axis that `at` says; its shape stands in the axis' stead. */
HST_CHECK int ev_gather(evaluator *e, const ev_array *a, const ev_array *at, int axis,
                        ev_array *out, hst_err *err);
/* width[2 n_dims]: so many of that value before every axis, then behind. */
HST_CHECK int ev_pad(evaluator *e, const ev_array *a, const int64_t *width, float with,
                     ev_array *out, hst_err *err);

/* ---- sums (evaluate_sums.c) ---- */

/* Over the axes whose bits are set; op: + the sum, m the mean. keep: they stay, of length 1. */
HST_CHECK int ev_reduce(evaluator *e, char op, const ev_array *a, unsigned axes, int keep,
                        ev_array *out, hst_err *err);
HST_CHECK int ev_softmax(evaluator *e, const ev_array *a, int axis, ev_array *out, hst_err *err);
/* (x - mean) / sqrt(variance + epsilon) of every run of so many numbers. */
HST_CHECK int ev_normalise(evaluator *e, const ev_array *a, size_t run, double epsilon,
                           ev_array *out, hst_err *err);
/* a [batch][channels]...: channel c times scale[c] plus shift[c]. */
HST_CHECK int ev_channels(evaluator *e, const ev_array *a, const float *scale, const float *shift,
                          ev_array *out, hst_err *err);
/* [..][M][K] [..][K][N] -> [..][M][N]. */
HST_CHECK int ev_matmul(evaluator *e, const ev_array *a, const ev_array *b, ev_array *out,
                        hst_err *err);
/* x [N][I][H][W], k [O][I / groups][h][w], bias [O] or NULL. */
HST_CHECK int ev_conv(evaluator *e, const ev_array *x, const ev_array *k, const ev_array *bias,
                      const ev_window *w, ev_array *out, hst_err *err);
/* largest: the largest number of a window, else the mean. */
HST_CHECK int ev_pool(evaluator *e, const ev_array *x, const ev_window *w, int largest,
                      ev_array *out, hst_err *err);
#endif
