/* onnx_compute.h - what those who compute operators of ONNX share: inputs, attributes; and the
 * operators that only put numbers in other places. */
#ifndef CONVERT_ONNX_COMPUTE_H
#define CONVERT_ONNX_COMPUTE_H
#include "onnx_run.h"

enum { ONNX_MOST_WHOLE = 2 * EV_DIMS };

/* Whether the node has input i. */
int onnx_has(const onnx_run *r, int i);
int64_t onnx_integer(const onnx_run *r, const char *attribute, int64_t absent);
double onnx_real(const onnx_run *r, const char *attribute, double absent);
/* Counted from the front; -1: there is no such axis. */
int onnx_axis(int64_t axis, int n_dims);
/* Whole numbers of input i or, where it has none, of the attribute; how many. */
int onnx_whole_numbers(const onnx_run *r, int i, const char *attribute,
                       int64_t out[ONNX_MOST_WHOLE]);
/* out = x. */
HST_CHECK int onnx_copy(onnx_run *r, const ev_array *x, ev_array *out, hst_err *err);
/* HST_EMODEL: "a Conv ", then why. */
HST_CHECK int onnx_odd(const onnx_run *r, const char *why, hst_err *err);

typedef int onnx_operator_fn(onnx_run *r, int how, hst_err *err);
/* (onnx_places.c) */
onnx_operator_fn onnx_constant, onnx_constant_of_shape, onnx_shape, onnx_range, onnx_reshape,
    onnx_flatten, onnx_squeeze, onnx_unsqueeze, onnx_transpose, onnx_expand, onnx_tile, onnx_resize,
    onnx_concat, onnx_slice, onnx_split, onnx_gather, onnx_pad;
#endif
