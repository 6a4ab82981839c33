/* resize_pil.c - PIL.Image.resize(BILINEAR) on 8-bit pictures (Pillow, src/libImaging/Resample.c).
 *
 * The filter is a triangle, widened by the scale when the picture shrinks, so that every input
 * pixel counts (antialiasing). Weights are rounded to 22 bits, and each of the two passes rounds
 * to 8 bits: results are the same bytes. */
#include "images/resize.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION_BITS 22  /* 32 bits less 8 for the pixel and 2 for overshoot and sign */
#define SUPPORT        1.0 /* half the width of the triangle */

/* One dimension: output i is the sum over t < count[i] of weight[i * width + t] * in[first[i] + t].
 * One block of memory, which begins at weight. */
struct axis {
    int32_t *weight;
    int *first, *count;
    int width, n;
};

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Weights of one output position, normalised in double, then rounded half away from zero. */
static void position_fill(struct axis *a, int i, int in, double scale, double *k)
{
    double stretch = scale > 1.0 ? scale : 1.0, support = SUPPORT * stretch;
    double centre = (i + 0.5) * scale, sum = 0;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first > 0 ? first : 0;
    end = end < in ? end : in;
    for (int t = 0; t < end - first; t++) {
        k[t] = triangle((t + first - centre + 0.5) * (1.0 / stretch));
        sum += k[t];
    }
    for (int t = 0; t < end - first; t++) {
        double w = (sum != 0 ? k[t] / sum : k[t]) * (1 << PRECISION_BITS);
        a->weight[(size_t)i * (size_t)a->width + (size_t)t] = (int)(w < 0 ? w - 0.5 : w + 0.5);
    }
    a->first[i] = first;
    a->count[i] = end - first;
}

static int axis_init(struct axis *a, int in, int out, hst_err *err)
{
    double scale = (double)in / out;
    int width = (int)ceil(SUPPORT * (scale > 1.0 ? scale : 1.0)) * 2 + 1;
    int32_t *block = hst_alloc((size_t)out, ((size_t)width + 2) * sizeof *block, err);
    double *k = hst_alloc((size_t)width, sizeof *k, err);
    if (!block || !k) {
        free(block);
        free(k);
        return HST_EMEM;
    }
    int *first = block + (size_t)out * (size_t)width;
    *a = (struct axis){block, first, first + out, width, out};
    for (int i = 0; i < out; i++)
        position_fill(a, i, in, scale, k);
    free(k);
    return 0;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> PRECISION_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static const int32_t half = 1 << (PRECISION_BITS - 1);

/* in[w][3] to out[a->n][3] */
static void row_rgb(const uint8_t *in, const struct axis *a, uint8_t *out)
{
    for (int i = 0; i < a->n; i++, out += 3) {
        const int32_t *k = a->weight + (size_t)i * (size_t)a->width;
        const uint8_t *p = in + a->first[i] * 3;
        int32_t r = half, g = half, b = half;
        for (int t = 0, count = a->count[i]; t < count; t++, p += 3) {
            r += p[0] * k[t];
            g += p[1] * k[t];
            b += p[2] * k[t];
        }
        out[0] = clip(r);
        out[1] = clip(g);
        out[2] = clip(b);
    }
}

/* in[w][c] to out[a->n][c], any number of channels. */
static void row_any(const uint8_t *in, int c, const struct axis *a, uint8_t *out)
{
    for (int i = 0; i < a->n * c; i++) {
        const int32_t *k = a->weight + (size_t)(i / c) * (size_t)a->width;
        const uint8_t *p = in + a->first[i / c] * c + i % c;
        int32_t sum = half;
        for (int t = 0; t < a->count[i / c]; t++)
            sum += p[t * c] * k[t];
        out[i] = clip(sum);
    }
}

/* in[rows][w][c] to out[rows][a->n][c] */
static void pass_horizontal(const uint8_t *in, int rows, int w, int c, const struct axis *a,
                            uint8_t *out)
{
    size_t in_row = (size_t)w * (size_t)c, out_row = (size_t)a->n * (size_t)c;
    for (int y = 0; y < rows; y++, in += in_row, out += out_row) {
        if (c == 3)
            row_rgb(in, a, out);
        else
            row_any(in, c, a, out);
    }
}

/* in[h][n] to out[a->n][n]; a strip of columns at a time, whose sums stay in the cache. */
static void pass_vertical(const uint8_t *in, size_t n, const struct axis *a, uint8_t *out)
{
    enum { STRIP = 256 };
    int32_t sum[STRIP];
    for (int y = 0; y < a->n; y++, out += n) {
        const int32_t *k = a->weight + (size_t)y * (size_t)a->width;
        for (size_t x = 0; x < n; x += STRIP) {
            size_t m = n - x < STRIP ? n - x : STRIP;
            for (size_t i = 0; i < m; i++)
                sum[i] = half;
            const uint8_t *p = in + (size_t)a->first[y] * n + x;
            for (int t = 0; t < a->count[y]; t++, p += n)
                for (size_t i = 0; i < m; i++)
                    sum[i] += p[i] * k[t];
            for (size_t i = 0; i < m; i++)
                out[x + i] = clip(sum[i]);
        }
    }
}

/* Both passes, through a picture between them. */
static int both_passes(const hst_resampling *r, const struct axis *across, const struct axis *down,
                       uint8_t *dst, hst_err *err)
{
    size_t c = (size_t)r->c, in_row = (size_t)r->sw * c, out_row = (size_t)r->dw * c;
    /* Pillow's order since version 13: along the rows first, except where the height loses more
     * than twice as many pixels as the width. */
    int vertical_first = r->dh < r->sh && r->sh - r->dh > 2 * (int64_t)(r->sw - r->dw);
    uint8_t *between = vertical_first ? hst_alloc((size_t)r->dh, in_row, err)
                                      : hst_alloc((size_t)r->sh, out_row, err);
    if (!between)
        return HST_EMEM;
    if (vertical_first) {
        pass_vertical(r->src, in_row, down, between);
        pass_horizontal(between, r->dh, r->sw, r->c, across, dst);
    } else {
        pass_horizontal(r->src, r->sh, r->sw, r->c, across, between);
        pass_vertical(between, out_row, down, dst);
    }
    free(between);
    return 0;
}

int hst_resize_pil(const hst_resampling *r, uint8_t *dst, hst_err *err)
{
    struct axis across = {0}, down = {0};
    size_t row = (size_t)r->dw * (size_t)r->c;
    int rc = 0;
    if (r->sw != r->dw)
        rc = axis_init(&across, r->sw, r->dw, err);
    if (rc == 0 && r->sh != r->dh)
        rc = axis_init(&down, r->sh, r->dh, err);
    if (rc == 0 && across.n && down.n)
        rc = both_passes(r, &across, &down, dst, err);
    else if (rc == 0 && across.n)
        pass_horizontal(r->src, r->sh, r->sw, r->c, &across, dst);
    else if (rc == 0 && down.n)
        pass_vertical(r->src, row, &down, dst);
    else if (rc == 0)
        memcpy(dst, r->src, (size_t)r->dh * row);
    free(across.weight);
    free(down.weight);
    return rc;
}
