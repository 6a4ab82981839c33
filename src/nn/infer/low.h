/* low.h - units whose products are of lower precision (kernels/products.h): what they read is
 * rounded on its way into the product, all that is made stays float32. */
#ifndef HST_NN_INFER_LOW_H
#define HST_NN_INFER_LOW_H
#include "nn/infer/unit.h"

/* The product g of rows that were converted to x, ldx bytes apart; g's own x is not looked at. */
static inline hst_low_gemm hst_low_of(const hst_gemm *g, const void *x, size_t ldx)
{
    return (hst_low_gemm){.x = x,
                          .ldx = ldx,
                          .w = g->w,
                          .bias = g->bias,
                          .y = g->y,
                          .ldy = g->ldy,
                          .residual = g->residual,
                          .rows = g->rows,
                          .k = g->k,
                          .n = g->n,
                          .clamp = g->clamp};
}

/* Bytes between converted rows of k numbers: an odd number of cache lines, so that the rows of a
 * tile do not meet in a few sets of the first-level cache. */
size_t hst_low_ld(const hst_products *p, int k);

/* The most output pixels at a time, whose converted rows and outputs fill a half of the cache. */
size_t hst_low_block(const hst_infer_unit *u, size_t cache_bytes);

/* A convolution, and a 1x1 convolution with the average of its outputs, over a->images images. */
hst_step_memory hst_low_memory(const hst_infer_unit *u, int threads, int images);
void hst_low_conv2d(const hst_infer_unit *u, const hst_run_args *a);
hst_step_memory hst_low_pooled_memory(const hst_infer_unit *u, int images);
void hst_low_pooled(const hst_infer_unit *u, const hst_run_args *a);

/* This thread's part of a product: some rows, or some panels. */
void hst_low_product(const hst_products *products, const hst_run_args *a, const hst_low_gemm *p);
#endif
