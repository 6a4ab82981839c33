#include "training/design_matrix.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void hst_design_clear(hst_design *r)
{
    free(r->z);
    free(r->mean);
    free(r->packed);
    r->z = r->packed = NULL;
    r->mean = NULL;
}

static double weight_of(const hst_logistic *p, size_t i)
{
    return p->weight ? p->weight[i] : 1;
}

static double feature(const hst_logistic *p, size_t i, size_t k)
{
    return p->scale ? (double)p->x[i][k] * (double)p->scale[k] : (double)p->x[i][k];
}

/* Mean per column and the mean squared distance from it; NaN or infinity tells of bad input. */
static double centre(hst_design *r, const hst_logistic *p, double total, double *largest)
{
    size_t dim = (size_t)p->dim;
    double spread = 0;
    *largest = 0;
    for (size_t i = 0; i < p->n; i++) {
        double share = weight_of(p, i) / total;
        for (size_t k = 0; k < dim; k++)
            r->mean[k] += share * feature(p, i, k);
    }
    for (size_t i = 0; i < p->n; i++) {
        double sum[4] = {0}, squares[4] = {0}; /* separate sums: none waits for the one before */
        for (size_t k = 0; k < dim; k++) {
            double x = feature(p, i, k), c = x - r->mean[k];
            sum[k % 4] += c * c;
            squares[k % 4] += x * x;
        }
        double square = (squares[0] + squares[1]) + (squares[2] + squares[3]);
        spread += weight_of(p, i) / total * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
        *largest = square > *largest ? square : *largest;
    }
    return spread;
}

int hst_design_make(hst_design *r, const hst_kernels *kernels, const hst_logistic *p, hst_err *err)
{
    double largest, total = 0;
    size_t cells, dim = (size_t)p->dim;
    *r = (hst_design){.kernels = kernels, .n = p->n, .p = p->dim, .scale = 1};
    if (!hst_mul_ok(r->n, dim, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu x %zu features", r->n, dim);
    r->mean = hst_alloc(dim, sizeof *r->mean, err);
    r->z = r->mean ? hst_alloc(cells, sizeof *r->z, err) : NULL;
    if (!r->z)
        return HST_EMEM;
    for (size_t i = 0; i < p->n; i++)
        total += weight_of(p, i);
    if (!(total > 0) || !isfinite(total))
        return hst_fail(err, HST_EDATA, "the photos' weights are not positive numbers");
    double spread = centre(r, p, total, &largest);
    if (!isfinite(spread))
        return hst_fail(err, HST_EDATA, "a feature is not a finite number");
    /* Below this the differences are rounding errors of the mean. */
    int constant = spread <= 1e-24 * largest || spread < 1e-200;
    r->scale = constant ? 1 : sqrt(spread);
    for (size_t i = 0; !constant && i < p->n; i++)
        for (size_t k = 0; k < dim; k++)
            r->z[i * dim + k] = (float)((feature(p, i, k) - r->mean[k]) / r->scale);
    return 0;
}

void hst_design_restore(const hst_design *r, const hst_logistic *of, const double *theta,
                        float *kernel, float *bias)
{
    size_t classes = (size_t)of->n_classes, p = (size_t)r->p;
    for (size_t c = 0; c < classes; c++) {
        double b = theta[classes * p + c];
        for (size_t k = 0; k < p; k++) {
            double v = theta[c * p + k] / r->scale;
            kernel[k * classes + c] = (float)(of->scale ? v * (double)of->scale[k] : v);
            b -= v * r->mean[k];
        }
        bias[c] = (float)b;
    }
}

/* Z Z^T, a block of its rows per item. */
typedef struct gram {
    const hst_design *r;
    const float *packed, *zeros; /* Z^T as the right side */
    float *g;                    /* [n][n] */
} gram;

static void gram_block(void *arg, size_t block, int thread)
{
    const gram *job = arg;
    const hst_design *r = job->r;
    size_t first = block * HST_DESIGN_BLOCK, left = r->n - first;
    (void)thread;
    r->kernels->gemm(&(hst_gemm){.x = r->z + first * (size_t)r->p,
                                 .ldx = (size_t)r->p,
                                 .w = job->packed,
                                 .bias = job->zeros,
                                 .y = job->g + first * r->n,
                                 .ldy = r->n,
                                 .rows = left < HST_DESIGN_BLOCK ? left : HST_DESIGN_BLOCK,
                                 .k = r->p,
                                 .n = (int)r->n});
}

static int gram_make(const hst_design *r, hst_executor *ex, float *g, hst_err *err)
{
    size_t n = r->n, p = (size_t)r->p;
    gram job = {.r = r, .g = g};
    int rc = HST_EMEM;
    float *turned = hst_alloc(p * n, sizeof *turned, err); /* n * p was checked for Z */
    float *packed = NULL;
    if (turned)
        packed = hst_alloc(hst_gemm_packed(r->kernels, r->p, (int)n), sizeof *packed, err);
    if (packed) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < p; k++)
                turned[k * n + i] = r->z[i * p + k];
        job.zeros = hst_gemm_pack(r->kernels, turned, NULL, r->p, (int)n, packed);
        job.packed = packed;
        hst_executor_for(ex, hst_design_blocks(r), gram_block, &job);
        rc = 0;
    }
    free(packed);
    free(turned);
    return rc;
}

/* Cholesky, column by column of finished panels (left-looking), into at[n][n] = L transposed, so
 * that the inner loop runs over neighbours. A row that depends on those before it (a copy; one is
 * always lost to the centring) leaves a pivot of rounding errors: it gets no column. */
static void cholesky(const float *g, size_t n, double *at)
{
    const double tiny = 3e-6; /* of float sums; mean row length is 1 */
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

int hst_design_reduce(hst_design *r, hst_executor *ex, hst_err *err)
{
    size_t n = r->n, cells;
    if (n >= (size_t)r->p)
        return 0;
    if (!hst_mul_ok(n, n, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu x %zu products", n, n);
    float *g = hst_alloc(cells, sizeof *g, err), *z = NULL;
    double *at = g ? hst_alloc(cells, sizeof *at, err) : NULL;
    z = at ? hst_alloc(cells, sizeof *z, err) : NULL;
    int rc = z ? gram_make(r, ex, g, err) : HST_EMEM;
    if (rc == 0) {
        cholesky(g, n, at);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k <= i; k++)
                z[i * n + k] = (float)at[k * n + i];
        free(r->z);
        r->z = z;
        r->p = (int)n;
        z = NULL;
    }
    free(z);
    free(at);
    free(g);
    return rc;
}

size_t hst_design_blocks(const hst_design *r)
{
    return (r->n + HST_DESIGN_BLOCK - 1) / HST_DESIGN_BLOCK;
}

static size_t block_rows(const hst_design *r, size_t block)
{
    size_t left = r->n - block * HST_DESIGN_BLOCK;
    return left < HST_DESIGN_BLOCK ? left : HST_DESIGN_BLOCK;
}

int hst_design_pack(hst_design *r, hst_err *err)
{
    size_t blocks = hst_design_blocks(r), cells;
    r->packed_block = hst_gemm_packed(r->kernels, HST_DESIGN_BLOCK, r->p);
    if (!hst_mul_ok(blocks, r->packed_block, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu packed rows", r->n);
    r->packed = hst_alloc(cells, sizeof *r->packed, err);
    if (!r->packed)
        return HST_EMEM;
    for (size_t b = 0; b < blocks; b++)
        (void)hst_gemm_pack(r->kernels, r->z + b * HST_DESIGN_BLOCK * (size_t)r->p, NULL,
                            (int)block_rows(r, b), r->p, r->packed + b * r->packed_block);
    return 0;
}

size_t hst_design_scratch(const hst_design *r, int n_classes)
{
    return (size_t)n_classes * (HST_DESIGN_BLOCK + (size_t)r->p);
}

size_t hst_design_kernel_size(const hst_design *r, int n_classes)
{
    return hst_gemm_packed(r->kernels, r->p, n_classes);
}

const float *hst_design_kernel(const hst_design *r, const double *kernel, int n_classes,
                               float *scratch, float *packed)
{
    size_t classes = (size_t)n_classes, p = (size_t)r->p;
    for (size_t c = 0; c < classes; c++)
        for (size_t k = 0; k < p; k++)
            scratch[k * classes + c] = (float)kernel[c * p + k];
    return hst_gemm_pack(r->kernels, scratch, NULL, r->p, n_classes, packed);
}

void hst_design_forward(const hst_product *m, size_t block, float *scratch, double *out)
{
    const hst_design *r = m->rows;
    size_t classes = (size_t)m->n_classes, rows = block_rows(r, block);
    double *to = out + block * HST_DESIGN_BLOCK * classes;
    r->kernels->gemm(&(hst_gemm){.x = r->z + block * HST_DESIGN_BLOCK * (size_t)r->p,
                                 .ldx = (size_t)r->p,
                                 .w = m->packed,
                                 .bias = m->zeros,
                                 .y = scratch,
                                 .ldy = classes,
                                 .rows = rows,
                                 .k = r->p,
                                 .n = m->n_classes});
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < classes; c++)
            to[i * classes + c] = scratch[i * classes + c] + m->bias[c];
}

void hst_design_backward(const hst_product *m, size_t block, const double *residual, float *scratch,
                         double *gradient)
{
    const hst_design *r = m->rows;
    size_t classes = (size_t)m->n_classes, rows = block_rows(r, block), p = (size_t)r->p;
    const double *from = residual + block * HST_DESIGN_BLOCK * classes;
    const float *w = r->packed + block * r->packed_block;
    /* The zeros that hst_gemm_pack left behind the block's panels. */
    size_t panel = (size_t)r->kernels->panel, padded = (p + panel - 1) / panel * panel;
    float *turned = scratch, *sum = scratch + classes * HST_DESIGN_BLOCK;
    for (size_t c = 0; c < classes; c++)
        for (size_t i = 0; i < rows; i++)
            turned[c * rows + i] = (float)from[i * classes + c];
    r->kernels->gemm(&(hst_gemm){.x = turned,
                                 .ldx = rows,
                                 .w = w,
                                 .bias = w + rows * padded,
                                 .y = sum,
                                 .ldy = p,
                                 .rows = classes,
                                 .k = (int)rows,
                                 .n = r->p});
    for (size_t i = 0; i < classes * p; i++)
        gradient[i] += sum[i];
}
