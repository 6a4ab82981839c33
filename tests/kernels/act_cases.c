/* Activations against double precision: any count, on and off the ends of a page, numbers large,
 * small and odd; the same bits wherever a number stands. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[HST_ACTS] = {"none",   "relu6", "relu", "sigmoid",   "hsigmoid",
                                            "hswish", "swish", "gelu", "gelu_tanh", "gelu_quick"};

/* act(x), and in *sizes that of the numbers whose roundings it holds. */
static double reference(enum hst_act act, double x, double *sizes)
{
    const double sigmoid = 1 / (1 + exp(-x)), clipped = fmin(fmax(x + 3, 0), 6) / 6;
    const double by_act[HST_ACTS] = {
        x,
        fmin(fmax(x, 0), 6),
        fmax(x, 0),
        sigmoid,
        clipped,
        x * clipped,
        x * sigmoid,
        x * erfc(-x * sqrt(0.5)) / 2,
        x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))),
        x / (1 + exp(-1.702 * x))};
    /* x + 3 is rounded to its own size, not to that of what is left near -3 */
    const double rounded = act == HST_ACT_HSIGMOID ? 0.5 : act == HST_ACT_HSWISH ? fabs(x) / 2 : 0;
    *sizes = fabs(by_act[act]) + (clipped > 0 && clipped < 1 ? rounded : 0);
    if (act >= HST_ACT_GELU)
        *sizes = fabs(x);
    return by_act[act];
}

static int check(const hst_kernels *k, enum hst_act act, size_t n, int place)
{
    int wrong = 0;
    guarded x = numbers(n, place, (uint32_t)n), y = numbers(n, place, 2);
    for (size_t i = 0; i < n; i++)
        x.p[i] *= i % 5 == 0 ? 8 : i % 7 == 0 ? 1e-3f : 1;
    k->activate(act, x.p, y.p, n);
    for (size_t i = 0; i < n; i++) {
        double sizes, want = reference(act, (double)x.p[i], &sizes);
        float alone;
        k->activate(act, &x.p[i], &alone, 1);
        wrong +=
            far(i, (double)y.p[i], want, sizes, 3) || memcmp(&alone, &y.p[i], sizeof alone) != 0;
    }
    k->activate(act, x.p, x.p, n); /* in its own place */
    wrong += n && memcmp(x.p, y.p, n * sizeof *y.p) != 0;
    release(&x);
    release(&y);
    if (wrong)
        say_wrong(k, "%s of %zu numbers", names[act], n);
    return wrong;
}

/* Whole vectors of one number that is not ordinary. */
static int odd(const hst_kernels *k, enum hst_act act, float x, float want)
{
    float in[37], out[37];
    int wrong = 0;
    for (int i = 0; i < 37; i++)
        in[i] = x;
    k->activate(act, in, out, 37);
    for (int i = 0; i < 37; i++)
        wrong +=
            (isnan(want) ? !isnan(out[i]) : !(fabsf(out[i] - want) <= 1e-37f || out[i] == want)) &&
            differs((size_t)i, (double)out[i], (double)want);
    if (wrong)
        say_wrong(k, "%s of %g", names[act], (double)x);
    return wrong;
}

/* Every float32 whose bits are a multiple of a prime: sigmoid and swish within 1e-6 of themselves,
 * GELUs of x (kernels.h), behind -87 within 1e-36, which is nothing. */
static int accurate(const hst_kernels *k, enum hst_act act)
{
    enum { APART = 65521, AT_ONCE = 64 };
    double worst = 0, at = 0, largest = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += (uint64_t)APART * AT_ONCE) {
        float x[AT_ONCE], y[AT_ONCE];
        for (uint64_t i = 0; i < AT_ONCE; i++) {
            const uint32_t u = (uint32_t)(bits + i * APART);
            memcpy(&x[i], &u, sizeof u);
        }
        k->activate(act, x, y, AT_ONCE);
        for (int i = 0; i < AT_ONCE; i++) {
            double sizes, want = reference(act, (double)x[i], &sizes);
            if (!isfinite(x[i]))
                continue;
            const double off = fabs((double)y[i] - want);
            const double size = fmax(act < HST_ACT_GELU ? fabs(want) : sizes, 1e-37);
            if (x[i] < -87 && !(off <= largest))
                largest = off;
            if (x[i] >= -87 && !(off / size <= worst))
                worst = off / size, at = (double)x[i];
        }
    }
    const int wrong = !(worst <= 1e-6) || !(largest <= 1e-36);
    if (wrong)
        say_wrong(k, "%s is off by %g of itself at %g, %g behind -87", names[act], worst, at,
                  largest);
    return wrong;
}

/* Rows that are apart: the bits of each row by itself, sums in order, nothing between them. */
static int rows_check(const hst_kernels *k, enum hst_act act, size_t rows, int n)
{
    const size_t c = (size_t)n, ldx = c + 3, ldy = c + 2, ends = (rows - 1) * ldy + c;
    guarded x = numbers((rows - 1) * ldx + c, n & 1, 1), y = numbers(ends, n & 1, 2),
            was = numbers(ends, 0, 2), sum = numbers(c, 1, 3), want = numbers(c, 1, 3);
    float *row = malloc(c * sizeof *row);
    hst_act_rows r = {
        .act = act, .x = x.p, .y = y.p, .ldx = ldx, .ldy = ldy, .sum = sum.p, .rows = rows, .n = n};
    k->activate_rows(&r);
    int wrong = 0;
    for (size_t i = 0; i < rows; i++) {
        k->activate(act, x.p + i * ldx, row, c);
        wrong += memcmp(row, y.p + i * ldy, c * sizeof *row) != 0;
        wrong += i + 1 < rows && memcmp(was.p + i * ldy + c, y.p + i * ldy + c, 2 * sizeof *row);
        for (size_t j = 0; j < c; j++)
            want.p[j] += row[j];
    }
    wrong += memcmp(sum.p, want.p, c * sizeof *row) != 0;
    r.sum = NULL;
    r.x = r.y;
    r.ldx = ldy;
    r.act = HST_ACT_NONE; /* in its own place, without sums */
    k->activate_rows(&r);
    wrong += memcmp(row, y.p + (rows - 1) * ldy, c * sizeof *row) != 0;
    free(row);
    guarded *all[] = {&x, &y, &was, &sum, &want};
    for (int i = 0; i < 5; i++)
        release(all[i]);
    if (wrong)
        say_wrong(k, "%s of %zu rows of %d", names[act], rows, n);
    return wrong;
}

static int scale_check(const hst_kernels *k, size_t rows, int n)
{
    const size_t c = (size_t)n;
    guarded x = numbers(rows * c, n & 1, 1), z = numbers(c, 0, 2), y = numbers(rows * c, 1, 3);
    k->scale_rows(x.p, z.p, y.p, rows, n);
    int wrong = 0;
    for (size_t i = 0; i < rows * c; i++)
        wrong += y.p[i] != x.p[i] * z.p[i % c];
    k->scale_rows(x.p, z.p, x.p, rows, n); /* in its own place */
    wrong += memcmp(x.p, y.p, rows * c * sizeof *y.p) != 0;
    release(&x);
    release(&z);
    release(&y);
    if (wrong)
        say_wrong(k, "%zu rows of %d scaled", rows, n);
    return wrong;
}

static int activation_rows(const hst_kernels *k)
{
    int wrong = 0;
    for (int n = 1; n < 75; n += n < 34 ? 1 : 10)
        for (size_t rows = 1; rows < 9; rows += 3) {
            for (int act = HST_ACT_NONE; act < HST_ACTS; act++)
                wrong += rows_check(k, (enum hst_act)act, rows, n);
            wrong += scale_check(k, rows, n);
        }
    return wrong;
}

int activations(const hst_kernels *k)
{
    static const float big[] = {100, 1e4f, 3e38f}, tiny = 1e-41f; /* no normal number */
    int wrong = accurate(k, HST_ACT_SIGMOID) + activation_rows(k);
    for (int act = HST_ACT_SWISH; act < HST_ACTS; act++)
        wrong += accurate(k, (enum hst_act)act);
    for (size_t n = 0; n < 130; n += n < 40 ? 1 : 29)
        wrong += check(k, HST_ACT_NONE, n, (int)(n & 1)) + check(k, HST_ACT_RELU6, n, 0);
    wrong += odd(k, HST_ACT_RELU6, NAN, NAN) + odd(k, HST_ACT_RELU6, INFINITY, 6);
    for (int a = HST_ACT_RELU; a < HST_ACTS; a++) {
        const enum hst_act act = (enum hst_act)a;
        const int gate = act == HST_ACT_SIGMOID || act == HST_ACT_HSIGMOID;
        for (size_t n = 0; n < 130; n += n < 40 ? 1 : 29)
            wrong += check(k, act, n, (int)(n & 1));
        wrong += odd(k, act, NAN, NAN) + odd(k, act, 0, gate ? 0.5f : 0);
        wrong += odd(k, act, INFINITY, gate ? 1 : INFINITY);
        for (int i = 0; i < 3; i++)
            wrong += odd(k, act, big[i], gate ? 1 : big[i]);
        wrong += act == HST_ACT_RELU ? odd(k, act, tiny, tiny) + odd(k, act, -tiny, 0) : 0;
        wrong += act >= HST_ACT_SWISH ? 0 : odd(k, act, -1000, act == HST_ACT_HSWISH ? -0.0f : 0);
    }
    return wrong;
}
