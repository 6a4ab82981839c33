#include "training/spd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 64 }; /* a tile of doubles, and two panels of it, fit a first-level cache */

static size_t tiles(size_t p)
{
    return (p + TILE - 1) / TILE;
}

static size_t tile_size(size_t p, size_t t)
{
    return p - t * TILE < TILE ? p - t * TILE : TILE;
}

/* c[r][q] += sign * sum over t < k of a[r][t] b[t][q], rows of stride ldc, lda, TILE. Four rows at
 * once: what is read of b is used four times. */
static void multiply(double *c, size_t ldc, const double *a, size_t lda, const double *b,
                     const size_t size[3], double sign)
{
    const size_t rows = size[0], cols = size[1], k = size[2];
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        double *c0 = c + r * ldc, *c1 = c0 + ldc, *c2 = c1 + ldc, *c3 = c2 + ldc;
        for (size_t t = 0; t < k; t++) {
            const double a0 = sign * a[r * lda + t], a1 = sign * a[(r + 1) * lda + t];
            const double a2 = sign * a[(r + 2) * lda + t], a3 = sign * a[(r + 3) * lda + t];
            const double *bt = b + t * TILE;
            for (size_t q = 0; q < cols; q++) {
                c0[q] += a0 * bt[q];
                c1[q] += a1 * bt[q];
                c2[q] += a2 * bt[q];
                c3[q] += a3 * bt[q];
            }
        }
    }
    for (; r < rows; r++)
        for (size_t t = 0; t < k; t++)
            for (size_t q = 0; q < cols; q++)
                c[r * ldc + q] += sign * a[r * lda + t] * b[t * TILE + q];
}

/* The tile of the lower triangle with number i: row by row. */
static void tile_at(size_t i, size_t *row, size_t *col)
{
    size_t r = (size_t)((sqrt(8.0 * (double)i + 1) - 1) / 2);
    while ((r + 1) * (r + 2) / 2 <= i)
        r++;
    while (r * (r + 1) / 2 > i)
        r--;
    *row = r;
    *col = i - r * (r + 1) / 2;
}

/* ---- products of rows ---- */

typedef struct adding {
    const double *rows;
    size_t n, p;
    double *g;
} adding;

/* One tile of g, TILE rows at a time. */
static void add_tile(void *arg, size_t i, int thread)
{
    const adding *j = arg;
    double a[TILE * TILE], b[TILE * TILE]; /* a turned: [column][row] */
    size_t tr, tc;
    (void)thread;
    tile_at(i, &tr, &tc);
    const size_t nr = tile_size(j->p, tr), nc = tile_size(j->p, tc);
    for (size_t first = 0; first < j->n; first += TILE) {
        const size_t k = j->n - first < TILE ? j->n - first : TILE;
        for (size_t t = 0; t < k; t++) {
            const double *row = j->rows + (first + t) * j->p;
            for (size_t r = 0; r < nr; r++)
                a[r * TILE + t] = row[tr * TILE + r];
            memcpy(b + t * TILE, row + tc * TILE, nc * sizeof *b);
        }
        multiply(j->g + tr * TILE * j->p + tc * TILE, j->p, a, TILE, b,
                 (const size_t[3]){nr, nc, k}, 1);
    }
}

void hst_spd_add(const double *rows, size_t n, size_t p, double *g, hst_executor *ex)
{
    const size_t t = tiles(p);
    hst_executor_for(ex, t * (t + 1) / 2, add_tile, &(adding){rows, n, p, g});
}

/* ---- Cholesky, panel by panel ---- */

typedef struct factoring {
    double *a;
    size_t p, panel; /* the number of the panel that is finished */
    double tiny;
} factoring;

/* The tile on the diagonal, in place. */
static void factor_tile(const factoring *f)
{
    const size_t first = f->panel * TILE, n = tile_size(f->p, f->panel);
    for (size_t j = 0; j < n; j++) {
        double *row = f->a + (first + j) * f->p + first;
        for (size_t k = 0; k <= j; k++) {
            const double *other = f->a + (first + k) * f->p + first;
            double sum = row[k];
            for (size_t t = 0; t < k; t++)
                sum -= row[t] * other[t];
            if (k < j)
                row[k] = other[k] > 0 ? sum / other[k] : 0;
            else
                row[k] = sum > f->tiny ? sqrt(sum) : 0;
        }
    }
}

/* The tile of the panel below it: rows of tile `panel + 1 + i`. */
static void factor_below(void *arg, size_t i, int thread)
{
    const factoring *f = arg;
    const size_t first = f->panel * TILE, n = tile_size(f->p, f->panel);
    const size_t tile = f->panel + 1 + i, rows = tile_size(f->p, tile);
    (void)thread;
    for (size_t r = 0; r < rows; r++) {
        double *row = f->a + (tile * TILE + r) * f->p + first;
        for (size_t k = 0; k < n; k++) {
            const double *other = f->a + (first + k) * f->p + first;
            double sum = row[k];
            for (size_t t = 0; t < k; t++)
                sum -= row[t] * other[t];
            row[k] = other[k] > 0 ? sum / other[k] : 0;
        }
    }
}

/* One tile of what is left: less the product of the panel's rows. */
static void update_tile(void *arg, size_t i, int thread)
{
    const factoring *f = arg;
    const size_t first = f->panel * TILE, k = tile_size(f->p, f->panel);
    double b[TILE * TILE];
    size_t tr, tc;
    (void)thread;
    tile_at(i, &tr, &tc);
    tr += f->panel + 1;
    tc += f->panel + 1;
    const size_t nr = tile_size(f->p, tr), nc = tile_size(f->p, tc);
    for (size_t q = 0; q < nc; q++)
        for (size_t t = 0; t < k; t++)
            b[t * TILE + q] = f->a[(tc * TILE + q) * f->p + first + t];
    multiply(f->a + tr * TILE * f->p + tc * TILE, f->p, f->a + tr * TILE * f->p + first, f->p, b,
             (const size_t[3]){nr, nc, k}, -1);
}

void hst_spd_factor(double *a, size_t p, double tiny, hst_executor *ex)
{
    const size_t n = tiles(p);
    factoring f = {.a = a, .p = p, .tiny = tiny};
    for (; f.panel < n; f.panel++) {
        const size_t left = n - f.panel - 1;
        factor_tile(&f);
        hst_executor_for(ex, left, factor_below, &f);
        hst_executor_for(ex, left * (left + 1) / 2, update_tile, &f);
    }
}

void hst_spd_solve(const double *l, size_t p, double *x)
{
    for (size_t i = 0; i < p; i++) {
        for (size_t k = 0; k < i; k++)
            x[i] -= l[i * p + k] * x[k];
        x[i] = l[i * p + i] > 0 ? x[i] / l[i * p + i] : 0;
    }
    for (size_t i = p; i-- > 0;) {
        x[i] = l[i * p + i] > 0 ? x[i] / l[i * p + i] : 0;
        for (size_t k = 0; k < i; k++)
            x[k] -= l[i * p + k] * x[i];
    }
}
