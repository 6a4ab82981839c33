/* vec_avx512.h - the vector primitives in AVX-512F. */
#include <immintrin.h>

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

static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

/* MAXPS and MINPS give their second operand when either is NaN: x stands second, so NaN is kept. */
static inline vf v_relu6(vf x)
{
    return _mm512_min_ps(_mm512_set1_ps(6), _mm512_max_ps(_mm512_setzero_ps(), x));
}
