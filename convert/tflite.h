/* tflite.h - TensorFlow Lite: a graph in a FlatBuffer, batch norm folded into its convolutions. */
#ifndef CONVERT_TFLITE_H
#define CONVERT_TFLITE_H
#include "weights.h"

/* The first file of s. Float32; float16 and int8 weights that are widened as the graph runs. Facts:
 * mean and std where its metadata has them. HST_EMODEL: damaged, all-integer, or no chain of
 * convolutions (network.h). */
HST_CHECK int tflite_read(weights *w, hst_source *s, hst_err *err);
#endif
