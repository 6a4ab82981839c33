/* op.h - what an op is: one const object, one file per op, which is the whole truth about it. No op
 * numbers, no switch over ops: whoever needs to know something of an op asks its object.
 *
 * A node is an op at work in a graph: its inputs, its attributes, what it makes, its parameters. */
#ifndef HST_NN_OP_H
#define HST_NN_OP_H
#include "nn/graph.h"

#include <stdalign.h>

typedef struct hst_op hst_op;
typedef struct hst_node hst_node;
struct hst_infer_unit; /* infer/unit.h */
struct hst_run_args;   /* plan/step.h */

/* A parameter that a node has: the ending of its name and its shape. */
typedef struct hst_slot {
    const char *ending; /* "kernel": the full name is "Conv1/kernel" */
    int statistic;
    int dim[HST_MAX_DIMS], n_dims;
    double standardise; /* of the first: the epsilon of its standardisation (plan/standardise.c),
                           which plans see to; 0: it is used as it is */
} hst_slot;

/* An attribute that nodes of an op have: a member of the struct that the op keeps in hst_node.attrs
 * (an int, a double, or an int that stands for a word). */
enum hst_attr_kind { HST_ATTR_INT, HST_ATTR_REAL, HST_ATTR_WORD };
typedef struct hst_attr {
    const char *name;
    enum hst_attr_kind kind;
    size_t offset;            /* in the struct */
    const char *const *words; /* of HST_ATTR_WORD */
} hst_attr;

enum { HST_MAX_SLOTS = 4, HST_MAX_INPUTS = 8, HST_ATTR_BYTES = 40 };

struct hst_node {
    const hst_op *op;
    char name[64];             /* of its parameters; "" where it has none */
    int input[HST_MAX_INPUTS]; /* node numbers; -1 behind the last */
    int n_inputs;
    alignas(8) unsigned char attrs[HST_ATTR_BYTES]; /* the op's struct */
    hst_type type;                                  /* what it makes */
    hst_slot slot[HST_MAX_SLOTS];
    int n_slots;
    int first_param; /* of the graph's parameters */
};

/* One image, plain loops: what an op means. */
typedef struct hst_op_args {
    const hst_node *node;
    const hst_shape *in; /* [n_inputs] */
    const hst_kernels *kernels;
    const float *x[HST_MAX_INPUTS];
    const float *param[HST_MAX_SLOTS];
    float *y; /* forward writes it */
    const float *dy;
    float *dx[HST_MAX_INPUTS];    /* backward adds to it; NULL: not wanted */
    float *dparam[HST_MAX_SLOTS]; /* backward adds to it; NULL: not wanted */
    float *scratch;               /* [hst_op.scratch] */
} hst_op_args;

/* A node's weights made ready for the kernels: every output channel c times scale[c], shift[c] as
 * its bias. */
typedef struct hst_packing {
    const hst_node *node;
    const hst_kernels *kernels;
    const hst_products *products; /* that will multiply; NULL: in float32 */
    hst_quanta quanta;            /* of what they multiply */
    const float *const *param;
    const double *scale, *shift; /* [output channels] */
    void *out;                   /* [packed_bytes] */
} hst_packing;

enum { HST_READS_INPUT = 1, HST_READS_OUTPUT = 2 }; /* what backward reads */

enum hst_norm_kind {
    HST_NORM_NONE,  /* by itself */
    HST_NORM_BATCH, /* by mean and variance of each channel, its slots as those of batch norm */
    HST_NORM_GAMMA, /* as a norm that has gamma alone, its only slot */
    HST_NORM_FACTOR /* as one whose gamma is a number that does not learn: hst_node_factor */
};

struct hst_op {
    const char *name; /* "conv2d": in graphs written down, in messages */
    int n_inputs;     /* that its nodes have */
    int takes_fewer;  /* 1: or fewer, down to one */
    const hst_attr *attrs;
    int n_attrs;
    size_t attr_bytes; /* of the struct; 0: no attributes */
    /* The node's type and parameter slots from its inputs and attributes, or why they do not fit.
     */
    int (*infer_type)(hst_node *n, const hst_type *in, hst_err *err);
    /* Floating-point operations of one image; a multiply-add counts 2. */
    double (*flops)(const hst_node *n, const hst_shape *in);
    int counts; /* 1: they are products that count as those of weights do (hst_graph_flops) */

    /* How many of the first pixels of its inputs the first `pixels` of its output are made from.
     * NULL: from all. */
    int (*needs)(const hst_node *n, int pixels);
    /* Ops that may be the mean of their input's pixels: the first one in it, the last being the
     * last; negative: this node is not. NULL: none is. */
    int (*mean_from)(const hst_node *n);

    /* Ops that multiply by weights: bytes of the packed weights for products (0: not supported;
     * NULL: in float32); packs them and returns where the bias begins, or NULL where a number is
     * not finite, if it looks. NULL: no such weights. */
    size_t (*packed_bytes)(const hst_node *n, const hst_kernels *k, const hst_products *products);
    const float *(*pack)(const hst_packing *p);
    /* Ops that are y = scale x + shift for each channel once their parameters are fixed: composed
     * behind the map that is there, scale' = s scale, shift' = s shift + t. NULL: no such op. */
    void (*fold)(const hst_node *n, const float *const *param, double *scale, double *shift);
    enum hst_norm_kind norm; /* how such an op learns behind a convolution */

    /* One image, or a thread's part of it, perhaps with what stands behind the node done on the way
     * (infer/unit.h); scratch: floats that a thread needs for it, in learning too, NULL: none. */
    void (*infer)(const struct hst_infer_unit *u, const struct hst_run_args *a);
    size_t (*scratch)(const hst_node *n, const hst_shape *in, const hst_kernels *k);

    /* Learning, image by image; the plain loops, which runners of groups do faster. backward NULL:
     * the op cannot learn by itself (batch norm looks at all images), forward NULL: `infer`. */
    void (*forward)(const hst_op_args *a);
    void (*backward)(const hst_op_args *a);
    int reads; /* HST_READS_* */
};

extern const hst_op hst_op_input, hst_op_conv2d, hst_op_depthwise, hst_op_batchnorm, hst_op_add,
    hst_op_activation, hst_op_global_average, hst_op_max_pool, hst_op_scale, hst_op_layernorm,
    hst_op_layer_scale, hst_op_tokens, hst_op_attention, hst_op_cross_attention, hst_op_probe,
    hst_op_token_pool, hst_op_concat, hst_op_affine, hst_op_average_pool, hst_op_pick, hst_op_times,
    hst_op_gate, hst_op_rotary, hst_op_grouped, hst_op_groupnorm, hst_op_standardised;

const hst_node *hst_graph_node(const hst_graph *g, int i);

hst_type hst_image_type(hst_shape s); /* three dimensions, float32 */
hst_type hst_vector_type(int c);
hst_shape hst_type_shape(const hst_type *t);
static inline hst_shape hst_node_shape(const hst_node *n)
{
    return hst_type_shape(&n->type);
}

/* The attributes of convolutions and poolings, of activations. */
static inline const hst_conv *hst_node_conv(const hst_node *n)
{
    return (const void *)n->attrs;
}
enum hst_act hst_node_act(const hst_node *n);
extern const char *const hst_act_words[HST_ACTS];
double hst_node_epsilon(const hst_node *n); /* of a norm */
double hst_node_factor(const hst_node *n);  /* of HST_NORM_FACTOR */

/* 1: the node multiplies by weights of its own (convolutions, matrices): what people call a layer.
 */
static inline int hst_node_has_weights(const hst_node *n)
{
    return n->op->pack != NULL;
}

/* Of a node of hst_op_rotary, for those who write it down: every head x[tokens][d] of queries and
 * keys becomes same[tokens][d] x + other[tokens][d] x', where x' has the channels of each pair in
 * each other's place. */
void hst_rotary_factors(const hst_node *n, float *same, float *other);

/* Ops that make a pixel from the same pixel of their inputs: hst_op.needs. */
int hst_needs_same(const hst_node *n, int pixels);

size_t hst_slot_count(const hst_slot *s); /* product of dims */
/* What the weights w of a slot that is standardised are used as. (plan/standardise.c) */
void hst_standardise(const hst_slot *s, const float *w, float *to);

/* Output length and padding in front along one axis, that of rows or that of columns; length 0 when
 * the kernel does not fit. */
typedef struct hst_span {
    int out, before;
} hst_span;
hst_span hst_conv_span(const hst_conv *c, int in);
hst_span hst_conv_span_across(const hst_conv *c, int in);
/* The window of output row oy, column ox: its rows top .. bottom-1 and columns left .. right-1 that
 * are inside. */
typedef struct hst_window {
    int top, bottom, left, right;
    int has_zeros; /* 1: some of it is outside, and counts */
} hst_window;
hst_window hst_window_at(const hst_conv *c, hst_shape in, int oy, int ox);
/* The largest kernel and stride of whole convolutions, which patches of transformers are;
 * HST_MAX_KERNEL of depthwise ones and poolings. */
enum { HST_MAX_PATCH = 64 };
/* Of both axes; an error in words when the window does not fit, or its kernel or stride is more
 * than `most`. */
HST_CHECK int hst_conv_shape(const hst_node *n, hst_shape in, int channels, int most, hst_type *out,
                             hst_err *err);
extern const char *const hst_padding_words[]; /* by enum hst_padding */
/* hst_op.infer_type of a window that makes one number of each channel's. */
HST_CHECK int hst_pool_type(hst_node *n, const hst_type *in, hst_err *err);
/* kernel, stride, padding, then channels, bias, kernel_width */
extern const hst_attr hst_conv_attrs[];
enum { HST_POOL_ATTRS = 3, HST_DEPTHWISE_ATTRS = 5, HST_CONV_ATTRS = 6 };
#endif
