/* vec_neon.h - the vector primitives in AArch64 Advanced SIMD. */
#include <arm_neon.h>

#define V_ISA  neon
#define V_NAME "neon"
/* Floats a vector. */
#define V_N    4
/* Rows of a GEMM tile: 14 x 2 accumulators, 2 weights, 1 input: 31 of 32 registers. */
#define V_ROWS 14

typedef float32x4_t vf;

static inline vf v_set1(float x)
{
    return vdupq_n_f32(x);
}

static inline vf v_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void v_store(float *p, vf a)
{
    vst1q_f32(p, a);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

static inline vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

/* FMAX and FMIN give NaN when either operand is NaN. */
static inline vf v_relu6(vf x)
{
    return vminq_f32(vdupq_n_f32(6), vmaxq_f32(vdupq_n_f32(0), x));
}
