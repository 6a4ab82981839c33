/* amx_body.h - products in bf16 on tiles. Included where the tile instructions are defined, as the
 * processor's (isa_amx.c) or in software (the test):
 *
 *   AMX_CONFIG(rows0, rows1)       tiles 0, 1, 4 have rows0 rows, 2, 3, 5 rows1; 6, 7 have 16
 *   AMX_LOAD(tile, from, stride)   rows of 64 bytes, `stride` bytes apart
 *   AMX_DOT(c, a, b)               TDPBF16PS
 *   AMX_STORE(tile, to, stride)
 *   AMX_END                        no tile is in use any more
 *
 *                  B0 (6)   B1 (7)       16 pairs of k x 16 columns each
 *      A0 (4)      C0 (0)   C1 (1)       16 rows x 32 numbers
 *      A1 (5)      C2 (2)   C3 (3)
 *
 * Rows of numbers are padded to 32. A sum begins with the bias; each 32 numbers are added as SDM
 * volume 2 has it for TDPBF16PS: those of even places in order, those of odd ones in order, the two
 * sums, and that to the whole. */
#include "kernels/pairs.h"

#include <assert.h>

enum { AMX_ROWS = 16, AMX_K = 32, AMX_PANEL = 32, AMX_BLOCK = 2 * AMX_ROWS };

static size_t amx_row_bytes(int k)
{
    return hst_pairs_up((size_t)k, AMX_K) * sizeof(uint16_t);
}

static size_t amx_packed_bytes(int k, int n)
{
    return hst_pairs_up((size_t)n, AMX_PANEL) * (amx_row_bytes(k) + sizeof(float));
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

/* Rows of 32 columns at most from the panel at w: `two` where they are more than 16. */
static void amx_block(const hst_low_gemm *g, const char *w, const int two)
{
    float sum[AMX_BLOCK][AMX_PANEL];
    const size_t stride = sizeof sum[0], chunks = amx_row_bytes(g->k) / 64;
    const char *a = g->x;
    AMX_LOAD(0, g->bias, 0);
    AMX_LOAD(1, g->bias + 16, 0);
    if (two) {
        AMX_LOAD(2, g->bias, 0);
        AMX_LOAD(3, g->bias + 16, 0);
    }
    for (size_t k = 0; k < chunks; k++, a += 64, w += AMX_K * AMX_PANEL * sizeof(uint16_t)) {
        AMX_LOAD(4, a, g->ldx);
        AMX_LOAD(6, w, 128);
        AMX_LOAD(7, w + 64, 128);
        AMX_DOT(0, 4, 6);
        AMX_DOT(1, 4, 7);
        if (two) {
            AMX_LOAD(5, a + AMX_ROWS * g->ldx, g->ldx);
            AMX_DOT(2, 5, 6);
            AMX_DOT(3, 5, 7);
        }
    }
    AMX_STORE(0, sum[0], stride);
    AMX_STORE(1, sum[0] + 16, stride);
    if (two) {
        AMX_STORE(2, sum[AMX_ROWS], stride);
        AMX_STORE(3, sum[AMX_ROWS] + 16, stride);
    }
    for (size_t r = 0; r < g->rows; r++)
        amx_finish(sum[r], g->residual ? g->residual + r * g->ldy : NULL, g->clamp,
                   g->y + r * g->ldy, g->n);
}

/* Rows first .. end, `block` at a time, against every panel, which stays in the first-level cache
 * while the rows pass. */
static void amx_rows(const hst_low_gemm *g, size_t first, size_t end, size_t block)
{
    for (int c = 0; c < g->n; c += AMX_PANEL)
        for (size_t at = first; at < end; at += block) {
            hst_low_gemm part = hst_low_gemm_rows(g, at, block);
            part.bias += c;
            part.y += c;
            part.residual = part.residual ? part.residual + c : NULL;
            part.n = g->n - c < AMX_PANEL ? g->n - c : AMX_PANEL;
            amx_block(&part, (const char *)g->w + (size_t)c * amx_row_bytes(g->k),
                      block > AMX_ROWS);
        }
}

/* Whole blocks of rows, then those that are left, on shorter tiles. */
static void amx_multiply(const hst_low_gemm *g)
{
    const size_t whole = g->rows / AMX_BLOCK * AMX_BLOCK, left = g->rows - whole;
    assert(g->ldx >= amx_row_bytes(g->k) && g->ldy >= (size_t)g->n && g->clamp >= 0);
    if (whole) {
        AMX_CONFIG(AMX_ROWS, AMX_ROWS);
        amx_rows(g, 0, whole, AMX_BLOCK);
    }
    if (left) {
        const size_t first = left < AMX_ROWS ? left : AMX_ROWS;
        AMX_CONFIG(first, left - first);
        amx_rows(g, whole, g->rows, left);
    }
    AMX_END;
}
