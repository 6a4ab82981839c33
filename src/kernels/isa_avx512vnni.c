/* isa_avx512vnni.c - products in 8 bits with VPDPBUSD: 16 columns a vector, four numbers of each at
 * a time, four times as many multiplications as in float32. */
#include "kernels/int8_avx512.h"
#include "kernels/rows.h"
#include "kernels/tables.h"

enum { Q_ROWS = 14, Q_N = 16 };
/* Of numbers of 32 bits: as __m512i GCC 12 copies every accumulator to memory. */
typedef int qints __attribute__((vector_size(64)));
typedef __m512 qfloats;
typedef __mmask16 qmask;

#define EACH_ROW HST_ROWS_14

static inline qints each(const char *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    return (qints)_mm512_set1_epi32(four);
}

#define Q_LOAD(p)           (qints) _mm512_loadu_si512(p)
#define Q_EACH(p)           each(p)
#define Q_DOT(s, x, w)      (qints) _mm512_dpbusd_epi32((__m512i)(s), (__m512i)(x), (__m512i)(w))
#define Q_FLOAT(s)          _mm512_cvtepi32_ps((__m512i)(s))
#define Q_MUL(a, b)         _mm512_mul_ps(a, b)
#define Q_ADD(a, b)         _mm512_add_ps(a, b)
#define Q_LOAD_F(p)         _mm512_loadu_ps(p)
#define Q_PART(mask, p)     _mm512_maskz_loadu_ps(mask, p)
#define Q_STORE(p, mask, v) _mm512_mask_storeu_ps(p, mask, v)
#define Q_MASK(n)           hst_first_columns(n)
#define Q_ALL(x)            _mm512_set1_ps(x)
/* The second operand is given when either is NaN. */
#define Q_RAISE(v)          _mm512_max_ps(_mm512_setzero_ps(), v)
#define Q_CUT(top, v)       _mm512_min_ps(top, v)
#include "kernels/int8_body.h"

static void convert(const hst_low_rows *r)
{
    hst_int8_convert_avx512(r, Q_STEP);
}

const hst_products hst_products_avx512vnni = Q_PRODUCTS("avx512vnni", 1);
