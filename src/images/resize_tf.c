/* resize_tf.c - tf.image.resize(method="bilinear", antialias=False).
 *
 * Output position i lies at x = (i + 0.5) * in / out - 0.5 of the input and is blended from the two
 * pixels around it, first along the row, then down. Every step is float32, in TensorFlow's order
 * (core/kernels/image/resize_bilinear_op.cc): the results are the same bits. */
#include "images/resize.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* out = in[lo] + (in[hi] - in[lo]) * t */
struct tap {
    int lo, hi;
    float t;
};

/* The n outputs of out from position from. */
static void taps_fill(struct tap *tap, int in, int out, int from, int n)
{
    float scale = (float)in / (float)out;
    for (int i = 0; i < n; i++) {
        float x = ((float)(from + i) + 0.5f) * scale - 0.5f, f = floorf(x);
        int lo = (int)f, hi = (int)ceilf(x);
        tap[i].lo = lo > 0 ? lo : 0;
        tap[i].hi = hi < in - 1 ? hi : in - 1;
        tap[i].t = x - f;
    }
}

static float blend(float a, float b, float t)
{
    return a + (b - a) * t;
}

/* One source row, resized to w pixels. */
static void row_blend(const hst_resampling *r, int y, const struct tap *tap, float *out)
{
    const uint8_t *row = r->src + (size_t)y * (size_t)r->sw * (size_t)r->c;
    int c = r->c;
    for (int x = 0; x < r->w; x++, out += c) {
        const uint8_t *a = row + tap[x].lo * c, *b = row + tap[x].hi * c;
        float t = tap[x].t;
        if (c == 3) {
            out[0] = blend(a[0], b[0], t);
            out[1] = blend(a[1], b[1], t);
            out[2] = blend(a[2], b[2], t);
            continue;
        }
        for (int k = 0; k < c; k++)
            out[k] = blend(a[k], b[k], t);
    }
}

/* The two source rows around an output row, resized; a row is kept while it is needed again. */
struct rows {
    float *row[2];
    int y[2];
};

static const float *row_get(struct rows *rows, int slot, int y, const hst_resampling *r,
                            const struct tap *tap)
{
    if (rows->y[slot] != y) {
        row_blend(r, y, tap, rows->row[slot]);
        rows->y[slot] = y;
    }
    return rows->row[slot];
}

/* Going down one step, the lower row often becomes the upper one. */
static void rows_swap_if(struct rows *rows, int upper)
{
    if (rows->y[0] == upper || rows->y[1] != upper)
        return;
    struct rows old = *rows;
    *rows = (struct rows){{old.row[1], old.row[0]}, {old.y[1], old.y[0]}};
}

static int resize_bilinear(const hst_resampling *r, float *dst, hst_err *err)
{
    size_t n = (size_t)r->w * (size_t)r->c;
    struct tap *tap = hst_alloc((size_t)r->w + (size_t)r->h, sizeof *tap, err);
    float *two = tap ? hst_alloc(2 * n, sizeof *two, err) : NULL;
    if (!two) {
        free(tap);
        return HST_EMEM;
    }
    struct tap *down = tap + r->w;
    taps_fill(tap, r->sw, r->dw, r->x, r->w);
    taps_fill(down, r->sh, r->dh, r->y, r->h);
    struct rows rows = {{two, two + n}, {-1, -1}};
    for (int y = 0; y < r->h; y++, dst += n) {
        rows_swap_if(&rows, down[y].lo);
        const float *top = row_get(&rows, 0, down[y].lo, r, tap);
        const float *bottom =
            down[y].hi == down[y].lo ? top : row_get(&rows, 1, down[y].hi, r, tap);
        float t = down[y].t;
        for (size_t i = 0; i < n; i++)
            dst[i] = blend(top[i], bottom[i], t);
    }
    free(two);
    free(tap);
    return 0;
}

int hst_resize_tf(const hst_resampling *any, float *dst, hst_err *err)
{
    const hst_resampling r = hst_resampling_windowed(any);
    if (r.interpolation == HST_BILINEAR)
        return resize_bilinear(&r, dst, err);
    return hst_resize_tf_filter(&r, dst, err);
}
