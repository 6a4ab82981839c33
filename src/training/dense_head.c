#include "training/dense_head.h"

#include "base/mem.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

enum { LANES = 16 }; /* partial sums, so that the compiler may use vectors of any width */

int hst_dense_head_init(hst_dense_head *h, int dim, int n_classes, size_t max_batch, hst_err *err)
{
    size_t k = (size_t)n_classes, n;
    *h = (hst_dense_head){.dim = dim, .n_classes = n_classes, .max_batch = max_batch};
    if (!hst_mul_ok((size_t)dim + 1, k, &n))
        return hst_fail(err, HST_EMEM, "a head of %d x %d is too large", dim, n_classes);
    h->n_params = n;
    h->param = hst_alloc(n, sizeof *h->param, err);
    h->sum_bytes = hst_round_up(n, 2) * sizeof *h->grad + sizeof *h->total;
    h->grad = h->param ? hst_alloc(h->sum_bytes, 1, err) : NULL;
    h->total = h->grad ? (hst_batch_score *)(h->grad + hst_round_up(n, 2)) : NULL;
    h->dropped = h->grad ? hst_alloc(max_batch, (size_t)dim * sizeof *h->dropped, err) : NULL;
    h->delta = h->dropped ? hst_alloc(max_batch, k * sizeof *h->delta, err) : NULL;
    h->p = h->delta ? hst_alloc(k, sizeof *h->p, err) : NULL;
    h->row = h->p ? hst_alloc(max_batch, sizeof *h->row, err) : NULL;
    return h->row ? 0 : HST_EMEM;
}

void hst_dense_head_clear(hst_dense_head *h)
{
    free(h->param);
    free(h->grad);
    free(h->dropped);
    free(h->delta);
    free(h->p);
    free(h->row);
    *h = (hst_dense_head){0};
}

void hst_dense_head_set(hst_dense_head *h, const float *kernel, const float *bias)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes;
    for (size_t c = 0; c < k; c++) {
        for (size_t i = 0; i < dim; i++)
            h->param[c * dim + i] = kernel[i * k + c];
        h->param[k * dim + c] = bias[c];
    }
}

void hst_dense_head_get(const hst_dense_head *h, float *kernel, float *bias)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes;
    for (size_t c = 0; c < k; c++) {
        for (size_t i = 0; i < dim; i++)
            kernel[i * k + c] = h->param[c * dim + i];
        bias[c] = h->param[k * dim + c];
    }
}

/* An input is dropped when its number is below part * 2^32. */
void hst_dropout_draw(const hst_dropout *d, size_t n, size_t dim, uint8_t *keep)
{
    uint32_t below = (uint32_t)(d->part * 0x1p32);
    for (size_t i = 0; i < n; i++) {
        hst_rng r = hst_rng_new(d->seed, HST_RNG_DROPOUT, d->step, (uint32_t)i);
        for (size_t j = 0; j < dim; j++)
            keep[i * dim + j] = hst_rng_u32(&r) >= below;
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float lane[LANES] = {0}, rest = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (; i < n; i++)
        rest += a[i] * b[i];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0] + rest;
}

/* y += s x */
static void add_scaled(float *restrict y, const float *restrict x, float s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += s * x[i];
}

/* l2 * sum kernel^2 */
static double penalty(const hst_dense_head *h)
{
    size_t dim = (size_t)h->dim;
    double sum = 0;
    for (size_t c = 0; c < (size_t)h->n_classes; c++)
        sum += (double)dot(h->param + c * dim, h->param + c * dim, dim);
    return (double)h->l2 * sum;
}

/* One row: its input, its label or two of them, and the factor of its loss. */
typedef struct row {
    const float *x;
    int label, other; /* negative: no other */
    float part;       /* of label */
    float weight;
} row;

/* What of the target is not spread over all classes. */
static double share(const row *r, size_t c)
{
    if (r->other < 0)
        return c == (size_t)r->label;
    return (c == (size_t)r->label ? (double)r->part : 0) +
           (c == (size_t)r->other ? 1 - (double)r->part : 0);
}

/* Adds one row to *sum. delta[n_classes], where not NULL: d loss / d logit of this row alone, which
 * is weight (softmax(logit) - target). */
static void add_row(hst_dense_head *h, const row *r, float *delta, hst_batch_score *sum)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes, best = 0;
    const float *bias = h->param + k * dim;
    double total = 0, others = (double)h->label_smoothing / (double)k, loss = 0, *p = h->p;
    for (size_t c = 0; c < k; c++) {
        p[c] = (double)(dot(r->x, h->param + c * dim, dim) + bias[c]);
        best = p[c] > p[best] ? c : best;
    }
    double top = p[best];
    for (size_t c = 0; c < k; c++)
        total += exp(p[c] - top);
    double log_total = log(total) + top;
    for (size_t c = 0; c < k; c++) {
        double log_p = p[c] - log_total;
        double target = others + (1 - (double)h->label_smoothing) * share(r, c);
        if (target > 0)
            loss -= target * log_p;
        if (delta)
            delta[c] = r->weight * (float)(exp(log_p) - target);
    }
    sum->loss += (double)r->weight * loss;
    sum->right += best == (size_t)r->label;
}

static row row_of(const hst_head_batch *b, size_t i)
{
    size_t at = b->order ? b->order[i] : i;
    return (row){.x = b->x[at],
                 .label = b->label[at],
                 .other = b->other ? b->other[i] : -1,
                 .part = b->part,
                 .weight = b->weight ? b->weight[i] : 1};
}

/* What dropout leaves of row i of the batch. */
static void drop(const hst_head_batch *b, size_t i, const float *x, float *out, size_t dim)
{
    const uint8_t *keep = b->keep ? b->keep + i * dim : NULL;
    for (size_t j = 0; j < dim; j++)
        out[j] = !keep ? x[j] : keep[j] ? x[j] * b->keep_scale : 0;
}

void hst_dense_head_look(hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes;
    for (size_t i = first; i < first + n; i++) {
        row r = row_of(b, i);
        drop(b, i, r.x, h->dropped + i * dim, dim);
        r.x = h->dropped + i * dim;
        h->row[i] = (hst_batch_score){0};
        add_row(h, &r, h->delta + i * k, &h->row[i]);
    }
}

/* The L2 term's gradient. */
void hst_dense_head_begin(hst_dense_head *h)
{
    const size_t kernel = (size_t)h->dim * (size_t)h->n_classes;
    for (size_t j = 0; j < kernel; j++)
        h->grad[j] = 2 * h->l2 * h->param[j];
    for (size_t j = kernel; j < h->n_params; j++)
        h->grad[j] = 0;
    *h->total = (hst_batch_score){0};
}

void hst_dense_head_add(hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes;
    float scale = 1 / (float)b->n;
    for (size_t i = first; i < first + n; i++) {
        h->total->loss += h->row[i].loss;
        h->total->right += h->row[i].right;
    }
    for (size_t c = 0; c < k; c++)
        for (size_t i = first; i < first + n; i++) {
            float delta = h->delta[i * k + c] * scale;
            add_scaled(h->grad + c * dim, h->dropped + i * dim, delta, dim);
            h->grad[k * dim + c] += delta;
        }
}

hst_batch_score hst_dense_head_end(const hst_dense_head *h, const hst_head_batch *b)
{
    return (hst_batch_score){.loss = h->total->loss / (double)b->n + penalty(h),
                             .right = h->total->right};
}

hst_batch_score hst_dense_head_gradient(hst_dense_head *h, const hst_head_batch *b)
{
    hst_dense_head_look(h, b, 0, b->n);
    hst_dense_head_begin(h);
    hst_dense_head_add(h, b, 0, b->n);
    return hst_dense_head_end(h, b);
}

void hst_dense_head_inputs(const hst_dense_head *h, const hst_head_batch *b, size_t first, size_t n,
                           float *out)
{
    size_t dim = (size_t)h->dim, k = (size_t)h->n_classes;
    float scale = 1 / (float)b->n;
    for (size_t i = first; i < first + n; i++, out += dim) {
        for (size_t j = 0; j < dim; j++)
            out[j] = 0;
        for (size_t c = 0; c < k; c++)
            add_scaled(out, h->param + c * dim, h->delta[i * k + c] * scale, dim);
        drop(b, i, out, out, dim);
    }
}

hst_batch_score hst_dense_head_score(hst_dense_head *h, const hst_head_batch *b)
{
    hst_batch_score s = {0};
    for (size_t i = 0; i < b->n; i++) {
        row r = row_of(b, i);
        add_row(h, &r, NULL, &s);
    }
    s.loss = (b->n ? s.loss / (double)b->n : 0) + penalty(h);
    return s;
}
