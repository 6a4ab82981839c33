/* tf_compute.h - what the operators compute that TensorFlow's graphs and TFLite's have in common:
 * pictures are [batch][height][width][channels]. A format says what an operator's inputs and
 * attributes are and has a table of its own names for it (graphdef_run.c, tflite_run.c). */
#ifndef CONVERT_TF_COMPUTE_H
#define CONVERT_TF_COMPUTE_H
#include "evaluate.h"

enum { TF_MAX_PORTS = 64 }; /* inputs or outputs of an operator */

typedef struct tf_operation {
    evaluator *e;
    const char *name; /* for messages */
    ev_array in[TF_MAX_PORTS], out[TF_MAX_PORTS];
    int n_in, n_out;
    /* what its attributes say, where it has such */
    ev_window window;   /* of a pooling its kernel; strides */
    int same;           /* 1: it pads as TensorFlow's SAME, else not at all */
    const int *oihw;    /* where those of a convolution lie among its kernel's axes */
    int depthwise;      /* 1: a group for each channel */
    int keeps;          /* of a mean: its axes stay, of length 1 */
    int turned[2];      /* of a product: the last two axes of the first, second matrix are
                           exchanged */
    int64_t axis;       /* of a concatenation */
    enum ev_function f; /* done to the result of a sum or product */
} tf_operation;

/* Fills o->out[] from o->in[]; how: which operation or function. HST_EMODEL: it cannot be. */
typedef int tf_compute(tf_operation *o, int how, hst_err *err);
/* A convolution and a product take a bias as third input. */
tf_compute tf_binary, tf_unary, tf_conv, tf_pool, tf_product, tf_mean, tf_softmax, tf_reshape,
    tf_pad, tf_transpose, tf_concat, tf_split, tf_slice, tf_cast;

/* A row of a table of operators: what it is called, by name or number. */
typedef struct tf_row {
    const char *name;
    int code;
    tf_compute *compute;
    int how, least; /* least: inputs that it must have */
} tf_row;
/* As the row says, where the inputs are there. */
HST_CHECK int tf_run(tf_operation *o, const tf_row *row, hst_err *err);
/* Ends all inputs and outputs. */
void tf_end(tf_operation *o);

/* HST_EMODEL: "a Conv2D ", then why. */
HST_CHECK int tf_odd(const tf_operation *o, const char *why, hst_err *err);
#endif
