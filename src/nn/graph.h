/* graph.h - a network as data: nodes in order, each one op over earlier nodes, and its parameters.
 *
 * Activations are float32 NHWC. Convolution kernels are HWIO, depthwise kernels HWC1 (channel
 * multiplier 1). Learning parameters (kernels, biases, gamma, beta) lie in one contiguous block, in
 * node order; batch-norm statistics (moving mean, moving variance) are state, in a block of their
 * own. */
#ifndef HST_NN_GRAPH_H
#define HST_NN_GRAPH_H
#include "base/err.h"

typedef struct hst_graph hst_graph;

typedef struct hst_shape { /* of one image's activation; a vector is 1,1,c */
    int h, w, c;
} hst_shape;

enum hst_padding {
    HST_PAD_TF, /* TensorFlow SAME: total = max((ceil(h/s)-1)*s + k - h, 0), smaller half first */
    HST_PAD_SYMMETRIC /* PyTorch padding=(k-1)/2 on every side */
};

typedef struct hst_conv {
    int kernel, stride,
        channels; /* square kernel; channels: output channels (depthwise: ignored) */
    enum hst_padding padding;
    int bias; /* 1: a bias vector */
} hst_conv;

HST_CHECK hst_graph *hst_graph_new(hst_err *err);
void hst_graph_free(hst_graph *g);

/* Each adds a node and returns its number (0, 1, ...) or a negative code: HST_EMODEL when shapes do
 * not fit or a size is out of bounds (dims 1..65536, activation < 2^28 floats), HST_EMEM. name
 * ("Conv1", "bn_Conv1") prefixes the node's parameters: "Conv1/kernel". */
HST_CHECK int hst_graph_input(hst_graph *g, hst_shape s, hst_err *err);
HST_CHECK int hst_graph_conv2d(hst_graph *g, int x, const hst_conv *c, const char *name,
                               hst_err *err);
HST_CHECK int hst_graph_depthwise(hst_graph *g, int x, const hst_conv *c, const char *name,
                                  hst_err *err);
HST_CHECK int hst_graph_batchnorm(hst_graph *g, int x, double epsilon, const char *name,
                                  hst_err *err);
HST_CHECK int hst_graph_relu6(hst_graph *g, int x, hst_err *err);
HST_CHECK int hst_graph_add(hst_graph *g, int x, int y, hst_err *err);
/* kernels.h has their formulas. */
enum hst_activation {
    HST_RELU6,
    HST_RELU,
    HST_SIGMOID,
    HST_HSIGMOID,
    HST_HSWISH,
    HST_SWISH,
    HST_LINEAR /* adds no node */
};
HST_CHECK int hst_graph_activation(hst_graph *g, int x, enum hst_activation a, hst_err *err);
/* c: kernel, stride, padding. */
HST_CHECK int hst_graph_max_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err);
/* Every channel of x times its number in y, which is a vector. */
HST_CHECK int hst_graph_scale(hst_graph *g, int x, int y, hst_err *err);
HST_CHECK int hst_graph_global_average(hst_graph *g, int x, hst_err *err);

/* Allocates the parameter blocks (zeroed); no node can be added afterwards. The last node is the
 * output. */
HST_CHECK int hst_graph_finish(hst_graph *g, hst_err *err);

typedef struct hst_param {
    const char *name; /* "Conv1/kernel", "bn_Conv1/gamma", ".../beta", ".../moving_mean",
                         ".../moving_variance" */
    int n_dims;
    int dim[4];
    float *data;   /* inside the graph's block */
    int statistic; /* 1: batch-norm moving mean or variance */
} hst_param;
size_t hst_graph_n_params(const hst_graph *g);                         /* after finish */
const hst_param *hst_graph_param(const hst_graph *g, size_t i);        /* in node order */
const hst_param *hst_graph_find(const hst_graph *g, const char *name); /* NULL: none */
size_t hst_param_count(const hst_param *p);                            /* product of dims */

int hst_graph_n_nodes(const hst_graph *g);
hst_shape hst_graph_shape(const hst_graph *g, int node);
const char *hst_graph_op_name(const hst_graph *g, int node); /* "conv2d" */
/* Of one image: multiply-adds x 2 of the convolutions, which is all that is left once batch norm is
 * folded and activations and additions are done on the way. */
double hst_graph_flops(const hst_graph *g);
#endif
