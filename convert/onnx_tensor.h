/* onnx_tensor.h - a TensorProto of ONNX as a named tensor. */
#ifndef CONVERT_ONNX_TENSOR_H
#define CONVERT_ONNX_TENSOR_H
#include "bytes.h"
#include "weights.h"

/* proto: the message. Data stays where it is (in the file, or in one beside it that s holds) or,
 * where it must be aligned or unpacked, goes to the arena. *name: inside proto; out->name is a
 * copy. */
HST_CHECK int onnx_tensor(bytes proto, hst_source *s, hst_arena *arena, bytes *name,
                          hst_tensor *out, hst_err *err);
#endif
