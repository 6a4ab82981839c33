/* kernels.h - pure arithmetic on pointers: one table of functions per instruction set.
 *
 * Callers never look at the processor: they get a table once (hst_kernels_best) and call through
 * it. To add an instruction set, write one file of vector primitives (vec_<isa>.h), one that
 * includes it and the bodies (isa_<isa>.c), and one line in kernels.c.
 *
 * Tiles cut outputs only: every sum runs over its inputs in one fixed order, so an output has the
 * same bits whatever tile, row count or thread it was computed in. ReLU6 lets NaN through. */
#ifndef HST_KERNELS_KERNELS_H
#define HST_KERNELS_KERNELS_H
#include <stddef.h>
#include <stdint.h>

/* y[m][n] = act(bias[n] + sum_k x[m][k] w[k][n] + residual[m][n]), m = 0 .. rows-1.
 * A 1x1 convolution is this over pixels; any other one after its windows were laid out as rows. */
typedef struct hst_gemm {
    const float *x; /* [rows][k], rows ldx floats apart */
    size_t ldx;
    const float *w;    /* packed by hst_gemm_pack */
    const float *bias; /* [n rounded up to a panel], packed with w */
    float *y;          /* [rows][n], rows ldy floats apart */
    size_t ldy;
    const float *residual; /* as y (same ldy), or NULL */
    size_t rows;
    int k, n;
    int relu6; /* 1: act = min(max(v, 0), 6); 0: act = v */
} hst_gemm;

/* One row of outputs of a depthwise convolution:
 *   y[i][c] = act(bias[c] + sum_{ky,kx} row[ky][i * stride + kx - before][c] w[ky][kx][c])
 * Taps outside the row, and rows that are NULL, count as zero. */
enum { HST_MAX_KERNEL = 15 };
typedef struct hst_depthwise {
    const float *row[HST_MAX_KERNEL]; /* [kernel] input rows of [width][channels], or NULL */
    const float *w;                   /* [kernel][kernel][channels] */
    const float *bias;                /* [channels] */
    float *y;                         /* [out][channels] */
    size_t x_step, w_step, y_step;    /* floats between pixels, taps, outputs: >= channels */
    int width, out, channels;
    int kernel, stride, before; /* before: padding in front */
    int relu6;
} hst_depthwise;

/* Weighted sums of bytes. Weights are fractions of 2^HST_RESIZE_BITS, sums are rounded and clipped
 * to 0..255; the sizes of the weights of an output add up to less than 2. */
enum { HST_RESIZE_BITS = 22 };

/* out[i] = sum_t weight[t] in[t * stride + i], t = 0 .. count-1, i = 0 .. n-1 */
typedef struct hst_resize_rows {
    const uint8_t *in;
    size_t stride, n;
    const int32_t *weight;
    int count;
    uint8_t *out;
} hst_resize_rows;

/* One row of RGB pixels, for each channel c:
 *   out[i][c] = sum_t weight[i * stride + t] in[first[i] + t][c], t = 0 .. count[i]-1 */
typedef struct hst_resize_pixels {
    const uint8_t *in; /* [width][3] */
    int width;
    const int32_t *weight;
    const int *first, *count; /* [n] */
    int stride, n;
    uint8_t *out; /* [n][3] */
} hst_resize_pixels;

typedef struct hst_kernels {
    const char *isa;
    int panel; /* output channels of a panel of packed weights */
    void (*gemm)(const hst_gemm *g);
    void (*depthwise)(const hst_depthwise *d);
    /* y[c] = mean over pixels of x[pixels][c] */
    void (*average)(const float *x, size_t pixels, int c, float *y);
    void (*resize_rows)(const hst_resize_rows *r);
    void (*resize_pixels)(const hst_resize_pixels *r);
} hst_kernels;

/* Packed size in floats of a [k][n] matrix and its bias behind it. */
size_t hst_gemm_packed(const hst_kernels *kn, int k, int n);
/* w[k][n] -> panels [n/panel][k][panel], the last one padded with zeros, then bias[n] padded (NULL:
 * zero). Returns where the packed bias begins. */
const float *hst_gemm_pack(const hst_kernels *kn, const float *w, const float *bias, int k, int n,
                           float *out);

/* The best table this processor and operating system can run. Never NULL. */
const hst_kernels *hst_kernels_best(void);
/* By name ("portable", "avx2", "avx512", "neon"); NULL: not compiled in, or cannot run here. */
const hst_kernels *hst_kernels_find(const char *name);
/* The i-th compiled in, best last; NULL past the end. *usable (may be NULL): can run here. */
const char *hst_kernels_name(int i, int *usable);
const char *hst_kernels_isa(const hst_kernels *k);
#endif
