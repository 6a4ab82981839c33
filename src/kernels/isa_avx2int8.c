/* isa_avx2int8.c - products in 8 bits with AVX2 alone: numbers of even and of odd places as 16
 * bits, of which VPMADDWD multiplies pairs. VPMADDUBSW, which takes bytes, saturates. */
#include "kernels/int8_avx2.h"
#include "kernels/tables.h"

static inline __attribute__((always_inline)) __m256i dot(__m256i s, __m256i x, __m256i w)
{
    const __m256i even = _mm256_madd_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0xff)),
                                           _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8));
    const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(x, 8), _mm256_srai_epi16(w, 8));
    return _mm256_add_epi32(s, _mm256_add_epi32(even, odd));
}

#define Q_DOT(s, x, w) (qints) dot((__m256i)(s), (__m256i)(x), (__m256i)(w))
#include "kernels/int8_body.h"

const hst_products hst_products_avx2int8 = Q_PRODUCTS("avx2", 0);
