/* learn_plain.h - training by the definitions, in double: the yardstick of learning plans. */
#ifndef HST_TESTS_LEARN_PLAIN_H
#define HST_TESTS_LEARN_PLAIN_H
#include "nn/learn.h"

/* Parameters as doubles, in place of the graph's own. */
typedef struct plain {
    const hst_graph *graph;
    double *learning, *statistics; /* as the graph's blocks */
    size_t n_learning, n_statistics;
    int batch_from; /* batch norm from this node on uses batch statistics; nodes: none */
} plain;
plain plain_of(const hst_graph *g);
void plain_free(plain *p);
/* The network's output [n][output], to be freed. */
double *plain_features(const plain *p, const float *x, int n);
/* sum over images and features of  features . weight, both [n][output]. */
double plain_loss(const plain *p, const float *x, int n, const float *weight);

size_t plain_floats(hst_shape s);
float *random_floats(size_t n, uint64_t seed); /* -2 .. 2 */
/* Weights of a size that keeps activations near 1, variances 0.2 .. 2.2. */
void random_params(hst_graph *g, uint64_t seed);
/* Calls fn with every table this machine can run. */
void each_isa(void (*fn)(const hst_kernels *k));
#endif
