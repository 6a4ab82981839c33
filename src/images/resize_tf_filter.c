/* resize_tf_filter.c - tf.image.resize, bicubic and antialiased: float32 weights for each output
 * position, columns first, then rows. */
#include "images/resize.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* One dimension. Output i, counted from the window's begin, is the sum over t < count[i] of
 * weight[i * width + t] * in[first[i] + t]. */
struct axis {
    float *weight;
    int *first, *count;
    int width, n, from;
    int in, out;
};

/* Divides by the sum, because taps outside the picture are missing from it. */
static void normalise(float *weight, int n)
{
    float sum = 0;
    for (int t = 0; t < n; t++)
        sum += weight[t];
    if (fabsf(sum) < 1000 * FLT_MIN)
        return;
    float scale = 1 / sum;
    for (int t = 0; t < n; t++)
        weight[t] *= scale;
}

static float triangle(float x)
{
    return x < 1 ? 1 - x : 0;
}

static float cubic(float at)
{
    double x = (double)at;
    if (x >= 2)
        return 0;
    if (x >= 1)
        return (float)(((-0.5 * x + 2.5) * x - 4) * x + 2);
    return (float)((1.5 * x - 2.5) * x * x + 1);
}

/* Four taps, whose weights come from a table of 1024 steps
 * (core/kernels/image/resize_bicubic_op.cc, half-pixel centres). */
static void position_bicubic(struct axis *a, int i)
{
    enum { STEPS = 1024 };
    float scale = (float)a->in / (float)a->out;
    float x = ((float)(a->from + i) + 0.5f) * scale - 0.5f, f = floorf(x);
    float t = (float)lrintf((x - f) * STEPS) / STEPS;
    int begin = (int)f - 1, first = begin > 0 ? begin : 0, end = begin + 4;
    end = end < a->in ? end : a->in;
    float *weight = a->weight + (size_t)i * (size_t)a->width;
    for (int k = first; k < end; k++)
        weight[k - first] = cubic(fabsf(t - (float)(k - begin - 1)));
    normalise(weight, end - first);
    a->first[i] = first;
    a->count[i] = end - first;
}

/* The filter widened by the scale when the picture shrinks
 * (core/kernels/image/scale_and_translate_op.cc). */
static void position_antialias(struct axis *a, int i, int bicubic)
{
    float (*at)(float) = bicubic ? cubic : triangle;
    float inv_scale = 1 / ((float)a->out / (float)a->in), stretch = fmaxf(inv_scale, 1);
    float radius = (bicubic ? 2.0f : 1.0f) * stretch, narrow = 1 / stretch;
    float centre = ((float)(a->from + i) + 0.5f) * inv_scale;
    int first = (int)ceilf(centre - radius - 0.5f), last = (int)floorf(centre + radius - 0.5f);
    first = first < 0 ? 0 : first > a->in - 1 ? a->in - 1 : first;
    last = last < first ? first : last > a->in - 1 ? a->in - 1 : last;
    float *weight = a->weight + (size_t)i * (size_t)a->width;
    for (int k = first; k <= last; k++)
        weight[k - first] = at(fabsf(((float)k + 0.5f - centre) * narrow));
    normalise(weight, last - first + 1);
    a->first[i] = first;
    a->count[i] = last - first + 1;
}

static int axis_fill(struct axis *a, enum hst_interpolation how, hst_err *err)
{
    double scale = (double)a->in / a->out;
    size_t n = (size_t)a->n;
    a->width = 2 * (int)ceil(2 * (scale > 1 ? scale : 1)) + 2;
    a->weight = hst_alloc(n, (size_t)a->width * sizeof *a->weight, err);
    a->first = hst_alloc(2 * n, sizeof *a->first, err);
    if (!a->weight || !a->first)
        return HST_EMEM;
    a->count = a->first + n;
    for (int i = 0; i < a->n; i++) {
        if (how == HST_BICUBIC)
            position_bicubic(a, i);
        else
            position_antialias(a, i, how == HST_BICUBIC_ANTIALIAS);
    }
    return 0;
}

/* Output row y of all source columns: sum[sw * c] */
static void blend_down(const hst_resampling *r, const struct axis *a, int y, float *sum)
{
    size_t n = (size_t)r->sw * (size_t)r->c;
    const uint8_t *in = r->src + (size_t)a->first[y] * n;
    for (size_t i = 0; i < n; i++)
        sum[i] = 0;
    for (int t = 0; t < a->count[y]; t++, in += n) {
        float k = a->weight[(size_t)y * (size_t)a->width + (size_t)t];
        for (size_t i = 0; i < n; i++)
            sum[i] += in[i] * k;
    }
}

static void blend_across(const float *in, int c, const struct axis *a, float *out)
{
    for (int x = 0; x < a->n; x++, out += c) {
        const float *k = a->weight + (size_t)x * (size_t)a->width;
        for (int j = 0; j < c; j++) {
            const float *p = in + (size_t)a->first[x] * (size_t)c + j;
            float sum = 0;
            for (int t = 0; t < a->count[x]; t++, p += c)
                sum += *p * k[t];
            out[j] = sum;
        }
    }
}

int hst_resize_tf_filter(const hst_resampling *r, float *dst, hst_err *err)
{
    struct axis across = {.n = r->w, .from = r->x, .in = r->sw, .out = r->dw};
    struct axis down = {.n = r->h, .from = r->y, .in = r->sh, .out = r->dh};
    size_t row = (size_t)r->w * (size_t)r->c;
    float *sum = hst_alloc((size_t)r->sw * (size_t)r->c, sizeof *sum, err);
    int rc = sum ? axis_fill(&across, r->interpolation, err) : HST_EMEM;
    if (rc == 0)
        rc = axis_fill(&down, r->interpolation, err);
    for (int y = 0; rc == 0 && y < r->h; y++) {
        blend_down(r, &down, y, sum);
        blend_across(sum, r->c, &across, dst + (size_t)y * row);
    }
    free(across.weight);
    free(across.first);
    free(down.weight);
    free(down.first);
    free(sum);
    return rc;
}
