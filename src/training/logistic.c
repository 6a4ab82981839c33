#include "training/logistic.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "base/random.h"
#include "evaluation/metrics.h"
#include "training/softmax_fit.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Strengths tried: from 1e-2 down to 1e-6, a factor of sqrt(10) apart, for rows of mean length 1.
 */
enum { STRENGTHS = 9, FOLDS = 5 };

static double strength(int i)
{
    static const double of[2] = {1, 0.31622776601683794};
    static const double tens[5] = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
    return tens[i / 2] * of[i % 2];
}

static size_t *all_rows(size_t n, hst_err *err)
{
    size_t *index = hst_alloc(n, sizeof *index, err);
    for (size_t i = 0; index && i < n; i++)
        index[i] = i;
    return index;
}

static int fit_parts(size_t n)
{
    return n < 64 ? 1 : n >= 64 * HST_FIT_PARTS ? HST_FIT_PARTS : (int)(n / 64);
}

/* Progress from any thread, one at a time. */
typedef struct progress {
    pthread_mutex_t lock;
    hst_meter meter;
    uint64_t done;
} progress;

static int progress_at(progress *p, uint64_t more, hst_err *err)
{
    pthread_mutex_lock(&p->lock);
    p->done += more;
    int rc = hst_meter_at(&p->meter, p->done, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static int count_step(void *arg, hst_err *err)
{
    return progress_at(arg, 1, err);
}

static int check_stop(void *arg, hst_err *err)
{
    return progress_at(arg, 0, err);
}

/* From classes first and scaled rows to features first and the caller's units. */
static void restore(const hst_rows *r, int n_classes, const double *theta, float *kernel,
                    float *bias)
{
    size_t classes = (size_t)n_classes, p = (size_t)r->p;
    for (size_t c = 0; c < classes; c++) {
        double b = theta[classes * p + c];
        for (size_t k = 0; k < p; k++) {
            double v = theta[c * p + k] / r->scale;
            kernel[k * classes + c] = (float)v;
            b -= v * r->mean[k];
        }
        bias[c] = (float)b;
    }
}

int hst_logistic_fit(const hst_ctx *ctx, const hst_logistic *p, double l2, float *kernel,
                     float *bias, hst_err *err)
{
    hst_rows rows = {0};
    double *theta = NULL;
    size_t *index = all_rows(p->n, err);
    progress told = {.meter = hst_meter_start(ctx, "head", 0)};
    int rc = index ? hst_rows_make(&rows, p, err) : HST_EMEM;
    pthread_mutex_init(&told.lock, NULL);
    hst_softmax_fit f = {.rows = {&rows, index, p->n, p->n_classes},
                         .label = p->label,
                         .weight = p->weight,
                         .l2 = l2 / (rows.scale * rows.scale),
                         .tolerance = 1e-6,
                         .max_steps = 500,
                         .threads = ctx->threads,
                         .parts = fit_parts(p->n),
                         .tick = count_step,
                         .tick_arg = &told};
    if (rc == 0) {
        theta = hst_alloc(hst_softmax_size(&f.rows), sizeof *theta, err);
        rc = theta ? hst_softmax_run(&f, theta, err) : HST_EMEM;
    }
    if (rc == 0)
        restore(&rows, p->n_classes, theta, kernel, bias);
    pthread_mutex_destroy(&told.lock);
    free(theta);
    free(index);
    hst_rows_clear(&rows);
    return rc;
}

/* One fold: learn from its index, look at the held-out rows behind them. */
typedef struct fold {
    size_t *index; /* [n]: n_train rows to learn from, then those held out */
    size_t n_train;
    double *theta; /* goes on from strength to strength */
    double loss;   /* weighted sum over the held-out rows, and the sum of weights */
    double weight;
} fold;

typedef struct search {
    const hst_logistic *p;
    hst_rows rows;
    fold fold[FOLDS];
    double l2;
    progress told;
} search;

/* Deals each class's photos, in random order, to the folds in turn. A class with a single photo is
 * always learned from: held out it would only tell that it is unknown. */
static int deal(const hst_logistic *p, uint64_t seed, int *fold_of, hst_err *err)
{
    size_t *photos = hst_alloc(p->n, sizeof *photos, err), next = 0;
    if (!photos)
        return HST_EMEM;
    hst_rng random = hst_rng_new(seed, HST_RNG_FOLDS, 0, 0);
    for (int c = 0; c < p->n_classes; c++) {
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++)
            if (p->label[i] == c)
                photos[n++] = i;
        hst_rng_shuffle(&random, photos, n);
        for (size_t i = 0; i < n; i++)
            fold_of[photos[i]] = n > 1 ? (int)(next++ % FOLDS) : FOLDS;
    }
    free(photos);
    return 0;
}

static int folds_make(search *s, uint64_t seed, hst_err *err)
{
    size_t n = s->p->n,
           size = hst_softmax_size(&(hst_subset){.rows = &s->rows, .n_classes = s->p->n_classes});
    int *fold_of = hst_alloc(n, sizeof *fold_of, err);
    int rc = fold_of ? deal(s->p, seed, fold_of, err) : HST_EMEM;
    for (int k = 0; rc == 0 && k < FOLDS; k++) {
        fold *f = &s->fold[k];
        size_t held = n;
        f->index = hst_alloc(n, sizeof *f->index, err);
        f->theta = f->index ? hst_alloc(size, sizeof *f->theta, err) : NULL;
        if (!f->theta)
            rc = HST_EMEM;
        for (size_t i = n; rc == 0 && i-- > 0;)
            if (fold_of[i] == k)
                f->index[--held] = i;
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (fold_of[i] != k)
                f->index[f->n_train++] = i;
    }
    free(fold_of);
    return rc;
}

static int held_out_loss(const search *s, fold *f, hst_err *err)
{
    const hst_logistic *p = s->p;
    hst_subset held = {&s->rows, f->index + f->n_train, p->n - f->n_train, p->n_classes};
    size_t classes = (size_t)p->n_classes, cells;
    int rc = HST_EMEM;
    float *packed = hst_alloc(hst_packed_size(p->n_classes, s->rows.p), sizeof *packed, err);
    double *logits = NULL, *prob = packed ? hst_alloc(classes, sizeof *prob, err) : NULL;
    if (prob && hst_mul_ok(held.n, classes, &cells))
        logits = hst_alloc(cells, sizeof *logits, err);
    if (!logits)
        goto out;
    hst_pack_kernel(f->theta, p->n_classes, s->rows.p, packed);
    hst_subset_forward(&held, packed, f->theta + classes * (size_t)s->rows.p, logits);
    f->loss = f->weight = 0;
    for (size_t i = 0; i < held.n; i++) {
        double w = p->weight ? p->weight[held.index[i]] : 1;
        hst_softmax_f64(logits + i * classes, p->n_classes, prob);
        f->loss += w * hst_log_loss(prob[p->label[held.index[i]]]);
        f->weight += w;
    }
    rc = 0;
out:
    free(logits);
    free(prob);
    free(packed);
    return rc;
}

static int fold_work(void *arg, size_t k, int thread, hst_err *err)
{
    search *s = arg;
    fold *f = &s->fold[k];
    (void)thread;
    if (f->n_train == s->p->n || f->n_train == 0)
        return 0;
    hst_softmax_fit fit = {.rows = {&s->rows, f->index, f->n_train, s->p->n_classes},
                           .label = s->p->label,
                           .weight = s->p->weight,
                           .l2 = s->l2,
                           .tolerance = 3e-4, /* enough to compare losses; see the tests */
                           .max_steps = 100,
                           .threads = 1,
                           .parts = 1,
                           .tick = check_stop,
                           .tick_arg = &s->told};
    int rc = hst_softmax_run(&fit, f->theta, err);
    if (rc == 0)
        rc = held_out_loss(s, f, err);
    return rc == 0 ? progress_at(&s->told, 1, err) : rc;
}

/* From the strongest on, each fold going on from where it was; ends early when two strengths in a
 * row did worse than the best. */
static int search_run(const hst_ctx *ctx, search *s, double *best, hst_err *err)
{
    double least = INFINITY;
    int rc = 0, worse = 0;
    for (int i = 0; rc == 0 && i < STRENGTHS && worse < 2; i++) {
        double loss = 0, weight = 0;
        s->l2 = strength(i);
        rc = hst_parallel(ctx->threads, FOLDS, fold_work, s, err);
        for (int k = 0; k < FOLDS; k++) {
            loss += s->fold[k].loss;
            weight += s->fold[k].weight;
        }
        loss = weight > 0 ? loss / weight : 0;
        worse = loss < least ? 0 : worse + 1;
        if (loss < least) {
            least = loss;
            *best = s->l2;
        }
    }
    return rc;
}

int hst_logistic_choose_l2(const hst_ctx *ctx, const hst_logistic *p, uint64_t seed, double *l2,
                           hst_err *err)
{
    search *s = hst_alloc(1, sizeof *s, err);
    double best = strength(0), scale;
    if (!s)
        return HST_EMEM;
    s->p = p;
    s->told.meter = hst_meter_start(ctx, "head", STRENGTHS * FOLDS);
    pthread_mutex_init(&s->told.lock, NULL);
    int rc = hst_rows_make(&s->rows, p, err);
    scale = s->rows.scale;
    if (rc == 0 && p->n <= (size_t)p->dim / 2)
        rc = hst_rows_reduce(&s->rows, ctx->threads, err);
    if (rc == 0)
        rc = folds_make(s, seed, err);
    if (rc == 0)
        rc = search_run(ctx, s, &best, err);
    if (rc == 0)
        *l2 = best * scale * scale;
    for (int k = 0; k < FOLDS; k++) {
        free(s->fold[k].index);
        free(s->fold[k].theta);
    }
    pthread_mutex_destroy(&s->told.lock);
    hst_rows_clear(&s->rows);
    free(s);
    return rc;
}
