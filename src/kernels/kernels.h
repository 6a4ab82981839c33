/* kernels.h - pure arithmetic on pointers: one table of functions per instruction set.
 *
 * Callers never look at the processor: they get a table once (hst_kernels_best) and call through
 * it. To add an instruction set, write one file of vector primitives (vec_<isa>.h), one that
 * includes it and the bodies (isa_<isa>.c), its flags in meson.build, its name in tables.h and a
 * row in the table of the processor's present_*.c.
 *
 * Tiles cut outputs only: every sum runs over its inputs in one fixed order, so an output has the
 * same bits whatever tile, row count or thread it was computed in. Activations let NaN through. */
#ifndef HST_KERNELS_KERNELS_H
#define HST_KERNELS_KERNELS_H
#include "kernels/products.h"

#include <stddef.h>
#include <stdint.h>

/* Activations:
 *
 *   relu6     min(max(x, 0), 6)
 *   relu      max(x, 0)
 *   sigmoid   1 / (1 + e^-x)
 *   hsigmoid  min(max(x + 3, 0), 6) / 6              (Howard et al. 2019, arXiv 1905.02244)
 *   hswish    x hsigmoid(x)                          (the same)
 *   swish     x sigmoid(x), also called SiLU         (Ramachandran et al. 2017, arXiv 1710.05941)
 *   gelu      x P(X <= x), X normally distributed    (Hendrycks, Gimpel 2016, arXiv 1606.08415)
 *   gelu_tanh   x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), near gelu  (the same)
 *   gelu_quick  x sigmoid(1.702 x), near gelu, CLIP's                    (the same)
 *
 * NaN is let through. sigmoid and swish are within 1e-6 of themselves (measured over every float32:
 * 4.3e-7) down to -87, and within 1e-36 behind; the three GELUs within 1e-6 |x|, and so of
 * themselves where they are not small. */
enum hst_act {
    HST_ACT_NONE,
    HST_ACT_RELU6,
    HST_ACT_RELU,
    HST_ACT_SIGMOID,
    HST_ACT_HSIGMOID,
    HST_ACT_HSWISH,
    HST_ACT_SWISH,
    HST_ACT_GELU,
    HST_ACT_GELU_TANH,
    HST_ACT_GELU_QUICK
};
enum { HST_ACTS = HST_ACT_GELU_QUICK + 1 };

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
    /* 0: act = v; else act = min(max(v, 0), clamp): ReLU6 with 6, ReLU with INFINITY. */
    float clamp;
    /* NULL, or [rows][n], rows ld_gate floats apart: outputs of a clamp whose gradient y is. y
     * passes where 0 < gate < gate_top and is 0 elsewhere. */
    const float *gate;
    size_t ld_gate;
    float gate_top;
    int streams; /* 1: the weights are in no cache of this core: rows are not cut into blocks */
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
    float clamp;                /* as in hst_gemm */
} hst_depthwise;

/* One row of outputs of one group of a grouped convolution, whose `in` channels lie by themselves,
 * one pixel behind the other, padding among them:
 *   y[i][c] = act(bias[c] + sum_{ky,kx,m} x[ky][i * stride + kx][m] w[ky][kx][m][c]) */
enum { HST_GROUPED_COLUMNS = 8 };
typedef struct hst_grouped {
    const float *x; /* [kernel] rows of [(outputs - 1) * stride + kernel][in], x_row floats apart */
    size_t x_row;
    const float *w;    /* [kernel][kernel][in][columns], columns: hst_grouped_columns(out) */
    const float *bias; /* [columns] */
    float *y;          /* [outputs][out], y_step floats between outputs: >= out */
    size_t y_step;
    int outputs, in, out;
    int kernel, stride;
    float clamp; /* as in hst_gemm */
} hst_grouped;
static inline int hst_grouped_columns(int out)
{
    return (out + HST_GROUPED_COLUMNS - 1) / HST_GROUPED_COLUMNS * HST_GROUPED_COLUMNS;
}

/* A 3x3 convolution with stride 1 and padding 1 or none, 2 x 2 outputs y at a time, as F(2x2, 3x3)
 * of Winograd (Lavin, Gray 2015, arXiv 1509.09308) from 4 x 4 inputs d and weights g:
 *
 *   y = A' [ (G g G') . (B' d B) ] A
 *
 *        1  0 -1  0         1   0   0
 *   B' = 0  1  1  0    G = .5  .5  .5    A' = 1 1  1  0
 *        0 -1  1  0        .5 -.5  .5         0 1 -1 -1
 *        0  1  0 -1         0   0   1
 *
 * with 16 products instead of 36. For each of these 16 places, tiles by channels are a matrix, and
 * the sums over channels a matrix product (hst_gemm). Tile t of a row of them has the inputs 2t - 1
 * .. 2t + 2, without padding 2t .. 2t + 3, and makes the outputs 2t, 2t + 1. Channels are whole
 * vectors, as any multiple of HST_WINOGRAD_CHANNELS is with every instruction set. */
enum { HST_WINOGRAD_SIDE = 4, HST_WINOGRAD_PLACES = 16, HST_WINOGRAD_CHANNELS = 16 };

/* v[place][tile][c] = B' d B of a row of tiles */
typedef struct hst_winograd_in {
    const float *row[HST_WINOGRAD_SIDE]; /* [width][channels], or NULL: padding */
    float *v;
    size_t v_step, place; /* floats between tiles, between places */
    int width, tiles, channels;
    int valid; /* 1: without padding */
} hst_winograd_in;

/* y = act(A' p A + bias + residual) of a row of tiles */
typedef struct hst_winograd_out {
    const float *p; /* [place][tile][channels] */
    size_t p_step, place;
    const float *bias;
    float *row[2];            /* [width][channels], y_step floats between pixels; NULL: not there */
    const float *residual[2]; /* as row, or NULL */
    size_t y_step;
    int width, tiles, channels;
    float clamp; /* as in hst_gemm */
} hst_winograd_out;

/* y[r][c] = act(x[r][c]), r = 0 .. rows-1, c = 0 .. n-1; sum[c] += y[r][c] in the order of rows,
 * where sum is not NULL. y may be x. */
typedef struct hst_act_rows {
    enum hst_act act;
    const float *x;
    float *y;
    size_t ldx, ldy; /* floats between rows */
    float *sum;
    size_t rows;
    int n;
} hst_act_rows;

/* Gradients of matrices: dw[i][j] += sum_r a[r][i] b[r][j], r = 0 .. rows-1. */
typedef struct hst_grad_gemm {
    const float *a, *b; /* [rows][m], [rows][n]; rows of a may overlap, as windows do */
    size_t lda, ldb;
    float *dw; /* [m][n] */
    size_t ldw;
    size_t rows;
    int m, n;
} hst_grad_gemm;

/* Gradient of a depthwise convolution's kernel from n_rows rows of outputs:
 *   dw[ky][kx][c] += sum_{j,i} g[j][i][c] row[j * stride + ky][i * stride + kx - before][c]
 *   db[c] += sum_{j,i} g[j][i][c] */
typedef struct hst_grad_taps {
    const float *const *row; /* [(n_rows - 1) * stride + kernel] input rows; NULL counts as zero */
    const float *const *g;   /* [n_rows] rows of gradients [out][channels] */
    float *dw, *db;          /* [kernel][kernel][channels], [channels] */
    size_t x_step, g_step, w_step; /* floats between pixels, gradients, taps */
    int n_rows, width, out, channels;
    int kernel, stride, before;
} hst_grad_taps;

/* Gradient of one row of a depthwise convolution's input, given the gradient of its output:
 *   dx[x][c] = gate(sum_{ky,kx} g[ky][(x + before - kx) / stride][c] w[ky][kx][c])
 * over the kx for which the division has no remainder; g[ky] is the row of output gradients that
 * sees this row through ky, NULL where there is none. gate as in hst_gemm; sum[c] += sum_x
 * dx[x][c].
 */
typedef struct hst_grad_pixels {
    const float *g[HST_MAX_KERNEL]; /* [kernel] rows of [out][channels], or NULL */
    const float *w;                 /* [kernel][kernel][channels] */
    const float *gate;              /* [width][channels], or NULL */
    float *dx, *sum;                /* [width][channels], [channels] */
    size_t g_step, w_step, gate_step, dx_step;
    int width, out, channels;
    int kernel, stride, before;
    float gate_top;
} hst_grad_pixels;

/* Batch norm over rows of channels, one row behind the other:
 *   y[r][c] = act(x[r][c] scale[c] + shift[c]) + z[r][c] */
typedef struct hst_norm_map {
    const float *x, *scale, *shift;
    const float *z; /* as x, or NULL */
    float *y;
    size_t rows;
    int c;
    enum hst_act act;
} hst_norm_map;

/* Gradient of its activation:  dx[r][c] = dy[r][c] act'(x[r][c] scale[c] + shift[c]); scale NULL:
 * act'(x[r][c]). At the ends of a piecewise linear part the derivative is 0. dx may be dy. */
typedef struct hst_norm_gate {
    const float *x, *scale, *shift;
    const float *dy;
    float *dx;
    size_t rows;
    int c;
    enum hst_act act;
} hst_norm_gate;

/* Its gradient:  dx[r][c] = dy[r][c] of_dy[c] + x[r][c] of_x[c] + shift[c] */
typedef struct hst_norm_back {
    const float *dy, *x, *of_dy, *of_x, *shift;
    float *dx;
    size_t rows;
    int c;
} hst_norm_back;

/* Sums over rows, per channel. Moments: first = mean of x, second = sum (x - first)^2. Products:
 * first = sum dy, second = sum dy (x - mean). Few rows at a time keep the error of float32 small.
 */
typedef struct hst_norm_sums {
    const float *x;
    const float *dy, *mean; /* products only */
    float *first, *second;
    size_t rows;
    int c;
} hst_norm_sums;

/* Layer norm (Ba et al. 2016, arXiv 1607.06450), each row by its own mean and variance:
 *   y[r][c] = (x[r][c] - mean[r]) / sqrt(variance[r] + epsilon) gamma[c] + beta[c] */
typedef struct hst_layer_norm {
    const float *x, *gamma, *beta;
    float *y;        /* may be x */
    size_t ldx, ldy; /* floats between rows */
    size_t rows;
    int c;
    float epsilon;
} hst_layer_norm;

/* Its gradient, with x^ = (x - mean) / sqrt(variance + epsilon) and g = gamma dy:
 *   dx[r][c] += (g - mean of g - x^ mean of (g x^)) / sqrt(variance + epsilon)
 *   dgamma[c] += dy x^,  dbeta[c] += dy
 * Rows lie one behind the other; dx, dgamma and dbeta may be NULL. */
typedef struct hst_layer_norm_back {
    const float *x, *gamma, *dy;
    float *dx, *dgamma, *dbeta;
    size_t rows;
    int c;
    float epsilon;
} hst_layer_norm_back;

/* Softmax without its division:  x[r][i] = e^(x[r][i] - the largest of the row), and
 * of_sum[r] = 1 / sum_i of these. Rows are ldx floats apart; NaN makes of_sum NaN. */
typedef struct hst_softmax {
    float *x;
    size_t ldx, rows;
    int n;
    float *of_sum;
} hst_softmax;

/* Its gradient, from what hst_softmax left in x and of_sum, p = x of_sum, and sum p dx:
 *   dx[r][i] = p (dx[r][i] - sum[r]) by,  x[r][i] = p */
typedef struct hst_softmax_back {
    float *x, *dx; /* rows ldx floats apart, both */
    size_t ldx, rows;
    int n;
    const float *of_sum, *sum; /* [rows] */
    float by;
} hst_softmax_back;

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

enum { HST_PEAK_FLOATS = 512, HST_READ_FLOATS = 160 };
typedef struct hst_kernels {
    const char *isa;  /* whose bits are the same: "avx512" */
    const char *name; /* of this table among those of the instruction set */
    const hst_products *products[HST_PRECISIONS]; /* NULL: of HST_PRECISION_FP32, which is gemm */
    int panel;                                    /* output channels of a panel of packed weights */
    void (*gemm)(const hst_gemm *g);
    void (*depthwise)(const hst_depthwise *d);
    void (*grouped)(const hst_grouped *g);
    void (*winograd_in)(const hst_winograd_in *w);
    void (*winograd_out)(const hst_winograd_out *w);
    /* y[c] = mean over pixels of x[pixels][c] */
    void (*average)(const float *x, size_t pixels, int c, float *y);
    /* y[i] = act(x[i]), i = 0 .. n-1; y may be x */
    void (*activate)(enum hst_act act, const float *x, float *y, size_t n);
    void (*activate_rows)(const hst_act_rows *r);
    /* y[r][c] = x[r][c] z[c], rows one behind the other; y may be x */
    void (*scale_rows)(const float *x, const float *z, float *y, size_t rows, int c);
    void (*grad_gemm)(const hst_grad_gemm *g);
    void (*grad_taps)(const hst_grad_taps *g);
    void (*grad_pixels)(const hst_grad_pixels *g);
    /* sum[c] += sum over rows of x[rows][c], rows ldx floats apart */
    void (*grad_sum)(const float *x, size_t ldx, size_t rows, int c, float *sum);
    /* Multiply-adds on registers alone, as a limit to measure by: their floating-point operations
     * (a multiply-add counts 2). sink[HST_PEAK_FLOATS] */
    double (*peak)(long rounds, float *sink);
    /* The sum of x[n], read as fast as it goes: the limit of a cache, or of memory. n: a multiple
     * of HST_READ_FLOATS */
    float (*read)(const float *x, size_t n);
    void (*norm_map)(const hst_norm_map *m);
    void (*norm_gate)(const hst_norm_gate *g);
    void (*norm_back)(const hst_norm_back *b);
    void (*norm_moments)(const hst_norm_sums *s);
    void (*norm_products)(const hst_norm_sums *s);
    void (*layer_norm)(const hst_layer_norm *n);
    void (*layer_norm_back)(const hst_layer_norm_back *b);
    void (*softmax)(const hst_softmax *s);
    void (*softmax_back)(const hst_softmax_back *b);
    void (*resize_rows)(const hst_resize_rows *r);
    void (*resize_pixels)(const hst_resize_pixels *r);
} hst_kernels;

/* Packed size in floats of a [k][n] matrix and its bias behind it. */
size_t hst_gemm_packed(const hst_kernels *kn, int k, int n);
/* w[k][n] -> panels [n/panel][k][panel], the last one padded with zeros, then bias[n] padded (NULL:
 * zero). Returns where the packed bias begins. */
const float *hst_gemm_pack(const hst_kernels *kn, const float *w, const float *bias, int k, int n,
                           float *out);

/* The same for the transpose of w[k][n], without bias: for products x[rows][n] w^T. */
const float *hst_gemm_pack_transposed(const hst_kernels *kn, const float *w, int k, int n,
                                      float *out);
/* Where the bias of a packed [k][n] matrix begins. */
const float *hst_gemm_bias(const hst_kernels *kn, const float *packed, int k, int n);

/* The best table this processor and operating system can run. Never NULL. */
const hst_kernels *hst_kernels_best(void);
/* By name (hst_kernels_name); NULL: not compiled in, or cannot run here. */
const hst_kernels *hst_kernels_find(const char *name);
/* The i-th compiled in, best last; NULL past the end. *usable (may be NULL): can run here. */
const char *hst_kernels_name(int i, int *usable);
const char *hst_kernels_isa(const hst_kernels *k);
#endif
