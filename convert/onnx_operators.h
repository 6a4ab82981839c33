/* onnx_operators.h - what a node does to the network. */
#ifndef CONVERT_ONNX_OPERATORS_H
#define CONVERT_ONNX_OPERATORS_H
#include "onnx_graph.h"

/* Does what the node says to value x, which is one of its inputs: the number of its result or an
 * error (HST_EMODEL: unknown, or of a kind that no network here has). */
HST_CHECK int onnx_operator(onnx *o, int x, hst_err *err);
#endif
