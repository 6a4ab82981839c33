#include "training/logistic.h"
#include "base/executor.h"
#include "base/mem.h"
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

/* Progress from any thread, one at a time. */
typedef struct head_progress {
    pthread_mutex_t lock;
    hst_meter meter;
    uint64_t done;
} head_progress;

static int progress_at(head_progress *p, uint64_t more, hst_err *err)
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
static void restore(const hst_design *r, int n_classes, const double *theta, float *kernel,
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
    hst_design rows = {0};
    double *theta = NULL;
    head_progress progress = {.meter = hst_meter_start(ctx, "head", 0)};
    pthread_mutex_init(&progress.lock, NULL);
    int rc = hst_design_make(&rows, ctx->kernels, p, err);
    if (rc == 0)
        rc = hst_design_pack(&rows, err);
    hst_softmax_fit f = {.rows = &rows,
                         .label = p->label,
                         .weight = p->weight,
                         .n_classes = p->n_classes,
                         .l2 = l2 / (rows.scale * rows.scale),
                         .tolerance = 1e-6,
                         .max_steps = 500,
                         .executor = ctx->executor,
                         .tick = count_step,
                         .tick_arg = &progress};
    if (rc == 0) {
        theta = hst_alloc(hst_softmax_size(&rows, p->n_classes), sizeof *theta, err);
        rc = theta ? hst_softmax_run(&f, theta, NULL, err) : HST_EMEM;
    }
    if (rc == 0)
        restore(&rows, p->n_classes, theta, kernel, bias);
    pthread_mutex_destroy(&progress.lock);
    free(theta);
    hst_design_clear(&rows);
    return rc;
}

/* One fold: learns from the photos with a weight, and looks at those of its own. */
typedef struct fold {
    double *weight; /* [n]: 0 for held-out photos */
    double *theta;  /* goes on from strength to strength */
    double *logits; /* [n][n_classes] */
    double loss;    /* weighted sum over the held-out photos, and the sum of weights */
    double held;
} fold;

typedef struct search {
    const hst_logistic *p;
    hst_design rows;
    int *fold_of; /* [n]: 0 .. FOLDS-1, or FOLDS: never held out */
    fold fold[FOLDS];
    double l2;
    head_progress progress;
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

static double weight_of(const hst_logistic *p, size_t i)
{
    return p->weight ? p->weight[i] : 1;
}

static int folds_make(search *s, uint64_t seed, hst_err *err)
{
    const hst_logistic *p = s->p;
    size_t size = hst_softmax_size(&s->rows, p->n_classes), cells;
    if (!hst_mul_ok(p->n, (size_t)p->n_classes, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos", p->n);
    s->fold_of = hst_alloc(p->n, sizeof *s->fold_of, err);
    int rc = s->fold_of ? deal(p, seed, s->fold_of, err) : HST_EMEM;
    for (int k = 0; rc == 0 && k < FOLDS; k++) {
        fold *f = &s->fold[k];
        if (!(f->weight = hst_alloc(p->n, sizeof *f->weight, err)) ||
            !(f->theta = hst_alloc(size, sizeof *f->theta, err)) ||
            !(f->logits = hst_alloc(cells, sizeof *f->logits, err)))
            return HST_EMEM;
        for (size_t i = 0; i < p->n; i++) {
            int own = s->fold_of[i] == k;
            f->weight[i] = own ? 0 : weight_of(p, i);
            f->held += own ? weight_of(p, i) : 0;
        }
    }
    return rc;
}

static int held_out_loss(const search *s, int k, fold *f, hst_err *err)
{
    const hst_logistic *p = s->p;
    double *prob = hst_alloc((size_t)p->n_classes, sizeof *prob, err);
    if (!prob)
        return HST_EMEM;
    f->loss = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (s->fold_of[i] != k)
            continue;
        hst_softmax_f64(f->logits + i * (size_t)p->n_classes, p->n_classes, prob);
        f->loss += weight_of(p, i) * hst_log_loss(prob[p->label[i]]);
    }
    free(prob);
    return 0;
}

static int fold_work(void *arg, size_t k, int thread, hst_err *err)
{
    search *s = arg;
    fold *f = &s->fold[k];
    (void)thread;
    if (!(f->held > 0))
        return 0;
    hst_softmax_fit fit = {.rows = &s->rows,
                           .label = s->p->label,
                           .weight = f->weight,
                           .n_classes = s->p->n_classes,
                           .l2 = s->l2,
                           .tolerance = 5e-4, /* enough to compare losses */
                           .max_steps = 100,
                           .tick = check_stop,
                           .tick_arg = &s->progress};
    int rc = hst_softmax_run(&fit, f->theta, f->logits, err);
    if (rc == 0)
        rc = held_out_loss(s, (int)k, f, err);
    return rc == 0 ? progress_at(&s->progress, 1, err) : rc;
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
        rc = hst_executor_try(ctx->executor, FOLDS, fold_work, s, err);
        for (int k = 0; k < FOLDS; k++) {
            loss += s->fold[k].loss;
            weight += s->fold[k].held;
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
    s->progress.meter = hst_meter_start(ctx, "head", STRENGTHS * FOLDS);
    pthread_mutex_init(&s->progress.lock, NULL);
    int rc = hst_design_make(&s->rows, ctx->kernels, p, err);
    scale = s->rows.scale;
    if (rc == 0 && p->n <= (size_t)p->dim / 2)
        rc = hst_design_reduce(&s->rows, ctx->executor, err);
    if (rc == 0)
        rc = hst_design_pack(&s->rows, err);
    if (rc == 0)
        rc = folds_make(s, seed, err);
    if (rc == 0)
        rc = search_run(ctx, s, &best, err);
    if (rc == 0)
        *l2 = best * scale * scale;
    for (int k = 0; k < FOLDS; k++) {
        free(s->fold[k].weight);
        free(s->fold[k].theta);
        free(s->fold[k].logits);
    }
    free(s->fold_of);
    pthread_mutex_destroy(&s->progress.lock);
    hst_design_clear(&s->rows);
    free(s);
    return rc;
}
