/* Every kernel of training on numbers that are not ordinary: one product a * b, all else zero, so
 * that the result is known to the bit. NaN and infinity arrive, nothing too small for a normal
 * number is lost, and a gate that is shut lets nothing through. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { C = 37, ROWS = 3, WIDTH = 9, MOST_TAPS = 25 };

typedef struct odd {
    float a, b;
    float want; /* a * b, rounded once */
} odd;

static void fill(float *p, size_t n, float v)
{
    for (size_t i = 0; i < n; i++)
        p[i] = v;
}

/* How many of the n numbers are not `want`, to the bit; any NaN is NaN. */
static int others(const float *p, size_t n, float want)
{
    int wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += memcmp(&p[i], &want, sizeof want) != 0 && !(isnan(p[i]) && isnan(want)) &&
                 differs(i, (double)p[i], (double)want);
    return wrong;
}

static int say(const hst_kernels *k, const odd *o, const char *what, int wrong)
{
    if (wrong)
        say_wrong(k, "%s: %g times %g does not become %g", what, (double)o->a, (double)o->b,
                  (double)o->want);
    return wrong;
}

/* The middle row is the product, the first and last add zeros. */
static int matrices(const hst_kernels *k, const odd *o)
{
    float a[ROWS * C] = {0}, b[ROWS * C], dw[C * C] = {0}, sum[C] = {0};
    fill(a + C, C, o->a);
    fill(b, ROWS * C, o->b);
    k->grad_gemm(&(hst_grad_gemm){a, b, C, C, dw, C, ROWS, C, C});
    int wrong = say(k, o, "gradient of a matrix", others(dw, C * C, o->want));
    k->grad_sum(a, C, ROWS, C, sum);
    return wrong + say(k, &(odd){o->a, 1, o->a}, "sum of rows", others(sum, C, o->a));
}

/* What is added behind a product of nothing, for every way a panel can end. */
static int residuals(const hst_kernels *k, const odd *o)
{
    static const int ns[] = {2, 4, 6, 8, 12, 16, 24, 32, C};
    int wrong = 0;
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        const int n = ns[i];
        float w[C] = {0}, packed[2 * (64 + 1)], x[ROWS] = {0}, y[ROWS * C], added[ROWS * C],
              gate[ROWS * C];
        if (hst_gemm_packed(k, 1, n) > sizeof packed / sizeof *packed)
            return 1;
        fill(added, ROWS * C, o->a);
        fill(gate, ROWS * C, NAN);
        hst_gemm g = {.x = x, .ldx = 1, .w = packed, .y = y, .ldy = C};
        g.bias = hst_gemm_pack(k, w, NULL, 1, n, packed);
        g.residual = added;
        g.rows = ROWS;
        g.k = 1;
        g.n = n;
        k->gemm(&g);
        for (int r = 0; r < ROWS; r++)
            wrong += others(y + r * C, (size_t)n, o->a);
        g.gate = gate;
        g.ld_gate = C;
        g.gate_top = 6;
        k->gemm(&g);
        for (int r = 0; r < ROWS; r++)
            wrong += others(y + r * C, (size_t)n, 0);
    }
    return say(k, &(odd){o->a, 1, o->a}, "residual of a product", wrong);
}

/* One pixel of the middle input row, and the one gradient that sees it through the middle tap. */
static int taps(const hst_kernels *k, const odd *o, int kernel, int stride)
{
    const int half = kernel / 2, out = (WIDTH - 1) / stride + 1, middle = half * kernel + half;
    float rows[5][WIDTH * C] = {{0}}, g[WIDTH * C] = {0}, dw[MOST_TAPS * C] = {0}, db[C] = {0};
    const float *row[] = {rows[0], rows[1], rows[2], rows[3], rows[4]}, *grad[] = {g};
    fill(rows[half] + (size_t)stride * C, C, o->a);
    fill(g + C, C, o->b);
    k->grad_taps(
        &(hst_grad_taps){row, grad, dw, db, C, C, C, 1, WIDTH, out, C, kernel, stride, half});
    int wrong = others(dw + (size_t)middle * C, C, o->want) + others(db, C, o->b);
    for (int t = 0; t < kernel * kernel; t++) /* other rows have no part in it */
        wrong += t / kernel == half ? 0 : others(dw + (size_t)t * C, C, 0);
    return say(k, o, "gradient of taps", wrong);
}

/* The pixel in the middle, which the one gradient reaches through the middle tap. */
static int pixels(const hst_kernels *k, const odd *o, int kernel, int stride)
{
    const int half = kernel / 2, out = (WIDTH - 1) / stride + 1, at = 4 / stride;
    float g[WIDTH * C] = {0}, none[WIDTH * C] = {0}, w[MOST_TAPS * C] = {0}, dx[WIDTH * C], sum[C],
                    gate[WIDTH * C];
    fill(g + (size_t)at * C, C, o->a);
    fill(w + (size_t)(half * kernel + half) * C, C, o->b);
    hst_grad_pixels d = {.w = w, .dx = dx, .sum = sum};
    for (int ky = 0; ky < kernel; ky++)
        d.g[ky] = ky == half ? g : none;
    d.g_step = d.w_step = d.gate_step = d.dx_step = C;
    d.width = WIDTH;
    d.out = out;
    d.channels = C;
    d.kernel = kernel;
    d.stride = stride;
    d.before = half;
    fill(sum, C, 0);
    k->grad_pixels(&d);
    int wrong = others(dx + 4 * C, C, o->want);
    wrong += isfinite(o->a) ? others(sum, C, o->want) : 0; /* else also 0 times infinity */
    static const float shut[] = {0, 6, -1, NAN};
    d.gate = gate;
    d.gate_top = 6;
    for (size_t i = 0; i < sizeof shut / sizeof *shut; i++) {
        fill(gate, WIDTH * C, shut[i]);
        fill(sum, C, 0);
        k->grad_pixels(&d);
        wrong += others(dx, WIDTH * C, 0) + others(sum, C, 0);
    }
    return say(k, o, "gradient of pixels", wrong);
}

static int norms(const hst_kernels *k, const odd *o)
{
    float x[C], dy[C], none[C] = {0}, a[C], b[C], y[C], one[C];
    fill(one, C, 1);
    fill(x, C, o->a);
    fill(dy, C, o->a);
    fill(a, C, o->b);
    k->norm_map(&(hst_norm_map){x, a, none, NULL, y, 1, C, 0});
    int wrong = say(k, o, "batch norm", others(y, C, o->want));
    k->norm_map(&(hst_norm_map){x, a, none, NULL, y, 1, C, 1});
    const float clipped = o->want < 0 ? 0 : o->want > 6 ? 6 : o->want;
    wrong += say(k, &(odd){o->a, o->b, clipped}, "clipped batch norm", others(y, C, clipped));
    k->norm_back(&(hst_norm_back){dy, none, a, none, none, y, 1, C});
    wrong += say(k, o, "gradient of batch norm", others(y, C, o->want));
    k->norm_back(&(hst_norm_back){none, x, none, a, none, y, 1, C});
    wrong += say(k, o, "gradient of batch norm through its input", others(y, C, o->want));
    fill(b, C, o->b);
    k->norm_products(&(hst_norm_sums){b, dy, none, a, y, 1, C});
    wrong += say(k, o, "products of batch norm", others(a, C, o->a) + others(y, C, o->want));
    k->norm_moments(&(hst_norm_sums){.x = x, .first = a, .second = y, .rows = 1, .c = C});
    wrong += others(a, C, o->a) + others(y, C, isfinite(o->a) ? 0 : NAN);
    return say(k, &(odd){o->a, 1, o->a}, "sums of batch norm", wrong);
}

int odd_gradients(const hst_kernels *k)
{
    const float tiny = 1e-41f; /* not a normal number, as 1e-20 * 1e-21 */
    const odd odds[] = {{NAN, 1, NAN},
                        {INFINITY, 1, INFINITY},
                        {-INFINITY, 1, -INFINITY},
                        {INFINITY, -1, -INFINITY},
                        {tiny, 1, tiny},
                        {-tiny, 1, -tiny},
                        {tiny, 2, 2 * tiny},
                        {1e-20f, 1e-21f, (float)((double)1e-20f * (double)1e-21f)}};
    int wrong = 0;
    for (size_t i = 0; i < sizeof odds / sizeof *odds; i++) {
        wrong += matrices(k, &odds[i]) + residuals(k, &odds[i]) + norms(k, &odds[i]);
        for (int kernel = 3; kernel <= 5; kernel += 2)
            for (int stride = 1; stride <= 2; stride++)
                wrong += taps(k, &odds[i], kernel, stride) + pixels(k, &odds[i], kernel, stride);
    }
    return wrong;
}
