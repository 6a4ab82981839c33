#include "training/rows.h"
#include "base/mem.h"
#include "base/pipeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Inner loops run over LANES classes and GROUP rows at a time, sizes the compiler keeps in vector
 * registers. Sums are float over BLOCK terms and double beyond. */
enum { LANES = 8, GROUP = 4, BLOCK = 256 };

void hst_rows_clear(hst_rows *r)
{
    free(r->z);
    free(r->mean);
    r->z = NULL;
    r->mean = NULL;
}

static double weight_of(const hst_logistic *p, size_t i)
{
    return p->weight ? p->weight[i] : 1;
}

/* Mean per column and the mean squared distance from it; NaN or infinity tells of bad input. */
static double centre(hst_rows *r, const hst_logistic *p, double *largest)
{
    size_t dim = (size_t)p->dim;
    double spread = 0;
    *largest = 0;
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < dim; k++)
            r->mean[k] += weight_of(p, i) / r->total_weight * p->x[i][k];
    for (size_t i = 0; i < p->n; i++) {
        double sum = 0, squares = 0;
        for (size_t k = 0; k < dim; k++) {
            double c = p->x[i][k] - r->mean[k];
            sum += c * c;
            squares += (double)p->x[i][k] * p->x[i][k];
        }
        spread += weight_of(p, i) / r->total_weight * sum;
        *largest = squares > *largest ? squares : *largest;
    }
    return spread;
}

int hst_rows_make(hst_rows *r, const hst_logistic *p, hst_err *err)
{
    double largest;
    *r = (hst_rows){.n = p->n, .p = p->dim, .stride = (size_t)p->dim, .scale = 1};
    r->mean = hst_alloc(r->stride, sizeof *r->mean, err);
    size_t cells;
    if (!hst_mul_ok(r->n, r->stride, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu x %zu features", r->n, r->stride);
    r->z = r->mean ? hst_alloc(cells, sizeof *r->z, err) : NULL;
    if (!r->z)
        return HST_EMEM;
    for (size_t i = 0; i < p->n; i++)
        r->total_weight += weight_of(p, i);
    if (!(r->total_weight > 0) || !isfinite(r->total_weight))
        return hst_fail(err, HST_EDATA, "the photos' weights are not positive numbers");
    double spread = centre(r, p, &largest);
    if (!isfinite(spread))
        return hst_fail(err, HST_EDATA, "a feature is not a finite number");
    /* Below this the differences are rounding errors of the mean. */
    int constant = spread <= 1e-24 * largest || spread < 1e-200;
    r->scale = constant ? 1 : sqrt(spread);
    for (size_t i = 0; !constant && i < p->n; i++)
        for (size_t k = 0; k < r->stride; k++)
            r->z[i * r->stride + k] = (float)((p->x[i][k] - r->mean[k]) / r->scale);
    return 0;
}

/* dot[GROUP][LANES] += row[a] . panel over n columns; panel [n][LANES]. */
static void multiply_group(const float *const row[GROUP], const float *panel, size_t n,
                           double dot[GROUP][LANES])
{
    for (size_t k0 = 0; k0 < n; k0 += BLOCK) {
        size_t end = k0 + BLOCK < n ? k0 + BLOCK : n;
        float sum[GROUP][LANES] = {{0}};
        for (size_t k = k0; k < end; k++)
            for (int a = 0; a < GROUP; a++)
                for (int c = 0; c < LANES; c++)
                    sum[a][c] += row[a][k] * panel[k * LANES + (size_t)c];
        for (int a = 0; a < GROUP; a++)
            for (int c = 0; c < LANES; c++)
                dot[a][c] += sum[a][c];
    }
}

/* Z Z^T, a panel of LANES columns per item. */
typedef struct gram {
    const hst_rows *r;
    double *g;     /* [n][n], lower half and a little more */
    float **panel; /* [threads] of [p][LANES] */
} gram;

static int gram_panel(void *arg, size_t item, int thread, hst_err *err)
{
    const gram *job = arg;
    const hst_rows *r = job->r;
    size_t n = r->n, p = (size_t)r->p, first = item * LANES;
    float *panel = job->panel[thread];
    (void)err;
    for (size_t c = 0; c < LANES; c++) {
        const float *row = r->z + (first + c < n ? first + c : n - 1) * r->stride;
        for (size_t k = 0; k < p; k++)
            panel[k * LANES + c] = row[k];
    }
    for (size_t i = first; i < n; i += GROUP) {
        double dot[GROUP][LANES] = {{0}};
        const float *row[GROUP];
        for (size_t a = 0; a < GROUP; a++)
            row[a] = r->z + (i + a < n ? i + a : n - 1) * r->stride;
        multiply_group(row, panel, p, dot);
        for (size_t a = 0; a < GROUP && i + a < n; a++)
            for (size_t c = 0; c < LANES && first + c < n; c++)
                job->g[(i + a) * n + first + c] = dot[a][c];
    }
    return 0;
}

static int gram_make(const hst_rows *r, int threads, double *g, hst_err *err)
{
    gram job = {.r = r, .g = g};
    size_t n_panels = (r->n + LANES - 1) / LANES;
    int rc = HST_EMEM;
    threads = threads > 1 ? threads : 1;
    job.panel = hst_alloc((size_t)threads, sizeof *job.panel, err);
    if (!job.panel)
        return HST_EMEM;
    for (int t = 0; t < threads; t++) {
        job.panel[t] = hst_alloc((size_t)r->p * LANES, sizeof **job.panel, err);
        if (!job.panel[t])
            goto out;
    }
    rc = hst_parallel(threads, n_panels, gram_panel, &job, err);
out:
    for (int t = 0; t < threads; t++)
        free(job.panel[t]);
    free(job.panel);
    return rc;
}

/* Cholesky, column by column of finished panels (left-looking), into at[n][n] = L transposed, so
 * that the inner loop runs over neighbours. A row that depends on those before it (a copy; one is
 * always lost to the centring) leaves a pivot of rounding errors: it gets no column. */
static void cholesky(const double *g, size_t n, double *at)
{
    const double tiny = 1e-6; /* of float sums; mean row length is 1 */
    for (size_t j = 0; j < n; j++) {
        double *column = at + j * n;
        for (size_t i = j; i < n; i++)
            column[i] = g[i * n + j];
        for (size_t k = 0; k < j; k++) {
            const double *done = at + k * n;
            double factor = done[j];
            for (size_t i = j; i < n; i++)
                column[i] -= factor * done[i];
        }
        double pivot = column[j], inverse = pivot > tiny ? 1 / sqrt(pivot) : 0;
        for (size_t i = j; i < n; i++)
            column[i] *= inverse;
    }
}

int hst_rows_reduce(hst_rows *r, int threads, hst_err *err)
{
    size_t n = r->n, cells;
    if (n >= (size_t)r->p)
        return 0;
    if (!hst_mul_ok(n, n, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu x %zu products", n, n);
    double *g = hst_alloc(cells, sizeof *g, err),
           *at = g ? hst_alloc(cells, sizeof *at, err) : NULL;
    float *z = at ? hst_alloc(cells, sizeof *z, err) : NULL;
    int rc = z ? gram_make(r, threads, g, err) : HST_EMEM;
    if (rc == 0) {
        cholesky(g, n, at);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k <= i; k++)
                z[i * n + k] = (float)at[k * n + i];
        free(r->z);
        r->z = z;
        r->stride = n;
        r->p = (int)n;
        z = NULL;
    }
    free(z);
    free(at);
    free(g);
    return rc;
}

static size_t blocks(int n_classes)
{
    return ((size_t)n_classes + LANES - 1) / LANES;
}

size_t hst_packed_size(int n_classes, int p)
{
    return blocks(n_classes) * LANES * (size_t)p;
}

void hst_pack_kernel(const double *kernel, int n_classes, int p, float *packed)
{
    size_t columns = (size_t)p;
    memset(packed, 0, hst_packed_size(n_classes, p) * sizeof *packed);
    for (size_t c = 0; c < (size_t)n_classes; c++) {
        float *to = packed + c / LANES * columns * LANES + c % LANES;
        for (size_t k = 0; k < columns; k++)
            to[k * LANES] = (float)kernel[c * columns + k];
    }
}

/* The rows first .. first + GROUP - 1 of the subset; behind its end the last row again. */
static void group_rows(const hst_subset *s, size_t first, const float *row[GROUP])
{
    for (size_t a = 0; a < GROUP; a++) {
        size_t i = first + a < s->n ? first + a : s->n - 1;
        row[a] = s->rows->z + s->index[i] * s->rows->stride;
    }
}

void hst_subset_forward(const hst_subset *s, const float *packed, const double *bias, double *out)
{
    size_t classes = (size_t)s->n_classes, p = (size_t)s->rows->p;
    for (size_t i = 0; i < s->n; i += GROUP) {
        const float *row[GROUP];
        group_rows(s, i, row);
        for (size_t c0 = 0; c0 < classes; c0 += LANES) {
            double dot[GROUP][LANES] = {{0}};
            multiply_group(row, packed + c0 * p, p, dot);
            for (size_t a = 0; a < GROUP && i + a < s->n; a++)
                for (size_t c = 0; c < LANES && c0 + c < classes; c++)
                    out[(i + a) * classes + c0 + c] = dot[a][c] + bias[c0 + c];
        }
    }
}

/* sum[k][LANES] += row[a][k] * factor[a][LANES] over the group's rows, n columns. */
static void add_group(const float *const row[GROUP], const float factor[GROUP][LANES], size_t n,
                      float *restrict sum)
{
    for (size_t k = 0; k < n; k++) {
        float g[LANES];
        for (int c = 0; c < LANES; c++)
            g[c] = sum[k * LANES + (size_t)c];
        for (int a = 0; a < GROUP; a++)
            for (int c = 0; c < LANES; c++)
                g[c] += row[a][k] * factor[a][c];
        for (int c = 0; c < LANES; c++)
            sum[k * LANES + (size_t)c] = g[c];
    }
}

/* Rows first .. end-1 (at most BLOCK), classes from c0, all columns: into sum[p][LANES]. */
static void add_rows(const hst_subset *s, const double *residual, size_t first, size_t end,
                     size_t c0, float *sum)
{
    size_t classes = (size_t)s->n_classes;
    for (size_t i = first; i < end; i += GROUP) {
        const float *row[GROUP];
        float factor[GROUP][LANES] = {{0}};
        group_rows(s, i, row);
        for (size_t a = 0; a < GROUP && i + a < end; a++)
            for (size_t c = 0; c < LANES && c0 + c < classes; c++)
                factor[a][c] = (float)residual[(i + a) * classes + c0 + c];
        add_group(row, factor, (size_t)s->rows->p, sum);
    }
}

void hst_subset_backward(const hst_subset *s, const double *residual, float *scratch,
                         double *gradient)
{
    size_t classes = (size_t)s->n_classes, p = (size_t)s->rows->p;
    memset(gradient, 0, classes * p * sizeof *gradient);
    for (size_t first = 0; first < s->n; first += BLOCK) {
        size_t end = first + BLOCK < s->n ? first + BLOCK : s->n;
        for (size_t c0 = 0; c0 < classes; c0 += LANES) {
            memset(scratch, 0, p * LANES * sizeof *scratch);
            add_rows(s, residual, first, end, c0, scratch);
            for (size_t c = 0; c < LANES && c0 + c < classes; c++)
                for (size_t k = 0; k < p; k++)
                    gradient[(c0 + c) * p + k] += scratch[k * LANES + c];
        }
    }
}
