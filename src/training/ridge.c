#include "training/ridge.h"
#include "base/executor.h"
#include "base/mem.h"
#include "training/spd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Strengths tried, for rows of mean length 1: 1 to 1e-6. */
enum { STRENGTHS = 13, ROWS = 512 /* made at once, where there are many */ };

static double strength(int i)
{
    static const double of[2] = {1, 0.31622776601683794};
    static const double tens[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
    return tens[i / 2] * of[i % 2];
}

/* Products of the rows, centred by the mean of all, that are smaller: with n > dim, the sums over
 * rows, p = dim; else those of each row with each other, p = n. */
typedef struct ridge {
    const hst_ctx *ctx;
    const hst_ridge *p;
    int wide;     /* n <= dim */
    double *mean; /* [dim] */
    double y_mean;
    double square; /* mean squared distance of the rows from their mean */
    double *block; /* [ROWS][dim] rows, or, wide, [n][dim] */
} ridge;

static void ridge_clear(ridge *r)
{
    free(r->mean);
    free(r->block);
}

/* Row i, centred. */
static void row(const ridge *r, size_t i, double *out)
{
    const hst_ridge *p = r->p;
    for (size_t k = 0; k < (size_t)p->dim; k++)
        out[k] = (double)p->x[i][k] * (p->scale ? (double)p->scale[k] : 1) - r->mean[k];
    hst_spill_passed(p->home, (size_t)p->dim * sizeof **p->x);
}

static int ridge_make(ridge *r, const hst_ctx *ctx, const hst_ridge *p, hst_err *err)
{
    const size_t dim = (size_t)p->dim;
    *r = (ridge){.ctx = ctx, .p = p, .wide = p->n <= dim};
    r->mean = hst_alloc(dim, sizeof *r->mean, err);
    r->block = r->mean ? hst_alloc(r->wide ? p->n : ROWS, dim * sizeof *r->block, err) : NULL;
    if (!r->block)
        return HST_EMEM;
    for (size_t i = 0; i < p->n; i++) {
        r->y_mean += p->y[i] / (double)p->n;
        for (size_t k = 0; k < dim; k++)
            r->mean[k] += (double)p->x[i][k] * (p->scale ? (double)p->scale[k] : 1) / (double)p->n;
        hst_spill_passed(p->home, dim * sizeof **p->x);
    }
    for (size_t i = 0; i < p->n; i++) {
        double *to = r->block + (r->wide ? i * dim : 0), sum = 0;
        row(r, i, to);
        for (size_t k = 0; k < dim; k++)
            sum += to[k] * to[k];
        r->square += sum / (double)p->n;
    }
    if (!isfinite(r->square))
        return hst_fail(err, HST_EDATA, "a feature is not a finite number");
    if (!(r->square > 0))
        r->square = 1; /* all rows are equal */
    return 0;
}

/* ---- many photos: sums over rows ---- */

typedef struct sums {
    size_t n;
    double *gram;  /* [dim][dim] lower triangle */
    double *row;   /* [dim] */
    double *cross; /* [dim] of row times y */
    double y;
} sums;

static int sums_alloc(sums *s, size_t dim, hst_err *err)
{
    *s = (sums){.gram = hst_alloc(dim, dim * sizeof *s->gram, err)};
    s->row = s->gram ? hst_alloc(dim, sizeof *s->row, err) : NULL;
    s->cross = s->row ? hst_alloc(dim, sizeof *s->cross, err) : NULL;
    return s->cross ? 0 : HST_EMEM;
}

static void sums_clear(sums *s)
{
    free(s->gram);
    free(s->row);
    free(s->cross);
}

/* Those of photos in `fold`; -1: of all. */
static void add_rows(const ridge *r, int fold, sums *s)
{
    const hst_ridge *p = r->p;
    const size_t dim = (size_t)p->dim;
    size_t held = 0;
    for (size_t i = 0; i <= p->n; i++) {
        if (held == ROWS || (i == p->n && held)) {
            hst_spd_add(r->block, held, dim, s->gram, r->ctx->executor);
            held = 0;
        }
        if (i == p->n || (fold >= 0 && p->fold[i] != fold))
            continue;
        double *x = r->block + held++ * dim, y = p->y[i] - r->y_mean;
        row(r, i, x);
        for (size_t k = 0; k < dim; k++) {
            s->row[k] += x[k];
            s->cross[k] += x[k] * y;
        }
        s->y += y;
        s->n++;
    }
}

/* All but a fold: from the sums of all and its own (NULL: there is none), centred by the means of
 * those that are left. to->gram: with n l2 on its diagonal; to->cross: what it is solved for. */
static void leave(const sums *all, const sums *own, size_t dim, double l2, sums *to)
{
    const double n = (double)(all->n - (own ? own->n : 0));
    to->n = all->n - (own ? own->n : 0);
    to->y = all->y - (own ? own->y : 0);
    for (size_t i = 0; i < dim; i++) {
        to->row[i] = all->row[i] - (own ? own->row[i] : 0);
        to->cross[i] = all->cross[i] - (own ? own->cross[i] : 0) - to->row[i] * to->y / n;
    }
    for (size_t i = 0; i < dim; i++) {
        for (size_t k = 0; k <= i; k++)
            to->gram[i * dim + k] = all->gram[i * dim + k] - (own ? own->gram[i * dim + k] : 0) -
                                    to->row[i] * to->row[k] / n;
        to->gram[i * dim + i] += n * l2;
    }
}

/* to->cross becomes the kernel. */
static void solve(const ridge *r, sums *to, hst_executor *ex)
{
    hst_spd_factor(to->gram, (size_t)r->p->dim, 1e-15 * r->square * (double)to->n, ex);
    hst_spd_solve(to->gram, (size_t)r->p->dim, to->cross);
}

/* ---- few photos: products of each with each ---- */

/* A fold's photos to learn from, and the equations between them. */
typedef struct wide {
    size_t *keep; /* [m] the photos */
    double *gram; /* [m][m] lower triangle: of rows centred by their own mean, and the penalty */
    double *y;    /* [m] less its mean; then their weights */
    double *mean; /* [m] of the products with each of them */
} wide;

/* whole[n][n]: the products of all, lower triangle. Returns the mean of y. */
static double leave_wide(const ridge *r, const double *whole, size_t m, double l2, wide *w)
{
    const size_t n = r->p->n;
    double all = 0, y_mean = 0;
    memset(w->mean, 0, m * sizeof *w->mean);
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k <= i; k++) {
            const double v = w->gram[i * m + k] = whole[w->keep[i] * n + w->keep[k]];
            w->mean[i] += v / (double)m;
            if (k < i)
                w->mean[k] += v / (double)m;
        }
        y_mean += r->p->y[w->keep[i]] / (double)m;
    }
    for (size_t i = 0; i < m; i++)
        all += w->mean[i] / (double)m;
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k <= i; k++)
            w->gram[i * m + k] += all - w->mean[i] - w->mean[k];
        w->gram[i * m + i] += (double)m * l2;
        w->y[i] = r->p->y[w->keep[i]] - y_mean;
    }
    return y_mean;
}

static double product(const double *whole, size_t n, size_t i, size_t k)
{
    return i > k ? whole[i * n + k] : whole[k * n + i];
}

/* ---- cross-validation ---- */

typedef struct search {
    ridge r;
    size_t kept[HST_FOLDS]; /* photos learned from */
    sums all, own[HST_FOLDS], left[HST_FOLDS];
    double *whole; /* wide: [n][n] */
    wide fold[HST_FOLDS];
    double l2;
    double *said; /* [n] at l2 */
} search;

static void predict_fold(const search *s, int k, double y_mean)
{
    const ridge *r = &s->r;
    const hst_ridge *p = r->p;
    const size_t dim = (size_t)p->dim;
    const sums *left = &s->left[k];
    const double n = (double)left->n;
    for (size_t i = 0; i < p->n; i++) {
        if (p->fold[i] != k)
            continue;
        double sum = 0;
        for (size_t j = 0; j < dim; j++) {
            const double scale = p->scale ? (double)p->scale[j] : 1;
            sum += ((double)p->x[i][j] * scale - r->mean[j] - left->row[j] / n) * left->cross[j];
        }
        s->said[i] = y_mean + sum;
        hst_spill_passed(p->home, dim * sizeof **p->x);
    }
}

/* A held-out photo's distance from the mean of those learned from, times the kernel, which is a sum
 * over them; its weights sum to 0, so that only products with each of them are needed, less what
 * their own mean has. */
static void predict_fold_wide(const search *s, int k, double y_mean)
{
    const hst_ridge *p = s->r.p;
    const wide *w = &s->fold[k];
    for (size_t i = 0; i < p->n; i++) {
        if (p->fold[i] != k)
            continue;
        double sum = 0;
        for (size_t j = 0; j < s->kept[k]; j++)
            sum += (product(s->whole, p->n, i, w->keep[j]) - w->mean[j]) * w->y[j];
        s->said[i] = y_mean + sum;
    }
}

static int fold_work(void *arg, size_t k, int thread, hst_err *err)
{
    search *s = arg;
    (void)thread;
    (void)err;
    if (s->kept[k] == 0 || s->kept[k] == s->r.p->n)
        return 0;
    if (s->r.wide) {
        const size_t m = s->kept[k];
        const double y = leave_wide(&s->r, s->whole, m, s->l2, &s->fold[k]);
        hst_spd_factor(s->fold[k].gram, m, 1e-15 * s->r.square * (double)m, NULL);
        hst_spd_solve(s->fold[k].gram, m, s->fold[k].y);
        predict_fold_wide(s, (int)k, y);
        return 0;
    }
    leave(&s->all, &s->own[k], (size_t)s->r.p->dim, s->l2, &s->left[k]);
    solve(&s->r, &s->left[k], NULL);
    predict_fold(s, (int)k, s->r.y_mean + s->left[k].y / (double)s->left[k].n);
    return 0;
}

static int wide_make(const hst_ridge *p, int k, size_t m, wide *w, hst_err *err)
{
    if (!(w->keep = hst_alloc(m, sizeof *w->keep, err)) ||
        !(w->gram = hst_alloc(m, m * sizeof *w->gram, err)) ||
        !(w->y = hst_alloc(m, sizeof *w->y, err)) ||
        !(w->mean = hst_alloc(m, sizeof *w->mean, err)))
        return HST_EMEM;
    for (size_t i = 0, at = 0; i < p->n; i++)
        if (p->fold[i] != k)
            w->keep[at++] = i;
    return 0;
}

static int folds_make(search *s, hst_err *err)
{
    const hst_ridge *p = s->r.p;
    int rc = 0;
    for (int k = 0; rc == 0 && k < HST_FOLDS; k++) {
        for (size_t i = 0; i < p->n; i++)
            s->kept[k] += p->fold[i] != k;
        if (!s->r.wide) {
            rc = sums_alloc(&s->own[k], (size_t)p->dim, err);
            rc = rc ? rc : sums_alloc(&s->left[k], (size_t)p->dim, err);
            if (rc == 0)
                add_rows(&s->r, k, &s->own[k]);
            continue;
        }
        rc = wide_make(p, k, s->kept[k], &s->fold[k], err);
    }
    return rc;
}

/* whole[n][n]: the products of the rows with each other. */
static int multiply_rows(const ridge *r, double *whole, hst_err *err)
{
    const size_t n = r->p->n, dim = (size_t)r->p->dim;
    double *turned = hst_alloc(n, dim * sizeof *turned, err);
    if (!turned)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < dim; k++)
            turned[k * n + i] = r->block[i * dim + k];
    hst_spd_add(turned, dim, n, whole, r->ctx->executor);
    free(turned);
    return 0;
}

static int search_make(search *s, hst_err *err)
{
    const hst_ridge *p = s->r.p;
    int rc = 0;
    if (s->r.wide) {
        s->whole = hst_alloc(p->n, p->n * sizeof *s->whole, err);
        rc = s->whole ? multiply_rows(&s->r, s->whole, err) : HST_EMEM;
    } else {
        rc = sums_alloc(&s->all, (size_t)p->dim, err);
        if (rc == 0)
            add_rows(&s->r, -1, &s->all);
    }
    return rc ? rc : folds_make(s, err);
}

static void search_clear(search *s)
{
    for (int k = 0; k < HST_FOLDS; k++) {
        sums_clear(&s->own[k]);
        sums_clear(&s->left[k]);
        free(s->fold[k].keep);
        free(s->fold[k].gram);
        free(s->fold[k].y);
        free(s->fold[k].mean);
    }
    sums_clear(&s->all);
    free(s->whole);
    free(s->said);
    ridge_clear(&s->r);
}

/* Mean square of the errors of the held-out photos. */
static double mean_square(const search *s)
{
    const hst_ridge *p = s->r.p;
    double sum = 0;
    size_t held = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->fold[i] < HST_FOLDS) {
            const double off = s->said[i] - p->y[i];
            sum += off * off;
            held++;
        }
    return held ? sum / (double)held : 0;
}

int hst_ridge_validate(const hst_ctx *ctx, const hst_ridge *p, double *l2, double *said,
                       hst_err *err)
{
    search s = {0};
    hst_meter meter = hst_meter_start(ctx, "head", STRENGTHS);
    double least = INFINITY;
    int rc = ridge_make(&s.r, ctx, p, err), worse = 0;
    s.said = rc ? NULL : hst_alloc(p->n, sizeof *s.said, err);
    rc = rc ? rc : s.said ? search_make(&s, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        s.said[i] = NAN;
    for (int i = 0; rc == 0 && i < STRENGTHS && worse < 2; i++) {
        s.l2 = strength(i) * s.r.square;
        rc = hst_executor_try(ctx->executor, HST_FOLDS, fold_work, &s, err);
        rc = rc ? rc : hst_meter_at(&meter, (uint64_t)i + 1, err);
        const double loss = rc ? 0 : mean_square(&s);
        worse++;
        if (rc || !(loss < least))
            continue;
        worse = 0;
        least = loss;
        *l2 = s.l2;
        memcpy(said, s.said, p->n * sizeof *said);
    }
    search_clear(&s);
    return rc;
}

/* ---- a fit ---- */

static int fit_narrow(const ridge *r, double l2, double *kernel, double *y, hst_err *err)
{
    sums all, left;
    const size_t dim = (size_t)r->p->dim;
    int rc = sums_alloc(&all, dim, err), also = sums_alloc(&left, dim, err);
    if (rc == 0 && also == 0) {
        add_rows(r, -1, &all);
        leave(&all, NULL, dim, l2, &left);
        solve(r, &left, r->ctx->executor);
        memcpy(kernel, left.cross, dim * sizeof *kernel);
        *y = r->y_mean;
    }
    sums_clear(&all);
    sums_clear(&left);
    return rc ? rc : also;
}

static int fit_wide(const ridge *r, double l2, double *kernel, double *y, hst_err *err)
{
    const size_t n = r->p->n, dim = (size_t)r->p->dim;
    double *whole = hst_alloc(n, n * sizeof *whole, err);
    double *weight = whole ? hst_alloc(n, sizeof *weight, err) : NULL;
    int rc = weight ? multiply_rows(r, whole, err) : HST_EMEM;
    if (rc == 0) {
        for (size_t i = 0; i < n; i++) {
            whole[i * n + i] += (double)n * l2;
            weight[i] = r->p->y[i] - r->y_mean;
        }
        hst_spd_factor(whole, n, 1e-15 * r->square * (double)n, r->ctx->executor);
        hst_spd_solve(whole, n, weight);
        memset(kernel, 0, dim * sizeof *kernel);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < dim; k++)
                kernel[k] += weight[i] * r->block[i * dim + k];
        *y = r->y_mean;
    }
    free(weight);
    free(whole);
    return rc;
}

int hst_ridge_fit(const hst_ctx *ctx, const hst_ridge *p, double l2, double *kernel, double *bias,
                  hst_err *err)
{
    ridge r;
    int rc = ridge_make(&r, ctx, p, err);
    if (rc == 0)
        rc = r.wide ? fit_wide(&r, l2, kernel, bias, err) : fit_narrow(&r, l2, kernel, bias, err);
    for (int k = 0; rc == 0 && k < p->dim; k++) {
        *bias -= kernel[k] * r.mean[k];
        kernel[k] *= p->scale ? (double)p->scale[k] : 1;
    }
    ridge_clear(&r);
    return rc;
}
