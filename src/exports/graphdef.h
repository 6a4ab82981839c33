/* graphdef.h - a TensorFlow graph while it is put together: nodes, and the constant tensors that
 * they read. A SavedModel has it as Protocol Buffers (savedmodel.c), TensorFlow.js as JSON
 * (tfjs.c).
 *
 * Names are those of TensorFlow: letters, digits and . _ - / alone; output k of a node is "NAME:k".
 * Sources: tensorflow/core/framework/{graph,node_def,attr_value,types}.proto */
#ifndef HST_EXPORTS_GRAPHDEF_H
#define HST_EXPORTS_GRAPHDEF_H
#include "base/mem.h"
#include "exports/export.h"

/* types.proto */
enum hst_tf_type {
    HST_TF_FLOAT = 1,
    HST_TF_INT32 = 3,
    HST_TF_UINT8 = 4,
    HST_TF_STRING = 7,
    HST_TF_RESOURCE = 20
};

enum hst_tf_kind {
    HST_TF_IS_TYPE, /* i[0]: enum hst_tf_type */
    HST_TF_IS_INT,
    HST_TF_IS_INTS,
    HST_TF_IS_BOOL,
    HST_TF_IS_TEXT,
    HST_TF_IS_TEXTS,
    HST_TF_IS_SHAPE /* i[n]; -1: any */
};
enum { HST_TF_NUMBERS = 4, HST_TF_ATTRS = 7 };

typedef struct hst_tf_attr {
    const char *name;
    enum hst_tf_kind kind;
    int n; /* of lists and shapes */
    int64_t i[HST_TF_NUMBERS];
    const char *text[2];
} hst_tf_attr;

typedef struct hst_tf_node {
    const char *name, *op;
    const char *const *in; /* "NODE", "NODE:1", or "^NODE" to come behind it; copied */
    hst_tf_attr attr[HST_TF_ATTRS];
    int n_in, n_attrs;
} hst_tf_node;

/* Numbers that stand in the file. */
typedef struct hst_tf_tensor {
    const char *name;
    int n_dims;
    int64_t dim[4];
    const float *data; /* borrowed; NULL: whole */
    int32_t whole[8];
    int is_kernel; /* weights of a layer */
} hst_tf_tensor;

typedef struct hst_tf {
    hst_err *err;
    int rc;           /* the first error; later calls do nothing */
    hst_arena *arena; /* of names and small tensors */
    /* How things are said: 1: a convolution, its bias and its activation in one node, as
     * TensorFlow.js has it; 0: in three, which TensorFlow itself puts together. */
    int fuses;
    const char *read; /* behind the name of a tensor of floats where a node reads it */
    hst_tf_node *node;
    size_t n_nodes, cap_nodes;
    hst_tf_tensor *tensor;
    size_t n_tensors, cap_tensors;
} hst_tf;

/* Attributes. */
#define HST_TF_TYPED(what, type)                                                                   \
    {                                                                                              \
        .name = (what), .kind = HST_TF_IS_TYPE, .i = {(type) }                                     \
    }
#define HST_TF_INT(what, v)                                                                        \
    {                                                                                              \
        .name = (what), .kind = HST_TF_IS_INT, .i = {(v) }                                         \
    }
#define HST_TF_BOOL(what, v)                                                                       \
    {                                                                                              \
        .name = (what), .kind = HST_TF_IS_BOOL, .i = {(v) }                                        \
    }
#define HST_TF_TEXT(what, v)                                                                       \
    {                                                                                              \
        .name = (what), .kind = HST_TF_IS_TEXT, .text = {(v) }                                     \
    }
#define HST_TF_FOUR(what, a, b, c, d)                                                              \
    {                                                                                              \
        .name = (what), .kind = HST_TF_IS_INTS, .n = 4, .i = {(a), (b), (c), (d) }                 \
    }

HST_CHECK int hst_tf_begin(hst_tf *g, hst_err *err);
void hst_tf_end(hst_tf *g);

/* A text in the arena; "" after an error. */
const char *hst_tf_name(hst_tf *g, const char *fmt, ...) HST_PRINTF(2, 3);
/* n floats in the arena; NULL after an error. */
float *hst_tf_floats(hst_tf *g, size_t n);
void hst_tf_add(hst_tf *g, const hst_tf_node *n);

/* Each adds a tensor and returns the name that nodes read it by. Whole and single numbers are there
 * once. */
const char *hst_tf_tensor_add(hst_tf *g, const hst_tf_tensor *t);
const char *hst_tf_whole(hst_tf *g, const int32_t *v, int n);
const char *hst_tf_axis(hst_tf *g, int32_t v);
const char *hst_tf_number(hst_tf *g, double v);
size_t hst_tf_count(const hst_tf_tensor *t);

/* The ends of a model: "image", and what its output is called. */
const char *hst_tf_output(const hst_exporting *x);
/* Their shapes, as an attribute's: -1 for any number of pictures. */
hst_tf_attr hst_tf_input_shape(const hst_exporting *x);
hst_tf_attr hst_tf_output_shape(const hst_exporting *x);
/* The nodes and tensors of a program. (graphdef_steps.c) */
HST_CHECK int hst_tf_steps(hst_tf *g, const hst_exporting *x);
#endif
