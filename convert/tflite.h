/* tflite.h - TensorFlow Lite: a graph in a FlatBuffer, batch norm folded into its convolutions. */
#ifndef CONVERT_TFLITE_H
#define CONVERT_TFLITE_H
#include "weights.h"

/* The first file of s. Float32; float16 and int8 weights that are widened as the graph runs; and
 * networks that compute with whole numbers (uint8 or int8), as the real numbers that these stand
 * for: what they round on the way is not rounded here. Facts: mean and std where its input is
 * quantised or its metadata has them. HST_EMODEL: damaged, or no chain of convolutions (network.h).
 */
HST_CHECK int tflite_read(weights *w, hst_source *s, hst_err *err);
#endif
