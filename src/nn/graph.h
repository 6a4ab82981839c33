/* graph.h - a network as data: nodes in order, each one op over earlier nodes, and their
 * parameters. The one representation of a network: families build it, the planner reads it (plan.h,
 * learn.h), exporters walk it.
 *
 * Activations of pictures are NHWC; tokens are [tokens][channels]. Convolution kernels are HWIO,
 * depthwise kernels HWC1 (channel multiplier 1); I of grouped convolutions is of a group. Learning
 * parameters (kernels, biases, gamma, beta) lie in one contiguous block, in node order; batch-norm
 * statistics (moving mean, moving variance) are state, in a block of their own. */
#ifndef HST_NN_GRAPH_H
#define HST_NN_GRAPH_H
#include "base/err.h"
#include "kernels/kernels.h"

typedef struct hst_graph hst_graph;
struct hst_op; /* op.h */

enum hst_scalar { HST_SCALAR_F32, HST_SCALAR_BF16, HST_SCALAR_I8 };

size_t hst_scalar_bytes(enum hst_scalar s);

/* What a value is: numbers of one image, outermost dimension first. A picture has three dimensions
 * (height, width, channels), tokens two (tokens, channels), a vector one. */
enum { HST_MAX_DIMS = 4 };
typedef struct hst_type {
    enum hst_scalar dtype;
    int n_dims, dim[HST_MAX_DIMS];
} hst_type;

/* A value seen as a picture: the last dimension is c, the one before it w, all others h; a vector
 * is 1,1,c. */
typedef struct hst_shape {
    int h, w, c;
} hst_shape;
static inline size_t hst_shape_row_floats(hst_shape s)
{
    return (size_t)s.w * (size_t)s.c;
}
static inline size_t hst_shape_pixels(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}
static inline size_t hst_shape_floats(hst_shape s)
{
    return hst_shape_pixels(s) * (size_t)s.c;
}

enum hst_padding {
    HST_PAD_TF, /* TensorFlow SAME: total = max((ceil(h/s)-1)*s + k - h, 0), smaller half first */
    HST_PAD_SYMMETRIC,      /* PyTorch padding=(k-1)/2 on every side */
    HST_PAD_VALID,          /* none: TensorFlow VALID, PyTorch padding=0 */
    HST_PAD_ZEROS,          /* as HST_PAD_TF; poolings see zeros there */
    HST_PAD_SYMMETRIC_ZEROS /* as HST_PAD_SYMMETRIC, and the same */
};

/* A struct that nodes keep as bytes (hst_node.attrs) and read there: compilers must not move such
 * reads in front of copies of nodes. */
#define HST_ATTRS __attribute__((may_alias))

/* A window that moves over a picture: of a convolution or a pooling. */
typedef struct HST_ATTRS hst_conv {
    int kernel, stride; /* kernel: its rows */
    int channels;       /* of a convolution's output; else ignored */
    enum hst_padding padding;
    int bias;   /* 1: a bias vector */
    int wide;   /* its columns, of whole convolutions; 0: as many as rows */
    int groups; /* of a grouped convolution; else ignored */
    /* Of a standardised convolution, whose weights of each output channel are used with mean 0 and
     * variance 1 (Qiao et al. 2019, arXiv 1903.10520): added to their variance; else ignored. */
    double epsilon;
} hst_conv;
/* The columns of the window; how many pixels it has; 1: it is one pixel, at every pixel. */
static inline int hst_conv_wide(const hst_conv *c)
{
    return c->wide ? c->wide : c->kernel;
}
static inline int hst_conv_taps(const hst_conv *c)
{
    return c->kernel * hst_conv_wide(c);
}
static inline int hst_conv_is_pointwise(const hst_conv *c)
{
    return hst_conv_taps(c) == 1 && c->stride == 1;
}

HST_CHECK hst_graph *hst_graph_new(hst_err *err);
void hst_graph_free(hst_graph *g);

/* Adds a node of any op (op.h) and returns its number (0, 1, ...) or a negative code: HST_EMODEL
 * when shapes do not fit or a size is out of bounds (dims 1..65536, activation < 2^28 numbers),
 * HST_EMEM. input[op->n_inputs]: earlier nodes, -1 behind the last where the op takes fewer. attrs:
 * the op's attributes, copied; NULL where it has none. name ("Conv1", "bn_Conv1") prefixes the
 * node's parameters: "Conv1/kernel". */
HST_CHECK int hst_graph_add_node(hst_graph *g, const struct hst_op *op, const int *input,
                                 const void *attrs, const char *name, hst_err *err);

/* The same, an op each. */
HST_CHECK int hst_graph_input(hst_graph *g, hst_shape s, hst_err *err);
HST_CHECK int hst_graph_conv2d(hst_graph *g, int x, const hst_conv *c, const char *name,
                               hst_err *err);
HST_CHECK int hst_graph_depthwise(hst_graph *g, int x, const hst_conv *c, const char *name,
                                  hst_err *err);
/* c->groups groups of channels, each a convolution by itself. */
HST_CHECK int hst_graph_grouped(hst_graph *g, int x, const hst_conv *c, const char *name,
                                hst_err *err);
HST_CHECK int hst_graph_standardised(hst_graph *g, int x, const hst_conv *c, const char *name,
                                     hst_err *err);
HST_CHECK int hst_graph_batchnorm(hst_graph *g, int x, double epsilon, const char *name,
                                  hst_err *err);
/* By the mean and variance of each group of channels of an image (Wu, He 2018, arXiv 1803.08494);
 * gamma and beta of each channel. */
typedef struct HST_ATTRS hst_group_norm {
    double epsilon;
    int groups;
} hst_group_norm;
HST_CHECK int hst_graph_groupnorm(hst_graph *g, int x, const hst_group_norm *n, const char *name,
                                  hst_err *err);
HST_CHECK int hst_graph_add(hst_graph *g, int x, int y, hst_err *err);
/* HST_ACT_NONE adds no node: x. */
HST_CHECK int hst_graph_activation(hst_graph *g, int x, enum hst_act act, hst_err *err);
/* c: kernel, stride, padding. */
HST_CHECK int hst_graph_max_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err);
/* The mean of a window, channel by channel. c: the same. What lies outside does not count, but for
 * HST_PAD_ZEROS and HST_PAD_SYMMETRIC_ZEROS, where it counts as zeros. */
HST_CHECK int hst_graph_average_pool(hst_graph *g, int x, const hst_conv *c, hst_err *err);
/* Every stride-th pixel of every stride-th row, from pixel `first` of row `first` on; zeros where
 * there is none: ceil(h / stride) rows, ceil(w / stride) columns. */
typedef struct HST_ATTRS hst_pick {
    int stride, first; /* 0 <= first < stride */
} hst_pick;
HST_CHECK int hst_graph_pick(hst_graph *g, int x, const hst_pick *p, hst_err *err);
/* Every number times `by`, which is no parameter. */
HST_CHECK int hst_graph_times(hst_graph *g, int x, double by, hst_err *err);
/* Every channel of x times its number in y, which is a vector. */
HST_CHECK int hst_graph_scale(hst_graph *g, int x, int y, hst_err *err);
/* The channels of n pictures of one size, 1 .. HST_MAX_INPUTS, one behind the other. */
HST_CHECK int hst_graph_concat(hst_graph *g, const int *x, int n, hst_err *err);
/* Every number times one number, plus another: parameters "scale" [1] and "shift" [1]. */
HST_CHECK int hst_graph_affine(hst_graph *g, int x, const char *name, hst_err *err);
HST_CHECK int hst_graph_global_average(hst_graph *g, int x, hst_err *err);

/* Transformers. Tokens are a picture one row high, {1, tokens, channels}, so that a layer over them
 * is a convolution with kernel 1, and patches are one with kernel = stride = patch.
 *
 * Every pixel or token by its own mean and variance over the channels; gamma and beta. */
HST_CHECK int hst_graph_layernorm(hst_graph *g, int x, double epsilon, const char *name,
                                  hst_err *err);
/* y = gamma x, a number for each channel. */
HST_CHECK int hst_graph_layer_scale(hst_graph *g, int x, const char *name, hst_err *err);

/* Pixels as tokens: [h][w][c] -> [1][prefix + h w][c]. */
typedef struct HST_ATTRS hst_tokens {
    int prefix;    /* tokens in front that are learned (class, registers), the parameter "prefix"
                      [prefix][c], positions of theirs added in; 0: none */
    int positions; /* 1: the parameter "positions" [h w][c] is added to the pixels; 0: nothing is */
} hst_tokens;
HST_CHECK int hst_graph_tokens(hst_graph *g, int x, const hst_tokens *t, const char *name,
                               hst_err *err);

/* Tokens [n][3 c], of each its query, key and value -> [n][c]: for every head, c / heads channels
 * wide, softmax(q k' / sqrt(c / heads)) v, heads side by side (Vaswani et al. 2017, arXiv
 * 1706.03762). */
typedef struct HST_ATTRS hst_attention {
    int heads; /* divide c */
} hst_attention;
HST_CHECK int hst_graph_attention(hst_graph *g, int qkv, const hst_attention *t, hst_err *err);

/* The same with queries q [m][c] of their own, over the keys and values kv [n][2 c] -> [m][c]. */
HST_CHECK int hst_graph_cross_attention(hst_graph *g, int q, int kv, const hst_attention *t,
                                        hst_err *err);

/* Queries and keys of qkv, those of the cells of a grid, row by row behind `prefix` tokens, turned
 * by where they are; values and the tokens in front stay as they are. Of a head's d channels pair k
 * of d / 4 is turned for each axis by
 *
 *   halves   2 pi p / base^(4 k / d), with p from -1 to 1 the middle of the cell: rows first,
 *            channels j and j + d/2 being a pair (DINOv3, arXiv 2508.10104)
 *   rounded  the same, base^(4 k / d) rounded to bfloat16, as its authors' files have them
 *   pairs    p / base^(4 k / d), p from 1 on in cells of a grid of `learned`: columns first,
 *            channels 2 j and 2 j + 1 being a pair (Perception Encoder, arXiv 2504.13181) */
enum hst_rotary_way { HST_ROTARY_HALVES, HST_ROTARY_ROUNDED, HST_ROTARY_PAIRS };
typedef struct HST_ATTRS hst_rotary {
    int heads, prefix;
    int rows, columns;
    enum hst_rotary_way way;
    int learned; /* cells of a side of that grid */
    double base;
} hst_rotary;
HST_CHECK int hst_graph_rotary(hst_graph *g, int qkv, const hst_rotary *r, hst_err *err);

/* [..][2 c] -> [..][c]: act of the first c channels times the others. */
HST_CHECK int hst_graph_gate(hst_graph *g, int x, enum hst_act act, hst_err *err);

/* A learned token, the parameter "probe" [1][c] with the channels of x: what attention that pools
 * begins with. */
HST_CHECK int hst_graph_probe(hst_graph *g, int x, const char *name, hst_err *err);

/* Tokens [n][c] -> a vector: the first token, the mean of those from `prefix` on, or one behind the
 * other. */
enum hst_pool { HST_POOL_CLS, HST_POOL_MEAN, HST_POOL_CLS_MEAN };
typedef struct HST_ATTRS hst_token_pool {
    enum hst_pool pool;
    int prefix;
} hst_token_pool;
HST_CHECK int hst_graph_token_pool(hst_graph *g, int x, const hst_token_pool *p, hst_err *err);

/* Allocates the parameter blocks (zeroed); no node can be added afterwards. The last node is the
 * output. */
HST_CHECK int hst_graph_finish(hst_graph *g, hst_err *err);

typedef struct hst_param {
    const char *name; /* "Conv1/kernel", "bn_Conv1/gamma", ".../beta", ".../moving_mean",
                         ".../moving_variance" */
    int n_dims;
    int dim[HST_MAX_DIMS];
    float *data;   /* inside the graph's block */
    int statistic; /* 1: batch-norm moving mean or variance */
} hst_param;
size_t hst_graph_n_params(const hst_graph *g);                         /* after finish */
const hst_param *hst_graph_param(const hst_graph *g, size_t i);        /* in node order */
const hst_param *hst_graph_find(const hst_graph *g, const char *name); /* NULL: none */
size_t hst_param_count(const hst_param *p);                            /* product of dims */

/* A walk over the graph, for those who write it down: nodes 0 .. n-1 in order; of each its op's
 * name ("conv2d"), the nodes it reads, what it makes, its attributes and its parameters. */
int hst_graph_n_nodes(const hst_graph *g);
const char *hst_graph_op_name(const hst_graph *g, int node);
const char *hst_graph_node_name(const hst_graph *g, int node); /* "Conv1"; "": it has none */
int hst_graph_n_inputs(const hst_graph *g, int node);
int hst_graph_input_of(const hst_graph *g, int node, int i);
hst_type hst_graph_type(const hst_graph *g, int node);
hst_shape hst_graph_shape(const hst_graph *g, int node); /* the type as a picture */
/* The parameters of a node are hst_graph_param(g, first .. first + count - 1). */
size_t hst_graph_node_params(const hst_graph *g, int node, size_t *first);
/* Attribute i of the node; 0: it has fewer. */
typedef struct hst_attr_value {
    const char *name; /* "stride" */
    double number;    /* what it is; of a word its place in the list of words */
    const char *word; /* NULL: a number; else "relu6", "symmetric" */
} hst_attr_value;
int hst_graph_attr(const hst_graph *g, int node, int i, hst_attr_value *out);

/* Of one image: multiply-adds x 2 of the ops that have weights to multiply, and of attention's
 * products, which is all that is left once batch norm is folded and activations and additions are
 * done on the way. */
double hst_graph_flops(const hst_graph *g);
double hst_graph_node_flops(const hst_graph *g, int node);
#endif
