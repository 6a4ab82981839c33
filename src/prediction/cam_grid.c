#include "prediction/cam_grid.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* One axis: n positions side by side fill the part of it that begins at first and is length long,
 * of the whole as 1, which has `cells` cells. */
typedef struct axis {
    int n, cells;
    double first, length;
} axis;

/* Keys' cubic filter with a = -1/2, of the distance from a position. */
static double keys(double d)
{
    d = fabs(d);
    if (d < 1)
        return (1.5 * d - 2.5) * d * d + 1;
    return d < 2 ? ((2.5 - 0.5 * d) * d - 4) * d + 2 : 0;
}

/* Position i, mirrored at the ends where it is beyond them, so that no filter loses a part. */
static int inside(int i, int n)
{
    i = i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i;
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* Cell c, t in positions from the first one's begin, from the two before and the two behind it. */
static void interpolate(const axis *a, double t, int c, float *weight)
{
    const int first = (int)floor(t - 0.5) - 1;
    if (t < 0 || t > a->n)
        return;
    for (int i = first; i < first + 4; i++)
        weight[inside(i, a->n) * a->cells + c] += (float)keys(t - 0.5 - i);
}

/* Cell c from t to end: what it has in common with each position. */
static void overlap(const axis *a, double t, double end, int c, float *weight)
{
    const int from = t > 0 ? (int)t : 0;
    for (int i = from; i < a->n && i < end; i++)
        weight[i * a->cells + c] = (float)fmax(fmin(end, i + 1) - fmax(t, i), 0);
}

/* weight[n][cells], zeroed: how much of a position is in a cell; a position's sum is cells / n. */
static void spread(const axis *a, float *weight)
{
    const double step = a->n / (a->length * a->cells); /* positions to a cell */
    const double begin = a->first / a->length * a->n;
    for (int c = 0; c < a->cells; c++) {
        if (step <= 1)
            interpolate(a, (c + 0.5) * step - begin, c, weight);
        else
            overlap(a, c * step - begin, (c + 1) * step - begin, c, weight);
    }
    for (int i = 0; i < a->n; i++, weight += a->cells) {
        double sum = 0;
        for (int c = 0; c < a->cells; c++)
            sum += (double)weight[c];
        for (int c = 0; c < a->cells && sum > 0; c++)
            weight[c] = (float)((double)weight[c] * a->cells / (sum * a->n));
    }
}

/* rows[v->h][w]: each row of the map along the photo's width; then the same along its height. */
static void add(const hst_cam_view *v, const float *across, const float *down, int w, int h,
                float *rows, float *out)
{
    for (int i = 0; i < v->h; i++)
        for (int k = 0; k < v->w; k++)
            for (int x = 0; x < w; x++)
                rows[i * w + x] += v->map[i * v->w + k] * across[k * w + x];
    for (int y = 0; y < h; y++)
        for (int i = 0; i < v->h; i++) {
            const float share = down[i * h + y];
            for (int x = 0; share != 0 && x < w; x++)
                out[(size_t)y * (size_t)w + (size_t)x] += share * rows[i * w + x];
        }
}

int hst_cam_view_add(const hst_cam_view *v, int w, int h, float *out, hst_err *err)
{
    const axis x = {v->w, w, v->part.left, v->part.width};
    const axis y = {v->h, h, v->part.top, v->part.height};
    float *across = hst_alloc((size_t)v->w, (size_t)w * sizeof *across, err);
    float *down = across ? hst_alloc((size_t)v->h, (size_t)h * sizeof *down, err) : NULL;
    float *rows = down ? hst_alloc((size_t)v->h, (size_t)w * sizeof *rows, err) : NULL;
    if (rows) {
        spread(&x, across);
        spread(&y, down);
        add(v, across, down, w, h, rows, out);
    }
    free(rows);
    free(down);
    free(across);
    return rows ? 0 : HST_EMEM;
}
