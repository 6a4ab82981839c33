/* grid.c - tables of positions for another grid: bicubic as PyTorch has it, separable, each output
 * a weighted sum of inputs along one axis and then along the other. */
#include "backbones/params.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

const char *const hst_grid_way_names[] = {[HST_GRID_ANTIALIAS] = "antialias",
                                          [HST_GRID_PLAIN] = "plain",
                                          [HST_GRID_OFFSET] = "offset",
                                          [HST_GRID_CORNERS] = "corners",
                                          NULL};

/* Keys' cubic convolution kernel (1981). */
static double cubic(double x, double a)
{
    x = fabs(x);
    return x < 1   ? ((a + 2) * x - (a + 3)) * x * x + 1
           : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
                   : 0;
}

/* Weights w[m] of output i; scale: inputs an output. Narrower than the inputs apart, the kernel is
 * stretched to see them all, cut off at the ends. */
static void weigh_antialiased(double *w, int m, int i, double scale)
{
    const double stretch = scale > 1 ? scale : 1, middle = scale * (i + 0.5);
    const int first = (int)fmax(middle - 2 * stretch + 0.5, 0);
    const int end = (int)fmin(middle + 2 * stretch + 0.5, m);
    double sum = 0;
    for (int j = first; j < end; j++)
        sum += w[j] = cubic((j - middle + 0.5) / stretch, -0.5);
    for (int j = first; j < end; j++)
        w[j] /= sum;
}

/* The four inputs around the place `at`, those past the ends being the last. */
static void weigh(double *w, int m, double at)
{
    const int left = (int)floor(at);
    for (int j = left - 1; j <= left + 2; j++)
        w[j < 0 ? 0 : j >= m ? m - 1 : j] += cubic(at - j, -0.75);
}

/* out[g][m], zero. */
static void weigh_all(enum hst_grid_way way, double *out, int m, int g)
{
    const double scale = way == HST_GRID_OFFSET ? m / (g + 0.1) : (double)m / g;
    const double apart = g > 1 ? (double)(m - 1) / (g - 1) : 0; /* of corners on corners */
    for (int i = 0; i < g; i++) {
        double *w = out + (size_t)i * (size_t)m;
        if (way == HST_GRID_ANTIALIAS)
            weigh_antialiased(w, m, i, scale);
        else
            weigh(w, m, way == HST_GRID_CORNERS ? apart * i : scale * (i + 0.5) - 0.5);
    }
}

int hst_grid_side(int64_t rows, int kept)
{
    int64_t n = 1;
    while (n < 4096 && n * n < rows - kept)
        n++;
    return n * n == rows - kept ? (int)n : 0;
}

int hst_grid_resize(const hst_resizing *r, const float *x, float *y, hst_err *err)
{
    const size_t high = (size_t)r->from.rows, wide = (size_t)r->from.columns, row = wide * r->n;
    double *down = hst_alloc((size_t)r->to.rows * high, sizeof *down, err);
    double *across = down ? hst_alloc((size_t)r->to.columns * wide, sizeof *across, err) : NULL;
    double *one = across ? hst_alloc(row, sizeof *one, err) : NULL; /* a row of x's columns */
    const int rc = one ? 0 : HST_EMEM;
    if (rc == 0) {
        weigh_all(r->way, down, r->from.rows, r->to.rows);
        weigh_all(r->way, across, r->from.columns, r->to.columns);
    }
    for (int i = 0; rc == 0 && i < r->to.rows; i++) {
        for (size_t k = 0; k < row; k++) {
            one[k] = 0;
            for (size_t j = 0; j < high; j++)
                one[k] += down[(size_t)i * high + j] * (double)x[j * row + k];
        }
        for (int to = 0; to < r->to.columns; to++)
            for (size_t c = 0; c < r->n; c++) {
                double sum = 0;
                for (size_t j = 0; j < wide; j++)
                    sum += across[(size_t)to * wide + j] * one[j * r->n + c];
                *y++ = (float)sum;
            }
    }
    free(one);
    free(across);
    free(down);
    return rc;
}
