/* isa_amx.c - products in bf16 and in 8 bits with Intel's tiles (AMX). Every call sets up the tiles
 * that it uses and gives them back, so that a thread that does something else has none. */
#include "kernels/convert_avx512.h"
#include "kernels/int8_avx512.h"
#include "kernels/tables.h"

/* What LDTILECFG reads (Intel SDM, volume 1, 18.2). */
typedef struct tile_config {
    uint8_t palette, start_row, zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

/* Compilers take _tile_loadconfig to read 8 of its 64 bytes, and tile loads and stores to touch no
 * memory at all (GCC 12): hence the instruction itself, and barriers. */
#define BARRIER __asm__ volatile("" ::: "memory")

static void config(size_t rows0, size_t rows1)
{
    tile_config c = {.palette = 1};
    static const uint8_t of_second[8] = {[2] = 1, [3] = 1, [5] = 1};
    for (int t = 0; t < 8; t++) {
        const size_t rows = t >= 6 ? 16 : of_second[t] ? rows1 : rows0;
        c.rows[t] = (uint8_t)rows;
        c.row_bytes[t] = rows ? 64 : 0;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c));
}

#define AMX_CONFIG(rows0, rows1) config(rows0, rows1)
#define AMX_LOAD(tile, from, stride)                                                               \
    do {                                                                                           \
        BARRIER;                                                                                   \
        _tile_loadd(tile, from, stride);                                                           \
    } while (0)
#define AMX_DOT(c, a, b)  _tile_dpbf16ps(c, a, b)
#define AMX_DOT8(c, a, b) _tile_dpbusd(c, a, b)
#define AMX_STORE(tile, to, stride)                                                                \
    do {                                                                                           \
        _tile_stored(tile, to, stride);                                                            \
        BARRIER;                                                                                   \
    } while (0)
#define AMX_END _tile_release()
#include "kernels/amx_body.h"

static void convert(const hst_low_rows *r)
{
    hst_convert_avx512(r, AMX_K);
}

static void convert_columns(const hst_low_rows *r)
{
    hst_columns_avx512(r, AMX_K);
}

static void pack_matrix(const hst_low_matrix *m)
{
    hst_matrix_avx512(m, AMX_K);
}

static void convert8(const hst_low_rows *r)
{
    hst_int8_convert_avx512(r, AMX8_K);
}

const hst_products hst_products_amx = {.name = "amx",
                                       .precision = HST_PRECISION_BF16,
                                       .is_fast = 1,
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

const hst_products hst_products_amxint8 = {.name = "amx",
                                           .precision = HST_PRECISION_INT8,
                                           .is_fast = 1,
                                           .panel = AMX8_PANEL,
                                           .number_bytes = 1,
                                           .row_bytes = amx8_row_bytes,
                                           .column_bytes = amx8_column_bytes,
                                           .packed_bytes = amx8_packed_bytes,
                                           .pack = amx8_pack,
                                           .convert = convert8,
                                           .multiply = amx8_multiply};
