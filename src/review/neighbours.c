#include "review/neighbours.h"
#include "base/executor.h"
#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Products are made in blocks that stay in the cache: so many photos with so many others. */
enum { ROWS = 64, OTHERS = 256 };

typedef struct search {
    const hst_ctx *ctx;
    const hst_near_in *in;
    hst_neighbours *out;
    size_t n_among, n_blocks;
    uint32_t *among;      /* [n_among] the photos to look among, in their order */
    float *packed;        /* [n_blocks] of them, packed as the right sides of products */
    size_t block;         /* floats of one */
    float *scratch;       /* [threads] unit rows [ROWS][dim] and products [ROWS][OTHERS] */
    size_t scratch_n;     /* floats of one */
    pthread_mutex_t lock; /* of progress */
    hst_meter meter;
    uint64_t done;
} search;

/* Photo i's features, scaled, of length 1 (zero where they are all zero). */
static void unit_row(const hst_near_in *in, size_t i, float *out)
{
    double sum[4] = {0}; /* separate sums: none waits for the one before */
    const size_t dim = (size_t)in->dim;
    for (size_t k = 0; k < dim; k++) {
        out[k] = in->scale ? in->x[i][k] * in->scale[k] : in->x[i][k];
        sum[k % 4] += (double)out[k] * (double)out[k];
    }
    const double length = sqrt((sum[0] + sum[1]) + (sum[2] + sum[3]));
    const float by = length > 0 ? (float)(1 / length) : 0;
    for (size_t k = 0; k < dim; k++)
        out[k] *= by;
    hst_spill_passed(in->home, dim * sizeof *out);
}

static size_t others_in(const search *s, size_t block)
{
    const size_t left = s->n_among - block * OTHERS;
    return left < OTHERS ? left : OTHERS;
}

/* Packs what is looked among, and takes the mean of all of its pairs: the mean row's square. */
static int pack(search *s, hst_err *err)
{
    const size_t dim = (size_t)s->in->dim;
    float *row = hst_alloc(OTHERS * dim, sizeof *row, err);
    double *mean = row ? hst_alloc(dim, sizeof *mean, err) : NULL;
    for (size_t b = 0; mean && b < s->n_blocks; b++) {
        const size_t n = others_in(s, b);
        for (size_t j = 0; j < n; j++) {
            unit_row(s->in, s->among[b * OTHERS + j], row + j * dim);
            for (size_t k = 0; k < dim; k++)
                mean[k] += (double)row[j * dim + k] / (double)s->n_among;
        }
        (void)hst_gemm_pack_transposed(s->ctx->kernels, row, (int)n, s->in->dim,
                                       s->packed + b * s->block);
    }
    for (size_t k = 0; mean && k < dim; k++)
        s->out->mean_cosine += mean[k] * mean[k];
    free(row);
    free(mean);
    return mean ? 0 : HST_EMEM;
}

/* Puts one more among the nearest of photo i, where it belongs. */
static void consider(hst_neighbours *o, size_t i, uint32_t other, float cosine)
{
    hst_neighbour *near = o->near + i * HST_NEAR;
    int at = o->n_near[i];
    if (at == HST_NEAR && !(cosine > near[HST_NEAR - 1].cosine))
        return;
    if (at < HST_NEAR)
        o->n_near[i]++;
    else
        at--;
    for (; at > 0 && cosine > near[at - 1].cosine; at--)
        near[at] = near[at - 1];
    near[at] = (hst_neighbour){other, cosine};
}

static int find_rows(void *arg, size_t item, int thread, hst_err *err)
{
    search *s = arg;
    const hst_near_in *in = s->in;
    const size_t dim = (size_t)in->dim, first = item * ROWS, left = in->n - first;
    const size_t rows = left < ROWS ? left : ROWS;
    float *unit = s->scratch + (size_t)thread * s->scratch_n, *product = unit + ROWS * dim;
    for (size_t r = 0; r < rows; r++)
        unit_row(in, first + r, unit + r * dim);
    for (size_t b = 0; b < s->n_blocks; b++) {
        const size_t n = others_in(s, b);
        const float *w = s->packed + b * s->block;
        s->ctx->kernels->gemm(
            &(hst_gemm){.x = unit,
                        .ldx = dim,
                        .w = w,
                        .bias = hst_gemm_bias(s->ctx->kernels, w, in->dim, (int)n),
                        .y = product,
                        .ldy = OTHERS,
                        .rows = rows,
                        .k = in->dim,
                        .n = (int)n});
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < n; j++) {
                const uint32_t other = s->among[b * OTHERS + j];
                if (in->group[other] != in->group[first + r])
                    consider(s->out, first + r, other, product[r * OTHERS + j]);
            }
    }
    pthread_mutex_lock(&s->lock);
    s->done += rows;
    int rc = hst_meter_at(&s->meter, s->done, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int make_room(search *s, hst_err *err)
{
    const hst_kernels *kn = s->ctx->kernels;
    const size_t dim = (size_t)s->in->dim, threads = (size_t)hst_executor_threads(s->ctx->executor);
    size_t cells;
    s->n_among = s->in->n < HST_NEAR_AMONG ? s->in->n : HST_NEAR_AMONG;
    s->n_blocks = (s->n_among + OTHERS - 1) / OTHERS;
    s->block = hst_gemm_packed(kn, s->in->dim, OTHERS);
    s->scratch_n = hst_round_up(ROWS * dim + ROWS * OTHERS, HST_ALIGN / sizeof(float));
    if (!hst_mul_ok(s->block, s->n_blocks, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu neighbours", s->n_among);
    s->out->n = s->in->n;
    s->out->near = hst_alloc(s->in->n, HST_NEAR * sizeof *s->out->near, err);
    s->out->n_near = s->out->near ? hst_alloc(s->in->n, sizeof *s->out->n_near, err) : NULL;
    s->among = s->out->n_near ? hst_alloc(s->n_among, sizeof *s->among, err) : NULL;
    s->packed = s->among ? hst_alloc(cells, sizeof *s->packed, err) : NULL;
    s->scratch = s->packed ? hst_alloc(threads * s->scratch_n, sizeof *s->scratch, err) : NULL;
    if (!s->scratch)
        return HST_EMEM;
    for (size_t j = 0; j < s->n_among; j++)
        s->among[j] = (uint32_t)((uint64_t)j * s->in->n / s->n_among);
    return 0;
}

int hst_neighbours_find(const hst_ctx *ctx, const hst_near_in *in, hst_neighbours *out,
                        hst_err *err)
{
    search s = {.ctx = ctx, .in = in, .out = out};
    *out = (hst_neighbours){0};
    s.meter = hst_meter_start(ctx, "review", in->n);
    pthread_mutex_init(&s.lock, NULL);
    int rc = make_room(&s, err);
    if (rc == 0)
        rc = pack(&s, err);
    if (rc == 0)
        rc = hst_executor_try(ctx->executor, (in->n + ROWS - 1) / ROWS, find_rows, &s, err);
    pthread_mutex_destroy(&s.lock);
    free(s.among);
    free(s.packed);
    free(s.scratch);
    return rc;
}

void hst_neighbours_clear(hst_neighbours *o)
{
    free(o->near);
    free(o->n_near);
    *o = (hst_neighbours){0};
}
