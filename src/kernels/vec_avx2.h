/* vec_avx2.h - the vector primitives in AVX2 with FMA. */
#include <immintrin.h>

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

static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

/* MAXPS and MINPS give their second operand when either is NaN: x stands second, so NaN is kept. */
static inline vf v_relu6(vf x)
{
    return _mm256_min_ps(_mm256_set1_ps(6), _mm256_max_ps(_mm256_setzero_ps(), x));
}
