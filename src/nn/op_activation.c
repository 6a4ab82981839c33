/* op_activation.c - activations other than ReLU6, each a step of its own in a plan.
 *
 *   relu      max(x, 0)
 *   sigmoid   1 / (1 + e^-x)
 *   hsigmoid  min(max(x + 3, 0), 6) / 6              (Howard et al. 2019, arXiv 1905.02244)
 *   hswish    x hsigmoid(x)                          (the same)
 *   swish     x sigmoid(x), also called SiLU         (Ramachandran et al. 2017, arXiv 1710.05941)
 *
 * NaN is let through. Loops are plain, so that a compiler makes vectors of them. */
#include "nn/step.h"

#include <string.h>

static int same_shape(hst_node *n, const hst_shape *in, hst_err *err)
{
    (void)err;
    n->out = *in;
    return 0;
}

static double one_flop(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return (double)in->h * in->w * in->c;
}

/* e^x within 2e-7 of itself, the same bits everywhere: 2^n e^r with n whole and |r| <= ln 2 / 2, ln
 * 2 in two parts so that r keeps its digits, e^r by its series. */
static inline float exponential(float x)
{
    const float whole = 12582912.0f; /* 1.5 2^23: adding it rounds to a whole number */
    x = x < -87 ? -87 : x;
    x = x > 88 ? 88 : x;
    float shifted = x * 1.44269504f + whole, n = shifted - whole;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float e = 1.0f / 720;
    e = e * r + 1.0f / 120;
    e = e * r + 1.0f / 24;
    e = e * r + 1.0f / 6;
    e = e * r + 0.5f;
    e = e * r + 1;
    e = e * r + 1;
    int32_t bits = ((int32_t)n + 127) * (1 << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return e * power;
}

static inline float relu(float x)
{
    return x < 0 ? 0 : x;
}

static inline float sigmoid(float x)
{
    return x != x ? x : 1 / (1 + exponential(-x));
}

/* In this order so that no digits cancel near -3. */
static inline float hsigmoid(float x)
{
    float v = x + 3;
    v = v < 0 ? 0 : v;
    v = v > 6 ? 6 : v;
    return v * (1.0f / 6);
}

static inline float hswish(float x)
{
    return x * hsigmoid(x);
}

static inline float swish(float x)
{
    return x * sigmoid(x);
}

/* Slopes at x, where the activation is y. */
static inline float relu_slope(float x, float y)
{
    (void)x;
    return y <= 0 ? 0 : 1;
}

static inline float sigmoid_slope(float x, float y)
{
    (void)x;
    return y * (1 - y);
}

static inline float hsigmoid_slope(float x, float y)
{
    (void)x;
    return y <= 0 || y >= 1 ? 0 : 1.0f / 6;
}

static inline float hswish_slope(float x, float y)
{
    (void)y;
    float v = x * (1.0f / 3) + 0.5f;
    v = x <= -3 ? 0 : v;
    return x >= 3 ? 1 : v;
}

static inline float swish_slope(float x, float y)
{
    (void)y;
    float s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

/* The op `fn`: its step is a loop over this thread's rows; its slope looks at `what` alone. */
#define ACTIVATION(fn, what)                                                                       \
    static void fn##_step(const hst_step *s, const hst_run_args *a)                                \
    {                                                                                              \
        const hst_share share = hst_share_of(a, s->out.h);                                         \
        const size_t row = (size_t)s->out.w * (size_t)s->out.c;                                    \
        const float *x = a->x;                                                                     \
        float *y = a->y;                                                                           \
        for (size_t i = (size_t)share.first * row; i < (size_t)share.end * row; i++)               \
            y[i] = fn(x[i]);                                                                       \
    }                                                                                              \
    static void fn##_backward(const hst_op_args *a)                                                \
    {                                                                                              \
        const size_t n = (size_t)a->in->h * (size_t)a->in->w * (size_t)a->in->c;                   \
        for (size_t i = 0; i < n; i++)                                                             \
            a->dx[0][i] += a->dy[i] * fn##_slope(a->x[0][i], a->y[i]);                             \
    }                                                                                              \
    const hst_op hst_op_##fn = {.name = #fn,                                                       \
                                .shape = same_shape,                                               \
                                .flops = one_flop,                                                 \
                                .step = fn##_step,                                                 \
                                .backward = fn##_backward,                                         \
                                .reads = what}

ACTIVATION(relu, HST_READS_OUTPUT);
ACTIVATION(sigmoid, HST_READS_OUTPUT);
ACTIVATION(hsigmoid, HST_READS_OUTPUT);
ACTIVATION(hswish, HST_READS_INPUT);
ACTIVATION(swish, HST_READS_INPUT);
