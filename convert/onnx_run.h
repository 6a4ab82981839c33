/* onnx_run.h - an ONNX graph computed on one made-up picture, node by node. */
#ifndef CONVERT_ONNX_RUN_H
#define CONVERT_ONNX_RUN_H
#include "answers.h"
#include "onnx_graph.h"

enum { ONNX_IS_OUTPUT = 1 << 20 }; /* added to the readers of what the graph gives */

/* A matrix that tokens are multiplied by, until the bias behind it says what it is called. */
typedef struct onnx_pending {
    int value; /* what the product is */
    const hst_tensor *matrix;
    const char *module; /* "": not told */
} onnx_pending;

/* Whether a value is the same whatever the picture; and whether a tensor is in it that has a name
 * of its own. */
enum onnx_fixed { ONNX_VARIES, ONNX_FIXED, ONNX_FIXED_NAMED };

typedef struct onnx_run {
    onnx *o;
    evaluator e;
    names names; /* of what nodes give and of the input -> value */
    ev_array *value;
    int *readers; /* [values] that still will read it */
    char *fixed;  /* [values] enum onnx_fixed */
    int n, cap;
    /* what its tensors are called in the result (onnx_names.c) */
    names named;       /* names that are taken */
    int *uses;         /* [initializers] nodes that have read it */
    const char *front; /* before the names of tokens and positions */
    const struct onnx_tokens *tokens;
    onnx_pending *pending; /* [values] */
    int n_pending;
    struct onnx_head *head; /* (onnx_head.c) */
    /* of the node being computed; those of values are borrowed from them */
    ev_array in[ONNX_MAX_PORTS], out[ONNX_MAX_PORTS];
    answers answers;
    /* what the nodes tell of the network: 0, NULL: nothing */
    int heads;
    double epsilon; /* of its first layer norm */
    const char *act;
} onnx_run;

/* Fills r->out[] from r->in[] as the operator of o->node does. (onnx_compute.c) */
HST_CHECK int onnx_compute(onnx_run *r, hst_err *err);

/* NULL: the file has no tensor of that name. */
const hst_tensor *onnx_initializer(const onnx *o, bytes name);

/* A constant of the file as an array; HST_EMODEL: its numbers are of no type that is computed
 * with. */
HST_CHECK int onnx_array(onnx_run *r, const hst_tensor *t, ev_array *out, hst_err *err);

/* Computes the graph, whose initializers and input are read. Adds its tensors under the names of
 * the modules that they are of, and what it makes of the picture; says what it tells of the
 * network. */
HST_CHECK int onnx_run_graph(onnx *o, hst_err *err);
#endif
