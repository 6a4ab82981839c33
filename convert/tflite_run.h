/* tflite_run.h - a TFLite graph computed on one made-up picture, operator by operator. */
#ifndef CONVERT_TFLITE_RUN_H
#define CONVERT_TFLITE_RUN_H
#include "tflite_file.h"

/* Of a graph that headstart has exported: adds its constants under the names that they have, which
 * are ours, kernels in TensorFlow's order of axes, and what it makes of the picture. */
HST_CHECK int tflite_run(weights *w, tflite_file *f, const hst_source *s, hst_err *err);
#endif
