/* onnx.h - ONNX: a graph in Protocol Buffers, its tensors inside or in files beside it. */
#ifndef CONVERT_ONNX_H
#define CONVERT_ONNX_H
#include "weights.h"

/* The first file of s. HST_EMODEL: damaged, or a graph that network.h refuses. */
HST_CHECK int onnx_read(weights *w, hst_source *s, hst_err *err);
#endif
