#include "exports/narrow.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int hst_is_narrow(enum hst_weights weights, size_t n, int is_depthwise)
{
    enum { LEAST_INT8 = 1024, LEAST_FLOAT16 = 16384 };
    return weights == HST_WEIGHTS_FLOAT16 ? n >= LEAST_FLOAT16 && !is_depthwise
                                          : weights == HST_WEIGHTS_INT8 && n >= LEAST_INT8;
}

uint16_t hst_half_of(float x)
{
    enum { MANTISSA = 13, LEAST = 113, INFINITE = 143 }; /* exponents of float32: 2^-14, 2^16 */
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    const uint32_t sign = u >> 16 & 0x8000, exponent = u >> 23 & 0xff, rest = u & 0x7fffff;
    if (exponent == 0xff)
        return (uint16_t)(sign | 0x7c00 | (rest ? 0x200 : 0));
    if (exponent >= INFINITE)
        return (uint16_t)(sign | 0x7c00);
    /* below 2^-14 the mantissa moves instead of the exponent; below 2^-25 nothing is left */
    const uint32_t shift = MANTISSA + (exponent < LEAST ? LEAST - exponent : 0);
    if (shift > MANTISSA + 11)
        return (uint16_t)sign;
    const uint32_t whole = rest | 0x800000, half = (uint32_t)1 << (shift - 1);
    uint32_t kept = whole >> shift;
    const uint32_t lost = whole & ((half << 1) - 1);
    kept += lost > half || (lost == half && (kept & 1));
    /* the leading 1 of a normal number adds itself to the exponent, and so does a carry */
    return (uint16_t)(sign | (kept + (exponent < LEAST ? 0 : (exponent - LEAST) << 10)));
}

static float of_half(uint16_t h)
{
    const int exponent = h >> 10 & 31, rest = h & 1023;
    const float v = ldexpf((float)(exponent ? 1024 + rest : rest), exponent ? exponent - 25 : -24);
    return h & 0x8000 ? -v : v;
}

/* A number that could be rounded to the other side, too, and what that would cost. */
typedef struct turn {
    double cost;
    float other;
    size_t at;
} turn;

static int by_cost(const void *a, const void *b)
{
    const turn *x = a, *y = b;
    return x->cost < y->cost ? -1 : x->cost > y->cost ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

static void balance(const float *x, size_t n, size_t step, float *out, turn *turns)
{
    double sum = 0;
    size_t many = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)out[i * step] - (double)x[i * step];
    for (size_t i = 0; i < n; i++) {
        const double off = (double)out[i * step] - (double)x[i * step];
        if (off * sum <= 0)
            continue;
        const uint16_t h = hst_half_of(out[i * step]);
        const int larger = (off < 0) == !(h & 0x8000); /* in magnitude */
        if (!larger && !(h & 0x7fff))
            continue;
        const float other = of_half((uint16_t)(larger ? h + 1 : h - 1));
        const double then = (double)other - (double)x[i * step];
        turns[many++] = (turn){(then * then - off * off) / fabs(then - off), other, i * step};
    }
    qsort(turns, many, sizeof *turns, by_cost);
    for (size_t i = 0; i < many; i++) {
        const double change = (double)turns[i].other - (double)out[turns[i].at];
        if (fabs(sum + change) >= fabs(sum))
            continue;
        sum += change;
        out[turns[i].at] = turns[i].other;
    }
}

int hst_halves(const float *x, size_t n, size_t channels, float *out, hst_err *err)
{
    turn *turns = hst_alloc(n / channels + 1, sizeof *turns, err);
    for (size_t i = 0; turns && i < n; i++)
        out[i] = of_half(hst_half_of(x[i]));
    for (size_t c = 0; turns && c < channels; c++)
        balance(x + c, n / channels, channels, out + c, turns);
    free(turns);
    return turns ? 0 : HST_EMEM;
}

float hst_int8_scale(const float *x, size_t n, size_t step)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i * step]));
    return most / 127 > 0 ? most / 127 : 1;
}

int8_t hst_int8_of(float x, float scale)
{
    return (int8_t)hst_steps_of(x, scale, 0, -127, 127);
}

double hst_int8_shift(const float *x, size_t n, size_t step, float scale, const float *mean,
                      size_t n_mean)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float w = x[i * step];
        sum +=
            ((double)hst_int8_of(w, scale) * (double)scale - (double)w) * (double)mean[i % n_mean];
    }
    return sum;
}

int32_t hst_steps_of(float x, float scale, int zero, int32_t least, int32_t most)
{
    const double q = round((double)(x / scale)) + zero;
    return q > most ? most : q < least ? least : (int32_t)q;
}
