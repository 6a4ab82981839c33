/* grouped.h - grouped convolutions (graph/op_grouped.c) a group at a time: its channels of a band
 * of rows are copied together, padding and all, so that its windows lie as the kernel walks them
 * (hst_grouped), in the first-level cache. */
#ifndef HST_NN_INFER_GROUPED_H
#define HST_NN_INFER_GROUPED_H
#include "nn/infer/unit.h"

/* Packed weights: [groups][kernel][kernel][in][columns], then the bias [groups][columns], columns
 * those of hst_grouped. */
size_t hst_groups_floats(const hst_node *n);
size_t hst_groups_bias_at(const hst_node *n);
/* scale[channels]: of each output channel; NULL: 1. Returns the bias, zeros, to be filled: channel
 * c is at hst_groups_place(n, c). */
float *hst_groups_pack(const hst_node *n, const float *kernel, const double *scale, float *out);
size_t hst_groups_place(const hst_node *n, int c);

/* A picture, some rows of it, of which a group's channels are copied. */
typedef struct hst_band {
    const float *x;  /* [shape] */
    hst_shape shape; /* c: floats between pixels */
    int first, n;    /* channels that are copied */
    int top, left;   /* row and column of the copy's first pixel; outside: zeros */
    int rows, wide;  /* of the copy, [rows][wide][n] */
    int apart;       /* every so many rows and columns of the copy there is one of the picture's,
                        zeros between them (gradients behind a stride); 1: all are */
} hst_band;
void hst_band_copy(const hst_band *b, float *out);

/* Rows of outputs whose band is in the cache, at least one. */
int hst_groups_band(const hst_conv *c, int in, int rows, int wide);
size_t hst_groups_scratch(const hst_node *n, const hst_shape *in, const hst_kernels *k);
void hst_infer_grouped(const hst_infer_unit *u, const hst_run_args *a);
#endif
