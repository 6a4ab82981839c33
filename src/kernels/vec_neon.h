/* vec_neon.h - the vector primitives in AArch64 Advanced SIMD. */
#include <arm_neon.h>
#include <string.h>

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

/* Halves of vectors: half a vector at p in both; the first half of a and the second of b; those at
 * p and q, loaded and stored. */
static inline vf v_twice(const float *p)
{
    return vcombine_f32(vld1_f32(p), vld1_f32(p));
}

static inline vf v_halves(vf a, vf b)
{
    return vcombine_f32(vget_low_f32(a), vget_high_f32(b));
}

static inline vf v_load_halves(const float *p, const float *q)
{
    return vcombine_f32(vld1_f32(p), vld1_f32(q));
}

static inline void v_store_halves(float *p, float *q, vf a)
{
    vst1_f32(p, vget_low_f32(a));
    vst1_f32(q, vget_high_f32(a));
}

static inline vf v_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

static inline vf v_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

static inline vf v_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

static inline vf v_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

/* a 2^-n, n whole, from shifted = 1.5 2^23 + n, whose last bits are n. NaN may become a number. */
static inline vf v_by_pow2(vf a, vf shifted)
{
    const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(shifted), 23);
    return vreinterpretq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(a), n));
}

/* x - n ln 2, n whole. */
static inline vf v_less_ln2(vf x, vf n)
{
    return vfmsq_n_f32(x, n, 0.693147181f);
}

/* x, in a register; here the compiler keeps it there by itself. */
static inline vf v_keep(vf x)
{
    return x;
}

/* FMAX and FMIN give NaN when either operand is NaN. */
static inline vf v_at_least(vf low, vf x)
{
    return vmaxq_f32(low, x);
}

static inline vf v_clamp(vf low, vf high, vf x)
{
    return vminq_f32(high, vmaxq_f32(low, x));
}

/* min(max(x, 0), top): ReLU6 where top is 6, ReLU where it is infinite. */
static inline vf v_relu(vf x, vf top)
{
    return v_clamp(v_set1(0), top, x);
}

/* x where 0 < y < top, else 0. */
static inline vf v_gate(vf x, vf y, vf top)
{
    const uint32x4_t high = vcgtq_f32(y, vdupq_n_f32(0)), low = vcltq_f32(y, top);
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(x), vandq_u32(high, low)));
}

/* The first n < V_N floats; the others are read as 0, or not written. */
static inline vf v_load_part(const float *p, int n)
{
    float x[V_N] = {0};
    memcpy(x, p, (size_t)n * sizeof *x);
    return v_load(x);
}

static inline void v_store_part(float *p, int n, vf a)
{
    float x[V_N];
    v_store(x, a);
    memcpy(p, x, (size_t)n * sizeof *x);
}

/* out[c] = sum_t weight[t] in[3 t + c], rounded and clipped; a fourth channel is read and written
 * as well. Narrowing clips. */
static inline void v_pixel_sum(const uint8_t *in, const int32_t *weight, int count, uint8_t *out)
{
    int32x4_t sum = vdupq_n_s32(1 << (HST_RESIZE_BITS - 1));
    for (int t = 0; t < count; t++, in += 3) {
        uint32_t four;
        memcpy(&four, in, sizeof four);
        uint16x8_t p = vmovl_u8(vcreate_u8(four));
        sum = vmlaq_n_s32(sum, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(p))), weight[t]);
    }
    uint16x4_t narrow = vqmovun_s32(vshrq_n_s32(sum, HST_RESIZE_BITS));
    uint8x8_t bytes = vqmovn_u16(vcombine_u16(narrow, narrow));
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    memcpy(out, &four, sizeof four);
}
