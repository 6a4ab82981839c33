/* grid.c - tables of positions for another grid: bicubic as PyTorch has it, separable, each output
 * a weighted sum of inputs along one axis and then along the other. */
#include "backbones/params.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

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

/* The four inputs around it, those past the ends being the last. */
static void weigh(double *w, int m, int i, double scale)
{
    const double at = scale * (i + 0.5) - 0.5;
    const int left = (int)floor(at);
    for (int j = left - 1; j <= left + 2; j++)
        w[j < 0 ? 0 : j >= m ? m - 1 : j] += cubic(at - j, -0.75);
}

/* out[g][m], zero. */
static void weigh_all(const hst_grid *how, double *out, int m, int g)
{
    const double scale = how->offset != 0 ? m / (g + how->offset) : (double)m / g;
    for (int i = 0; i < g; i++)
        (how->antialias ? weigh_antialiased : weigh)(out + (size_t)i * (size_t)m, m, i, scale);
}

int hst_grid_resize(const hst_grid *how, const float *from, int m, float *to, int g, size_t n,
                    hst_err *err)
{
    const size_t side = (size_t)m, row = side * n;
    double *w = hst_alloc((size_t)g * side, sizeof *w, err);
    double *rows = w ? hst_alloc(row, sizeof *rows, err) : NULL; /* one, of m columns */
    int rc = rows ? 0 : HST_EMEM;
    if (rc == 0)
        weigh_all(how, w, m, g);
    for (int y = 0; rc == 0 && y < g; y++) {
        for (size_t k = 0; k < row; k++) {
            rows[k] = 0;
            for (size_t j = 0; j < side; j++)
                rows[k] += w[(size_t)y * side + j] * (double)from[j * row + k];
        }
        for (int x = 0; x < g; x++)
            for (size_t c = 0; c < n; c++) {
                double sum = 0;
                for (size_t j = 0; j < side; j++)
                    sum += w[(size_t)x * side + j] * rows[j * n + c];
                *to++ = (float)sum;
            }
    }
    free(rows);
    free(w);
    return rc;
}
