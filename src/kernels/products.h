/* products.h - matrix products in a precision below float32: weights and rows are rounded, sums
 * stay float32.
 *
 * Rows are converted once (convert) and then multiplied by any number of panels. As in hst_gemm a
 * panel is a number of columns, packed one behind the other; every sum runs over its inputs in one
 * fixed order, so that bits depend on neither tile, row count nor thread. NaN and infinities pass.
 *
 * bf16 is the upper half of a float32, rounded to nearest, ties to even; values below 2^-126 become
 * 0. One sum is  for i = 0, 1, ...:  s += x[2i+1] w[2i+1];  s += x[2i] w[2i]  with one rounding an
 * addition, which is what VDPBF16PS does (Intel SDM, volume 2). The product of two bf16 numbers is
 * exact in float32, so every instruction set can have the same bits; AMX and Arm add in orders of
 * their own (docs/precision.md).
 *
 * int8 has 8 bits for a number of a row, as hst_quanta says, and for a weight, -127 .. 127 times a
 * factor of its column. Sums of products are whole numbers of 32 bits, the same in any order; then
 * float32: sum times factor, rounded, plus bias, rounded, and so on. Every instruction set has the
 * same bits. NaN counts as the least number that there is, infinities as the ends. */
#ifndef HST_KERNELS_PRODUCTS_H
#define HST_KERNELS_PRODUCTS_H
#include <stddef.h>
#include <stdint.h>

enum hst_precision { HST_PRECISION_FP32, HST_PRECISION_BF16, HST_PRECISION_INT8, HST_PRECISIONS };
/* "fp32", "bf16", "int8", by the enum; NULL ends them. */
extern const char *const hst_precision_names[];
/* Of that name; negative: there is none. */
int hst_precision_named(const char *name);

/* What 8 bits stand for: x = scale (q - zero), q in 0 .. 255; to the nearest, ties to even. Not
 * looked at in other precisions. */
typedef struct hst_quanta {
    float scale; /* > 0 */
    int zero;    /* 0 .. 255 */
} hst_quanta;

/* y[m][n] = act(bias[n] + sum_k x[m][k] w[k][n] + residual[m][n]); bias, residual and clamp as in
 * hst_gemm. */
typedef struct hst_low_gemm {
    const void *x; /* [rows] as convert makes them, ldx bytes apart */
    size_t ldx;
    const void *w; /* panels of [panel] columns, as pack makes them */
    const float *bias;
    float *y; /* [rows][n], rows ldy floats apart */
    size_t ldy;
    const float *residual; /* as y, or NULL */
    size_t rows;
    int k, n;
    float clamp;
} hst_low_gemm;

/* Weights to be packed: w[k][n], column c times scale[c], with shift[c] as its bias. */
typedef struct hst_low_weights {
    const float *w;
    const double *scale, *shift; /* [n] */
    int k, n;
    void *out;         /* [packed_bytes(k, n)] */
    hst_quanta quanta; /* of the rows that they multiply */
} hst_low_weights;

/* Rows to be converted: x[rows][k], rows ldx floats apart -> out[rows], ld_out bytes apart. */
typedef struct hst_low_rows {
    const float *x;
    size_t ldx, rows;
    int k;
    void *out;
    size_t ld_out; /* >= row_bytes(k) */
    hst_quanta quanta;
} hst_low_rows;

/* A matrix to be packed as it is, without a bias: w[k][n], rows ld floats apart, or its transpose,
 * w[n][k]. */
typedef struct hst_low_matrix {
    const float *w;
    size_t ld;
    int k, n;
    int transposed; /* 1: w[n][k] */
    void *out;      /* panels, panel_bytes apart, of which column_bytes(k) a column are filled */
    size_t panel_bytes;
} hst_low_matrix;

typedef struct hst_products {
    const char *name; /* the instructions that multiply: "avx512bf16" */
    enum hst_precision precision;
    int is_fast;      /* 1: faster than the same processor's products in float32 */
    int winograd;     /* 1: 3x3 convolutions gain by Winograd's fewer products of more numbers */
    int panel;        /* columns of a panel */
    int number_bytes; /* where numbers of a row lie as they are, one behind the other; else 0 */
    /* Bytes of a converted row of k numbers, and of a packed column. */
    size_t (*row_bytes)(int k);
    size_t (*column_bytes)(int k);
    size_t (*packed_bytes)(int k, int n); /* with the bias behind; 0: sums might be too large */
    /* Returns where the bias begins; NULL: a weight or bias is no finite number. */
    const float *(*pack)(const hst_low_weights *w);
    /* A row's numbers from c on, a multiple of panel, are converted the same to row_bytes(c) behind
     * it. */
    void (*convert)(const hst_low_rows *r);
    void (*multiply)(const hst_low_gemm *p);
    /* What learning needs, which is not done in 8 bits: the bytes of two numbers of a row that
     * follow each other, 0: none of this. A panel is [pairs of k][panel] of such, so that rows and
     * panels can be filled from any pair on. */
    size_t pair_bytes;
    /* out[c] = x[0 .. rows-1][c], c = 0 .. k-1: the columns as rows of `rows` numbers. */
    void (*convert_columns)(const hst_low_rows *r);
    void (*pack_matrix)(const hst_low_matrix *m);
} hst_products;

/* Columns c .. c+n of a product, c at the beginning of a panel. */
static inline hst_low_gemm hst_low_gemm_columns(const hst_products *p, const hst_low_gemm *whole,
                                                int c, int n)
{
    hst_low_gemm part = *whole;
    part.w = (const char *)whole->w + (size_t)c * p->column_bytes(whole->k);
    part.bias += c;
    part.y += c;
    if (whole->residual)
        part.residual += c;
    part.n = n;
    return part;
}

/* Rows at .. at+n. */
static inline hst_low_gemm hst_low_gemm_rows(const hst_low_gemm *whole, size_t at, size_t n)
{
    hst_low_gemm part = *whole;
    part.x = (const char *)whole->x + at * whole->ldx;
    part.y += at * whole->ldy;
    if (whole->residual)
        part.residual += at * whole->ldy;
    part.rows = n;
    return part;
}
#endif
