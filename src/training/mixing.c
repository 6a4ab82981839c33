#include "training/mixing.h"

#include "base/random.h"

#include <math.h>

/* The standard normal distribution, by Box and Muller. */
static double draw_normal(hst_rng *r)
{
    const double turn = 6.283185307179586;
    double radius = sqrt(-2 * log(1 - hst_rng_uniform(r)));
    return radius * cos(turn * hst_rng_uniform(r));
}

/* The logarithm of a number from Gamma(alpha, 1), by Marsaglia and Tsang 2000, who have alpha below
 * 1 from alpha + 1. Of a small alpha the number itself would often be 0. */
static double draw_log_gamma(hst_rng *r, double alpha)
{
    double less = alpha < 1 ? log(1 - hst_rng_uniform(r)) / alpha : 0;
    double d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = draw_normal(r), v = 1 + c * x;
        v = v * v * v;
        if (v > 0 && log(1 - hst_rng_uniform(r)) < x * x / 2 + d - d * v + d * log(v))
            return log(d * v) + less;
    }
}

/* a / (a + b) of two such is Beta(alpha, alpha); the larger of it and its rest. */
static double draw_part(hst_rng *r, double alpha)
{
    double a = draw_log_gamma(r, alpha), b = draw_log_gamma(r, alpha);
    return 1 / (1 + exp(-fabs(a - b)));
}

/* A rectangle in the photo's proportions, its centre anywhere, so that some of it may lie outside
 * and the part grows. */
static void draw_rectangle(hst_rng *r, hst_size of, hst_mix *m)
{
    const double part = sqrt(1 - (double)m->part);
    const int w = (int)(of.width * part), h = (int)(of.height * part);
    const int x = (int)hst_rng_below(r, (uint32_t)of.width);
    const int y = (int)hst_rng_below(r, (uint32_t)of.height);
    const int left = x - w / 2, top = y - h / 2, right = left + w, bottom = top + h;
    m->left = left > 0 ? left : 0;
    m->top = top > 0 ? top : 0;
    m->right = right < of.width ? right : of.width;
    m->bottom = bottom < of.height ? bottom : of.height;
    double area = (double)(m->right - m->left) * (m->bottom - m->top);
    m->part = (float)(1 - area / ((double)of.width * of.height));
}

hst_mix hst_mix_draw(const hst_mixing *m, uint64_t seed, uint32_t step, hst_size size)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_MIX, step, 0);
    int coin = (int)hst_rng_below(&r, 2), cut = m->mixup > 0 ? m->cutmix > 0 && coin : 1;
    double alpha = cut ? m->cutmix : m->mixup;
    hst_mix out = {.kind = HST_MIX_NONE, .part = 1};
    if (!(alpha > 0))
        return out;
    out.kind = cut ? HST_MIX_CUT : HST_MIX_UP;
    out.part = (float)draw_part(&r, alpha);
    if (cut)
        draw_rectangle(&r, size, &out);
    return out;
}

static void mix_pair(float *a, float *b, size_t n, float part)
{
    for (size_t i = 0; i < n; i++) {
        float own = a[i], other = b[i];
        a[i] = part * own + (1 - part) * other;
        b[i] = part * other + (1 - part) * own;
    }
}

static void swap_rectangle(const hst_mix *m, float *a, float *b, int width)
{
    for (int y = m->top; y < m->bottom; y++)
        for (int i = 3 * (y * width + m->left); i < 3 * (y * width + m->right); i++) {
            float own = a[i];
            a[i] = b[i];
            b[i] = own;
        }
}

size_t hst_mix_partner(size_t i, size_t n)
{
    return n - 1 - i;
}

static int is_own(const hst_mix_rows *r, size_t i)
{
    return i >= r->first && i < r->first + r->own;
}

int hst_mix_wants(const hst_mix_rows *r, size_t i)
{
    return is_own(r, i) || is_own(r, hst_mix_partner(i, r->n));
}

void hst_mix_apply(const hst_mix *m, float *x, const hst_mix_rows *r, hst_size size)
{
    size_t floats = hst_size_pixels(size) * 3;
    for (size_t i = 0; m->kind != HST_MIX_NONE && i < r->n / 2; i++) {
        float *a = x + i * floats, *b = x + hst_mix_partner(i, r->n) * floats;
        if (!hst_mix_wants(r, i))
            continue;
        if (m->kind == HST_MIX_UP)
            mix_pair(a, b, floats, m->part);
        else
            swap_rectangle(m, a, b, size.width);
    }
}
