/* activation_body.h - activations of any numbers, a vector at a time. A body: included by each
 * isa_<isa>.c behind grad_gemm_body.h. The last numbers go through a vector that is only partly
 * used, so that each has the same bits wherever it stands. */
#include <math.h>

/* e^-x, -88 <= x <= 87: 2^-n e^-r with n whole and |r| <= ln 2 / 2; e^-r by the polynomial of
 * degree 5 with the least relative error there, 9.2e-8 (Remez). */
static inline vf power(vf x)
{
    const vf whole = v_set1(12582912.0f); /* 1.5 2^23: adding it rounds to a whole number */
    const vf shifted = v_fma(x, v_set1(1.44269504f), whole);
    const vf r = v_less_ln2(x, v_add(shifted, v_set1(-12582912.0f)));
    vf e = v_fma(v_set1(-0x1.0fa7d8p-7f), r, v_set1(0x1.573ad0p-5f));
    e = v_fma(e, r, v_set1(-0x1.555a6ep-3f));
    e = v_fma(e, r, v_set1(0x1.fffdc4p-2f));
    e = v_fma(e, r, v_set1(-0x1.fffff6p-1f));
    e = v_fma(e, r, v_set1(1));
    return v_by_pow2(e, shifted);
}

static inline vf one_and_power(vf x)
{
    return v_add(v_set1(1), power(x));
}

/* Behind the ends, where float32 ends as well, the functions go on as they are there. */
static inline vf sigmoid(vf x)
{
    const vf in = v_clamp(v_set1(-88), v_set1(87), x);
    return v_div(v_fma(in, v_set1(0), v_set1(1)), one_and_power(in)); /* NaN, or 1 */
}

static inline vf swish(vf x)
{
    const vf top = v_at_least(v_set1(-88), x);
    return v_div(top, one_and_power(v_clamp(v_set1(-88), v_set1(87), x)));
}

/* Where GELUs of what is below are nothing, 1e-36 or less. */
static const float gelu_low = -13, tanh_low = -10, quick_low = -51.7f;
/* From where on they are x; power needs no more than e^-87 up to there. */
static const float gelu_high = 13, tanh_high = 10, quick_high = 51;
static const float tanh_slope = 1.59576912f; /* 2 sqrt(2 / pi) */
static const float quick_slope = 1.702f;

/* The normal distribution up to x, |x| <= 13, within 1e-7. density: e^(-x^2 / 2). What lies behind
 * |x| is density t P(t), t = 1 / (1 + p |x|), the form of Abramowitz and Stegun 7.1.26; p and P, of
 * degree 5, with the least error, 3.4e-8. */
static inline vf normal_below(vf x, vf density)
{
    const vf one = v_set1(1), all = v_set1(INFINITY);
    const vf size = v_add(v_relu(v_mul(x, v_set1(-1)), all), v_relu(x, all)); /* one of them is 0 */
    const vf t = v_div(one, v_fma(size, v_set1(0.285f), one));
    vf p = v_fma(v_set1(-0x1.87e3ecp-4f), t, v_set1(0x1.506dd8p-2f));
    p = v_fma(p, t, v_set1(-0x1.3130a8p-3f));
    p = v_fma(p, t, v_set1(0x1.af8f40p-3f));
    p = v_fma(p, t, v_set1(0x1.6f0e46p-4f));
    p = v_fma(p, t, v_set1(0x1.da6120p-4f));
    const vf tail = v_mul(v_mul(p, t), density);
    return v_add(tail, v_gate(v_fma(tail, v_set1(-2), one), x, all));
}

static inline vf density_at(vf x)
{
    return power(v_mul(v_mul(x, x), v_set1(0.5f)));
}

/* 2^-x, 0 <= x < 127: as power. */
static inline vf power_of_2(vf x)
{
    const vf whole = v_set1(12582912.0f), shifted = v_add(x, whole);
    const vf r = v_sub(x, v_sub(shifted, whole));
    vf e = v_fma(v_set1(-0x1.5bb99ep-10f), r, v_set1(0x1.3ceafap-7f));
    e = v_fma(e, r, v_set1(-0x1.c6b758p-5f));
    e = v_fma(e, r, v_set1(0x1.ebf9bap-3f));
    e = v_fma(e, r, v_set1(-0x1.62e42ap-1f));
    e = v_fma(e, r, v_set1(1));
    return v_by_pow2(e, shifted);
}

/* max(x, 0) - u 2^-Q(u), u = |x|: 2^-Q is what of the normal distribution lies behind u. Q, of
 * degree 8, has the least error there up to 13, 7e-8, among those that rise to the end, which is
 * where power_of_2 ends. */
static inline vf gelu(vf x)
{
    const vf zero = v_set1(0), end = v_set1(12.85f);
    const vf u = v_relu(v_at_least(v_sub(zero, x), x), end);
    vf q = v_fma(v_set1(0x1.16e768p-21f), u, v_set1(-0x1.83cd74p-17f));
    q = v_fma(q, u, v_set1(0x1.dc0bb0p-15f));
    q = v_fma(q, u, v_set1(0x1.c935d6p-12f));
    q = v_fma(q, u, v_set1(-0x1.e6d7cap-8f));
    q = v_fma(q, u, v_set1(0x1.aff0b6p-5f));
    q = v_fma(q, u, v_set1(0x1.d628c0p-2f));
    q = v_fma(q, u, v_set1(0x1.26af50p+0f));
    q = v_fma(q, u, v_set1(0x1.fffffcp-1f));
    return v_fma(v_sub(zero, u), power_of_2(q), v_at_least(zero, x));
}

static inline vf tanh_argument(vf x)
{
    const vf square = v_mul(x, x);
    return v_mul(v_mul(x, v_set1(tanh_slope)), v_fma(square, v_set1(0.044715f), v_set1(1)));
}

static inline vf gelu_tanh(vf x)
{
    const vf in = v_clamp(v_set1(tanh_low), v_set1(tanh_high), x);
    return v_div(v_at_least(v_set1(tanh_low), x), one_and_power(tanh_argument(in)));
}

static inline vf gelu_quick(vf x)
{
    const vf in = v_clamp(v_set1(quick_low), v_set1(quick_high), x);
    return v_div(v_at_least(v_set1(quick_low), x), one_and_power(v_mul(in, v_set1(quick_slope))));
}

/* The derivative of x sigmoid(a), a's being rate. 1 - sigmoid(a) is e^-a sigmoid(a), of which no
 * digits cancel. */
static inline vf gated_slope(vf x, vf a, vf rate)
{
    const vf e = power(a), s = v_div(v_set1(1), v_add(v_set1(1), e));
    return v_fma(v_mul(x, v_mul(s, v_mul(e, s))), rate, s);
}

/* In this order so that no digits cancel near -3. */
static inline vf hsigmoid(vf x)
{
    return v_mul(v_relu(v_add(x, v_set1(3)), v_set1(6)), v_set1(1.0f / 6));
}

static inline __attribute__((always_inline)) vf activated(const enum hst_act act, vf x)
{
    switch (act) {
    case HST_ACT_RELU6:
        return v_relu(x, v_set1(6));
    case HST_ACT_RELU:
        return v_relu(x, v_set1(INFINITY));
    case HST_ACT_SIGMOID:
        return sigmoid(x);
    case HST_ACT_HSIGMOID:
        return hsigmoid(x);
    case HST_ACT_HSWISH:
        return v_mul(x, hsigmoid(x));
    case HST_ACT_SWISH:
        return swish(x);
    case HST_ACT_GELU:
        return gelu(x);
    case HST_ACT_GELU_TANH:
        return gelu_tanh(x);
    case HST_ACT_GELU_QUICK:
        return gelu_quick(x);
    default:
        return x;
    }
}

/* dy act'(x) */
static inline __attribute__((always_inline)) vf slope(const enum hst_act act, vf x, vf dy)
{
    const vf one = v_set1(1), six = v_set1(6), minus = v_set1(-1);
    switch (act) {
    case HST_ACT_RELU6:
        return v_gate(dy, x, six);
    case HST_ACT_RELU:
        return v_gate(dy, x, v_set1(INFINITY));
    case HST_ACT_SIGMOID: {
        const vf s = sigmoid(x);
        return v_mul(dy, v_mul(s, v_fma(s, minus, one)));
    }
    case HST_ACT_HSIGMOID:
        return v_gate(v_mul(dy, v_set1(1.0f / 6)), v_add(x, v_set1(3)), six);
    case HST_ACT_HSWISH: {
        const vf inside = v_gate(v_mul(x, v_set1(1.0f / 6)), v_add(x, v_set1(3)), six);
        return v_mul(dy, v_add(hsigmoid(x), inside));
    }
    case HST_ACT_SWISH: {
        const vf s = sigmoid(x);
        return v_mul(dy, v_mul(s, v_fma(x, v_fma(s, minus, one), one)));
    }
    case HST_ACT_GELU: {
        const vf in = v_clamp(v_set1(gelu_low), v_set1(gelu_high), x), density = density_at(in);
        const vf at = v_mul(density, v_set1(0.398942280f)); /* 1 / sqrt(2 pi) */
        return v_mul(dy, v_fma(in, at, normal_below(in, density)));
    }
    case HST_ACT_GELU_TANH: {
        const vf in = v_clamp(v_set1(tanh_low), v_set1(tanh_high), x);
        const vf rate = v_mul(v_fma(v_mul(in, in), v_set1(3 * 0.044715f), one), v_set1(tanh_slope));
        return v_mul(dy, gated_slope(in, tanh_argument(in), rate));
    }
    case HST_ACT_GELU_QUICK: {
        const vf in = v_clamp(v_set1(quick_low), v_set1(quick_high), x), rate = v_set1(quick_slope);
        return v_mul(dy, gated_slope(in, v_mul(in, rate), rate));
    }
    default:
        return dy;
    }
}

/* X(activation): a loop for each, in which it is a constant. */
#define EACH_ACT(X)                                                                                \
    X(HST_ACT_NONE)                                                                                \
    X(HST_ACT_RELU6)                                                                               \
    X(HST_ACT_RELU)                                                                                \
    X(HST_ACT_SIGMOID)                                                                             \
    X(HST_ACT_HSIGMOID)                                                                            \
    X(HST_ACT_HSWISH)                                                                              \
    X(HST_ACT_SWISH)                                                                               \
    X(HST_ACT_GELU)                                                                                \
    X(HST_ACT_GELU_TANH)                                                                           \
    X(HST_ACT_GELU_QUICK)

static inline __attribute__((always_inline)) void activate_all(const enum hst_act act,
                                                               const float *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(y + i, activated(act, v_load(x + i)));
    if (i < n)
        v_store_part(y + i, (int)(n - i), activated(act, v_load_part(x + i, (int)(n - i))));
}

static void activate(enum hst_act act, const float *x, float *y, size_t n)
{
    switch (act) {
#define CASE(a)                                                                                    \
    case a:                                                                                        \
        activate_all(a, x, y, n);                                                                  \
        break;
        EACH_ACT(CASE)
#undef CASE
    }
}

/* Channels c .. c+V_N, or the first `rest` of them, and with `two` the next V_N as well. */
static inline __attribute__((always_inline)) void
act_columns(const hst_act_rows *r, const enum hst_act act, int c, const int two, const int rest)
{
    const float *x = r->x + c;
    float *y = r->y + c;
    vf sum0 = v_set1(0), sum1 = sum0;
    if (r->sum) {
        sum0 = rest ? v_load_part(r->sum + c, rest) : v_load(r->sum + c);
        sum1 = two ? v_load(r->sum + c + V_N) : sum0;
    }
    for (size_t i = 0; i < r->rows; i++, x += r->ldx, y += r->ldy) {
        const vf a = activated(act, rest ? v_load_part(x, rest) : v_load(x));
        sum0 = v_add(sum0, a);
        if (rest)
            v_store_part(y, rest, a);
        else
            v_store(y, a);
        if (two) {
            const vf b = activated(act, v_load(x + V_N));
            sum1 = v_add(sum1, b);
            v_store(y + V_N, b);
        }
    }
    if (r->sum && rest)
        v_store_part(r->sum + c, rest, sum0);
    else if (r->sum)
        v_store(r->sum + c, sum0);
    if (r->sum && two)
        v_store(r->sum + c + V_N, sum1);
}

static inline __attribute__((always_inline)) void act_rows_all(const hst_act_rows *r,
                                                               const enum hst_act act)
{
    int c = 0;
    for (; c + 2 * V_N <= r->n; c += 2 * V_N)
        act_columns(r, act, c, 1, 0);
    if (c + V_N <= r->n) {
        act_columns(r, act, c, 0, 0);
        c += V_N;
    }
    if (c < r->n)
        act_columns(r, act, c, 0, r->n - c);
}

static void activate_rows(const hst_act_rows *r)
{
    act_rows_contract(r);
    switch (r->act) {
#define CASE(a)                                                                                    \
    case a:                                                                                        \
        act_rows_all(r, a);                                                                        \
        break;
        EACH_ACT(CASE)
#undef CASE
    }
}

static void scale_rows(const float *x, const float *z, float *y, size_t rows, int c)
{
    rows_contract(x, rows, c);
    for (size_t r = 0; r < rows; r++, x += c, y += c) {
        int i = 0;
        for (; i + V_N <= c; i += V_N)
            v_store(y + i, v_mul(v_load(x + i), v_load(z + i)));
        if (i < c)
            v_store_part(y + i, c - i, v_mul(v_load_part(x + i, c - i), v_load_part(z + i, c - i)));
    }
}

static inline __attribute__((always_inline)) void slope_all(const enum hst_act act, const float *x,
                                                            const float *dy, float *dx, size_t n)
{
    size_t i = 0;
    for (; i + V_N <= n; i += V_N)
        v_store(dx + i, slope(act, v_load(x + i), v_load(dy + i)));
    if (i < n) {
        const int rest = (int)(n - i);
        v_store_part(dx + i, rest, slope(act, v_load_part(x + i, rest), v_load_part(dy + i, rest)));
    }
}

/* dx[i] = dy[i] act'(x[i]); dx may be dy. */
static void activate_back(enum hst_act act, const float *x, const float *dy, float *dx, size_t n)
{
    switch (act) {
#define CASE(a)                                                                                    \
    case a:                                                                                        \
        slope_all(a, x, dy, dx, n);                                                                \
        break;
        EACH_ACT(CASE)
#undef CASE
    }
}
