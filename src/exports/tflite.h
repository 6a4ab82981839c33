/* tflite.h - a graph in TFLite's words while it is put together: operators, and the tensors between
 * them. Numbers are those of TensorFlow's schema.fbs. */
#ifndef HST_EXPORTS_TFLITE_H
#define HST_EXPORTS_TFLITE_H
#include "base/mem.h"
#include "exports/export.h"
#include "exports/flatbuffer.h"

/* TensorType */
enum hst_tfl_type {
    HST_TFL_F32 = 0,
    HST_TFL_F16 = 1,
    HST_TFL_I32 = 2,
    HST_TFL_U8 = 3,
    HST_TFL_I8 = 9
};

/* BuiltinOperator */
enum hst_tfl_code {
    HST_TFL_ADD = 0,
    HST_TFL_AVERAGE_POOL_2D = 1,
    HST_TFL_CONCATENATION = 2,
    HST_TFL_CONV_2D = 3,
    HST_TFL_DEPTHWISE_CONV_2D = 4,
    HST_TFL_DEQUANTIZE = 6,
    HST_TFL_FULLY_CONNECTED = 9,
    HST_TFL_LOGISTIC = 14,
    HST_TFL_MAX_POOL_2D = 17,
    HST_TFL_MUL = 18,
    HST_TFL_RELU = 19,
    HST_TFL_RELU6 = 21,
    HST_TFL_RESHAPE = 22,
    HST_TFL_SOFTMAX = 25,
    HST_TFL_PAD = 34,
    HST_TFL_TRANSPOSE = 39,
    HST_TFL_MEAN = 40,
    HST_TFL_SUB = 41,
    HST_TFL_SPLIT = 49,
    HST_TFL_CAST = 53,
    HST_TFL_PADV2 = 60,
    HST_TFL_SLICE = 65,
    HST_TFL_RSQRT = 76,
    HST_TFL_QUANTIZE = 114,
    HST_TFL_HARD_SWISH = 117,
    HST_TFL_BATCH_MATMUL = 126,
    HST_TFL_GELU = 150
};

/* ActivationFunctionType, Padding */
enum { HST_TFL_LINEAR = 0, HST_TFL_FUSED_RELU = 1, HST_TFL_FUSED_RELU6 = 3 };
enum { HST_TFL_SAME = 0, HST_TFL_VALID = 1 };

enum { HST_TFL_DIMS = 4, HST_TFL_WHOLE = 8, HST_TFL_PORTS = 8, HST_TFL_OPTIONS = 6 };

typedef struct hst_tfl_tensor {
    const char *name;
    enum hst_tfl_type type;
    int n_dims;
    int32_t dim[HST_TFL_DIMS]; /* of what is computed the first one is the batch, here 1 */
    /* Constants: float32 numbers, which become those of the type, or whole ones. */
    const float *data; /* borrowed */
    int turned;        /* 1: the file has [columns][rows] of data [rows][columns = dim[0]] */
    int is_weight;     /* 1: what a constant is widened to; it has no batch */
    int n_whole;
    int32_t whole[HST_TFL_WHOLE];
    int channel; /* the dimension whose entries have a scale each, where there is more than one */
    float *scale;
    size_t n_scales;
    int zero;          /* of one scale: the whole number that stands for 0 */
    float least, most; /* of what is computed, over photos; least >= most: not known */
    const float *mean; /* [channels] likewise, borrowed; NULL: not known */
} hst_tfl_tensor;

typedef struct hst_tfl_op {
    enum hst_tfl_code code;
    int version;
    hst_fb_field option[HST_TFL_OPTIONS];
    int n_options;
    int32_t in[HST_TFL_PORTS], out[HST_TFL_PORTS]; /* tensors */
    int n_in, n_out;
} hst_tfl_op;

typedef struct hst_tfl {
    hst_err *err;
    int rc;           /* the first error; later calls do nothing */
    hst_arena *arena; /* of names, scales and small tensors */
    hst_tfl_tensor *tensor;
    size_t n_tensors, tensors_cap;
    hst_tfl_tensor spare; /* stands for all of them after an error */
    hst_tfl_op *op;
    size_t n_ops, ops_cap;
    int input, output;
} hst_tfl;

static inline int hst_tfl_is_constant(const hst_tfl_tensor *t)
{
    return t->data || t->n_whole;
}
/* What fills it. (tflite_graph.c)
 *
 * A text in the arena; "" after an error. */
const char *hst_tfl_name(hst_tfl *g, const char *fmt, ...) HST_PRINTF(2, 3);
/* n floats in the arena; NULL after an error. */
float *hst_tfl_floats(hst_tfl *g, size_t n);
/* Each returns the tensor's number; after an error 0. */
int hst_tfl_tensor_add(hst_tfl *g, const hst_tfl_tensor *t);
/* int32, and one float; the same ones are there once. */
int hst_tfl_whole(hst_tfl *g, const int32_t *v, int n);
int hst_tfl_number(hst_tfl *g, float v);
void hst_tfl_op_add(hst_tfl *g, const hst_tfl_op *op);

/* Scales of a constant for 127 steps on either side of 0: one for each of `channel`'s entries. */
void hst_tfl_scales(hst_tfl *g, hst_tfl_tensor *t);
/* Everything whose range is known computes in 8 bits: tensors become int8, and where float32 is
 * left there are operators in between. (tflite_quantise.c) */
HST_CHECK int hst_tfl_quantise(hst_tfl *g, const hst_exporting *x);

/* The operators and tensors of a program; the result has that name. (tflite_steps.c) */
HST_CHECK int hst_tfl_steps(hst_tfl *g, const hst_exporting *x, const char *output);
/* The FlatBuffer of TFLite's metadata: what input and output are. (tflite_metadata.c) */
void hst_tfl_metadata(hst_fb *b, const hst_exporting *x, const char *output);
#define HST_TFL_LABELS "labels.txt"
/* A zip archive of one stored file, which begins `before` bytes behind the beginning of the file
 * that it is put at the end of. */
void hst_tfl_zip(hst_buf *b, size_t before, const char *name, const char *text);
#endif
