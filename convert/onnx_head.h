/* onnx_head.h - what lies behind the features of a computed ONNX graph: products with constant
 * matrices, activations and probabilities, one after another up to what the graph gives. */
#ifndef CONVERT_ONNX_HEAD_H
#define CONVERT_ONNX_HEAD_H
#include "onnx_run.h"

/* Notes what the node that has just been computed does in a classifier, before its inputs are
 * forgotten. */
HST_CHECK int onnx_head_note(onnx_run *r, hst_err *err);
/* Says the fact "classifier_computed" (weights.h) and adds what it reads, where the graph ends in
 * one. */
HST_CHECK int onnx_head_say(onnx_run *r, hst_err *err);
#endif
