/* vec_avx512.h - the vector primitives in AVX-512F and VL. */
#include <immintrin.h>
#include <string.h>

#define V_ISA  avx512
#define V_NAME "avx512"
/* Floats a vector. */
#define V_N    16
/* Rows of a GEMM tile: 14 x 2 accumulators, 2 weights, 1 input: 31 of 32 registers. */
#define V_ROWS 14

typedef __m512 vf;

static inline vf v_set1(float x)
{
    return _mm512_set1_ps(x);
}

static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void v_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* Halves of vectors: half a vector at p in both; the first half of a and the second of b; those at
 * p and q, loaded and stored. */
static inline vf v_twice(const float *p)
{
    return _mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_loadu_pd((const double *)p)));
}

static inline vf v_halves(vf a, vf b)
{
    return _mm512_mask_blend_ps(0xff00, a, b);
}

static inline vf v_load_halves(const float *p, const float *q)
{
    const __m512d low = _mm512_castpd256_pd512(_mm256_loadu_pd((const double *)p));
    return _mm512_castpd_ps(_mm512_insertf64x4(low, _mm256_loadu_pd((const double *)q), 1));
}

static inline void v_store_halves(float *p, float *q, vf a)
{
    _mm256_storeu_ps(p, _mm512_castps512_ps256(a));
    _mm256_storeu_pd((double *)q, _mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));
}

/* Vectors of eight, for what does not fill one of sixteen. */
enum { vn_N = 8 };
typedef __m256 vn_f;

static inline vn_f vn_set1(float x)
{
    return _mm256_set1_ps(x);
}

static inline vn_f vn_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vn_store(float *p, vn_f a)
{
    _mm256_storeu_ps(p, a);
}

static inline void vn_store_part(float *p, int n, vn_f a)
{
    _mm256_mask_storeu_ps(p, (__mmask8)((1u << n) - 1), a);
}

static inline vn_f vn_fma(vn_f a, vn_f b, vn_f c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vn_f vn_relu(vn_f x, vn_f top)
{
    return _mm256_min_ps(top, _mm256_max_ps(_mm256_setzero_ps(), x));
}

static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

/* a 2^-n, n whole, from shifted = 1.5 2^23 + n, whose last bits are n. NaN may become a number. */
static inline vf v_by_pow2(vf a, vf shifted)
{
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(a), n));
}

/* x - n ln 2, n whole. */
static inline vf v_less_ln2(vf x, vf n)
{
    return _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693147181f), x);
}

/* x, in a register: the compiler may not load it again for every multiply-add that reads it. */
static inline vf v_keep(vf x)
{
    __asm__("" : "+v"(x));
    return x;
}

/* MAXPS and MINPS give their second operand when either is NaN: x stands second, so NaN is kept. */
static inline vf v_at_least(vf low, vf x)
{
    return _mm512_max_ps(low, x);
}

static inline vf v_clamp(vf low, vf high, vf x)
{
    return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

/* min(max(x, 0), top): ReLU6 where top is 6, ReLU where it is infinite. */
static inline vf v_relu(vf x, vf top)
{
    return v_clamp(v_set1(0), top, x);
}

/* x where 0 < y < top, else 0. */
static inline vf v_gate(vf x, vf y, vf top)
{
    const __mmask16 high = _mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(high, y, top, _CMP_LT_OQ), x);
}

/* The first n < V_N floats; the others are read as 0, or not written. */
static inline vf v_load_part(const float *p, int n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

static inline void v_store_part(float *p, int n, vf a)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
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
