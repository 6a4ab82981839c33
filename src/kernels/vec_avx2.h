/* vec_avx2.h - the vector primitives in AVX2 with FMA. */
#include <immintrin.h>
#include <string.h>

#define V_ISA  avx2
#define V_NAME "avx2"
/* Floats a vector. */
#define V_N    8
/* Rows of a GEMM tile: 6 x 2 accumulators, 2 weights, 1 input: 15 of 16 registers. */
#define V_ROWS 6

typedef __m256 vf;

static inline vf v_set1(float x)
{
    return _mm256_set1_ps(x);
}

static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void v_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* Halves of vectors: half a vector at p in both; the first half of a and the second of b; those at
 * p and q, loaded and stored. */
static inline vf v_twice(const float *p)
{
    return _mm256_broadcast_ps((const __m128 *)p);
}

static inline vf v_halves(vf a, vf b)
{
    return _mm256_blend_ps(a, b, 0xf0);
}

static inline vf v_load_halves(const float *p, const float *q)
{
    return _mm256_loadu2_m128(q, p);
}

static inline void v_store_halves(float *p, float *q, vf a)
{
    _mm256_storeu2_m128(q, p, a);
}

static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

/* a 2^-n, n whole, from shifted = 1.5 2^23 + n, whose last bits are n. NaN may become a number. */
static inline vf v_by_pow2(vf a, vf shifted)
{
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(a), n));
}

/* x - n ln 2, n whole. */
static inline vf v_less_ln2(vf x, vf n)
{
    return _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693147181f), x);
}

/* x, in a register: the compiler may not load it again for every multiply-add that reads it. */
static inline vf v_keep(vf x)
{
    __asm__("" : "+x"(x));
    return x;
}

/* MAXPS and MINPS give their second operand when either is NaN: x stands second, so NaN is kept. */
static inline vf v_at_least(vf low, vf x)
{
    return _mm256_max_ps(low, x);
}

static inline vf v_clamp(vf low, vf high, vf x)
{
    return _mm256_min_ps(high, _mm256_max_ps(low, x));
}

/* min(max(x, 0), top): ReLU6 where top is 6, ReLU where it is infinite. */
static inline vf v_relu(vf x, vf top)
{
    return v_clamp(v_set1(0), top, x);
}

/* x where 0 < y < top, else 0. */
static inline vf v_gate(vf x, vf y, vf top)
{
    const vf high = _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ);
    const vf low = _mm256_cmp_ps(y, top, _CMP_LT_OQ);
    return _mm256_and_ps(x, _mm256_and_ps(high, low));
}

static inline __m256i v_first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n < V_N floats; the others are read as 0, or not written. */
static inline vf v_load_part(const float *p, int n)
{
    return _mm256_maskload_ps(p, v_first(n));
}

static inline void v_store_part(float *p, int n, vf a)
{
    _mm256_maskstore_ps(p, v_first(n), a);
}

/* out[c] = sum_t weight[t] in[3 t + c], rounded and clipped; a fourth channel is read and written
 * as well. Packing clips: first to 16 bits, then to 0..255. */
static inline void v_pixel_sum(const uint8_t *in, const int32_t *weight, int count, uint8_t *out)
{
    __m128i sum = _mm_set1_epi32(1 << (HST_RESIZE_BITS - 1));
    for (int t = 0; t < count; t++, in += 3) {
        int32_t four;
        memcpy(&four, in, sizeof four);
        __m128i p = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
        sum = _mm_add_epi32(sum, _mm_mullo_epi32(p, _mm_set1_epi32(weight[t])));
    }
    sum = _mm_srai_epi32(sum, HST_RESIZE_BITS);
    sum = _mm_packs_epi32(sum, sum);
    int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
    memcpy(out, &four, sizeof four);
}
