/* onnx_names.h - what the tensors of an ONNX graph are called by the program that it comes from.
 *
 * PyTorch's exporters keep the names of parameters, but not of those that they fold: a matrix that
 * is turned ("onnx::MatMul_227"), a kernel with the batch norm behind it drawn in, a token that is
 * expanded. Nodes say which module they are of, and so does the bias behind a matrix. */
#ifndef CONVERT_ONNX_NAMES_H
#define CONVERT_ONNX_NAMES_H
#include "onnx_run.h"

/* Whether a tensor has the name of a parameter, not one that an exporter gave to what it made. */
int onnx_has_own_name(const onnx_run *r, const hst_tensor *t);
HST_CHECK int onnx_names_begin(onnx_run *r, hst_err *err);
/* Adds the constants that the node reads and whose names it tells. */
HST_CHECK int onnx_name_constants(onnx_run *r, hst_err *err);
/* Adds those that are left, under the names that they have. */
HST_CHECK int onnx_add_constants(onnx_run *r, hst_err *err);
#endif
