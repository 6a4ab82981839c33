/* onnx.h - a graph in ONNX' words while it is put together: nodes, and the tensors that they read.
 * Field numbers are those of onnx.proto. */
#ifndef HST_EXPORTS_ONNX_H
#define HST_EXPORTS_ONNX_H
#include "base/mem.h"
#include "exports/export.h"
#include "exports/protobuf.h"

/* How a step's numbers become those of a tensor. */
enum hst_onnx_order {
    HST_ONNX_AS_IT_IS,
    HST_ONNX_OIHW, /* from [h][w][i][o] */
    HST_ONNX_C1HW  /* from [h][w][c] */
};

/* A tensor that the graph reads: numbers of a step, or whole ones. */
typedef struct hst_onnx_tensor {
    const char *name;
    int n_dims;
    int64_t dim[4];
    const float *data; /* borrowed; NULL: whole */
    enum hst_onnx_order order;
    int64_t whole[8];
} hst_onnx_tensor;

typedef struct hst_onnx {
    hst_err *err;
    int rc;           /* the first error; later calls do nothing */
    hst_arena *arena; /* of names and small tensors */
    hst_buf nodes;
    hst_onnx_tensor *tensor;
    size_t n_tensors, cap;
} hst_onnx;

/* A text in the arena; "" after an error. */
const char *hst_onnx_name(hst_onnx *o, const char *fmt, ...) HST_PRINTF(2, 3);
/* n floats in the arena; NULL after an error. */
float *hst_onnx_floats(hst_onnx *o, size_t n);

/* Attributes first (NULL: the node has none), then the node. A NULL ends outputs and inputs. */
void hst_onnx_int(hst_buf *attributes, const char *name, int64_t v);
void hst_onnx_float(hst_buf *attributes, const char *name, float v);
void hst_onnx_ints(hst_buf *attributes, const char *name, const int64_t *v, size_t n);
void hst_onnx_node(hst_onnx *o, const char *op, hst_buf *attributes, const char *const *outputs,
                   const char *const *inputs);

/* Each returns the tensor's name. Whole and single numbers are there once. */
const char *hst_onnx_tensor_add(hst_onnx *o, const hst_onnx_tensor *t);
const char *hst_onnx_whole(hst_onnx *o, const int64_t *v, int n);
const char *hst_onnx_number(hst_onnx *o, double v);

/* to = act(x). (onnx_act.c) */
void hst_onnx_activate(hst_onnx *o, enum hst_act act, const char *x, const char *to);

/* The nodes and tensors of a program, between values of these names. (onnx_steps.c) */
HST_CHECK int hst_onnx_steps(hst_onnx *o, const hst_exporting *x, const char *input,
                             const char *output);
#endif
