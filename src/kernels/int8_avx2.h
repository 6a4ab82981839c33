/* int8_avx2.h - what int8_body.h wants of vectors of 32 bytes, but for Q_DOT; rows to 8 bits. */
#include "kernels/int8.h"
#include "kernels/rows.h"

#include <immintrin.h>

enum { Q_ROWS = 6, Q_N = 8 };
/* Of numbers of 32 bits: as __m256i GCC 12 copies every accumulator to memory. */
typedef int qints __attribute__((vector_size(32)));
typedef __m256 qfloats;
typedef __m256i qmask;

#define EACH_ROW HST_ROWS_6

static inline qints each(const char *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    return (qints)_mm256_set1_epi32(four);
}

/* The first n of 8 columns. */
static inline __m256i columns_of(int n)
{
    const __m256i at = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), at);
}

#define Q_LOAD(p)           (qints) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define Q_EACH(p)           each(p)
#define Q_FLOAT(s)          _mm256_cvtepi32_ps((__m256i)(s))
#define Q_MUL(a, b)         _mm256_mul_ps(a, b)
#define Q_ADD(a, b)         _mm256_add_ps(a, b)
#define Q_LOAD_F(p)         _mm256_loadu_ps(p)
#define Q_PART(mask, p)     _mm256_maskload_ps(p, mask)
#define Q_STORE(p, mask, v) _mm256_maskstore_ps(p, mask, v)
#define Q_MASK(n)           columns_of(n)
#define Q_ALL(x)            _mm256_set1_ps(x)
/* The second operand is given when either is NaN. */
#define Q_RAISE(v)          _mm256_max_ps(_mm256_setzero_ps(), v)
#define Q_CUT(top, v)       _mm256_min_ps(top, v)

/* As hst_int8_sixteen (int8_avx512.h); eight bytes. */
static inline void eight(const float *x, const hst_quanta *q, __m256 per_unit, uint8_t *y)
{
    const __m256 most = _mm256_set1_ps((float)(HST_INT8_TOP - q->zero));
    const __m256 t = _mm256_min_ps(most, _mm256_mul_ps(_mm256_loadu_ps(x), per_unit));
    const __m256i v = _mm256_add_epi32(_mm256_cvtps_epi32(t), _mm256_set1_epi32(q->zero));
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)(void *)y, _mm_packus_epi16(half, half));
}

static void convert(const hst_low_rows *c)
{
    const size_t n = (size_t)c->k, filled = hst_round_up(n, 4);
    const float per_unit = 1 / c->quanta.scale;
    for (size_t r = 0; r < c->rows; r++) {
        const float *x = c->x + r * c->ldx;
        uint8_t *y = (uint8_t *)c->out + r * c->ld_out;
        size_t i = 0;
        for (; i + 8 <= n; i += 8)
            eight(x + i, &c->quanta, _mm256_set1_ps(per_unit), y + i);
        for (; i < n; i++)
            y[i] = hst_int8_of(x[i], per_unit, c->quanta.zero);
        memset(y + n, 0, filled - n);
    }
}
