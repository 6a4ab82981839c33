/* evaluate_sums.c - sums and products. They are of float32 in another order than the library's, and
 * agree with those as any two programs do. */
#include "base/mem.h"
#include "evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "its graph cannot be computed: %s", why);
}

static int charge(evaluator *e, double operations, hst_err *err)
{
    e->left -= operations;
    return e->left < 0 ? refuse(err, "it computes far more than its weights let expect") : 0;
}

/* ---- along axes ---- */

int ev_reduce(evaluator *e, char op, const ev_array *a, unsigned axes, int keep, ev_array *out,
              hst_err *err)
{
    int64_t dim[EV_DIMS], kept[EV_DIMS], at[EV_DIMS] = {0}, step[EV_DIMS] = {0}, place = 0;
    int n = 0;
    double over = 1;
    for (int i = 0; i < a->n_dims; i++) {
        dim[i] = axes >> i & 1 ? 1 : a->dim[i];
        over *= axes >> i & 1 ? (double)a->dim[i] : 1;
        if (keep || !(axes >> i & 1))
            kept[n++] = dim[i];
    }
    for (int64_t i = a->n_dims, all = 1; i-- > 0; all *= dim[i])
        step[i] = axes >> i & 1 ? 0 : all;
    int rc = ev_new(e, n, kept, out, err);
    double *sum = rc ? NULL : hst_alloc(ev_count(out) + 1, sizeof *sum, err);
    rc = rc || sum ? rc : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < ev_count(a); i++) {
        sum[place] += (double)a->x[i];
        for (int k = a->n_dims; k-- > 0;) {
            place += step[k];
            if (++at[k] < a->dim[k])
                break;
            place -= step[k] * a->dim[k];
            at[k] = 0;
        }
    }
    for (size_t i = 0; rc == 0 && i < ev_count(out); i++)
        out->own[i] = (float)(op == 'm' ? sum[i] / over : sum[i]);
    free(sum);
    return rc;
}

int ev_softmax(evaluator *e, const ev_array *a, int axis, ev_array *out, hst_err *err)
{
    size_t inner = 1;
    if (axis < 0 || axis >= a->n_dims)
        return refuse(err, "a softmax is over no axis");
    for (int i = axis + 1; i < a->n_dims; i++)
        inner *= (size_t)a->dim[i];
    int rc = charge(e, 10 * (double)ev_count(a), err);
    rc = rc ? rc : ev_new(e, a->n_dims, a->dim, out, err);
    const size_t n = (size_t)a->dim[axis], all = rc ? 0 : ev_count(a);
    for (size_t i = 0; n && i < all / n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        float most = -INFINITY, sum = 0;
        for (size_t k = 0; k < n; k++)
            most = fmaxf(most, a->x[from + k * inner]);
        for (size_t k = 0; k < n; k++)
            sum += out->own[from + k * inner] = expf(a->x[from + k * inner] - most);
        for (size_t k = 0; k < n; k++)
            out->own[from + k * inner] /= sum;
    }
    return rc;
}

int ev_normalise(evaluator *e, const ev_array *a, size_t run, double epsilon, ev_array *out,
                 hst_err *err)
{
    int rc = run && ev_count(a) % run == 0 ? 0 : refuse(err, "a norm is over no axis");
    rc = rc ? rc : ev_new(e, a->n_dims, a->dim, out, err);
    for (size_t i = 0; rc == 0 && i < ev_count(a); i += run) {
        double mean = 0, variance = 0;
        for (size_t k = 0; k < run; k++)
            mean += (double)a->x[i + k] / (double)run;
        for (size_t k = 0; k < run; k++)
            variance += ((double)a->x[i + k] - mean) * ((double)a->x[i + k] - mean) / (double)run;
        const double by = 1 / sqrt(variance + epsilon);
        for (size_t k = 0; k < run; k++)
            out->own[i + k] = (float)(((double)a->x[i + k] - mean) * by);
    }
    return rc;
}

int ev_channels(evaluator *e, const ev_array *a, const float *scale, const float *shift,
                ev_array *out, hst_err *err)
{
    int rc = a->n_dims >= 2 ? ev_new(e, a->n_dims, a->dim, out, err)
                            : refuse(err, "a norm is of a value without channels");
    const size_t c = rc ? 1 : (size_t)a->dim[1], n = rc ? 0 : ev_count(a);
    const size_t run = n ? n / c / (size_t)a->dim[0] : 1;
    for (size_t i = 0; i < n; i++)
        out->own[i] = a->x[i] * scale[i / run % c] + shift[i / run % c];
    return rc;
}

/* ---- products ---- */

/* c[m][n] += a[m][k] b[k][n], of rows lda, ldb, ldc apart. Four rows of b are read for every one of
 * c, in parts that stay in the caches. */
typedef struct product {
    const float *a, *b;
    float *c;
    size_t lda, ldb, ldc, m, k, n;
} product;

static void multiply_part(const product *p, size_t k0, size_t k1, size_t n0, size_t n1)
{
    for (size_t i = 0; i < p->m; i++) {
        const float *a = p->a + i * p->lda;
        float *restrict c = p->c + i * p->ldc;
        size_t k = k0;
        for (; k + 4 <= k1; k += 4) {
            const float a0 = a[k], a1 = a[k + 1], a2 = a[k + 2], a3 = a[k + 3];
            const float *b0 = p->b + k * p->ldb, *b1 = b0 + p->ldb, *b2 = b1 + p->ldb,
                        *b3 = b2 + p->ldb;
            for (size_t j = n0; j < n1; j++)
                c[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j];
        }
        for (; k < k1; k++)
            for (size_t j = n0; j < n1; j++)
                c[j] += a[k] * p->b[k * p->ldb + j];
    }
}

static void multiply(const product *p)
{
    enum { K_PART = 64, N_PART = 512 };
    for (size_t n = 0; n < p->n; n += N_PART)
        for (size_t k = 0; k < p->k; k += K_PART)
            multiply_part(p, k, k + K_PART < p->k ? k + K_PART : p->k, n,
                          n + N_PART < p->n ? n + N_PART : p->n);
}

/* Whole matrices of b, where every a is multiplied by the same one. */
int ev_matmul(evaluator *e, const ev_array *a, const ev_array *b, ev_array *out, hst_err *err)
{
    const int na = a->n_dims, nb = b->n_dims, n = na > nb ? na : nb;
    int64_t dim[EV_DIMS] = {0};
    if (na < 2 || nb < 2 || a->dim[na - 1] != b->dim[nb - 2])
        return refuse(err, "matrices are multiplied that do not fit");
    for (int i = 0; i < n - 2; i++) {
        const int ia = i - (n - na), ib = i - (n - nb);
        const int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return refuse(err, "matrices are multiplied that do not fit");
        dim[i] = da == 1 ? db : da;
    }
    dim[n - 2] = a->dim[na - 2];
    dim[n - 1] = b->dim[nb - 1];
    int rc = ev_new(e, n, dim, out, err);
    product p = {.m = (size_t)dim[n - 2], .k = (size_t)a->dim[na - 1], .n = (size_t)dim[n - 1]};
    p.lda = p.k;
    p.ldb = p.ldc = p.n;
    rc = rc ? rc : charge(e, (double)ev_count(out) * (double)p.k, err);
    const size_t each = p.m * p.n, count = rc || !each ? 0 : ev_count(out) / each;
    for (size_t i = 0; i < count; i++) {
        size_t at = i, pa = 0, pb = 0, sa = p.m * p.k, sb = p.k * p.n;
        for (int d = n - 2; d-- > 0;) {
            const int ia = d - (n - na), ib = d - (n - nb);
            const size_t place = at % (size_t)dim[d];
            at /= (size_t)dim[d];
            pa += ia >= 0 && a->dim[ia] > 1 ? place * sa : 0;
            pb += ib >= 0 && b->dim[ib] > 1 ? place * sb : 0;
            sa *= ia >= 0 ? (size_t)a->dim[ia] : 1;
            sb *= ib >= 0 ? (size_t)b->dim[ib] : 1;
        }
        p.a = a->x + pa;
        p.b = b->x + pb;
        p.c = out->own + i * each;
        multiply(&p);
    }
    return rc;
}

/* ---- windows ---- */

/* The length that windows lead to; negative: there is none. */
static int64_t windows_along(const ev_window *w, int axis, int64_t size, int rounds_up)
{
    const int64_t over = size + w->pad[axis] + w->pad[axis + 2] - w->kernel[axis];
    enum { MOST = 1 << 16 };
    if (w->kernel[axis] < 1 || w->stride[axis] < 1 || w->kernel[axis] > MOST ||
        w->stride[axis] > MOST || w->pad[axis] < 0 || w->pad[axis + 2] < 0 || w->pad[axis] > MOST ||
        w->pad[axis + 2] > MOST || over < 0)
        return -1;
    int64_t n = over / w->stride[axis] + 1;
    if (rounds_up && over % w->stride[axis] && n * w->stride[axis] < size + w->pad[axis])
        n++;
    return n;
}

static int window_shape(const ev_array *x, const ev_window *w, int64_t channels, int64_t dim[4],
                        hst_err *err)
{
    dim[0] = x->n_dims == 4 ? x->dim[0] : 0;
    dim[1] = channels;
    for (int i = 0; i < 2 && x->n_dims == 4; i++)
        dim[2 + i] = windows_along(w, i, x->dim[2 + i], w->rounds_up);
    return x->n_dims == 4 && dim[2] >= 0 && dim[3] >= 0
               ? 0
               : refuse(err, "windows do not fit the map that they move over");
}

/* The numbers that `count` windows from number `first` on see, [channels kh kw][count], of so many
 * channels of x. */
static void gather_windows(const float *x, const int64_t size[2], size_t channels,
                           const ev_window *w, int64_t across, size_t first, size_t count,
                           float *out)
{
    for (size_t c = 0; c < channels; c++)
        for (int64_t ky = 0; ky < w->kernel[0]; ky++)
            for (int64_t kx = 0; kx < w->kernel[1]; kx++)
                for (size_t i = 0; i < count; i++) {
                    const int64_t at = (int64_t)(first + i);
                    const int64_t row = at / across * w->stride[0] + ky - w->pad[0];
                    const int64_t col = at % across * w->stride[1] + kx - w->pad[1];
                    const int in = row >= 0 && row < size[0] && col >= 0 && col < size[1];
                    *out++ = in ? x[((int64_t)c * size[0] + row) * size[1] + col] : 0;
                }
}

enum { WINDOWS = 512 }; /* at a time */

/* One group of one picture. y[out][positions]. */
static void convolve(const float *x, const int64_t size[2], const ev_window *w, int64_t across,
                     product *p, float *room)
{
    float *y = p->c;
    const size_t taps = (size_t)(w->kernel[0] * w->kernel[1]), positions = p->ldc;
    for (size_t first = 0; first < positions; first += WINDOWS) {
        const size_t count = positions - first < WINDOWS ? positions - first : WINDOWS;
        gather_windows(x, size, p->k / taps, w, across, first, count, room);
        p->b = room;
        p->ldb = p->n = count;
        p->c = y + first;
        multiply(p);
    }
    p->c = y;
}

int ev_conv(evaluator *e, const ev_array *x, const ev_array *k, const ev_array *bias,
            const ev_window *window, ev_array *out, hst_err *err)
{
    ev_window w = *window;
    int64_t dim[4];
    const int64_t g = w.groups;
    if (x->n_dims != 4 || k->n_dims != 4 || g < 1 || k->dim[0] < 1 || k->dim[0] % g ||
        x->dim[1] != k->dim[1] * g || (bias && ev_count(bias) != (size_t)k->dim[0]))
        return refuse(err, "a convolution does not fit its input");
    w.kernel[0] = k->dim[2];
    w.kernel[1] = k->dim[3];
    int rc = window_shape(x, &w, k->dim[0], dim, err);
    rc = rc ? rc : ev_new(e, 4, dim, out, err);
    const size_t positions = rc ? 0 : (size_t)(dim[2] * dim[3]), outs = (size_t)(k->dim[0] / g);
    product p = {.m = outs, .k = ev_count(k) / (size_t)k->dim[0], .ldc = positions};
    p.lda = p.k;
    rc = rc ? rc : charge(e, (double)ev_count(out) * (double)p.k, err);
    float *room = rc ? NULL : hst_alloc(p.k * WINDOWS + 1, sizeof *room, err);
    rc = rc || room ? rc : HST_EMEM;
    for (size_t i = 0; rc == 0 && bias && i < ev_count(out); i++)
        out->own[i] = bias->x[i / positions % (size_t)dim[1]];
    const size_t each = (size_t)(k->dim[1] * x->dim[2] * x->dim[3]);
    for (size_t i = 0; rc == 0 && positions && i < (size_t)(x->dim[0] * g); i++) {
        p.a = k->x + i % (size_t)g * outs * p.k;
        p.c = out->own + i * outs * positions;
        convolve(x->x + i * each, x->dim + 2, &w, dim[3], &p, room);
    }
    free(room);
    return rc;
}

/* One window of one channel, whose first pixel is row, col. */
static float pooled(const float *x, const int64_t size[2], const ev_window *w, int64_t row,
                    int64_t col, int largest)
{
    float most = -INFINITY;
    double sum = 0, n = 0;
    for (int64_t r = row; r < row + w->kernel[0]; r++)
        for (int64_t c = col; c < col + w->kernel[1]; c++) {
            const int in = r >= 0 && r < size[0] && c >= 0 && c < size[1];
            const int padded = r < size[0] + w->pad[2] && c < size[1] + w->pad[3];
            n += in || (w->counts_zeros && padded);
            if (!in)
                continue;
            sum += (double)x[r * size[1] + c];
            most = fmaxf(most, x[r * size[1] + c]);
        }
    return largest ? most : (float)(sum / n);
}

int ev_pool(evaluator *e, const ev_array *x, const ev_window *w, int largest, ev_array *out,
            hst_err *err)
{
    int64_t dim[4];
    int rc = window_shape(x, w, x->n_dims == 4 ? x->dim[1] : 0, dim, err);
    rc = rc ? rc : ev_new(e, 4, dim, out, err);
    rc = rc ? rc
            : charge(e, (double)ev_count(out) * (double)w->kernel[0] * (double)w->kernel[1], err);
    const size_t each = rc ? 0 : (size_t)(x->dim[2] * x->dim[3]);
    for (size_t i = 0; rc == 0 && i < ev_count(out); i++) {
        const int64_t col = (int64_t)i % dim[3], row = (int64_t)i / dim[3] % dim[2];
        out->own[i] =
            pooled(x->x + i / (size_t)(dim[2] * dim[3]) * each, x->dim + 2, w,
                   row * w->stride[0] - w->pad[0], col * w->stride[1] - w->pad[1], largest);
    }
    return rc;
}
