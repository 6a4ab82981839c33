/* resize_pil.c - PIL.Image.resize on 8-bit pictures (Pillow, src/libImaging/Resample.c).
 *
 * The filter is a triangle or Keys' cubic, widened by the scale when the picture shrinks, so that
 * every input pixel counts (antialiasing). Weights are rounded to 22 bits, and each of the two
 * passes rounds to 8 bits: results are the same bytes. */
#include "images/resize.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct filter {
    double (*at)(double x);
    double support; /* half its width */
};

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static const struct filter filters[] = {[HST_BILINEAR] = {triangle, 1},
                                        [HST_BICUBIC] = {cubic, 2},
                                        [HST_BILINEAR_ANTIALIAS] = {triangle, 1},
                                        [HST_BICUBIC_ANTIALIAS] = {cubic, 2}};

/* One dimension. Output i, counted from the window's begin, is the sum over t < count[i] of
 * weight[i * width + t] * in[first[i] + t]. One block of memory, which begins at weight; without
 * one (weight NULL) the size stays as it is and there is no pass. */
struct axis {
    int32_t *weight;
    int *first, *count;
    int width, n, in;
    int from; /* window's begin */
    const hst_kernels *kernels;
};

/* Weights of one output position, normalised in double, then rounded half away from zero. */
static void position_fill(struct axis *a, int i, double scale, const struct filter *f, double *k)
{
    double stretch = scale > 1.0 ? scale : 1.0, support = f->support * stretch;
    double centre = (a->from + i + 0.5) * scale, sum = 0;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    first = first > 0 ? first : 0;
    end = end < a->in ? end : a->in;
    for (int t = 0; t < end - first; t++) {
        k[t] = f->at((t + first - centre + 0.5) * (1.0 / stretch));
        sum += k[t];
    }
    for (int t = 0; t < end - first; t++) {
        double w = (sum != 0 ? k[t] / sum : k[t]) * (1 << HST_RESIZE_BITS);
        a->weight[(size_t)i * (size_t)a->width + (size_t)t] = (int)(w < 0 ? w - 0.5 : w + 0.5);
    }
    a->first[i] = first;
    a->count[i] = end - first;
}

/* For a window of n from a->from of the out positions that a->in become. */
static int axis_fill(struct axis *a, int out, const struct filter *f, hst_err *err)
{
    if (a->in == out)
        return 0;
    double scale = (double)a->in / out;
    size_t n = (size_t)a->n;
    a->width = (int)ceil(f->support * (scale > 1.0 ? scale : 1.0)) * 2 + 1;
    a->weight = hst_alloc(n, ((size_t)a->width + 2) * sizeof *a->weight, err);
    double *k = hst_alloc((size_t)a->width, sizeof *k, err);
    if (!a->weight || !k) {
        free(k);
        return HST_EMEM;
    }
    a->first = a->weight + n * (size_t)a->width;
    a->count = a->first + n;
    for (int i = 0; i < a->n; i++)
        position_fill(a, i, scale, f, k);
    free(k);
    return 0;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> HST_RESIZE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* in[a->in][c] to out[a->n][c], any number of channels. */
static void row_any(const uint8_t *in, int c, const struct axis *a, uint8_t *out)
{
    for (int i = 0; i < a->n * c; i++) {
        const int32_t *k = a->weight + (size_t)(i / c) * (size_t)a->width;
        const uint8_t *p = in + a->first[i / c] * c + i % c;
        int32_t sum = 1 << (HST_RESIZE_BITS - 1);
        for (int t = 0; t < a->count[i / c]; t++)
            sum += p[t * c] * k[t];
        out[i] = clip(sum);
    }
}

/* in[rows][a->in][c] to out[rows][a->n][c] */
static void pass_across(const uint8_t *in, int rows, int c, const struct axis *a, uint8_t *out)
{
    const hst_kernels *kn = a->kernels;
    size_t in_row = (size_t)a->in * (size_t)c, out_row = (size_t)a->n * (size_t)c;
    for (int y = 0; y < rows; y++, in += in_row, out += out_row) {
        if (c == 3)
            kn->resize_pixels(&(hst_resize_pixels){in, a->in, a->weight, a->first, a->count,
                                                   a->width, a->n, out});
        else
            row_any(in, c, a, out);
    }
}

/* Rows of n bytes, stride apart, of which the first is row number from; to out[a->n][n]. */
static void pass_down(const uint8_t *in, size_t stride, size_t n, int from, const struct axis *a,
                      uint8_t *out)
{
    for (int y = 0; y < a->n; y++, out += n)
        a->kernels->resize_rows(
            &(hst_resize_rows){in + (size_t)(a->first[y] - from) * stride, stride, n,
                               a->weight + (size_t)y * (size_t)a->width, a->count[y], out});
}

/* Both passes, through a picture between them. */
static int both_passes(const hst_resampling *r, const struct axis *across, const struct axis *down,
                       uint8_t *dst, hst_err *err)
{
    size_t c = (size_t)r->c, in_row = (size_t)r->sw * c, out_row = (size_t)r->w * c;
    /* Pillow's order since version 13: along the rows first, except where the height loses more
     * than twice as many pixels as the width. */
    int vertical_first = r->dh < r->sh && r->sh - r->dh > 2 * ((int64_t)r->sw - r->dw);
    /* The rows that the window needs. */
    int from = down->first[0], rows = down->first[r->h - 1] + down->count[r->h - 1] - from;
    const uint8_t *src = r->src + (size_t)from * in_row;
    uint8_t *between = vertical_first ? hst_alloc((size_t)r->h, in_row, err)
                                      : hst_alloc((size_t)rows, out_row, err);
    if (!between)
        return HST_EMEM;
    if (vertical_first) {
        pass_down(src, in_row, in_row, from, down, between);
        pass_across(between, r->h, r->c, across, dst);
    } else {
        pass_across(src, rows, r->c, across, between);
        pass_down(between, out_row, out_row, from, down, dst);
    }
    free(between);
    return 0;
}

hst_resampling hst_resampling_windowed(const hst_resampling *r)
{
    hst_resampling whole = *r;
    if (r->w == 0) {
        whole.x = whole.y = 0;
        whole.w = r->dw;
        whole.h = r->dh;
    }
    return whole;
}

int hst_resize_pil(const hst_resampling *any, uint8_t *dst, hst_err *err)
{
    const hst_resampling r = hst_resampling_windowed(any);
    const struct filter *f = &filters[r.interpolation];
    /* asked once: where the processor is a virtual one, the question takes as long as 100 rows */
    const hst_kernels *kernels = hst_kernels_best();
    struct axis across = {.n = r.w, .in = r.sw, .from = r.x, .kernels = kernels};
    struct axis down = {.n = r.h, .in = r.sh, .from = r.y, .kernels = kernels};
    size_t c = (size_t)r.c, in_row = (size_t)r.sw * c, row = (size_t)r.w * c;
    const uint8_t *at_row = r.src + (size_t)r.y * in_row; /* where no pass goes down */
    int rc = axis_fill(&across, r.dw, f, err);
    if (rc == 0)
        rc = axis_fill(&down, r.dh, f, err);
    if (rc == 0 && across.weight && down.weight)
        rc = both_passes(&r, &across, &down, dst, err);
    else if (rc == 0 && across.weight)
        pass_across(at_row, r.h, r.c, &across, dst);
    else if (rc == 0 && down.weight)
        pass_down(r.src + (size_t)r.x * c, in_row, row, 0, &down, dst);
    for (int y = 0; rc == 0 && !across.weight && !down.weight && y < r.h; y++)
        memcpy(dst + (size_t)y * row, at_row + (size_t)y * in_row + (size_t)r.x * c, row);
    free(across.weight);
    free(down.weight);
    return rc;
}
