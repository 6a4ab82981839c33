/* network.h - a graph of operators, as ONNX, TFLite and TensorFlow.js store it, reduced to what the
 * families here are made of: convolutions with their bias and batch norm, activations, additions,
 * channels times numbers (squeeze-and-excitation), max pooling and averages.
 *
 * A reader tells the operators in the order in which they are computed; each call takes the numbers
 * of the values it works on and returns that of its result. Nothing is executed. What several
 * operators do together (x relu6(x + 3) / 6) becomes one (hard swish); what none of the families
 * has is refused by name. Behind the last global average lies the classifier, which nobody asks
 * for: there, what is not understood is passed over (net_other). */
#ifndef CONVERT_NETWORK_H
#define CONVERT_NETWORK_H
#include "weights.h"

enum net_act {
    NET_LINEAR,
    NET_RELU,
    NET_RELU6,
    NET_SIGMOID,
    NET_HSIGMOID, /* relu6(x + 3) / 6 */
    NET_HSWISH,   /* x relu6(x + 3) / 6 */
    NET_SWISH,    /* x sigmoid(x) */
    /* parts of these, which may not be left over */
    NET_PLUS3,   /* x + 3 */
    NET_SIXTH,   /* x / 6 */
    NET_CLIP3,   /* relu6(x + 3) */
    NET_X_CLIP3, /* x relu6(x + 3) */
    NET_N_ACTS
};

/* Where a kernel's height, width, input and output channels lie among its four dimensions. */
enum net_layout { NET_HWIO, NET_OIHW, NET_OHWI, NET_1HWC, NET_HWC1 };

/* Fills out[] with a kernel's numbers, where they are not simply those of its data. */
typedef int net_floats(const void *from, float *out, hst_err *err);

typedef struct net_conv {
    const hst_tensor *kernel; /* its data must last until net_finish() */
    net_floats *floats;       /* NULL: hst_tensor_floats() of the kernel */
    const void *from;         /* lasts as long */
    enum net_layout layout;
    int depthwise;
    int64_t stride;
    int same;       /* 1: TensorFlow's SAME padding, pad is not used */
    int64_t pad[4]; /* top, left, bottom, right */
} net_conv;

typedef struct net_layer {
    hst_tensor kernel_of_file; /* as the file has it, and how it is read */
    net_floats *floats;
    const void *from;
    enum net_layout layout;
    int depthwise;
    int kernel, stride, in, out;
    int same, pad[4];
    int tail;            /* the number of its value, with what belongs to it: bias, batch norm */
    int step;            /* the last of them: enum step in network.c */
    float *scale, *bias; /* [out] or NULL: conv scale + bias */
    float *gamma, *beta, *mean, *variance;
    double epsilon;
} net_layer;

enum net_kind {
    NET_INPUT,
    NET_CONV,
    NET_ACTIVATION,
    NET_ADD,
    NET_SCALE, /* channels of x times the numbers y */
    NET_MAX_POOL,
    NET_AVERAGE, /* over height and width */
    NET_STEP,    /* a step of a classifier, number .layer */
    NET_OTHER    /* something behind an average */
};

typedef struct net_value {
    enum net_kind kind;
    int x, y; /* the values that it is made of, smaller numbers than its own; -1: none */
    int same; /* the value that it is but for its padding; its own number where it has none */
    int layer;
    enum net_act act;
    int vector;   /* 1: one number a channel */
    int64_t h, w; /* 0: not known */
    int c;
    int64_t pad[4]; /* zeros around it that the next convolution takes */
    int depth;      /* convolutions on the longest way to it */
} net_value;

/* A step of a classifier; its tensors last until net_finish(). */
typedef struct net_step {
    const char *op; /* as src/model/foreign.h has them */
    const hst_tensor *kernel, *bias;
    int transposed;            /* kernel [outputs][inputs], else [inputs][outputs] */
    const hst_tensor *norm[4]; /* gamma, beta, mean, variance */
    double epsilon;
} net_step;

enum { NET_MAX_LAYERS = 500, NET_MAX_STEPS = 32, NET_MAX_VALUES = 20000 };

typedef struct network {
    hst_arena *arena;
    net_layer *layer;
    int n_layers;
    net_value *value;
    int n_values;
    int picture;               /* the value that the input is, scaled and shifted; -1: none yet */
    int padding;               /* bits: TensorFlow's and PyTorch's are still possible */
    int64_t width, height;     /* of the input; 0: not known */
    double scale[3], shift[3]; /* the first convolution sees scale * input + shift */
    size_t left;               /* bytes that numbers may still take */
    struct net_head {          /* the classifier of an exported model; of 0: there is none */
        int of;                /* the value that it reads, plus 1 */
        int transposed;        /* kernel [classes][features], else [features][classes] */
        const hst_tensor *kernel, *bias;
    } head;
    net_step step[NET_MAX_STEPS];
    int n_steps;
    hst_err passed; /* why the first operator behind an average was passed over */
} network;

/* file_bytes: how large the file is; numbers used many times must not multiply it. */
HST_CHECK int net_init(network *n, hst_arena *arena, size_t file_bytes, hst_err *err);

/* Each returns the number of its result, or an error, which is negative: HST_EMODEL, HST_EMEM. */
HST_CHECK int net_input(network *n, int64_t h, int64_t w, int64_t c, hst_err *err); /* 0: any */
HST_CHECK int net_conv2d(network *n, int x, const net_conv *c, hst_err *err);
HST_CHECK int net_bias(network *n, int x, const hst_tensor *bias, hst_err *err);
/* of: gamma, beta, moving mean, moving variance. */
HST_CHECK int net_batchnorm(network *n, int x, const hst_tensor *const of[4], double epsilon,
                            hst_err *err);
HST_CHECK int net_activate(network *n, int x, enum net_act act, hst_err *err);
HST_CHECK int net_pad(network *n, int x, const int64_t pad[4], hst_err *err);
HST_CHECK int net_add(network *n, int x, int y, hst_err *err);
HST_CHECK int net_multiply(network *n, int x, int y, hst_err *err);
/* x op c, where op is one of + - * / and c a constant: one number, or one a channel. Of the input
 * it is what the network does to pixels; of a convolution's output one number a channel belongs to
 * it; else only hard sigmoid and hard swish are made of such. */
HST_CHECK int net_constant(network *n, int x, char op, const hst_tensor *c, hst_err *err);
HST_CHECK int net_max_pool(network *n, int x, const net_conv *window, int64_t kernel, hst_err *err);
HST_CHECK int net_average(network *n, int x, hst_err *err);
/* The same numbers in another shape; only of one number a channel. */
HST_CHECK int net_reshape(network *n, int x, hst_err *err);
/* The classifier of a model that headstart has exported: the last one that is told counts. */
HST_CHECK int net_head(network *n, int x, const struct net_head *head, hst_err *err);
/* Steps of a classifier, of one number a channel (network_head.c): s says kernel, bias and
 * transposed. What net_bias, net_constant and net_batchnorm do to one is done by the latter two. */
HST_CHECK int net_dense(network *n, int x, const net_step *s, hst_err *err);
HST_CHECK int net_softmax(network *n, int x, hst_err *err);
HST_CHECK int net_step_bias(network *n, int x, const hst_tensor *bias, hst_err *err);
HST_CHECK int net_step_norm(network *n, int x, const hst_tensor *const of[4], double epsilon,
                            hst_err *err);
/* Says the fact "classifier" of what lies behind the average that is value `output`, or why it is
 * not known. */
HST_CHECK int net_say_classifier(network *n, int output, weights *w, hst_err *err);
/* *kernel [height][width][in][out] and l->bias with all that belongs to the convolution. */
HST_CHECK int net_layer_folded(network *n, net_layer *l, float **kernel, hst_err *err);
/* What an operator gives that could not be read (rc, *err: its error) from x: an error too, but for
 * what lies behind an average. */
HST_CHECK int net_other(network *n, int x, int rc, hst_err *err);
/* Of two operands (-1: none) the one that says where the operator stands: a map before numbers, a
 * before b. */
int net_operand(const network *n, int a, int b);

/* Positions of height, width, input and output channels among a kernel's dimensions. */
const int *net_places(enum net_layout layout);

/* Once all convolutions are told. */
int net_pads_as_tensorflow(const network *n);

/* Adds the tensors and the facts "graph", "padding", "bn_epsilon" and the input's size to w
 * (weights.h says how). Where every convolution of a picture has batch norm of one epsilon and no
 * bias, batch norm stays; else it is folded into kernel and bias. (network_result.c) */
/* 1: behind the average that its features would be there is a convolution, which may be a part of
 * the network. (network_result.c) */
int net_goes_on(const network *n);

HST_CHECK int net_finish(network *n, weights *w, hst_err *err);
#endif
