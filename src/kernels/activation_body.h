/* activation_body.h - activations of any numbers, a vector at a time. A body: included by each
 * isa_<isa>.c behind grad_gemm_body.h. The last numbers go through a vector that is only partly
 * used, so that each has the same bits wherever it stands. */
#include <math.h>

/* e^x within 2e-7 of itself: 2^n e^r with n whole and |r| <= ln 2 / 2, ln 2 in two parts so that r
 * keeps its digits (Cody and Waite), e^r by its series. */
static inline vf exponential(vf x)
{
    const vf whole = v_set1(12582912.0f); /* 1.5 2^23: adding it rounds to a whole number */
    x = v_clamp(v_set1(-87), v_set1(88), x);
    const vf shifted = v_fma(x, v_set1(1.44269504f), whole);
    const vf n = v_add(shifted, v_set1(-12582912.0f));
    const vf r = v_fma(n, v_set1(2.12194440e-4f), v_fma(n, v_set1(-0.693359375f), x));
    vf e = v_fma(v_set1(1.0f / 720), r, v_set1(1.0f / 120));
    e = v_fma(e, r, v_set1(1.0f / 24));
    e = v_fma(e, r, v_set1(1.0f / 6));
    e = v_fma(e, r, v_set1(0.5f));
    e = v_fma(e, r, v_set1(1));
    e = v_fma(e, r, v_set1(1));
    return v_mul(e, v_pow2(shifted));
}

static inline vf sigmoid(vf x)
{
    return v_div(v_set1(1), v_add(v_set1(1), exponential(v_mul(x, v_set1(-1)))));
}

/* In this order so that no digits cancel near -3. */
static inline vf hsigmoid(vf x)
{
    return v_mul(v_relu6(v_add(x, v_set1(3))), v_set1(1.0f / 6));
}

static inline __attribute__((always_inline)) vf activated(const enum hst_act act, vf x)
{
    switch (act) {
    case HST_ACT_RELU:
        return v_clamp(v_set1(0), v_set1(INFINITY), x);
    case HST_ACT_SIGMOID:
        return sigmoid(x);
    case HST_ACT_HSIGMOID:
        return hsigmoid(x);
    case HST_ACT_HSWISH:
        return v_mul(x, hsigmoid(x));
    default:
        return v_mul(x, sigmoid(x));
    }
}

static inline __attribute__((always_inline)) void activate_all(const enum hst_act act,
                                                               const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, activated(act, v_load(x + i)));
    if (i < n)
        v_store_part(y + i, (int)(n - i), activated(act, v_load_part(x + i, (int)(n - i))));
}

/* A loop for each: what it does is a constant there. */
static void activate(enum hst_act act, const float *x, float *y, size_t n)
{
    if (act == HST_ACT_RELU)
        activate_all(HST_ACT_RELU, x, y, n);
    else if (act == HST_ACT_SIGMOID)
        activate_all(HST_ACT_SIGMOID, x, y, n);
    else if (act == HST_ACT_HSIGMOID)
        activate_all(HST_ACT_HSIGMOID, x, y, n);
    else if (act == HST_ACT_HSWISH)
        activate_all(HST_ACT_HSWISH, x, y, n);
    else
        activate_all(HST_ACT_SWISH, x, y, n);
}
