/* The body of AMX's products on tiles made of plain memory, with TDPBF16PS as the Intel SDM, volume
 * 2, defines it, and TDPBUSD: what is proven is where the body takes numbers from and puts them. */
#include "amx_software.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILES = 8, BYTES = 64 };
static struct {
    uint8_t byte[16][BYTES];
    size_t rows;
} tile[TILES];

static void tiles_config(size_t rows0, size_t rows1)
{
    for (int t = 0; t < TILES; t++)
        tile[t].rows = t >= 6 ? 16 : t == 2 || t == 3 || t == 5 ? rows1 : rows0;
}

static void tile_load(int t, const void *from, size_t stride)
{
    for (size_t r = 0; r < tile[t].rows; r++)
        memcpy(tile[t].byte[r], (const char *)from + r * stride, BYTES);
}

static void tile_store(int t, void *to, size_t stride)
{
    for (size_t r = 0; r < tile[t].rows; r++)
        memcpy((char *)to + r * stride, tile[t].byte[r], BYTES);
}

/* Number i of a row of bf16. */
static float low(const uint8_t *row, size_t i)
{
    uint16_t half;
    memcpy(&half, row + 2 * i, sizeof half);
    const uint32_t u = (uint32_t)half << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static void tile_dot(int c, int a, int b)
{
    for (size_t m = 0; m < tile[a].rows; m++)
        for (size_t n = 0; n < 16; n++) {
            volatile float even = 0, odd = 0, sum;
            for (size_t k = 0; k < 16; k++) {
                even += low(tile[a].byte[m], 2 * k) * low(tile[b].byte[k], 2 * n);
                odd += low(tile[a].byte[m], 2 * k + 1) * low(tile[b].byte[k], 2 * n + 1);
            }
            float was;
            memcpy(&was, tile[c].byte[m] + 4 * n, sizeof was);
            sum = even + odd;
            sum += was;
            was = sum;
            memcpy(tile[c].byte[m] + 4 * n, &was, sizeof was);
        }
}

static void tile_dot8(int c, int a, int b)
{
    for (size_t m = 0; m < tile[a].rows; m++)
        for (size_t n = 0; n < 16; n++) {
            uint32_t sum;
            memcpy(&sum, tile[c].byte[m] + 4 * n, sizeof sum);
            for (size_t k = 0; k < BYTES; k++)
                sum += (uint32_t)(tile[a].byte[m][k] * (int8_t)tile[b].byte[k / 4][4 * n + k % 4]);
            memcpy(tile[c].byte[m] + 4 * n, &sum, sizeof sum);
        }
}

#define AMX_CONFIG(rows0, rows1)     tiles_config(rows0, rows1)
#define AMX_LOAD(tile, from, stride) tile_load(tile, from, stride)
#define AMX_DOT(c, a, b)             tile_dot(c, a, b)
#define AMX_DOT8(c, a, b)            tile_dot8(c, a, b)
#define AMX_STORE(tile, to, stride)  tile_store(tile, to, stride)
#define AMX_END                      memset(tile, 0xff, sizeof tile)
#include "kernels/amx_body.h"

static void convert(const hst_low_rows *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        uint16_t *y = (uint16_t *)(void *)((char *)c->out + r * c->ld_out);
        for (size_t i = 0; i < amx_row_bytes(c->k) / sizeof *y; i++)
            y[i] = i < (size_t)c->k ? hst_bf16_of(c->x[r * c->ldx + i]) : 0;
    }
}

static void convert_columns(const hst_low_rows *r)
{
    hst_pairs_columns(r, AMX_K);
}

static void pack_matrix(const hst_low_matrix *m)
{
    hst_pairs_matrix(m, AMX_K, AMX_PANEL);
}

static void convert8(const hst_low_rows *c)
{
    hst_int8_convert(c, AMX8_K, 0);
}

const hst_products amx_software = {.name = "amx",
                                   .precision = HST_PRECISION_BF16,
                                   .panel = AMX_PANEL,
                                   .row_bytes = amx_row_bytes,
                                   .column_bytes = amx_row_bytes,
                                   .packed_bytes = amx_packed_bytes,
                                   .pack = amx_pack,
                                   .convert = convert,
                                   .multiply = amx_multiply,
                                   .pair_bytes = 4,
                                   .convert_columns = convert_columns,
                                   .pack_matrix = pack_matrix};

const hst_products amx_software8 = {.name = "amx",
                                    .precision = HST_PRECISION_INT8,
                                    .panel = AMX8_PANEL,
                                    .number_bytes = 1,
                                    .row_bytes = amx8_row_bytes,
                                    .column_bytes = amx8_column_bytes,
                                    .packed_bytes = amx8_packed_bytes,
                                    .pack = amx8_pack,
                                    .convert = convert8,
                                    .multiply = amx8_multiply};
