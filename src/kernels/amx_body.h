/* amx_body.h - products in bf16 and in 8 bits on tiles. Included where the tile instructions are
 * defined, as the processor's (isa_amx.c) or in software (the test):
 *
 *   AMX_CONFIG(rows0, rows1)       tiles 0, 1, 4 have rows0 rows, 2, 3, 5 rows1; 6, 7 have 16
 *   AMX_LOAD(tile, from, stride)   rows of 64 bytes, `stride` bytes apart
 *   AMX_DOT(c, a, b)               TDPBF16PS
 *   AMX_DOT8(c, a, b)              TDPBUSD
 *   AMX_STORE(tile, to, stride)
 *   AMX_END                        no tile is in use any more
 *
 *                  B0 (6)   B1 (7)       16 pairs (of 8 bits: fours) of k x 16 columns each
 *      A0 (4)      C0 (0)   C1 (1)       16 rows x 32 numbers (of 8 bits: 64)
 *      A1 (5)      C2 (2)   C3 (3)
 *
 * Rows of numbers are padded to 64 bytes. In bf16 a sum begins with the bias; each 32 numbers are
 * added as SDM volume 2 has it for TDPBF16PS: those of even places in order, those of odd ones in
 * order, the two sums, and that to the whole. */
#include "kernels/int8.h"
#include "kernels/pairs.h"

#include <assert.h>

enum { AMX_ROWS = 16, AMX_K = 32, AMX_PANEL = 32, AMX_BLOCK = 2 * AMX_ROWS };

static size_t amx_row_bytes(int k)
{
    return hst_round_up((size_t)k, AMX_K) * sizeof(uint16_t);
}

static size_t amx_packed_bytes(int k, int n)
{
    return hst_round_up((size_t)n, AMX_PANEL) * (amx_row_bytes(k) + sizeof(float));
}

static const float *amx_pack(const hst_low_weights *w)
{
    return hst_pairs_pack(w, AMX_K, AMX_PANEL);
}

/* What follows the sums of a row: the residual, the clamp, which lets NaN through. */
static inline void amx_finish(const float *sum, const float *residual, float clamp, float *y, int n)
{
    for (int c = 0; c < n; c++) {
        float v = sum[c] + (residual ? residual[c] : 0);
        if (clamp > 0)
            v = v < 0 ? 0 : v > clamp ? clamp : v;
        y[c] = v;
    }
}

/* Rows that are whole, and rows converted by columns: 64 bytes of 8 bits are two tiles' columns. */
enum { AMX8_K = 64, AMX8_PANEL = 64 };

static size_t amx8_row_bytes(int k)
{
    return hst_round_up((size_t)k, AMX8_K);
}

static size_t amx8_column_bytes(int k)
{
    return hst_int8_column(k, AMX8_K);
}

static size_t amx8_packed_bytes(int k, int n)
{
    return hst_int8_packed(k, n, AMX8_K, AMX8_PANEL);
}

/* Halves of panels lie one behind the other. */
static const float *amx8_pack(const hst_low_weights *w)
{
    return hst_int8_pack(w, AMX8_K, AMX_PANEL, AMX8_PANEL, 0);
}

typedef union amx_sums {
    float real[AMX_BLOCK][AMX_PANEL];
    int32_t whole[AMX_BLOCK][AMX_PANEL];
} amx_sums;

/* Sums of `chunks` times 64 bytes of rows and the panel at w, from `start` on: `two` where there
 * are more than 16 rows. */
static inline __attribute__((always_inline)) void amx_sum(const hst_low_gemm *g, const void *start,
                                                          const char *w, size_t chunks,
                                                          const int two, const int in_bytes,
                                                          amx_sums *sum)
{
    const size_t stride = sizeof sum->real[0];
    const char *a = g->x, *second = (const char *)start + 64;
    AMX_LOAD(0, start, 0);
    AMX_LOAD(1, second, 0);
    if (two) {
        AMX_LOAD(2, start, 0);
        AMX_LOAD(3, second, 0);
    }
    for (size_t k = 0; k < chunks; k++, a += 64, w += 16 * 128) {
        AMX_LOAD(4, a, g->ldx);
        AMX_LOAD(6, w, 128);
        AMX_LOAD(7, w + 64, 128);
        if (in_bytes) {
            AMX_DOT8(0, 4, 6);
            AMX_DOT8(1, 4, 7);
        } else {
            AMX_DOT(0, 4, 6);
            AMX_DOT(1, 4, 7);
        }
        if (!two)
            continue;
        AMX_LOAD(5, a + AMX_ROWS * g->ldx, g->ldx);
        if (in_bytes) {
            AMX_DOT8(2, 5, 6);
            AMX_DOT8(3, 5, 7);
        } else {
            AMX_DOT(2, 5, 6);
            AMX_DOT(3, 5, 7);
        }
    }
    AMX_STORE(0, sum->real[0], stride);
    AMX_STORE(1, sum->real[0] + 16, stride);
    if (two) {
        AMX_STORE(2, sum->real[AMX_ROWS], stride);
        AMX_STORE(3, sum->real[AMX_ROWS] + 16, stride);
    }
}

/* Rows of 32 columns at most from the panel at w. */
static void amx_block(const hst_low_gemm *g, const char *w)
{
    amx_sums sum;
    amx_sum(g, g->bias, w, amx_row_bytes(g->k) / 64, g->rows > AMX_ROWS, 0, &sum);
    for (size_t r = 0; r < g->rows; r++)
        amx_finish(sum.real[r], g->residual ? g->residual + r * g->ldy : NULL, g->clamp,
                   g->y + r * g->ldy, g->n);
}

static void amx8_block(const hst_low_gemm *g, const char *w)
{
    amx_sums sum;
    const char *scale = w + sizeof sum.whole[0];
    amx_sum(g, w, scale + sizeof sum.whole[0], amx8_row_bytes(g->k) / 64, g->rows > AMX_ROWS, 1,
            &sum);
    for (size_t r = 0; r < g->rows; r++)
        hst_int8_finish(sum.whole[r], (const float *)(const void *)scale, g, r, 0, g->n);
}

/* Rows first .. end, `block` at a time, against every panel, which stays in the first-level cache
 * while the rows pass. */
static void amx_rows(const hst_low_gemm *g, size_t first, size_t end, size_t block,
                     const int in_bytes)
{
    const size_t column = in_bytes ? amx8_column_bytes(g->k) : amx_row_bytes(g->k);
    for (int c = 0; c < g->n; c += AMX_PANEL)
        for (size_t at = first; at < end; at += block) {
            hst_low_gemm part = hst_low_gemm_rows(g, at, block);
            part.bias += c;
            part.y += c;
            part.residual = part.residual ? part.residual + c : NULL;
            part.n = g->n - c < AMX_PANEL ? g->n - c : AMX_PANEL;
            if (in_bytes)
                amx8_block(&part, (const char *)g->w + (size_t)c * column);
            else
                amx_block(&part, (const char *)g->w + (size_t)c * column);
        }
}

/* Whole blocks of rows, then those that are left, on shorter tiles. */
static void amx_all_rows(const hst_low_gemm *g, const int in_bytes)
{
    const size_t whole = g->rows / AMX_BLOCK * AMX_BLOCK, left = g->rows - whole;
    assert(g->ldy >= (size_t)g->n && g->clamp >= 0);
    assert(g->ldx >= (in_bytes ? amx8_row_bytes(g->k) : amx_row_bytes(g->k)));
    if (whole) {
        AMX_CONFIG(AMX_ROWS, AMX_ROWS);
        amx_rows(g, 0, whole, AMX_BLOCK, in_bytes);
    }
    if (left) {
        const size_t first = left < AMX_ROWS ? left : AMX_ROWS;
        AMX_CONFIG(first, left - first);
        amx_rows(g, whole, g->rows, left, in_bytes);
    }
    AMX_END;
}

static void amx_multiply(const hst_low_gemm *g)
{
    amx_all_rows(g, 0);
}

static void amx8_multiply(const hst_low_gemm *g)
{
    amx_all_rows(g, 1);
}
