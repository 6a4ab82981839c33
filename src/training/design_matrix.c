#include "training/design_matrix.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void hst_design_clear(hst_design *r)
{
    hst_spill_free(r->rows);
    free(r->mean);
    free(r->packed);
    r->rows = NULL;
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
        hst_spill_passed(p->home, dim * sizeof(float));
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
        hst_spill_passed(p->home, dim * sizeof(float));
    }
    return spread;
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

/* A block of them at a time. */
static int make_rows(hst_design *r, const hst_logistic *p, hst_err *err)
{
    const size_t dim = (size_t)p->dim;
    float *z = hst_alloc(HST_DESIGN_BLOCK * dim, sizeof *z, err);
    int rc = z ? 0 : HST_EMEM;
    for (size_t b = 0; rc == 0 && b < hst_design_blocks(r); b++) {
        const size_t first = b * HST_DESIGN_BLOCK, rows = block_rows(r, b);
        for (size_t i = 0; i < rows; i++)
            for (size_t k = 0; k < dim; k++)
                z[i * dim + k] = (float)((feature(p, first + i, k) - r->mean[k]) / r->scale);
        hst_spill_passed(p->home, rows * dim * sizeof *z);
        rc = hst_spill_put(r->rows, first * dim * sizeof *z, z, rows * dim * sizeof *z, err);
    }
    free(z);
    return rc;
}

int hst_design_make(hst_design *r, const hst_ctx *ctx, const hst_logistic *p, hst_err *err)
{
    double largest, total = 0;
    size_t cells, dim = (size_t)p->dim;
    *r = (hst_design){.kernels = ctx->kernels, .n = p->n, .p = p->dim, .scale = 1};
    if (!hst_mul_ok(r->n, dim, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu x %zu features", r->n, dim);
    r->mean = hst_alloc(dim, sizeof *r->mean, err);
    r->rows = r->mean ? hst_spill_new(ctx, cells, sizeof *r->z, err) : NULL;
    if (!r->rows)
        return HST_EMEM;
    r->z = hst_spill_at(r->rows);
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
    return constant ? 0 : make_rows(r, p, err);
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
    float *g = hst_alloc(cells, sizeof *g, err);
    double *at = g ? hst_alloc(cells, sizeof *at, err) : NULL;
    int rc = at ? gram_make(r, ex, g, err) : HST_EMEM;
    if (rc == 0) {
        cholesky(g, n, at);
        r->p = (int)n; /* fewer than before: it fits */
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                r->z[i * n + k] = k <= i ? (float)at[k * n + i] : 0;
    }
    free(at);
    free(g);
    return rc;
}

static void pack_block(const hst_design *r, size_t block, float *packed)
{
    (void)hst_gemm_pack(r->kernels, r->z + block * HST_DESIGN_BLOCK * (size_t)r->p, NULL,
                        (int)block_rows(r, block), r->p, packed);
}

int hst_design_pack(hst_design *r, hst_err *err)
{
    size_t blocks = hst_design_blocks(r), cells;
    r->packed_block = hst_gemm_packed(r->kernels, HST_DESIGN_BLOCK, r->p);
    if (hst_spill_is_file(r->rows))
        return 0;
    if (!hst_mul_ok(blocks, r->packed_block, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu packed rows", r->n);
    r->packed = hst_alloc(cells, sizeof *r->packed, err);
    if (!r->packed)
        return HST_EMEM;
    for (size_t b = 0; b < blocks; b++)
        pack_block(r, b, r->packed + b * r->packed_block);
    return 0;
}

size_t hst_design_scratch(const hst_design *r, size_t n)
{
    const size_t own = r->packed ? 0 : r->packed_block;
    return hst_round_up(own + n * (HST_DESIGN_BLOCK + (size_t)r->p), HST_ALIGN / sizeof(float));
}

size_t hst_design_forward(const hst_design *r, const float *kernel, size_t n, size_t block,
                          float *y)
{
    const size_t rows = block_rows(r, block);
    r->kernels->gemm(&(hst_gemm){.x = r->z + block * HST_DESIGN_BLOCK * (size_t)r->p,
                                 .ldx = (size_t)r->p,
                                 .w = kernel,
                                 .bias = hst_gemm_bias(r->kernels, kernel, r->p, (int)n),
                                 .y = y,
                                 .ldy = n,
                                 .rows = rows,
                                 .k = r->p,
                                 .n = (int)n});
    hst_spill_passed(r->rows, rows * (size_t)r->p * sizeof *r->z);
    return rows;
}

hst_packed_block hst_design_packed(const hst_design *r, size_t block, float *scratch)
{
    hst_packed_block b = {
        .first = block * HST_DESIGN_BLOCK, .rows = block_rows(r, block), .scratch = scratch};
    if (r->packed) {
        b.packed = r->packed + block * r->packed_block;
        return b;
    }
    pack_block(r, block, scratch);
    hst_spill_passed(r->rows, b.rows * (size_t)r->p * sizeof *r->z);
    b.packed = scratch;
    b.scratch += r->packed_block;
    return b;
}

void hst_design_backward(const hst_design *r, const hst_packed_block *b, const float *x, size_t n,
                         float *y)
{
    r->kernels->gemm(&(hst_gemm){.x = x,
                                 .ldx = b->rows,
                                 .w = b->packed,
                                 .bias = hst_gemm_bias(r->kernels, b->packed, (int)b->rows, r->p),
                                 .y = y,
                                 .ldy = (size_t)r->p,
                                 .rows = n,
                                 .k = (int)b->rows,
                                 .n = r->p});
}
