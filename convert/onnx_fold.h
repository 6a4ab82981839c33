/* onnx_fold.h - numbers that a graph works out from constants and from the sizes of maps. */
#ifndef CONVERT_ONNX_FOLD_H
#define CONVERT_ONNX_FOLD_H
#include "onnx_graph.h"

/* What a node gives that reads constants, or the shape of a map: 1 and the tensor, 0 when it is
 * none that is worked out here, or HST_EMEM. */
HST_CHECK int onnx_fold(onnx *o, hst_tensor *out, hst_err *err);
#endif
