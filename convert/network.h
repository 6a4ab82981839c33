/* network.h - a graph of operators, as ONNX, TFLite and TensorFlow.js store it, reduced to what the
 * families here are: a chain of convolutions with their bias, batch norm, activation and addition.
 *
 * A reader tells the operators in the order in which they are computed; each call takes the numbers
 * of the values it works on and returns that of its result. What stands between convolutions is
 * drawn into them; what does not fit such a chain is refused by name. Behind the global average
 * lies the classifier, which nobody asks for. */
#ifndef CONVERT_NETWORK_H
#define CONVERT_NETWORK_H
#include "weights.h"

enum net_act { NET_LINEAR, NET_RELU, NET_RELU6 };

/* Where a kernel's height, width, input and output channels lie among its four dimensions. */
enum net_layout { NET_HWIO, NET_OIHW, NET_OHWI, NET_1HWC, NET_HWC1 };

typedef struct net_conv {
    const hst_named *kernel;
    enum net_layout layout;
    int depthwise;
    int64_t stride;
    int same;       /* 1: TensorFlow's SAME padding, pad is not used */
    int64_t pad[4]; /* top, left, bottom, right */
} net_conv;

typedef struct net_layer {
    int depthwise;
    int kernel, stride, in, out;
    int same, pad[4];
    enum net_act act;
    int add;  /* number of the layer whose output is added; -1: none */
    int tail; /* the number of its value as it is now */
    int step; /* the last thing done to its output: enum step in network.c */
    float *w; /* [kernel][kernel][in][out]; depthwise [kernel][kernel][out][1] */
    float *bias, *gamma, *beta, *mean, *variance; /* [out] or NULL */
    double epsilon;
} net_layer;

typedef struct net_value {
    int layer;    /* that made it; -1: the input */
    int pooled;   /* 1: behind the global average */
    int64_t h, w; /* 0: not known */
    int c;
    int64_t pad[4]; /* zeros around it that the next convolution takes */
} net_value;

enum { NET_MAX_LAYERS = 500, NET_MAX_VALUES = 20000 };

typedef struct network {
    hst_arena *arena;
    net_layer *layer;
    int n_layers;
    net_value *value;
    int n_values;
    int pooled;
    int padding;         /* bits: TensorFlow's and PyTorch's are still possible */
    int64_t px;          /* input height and width; 0: not known */
    double scale, shift; /* the first convolution sees scale * input + shift */
    size_t left;         /* bytes that kernels may still take */
} network;

/* file_bytes: how large the file is; kernels used many times must not multiply it. */
HST_CHECK int net_init(network *n, hst_arena *arena, size_t file_bytes, hst_err *err);

/* Each returns the number of its result, or an error, which is negative: HST_EMODEL, HST_EMEM. */
HST_CHECK int net_input(network *n, int64_t h, int64_t w, int64_t c, hst_err *err); /* 0: any */
HST_CHECK int net_conv2d(network *n, int x, const net_conv *c, hst_err *err);
HST_CHECK int net_bias(network *n, int x, const hst_named *bias, hst_err *err);
/* of: gamma, beta, moving mean, moving variance. */
HST_CHECK int net_batchnorm(network *n, int x, const hst_named *const of[4], double epsilon,
                            hst_err *err);
HST_CHECK int net_activate(network *n, int x, enum net_act act, hst_err *err);
HST_CHECK int net_pad(network *n, int x, const int64_t pad[4], hst_err *err);
HST_CHECK int net_add(network *n, int x, int y, hst_err *err);
/* x * scale + shift, on the input only. */
HST_CHECK int net_affine(network *n, int x, double scale, double shift, hst_err *err);
HST_CHECK int net_average(network *n, int x, hst_err *err);
/* Whether value x lies behind the average. */
int net_is_pooled(const network *n, int x);

/* Once all convolutions are told. */
int net_pads_as_tensorflow(const network *n);

/* Adds the tensors and the facts "ops", "padding", "image_px" and "bn_epsilon" to w (weights.h
 * says how). Where every convolution has batch norm of one epsilon and no bias, batch norm stays;
 * else it is folded into kernel and bias. */
HST_CHECK int net_finish(network *n, weights *w, hst_err *err);
#endif
