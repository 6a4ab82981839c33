#include "training/label_fit.h"
#include "base/mem.h"
#include "evaluation/metrics.h"
#include "training/softmax_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Strengths tried, for rows of mean length 1: 1e-2 to 1e-6. */
enum { STRENGTHS = 9, OF_FEW = 4, FEW = 10 };

static double strength(int i)
{
    static const double of[2] = {1, 0.31622776601683794};
    static const double tens[] = {1e-2, 1e-3, 1e-4, 1e-5, 1e-6};
    return tens[i / 2] * of[i % 2];
}

/* Photos with each label but for those of fold k (HST_FOLDS: of all); returns how many photos. */
static size_t count_marks(const hst_labels *p, int k, size_t *with)
{
    const size_t labels = (size_t)p->n_labels;
    size_t n = 0;
    memset(with, 0, labels * sizeof *with);
    for (size_t i = 0; i < p->n; i++) {
        if (k < HST_FOLDS && p->fold[i] == k)
            continue;
        n++;
        for (size_t c = 0; c < labels; c++)
            with[c] += p->marks[i * labels + c];
    }
    return n;
}

int hst_labels_key(const hst_labels *p, int *key, hst_err *err)
{
    const size_t labels = (size_t)p->n_labels;
    size_t *with = hst_alloc(labels, sizeof *with, err);
    if (!with)
        return HST_EMEM;
    (void)count_marks(p, HST_FOLDS, with);
    for (size_t i = 0; i < p->n; i++) {
        key[i] = p->n_labels;
        for (size_t c = 0; c < labels; c++)
            if (p->marks[i * labels + c] &&
                (key[i] == p->n_labels || with[c] < with[(size_t)key[i]]))
                key[i] = (int)c;
    }
    free(with);
    return 0;
}

/* ---- one fit ---- */

/* Marks the labels that the photos learned from cannot tell, and puts what is said of them into the
 * bias of theta; their kernel is zero. */
static void set_idle(const hst_labels *p, const size_t *with, size_t n, size_t kernel_size,
                     uint8_t *idle, double *theta)
{
    for (size_t c = 0; c < (size_t)p->n_labels; c++) {
        idle[c] = with[c] == 0 || with[c] == n;
        if (idle[c])
            theta[kernel_size + c] = log(((double)with[c] + 1) / ((double)(n - with[c]) + 1));
    }
}

static hst_logistic as_logistic(const hst_labels *p)
{
    return (hst_logistic){.x = p->x,
                          .home = p->home,
                          .n = p->n,
                          .dim = p->dim,
                          .n_classes = p->n_labels,
                          .scale = p->scale};
}

typedef struct fit_progress {
    hst_meter meter;
    uint64_t done;
} fit_progress;

static int count_step(void *arg, hst_err *err)
{
    fit_progress *f = arg;
    return hst_meter_at(&f->meter, ++f->done, err);
}

int hst_labels_fit(const hst_ctx *ctx, const hst_labels *p, const double *l2, float *kernel,
                   float *bias, hst_err *err)
{
    const size_t labels = (size_t)p->n_labels;
    const hst_logistic of = as_logistic(p);
    hst_design rows = {0};
    fit_progress progress = {.meter = hst_meter_start(ctx, "head", 0)};
    size_t *with = hst_alloc(labels, sizeof *with, err);
    double *own = with ? hst_alloc(labels, sizeof *own, err) : NULL, *theta = NULL;
    uint8_t *idle = own ? hst_alloc(labels, 1, err) : NULL;
    int rc = idle ? hst_design_make(&rows, ctx, &of, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_design_pack(&rows, err);
    if (rc == 0) {
        theta = hst_alloc(hst_softmax_size(&rows, p->n_labels), sizeof *theta, err);
        rc = theta ? 0 : HST_EMEM;
    }
    if (rc == 0) {
        set_idle(p, with, count_marks(p, HST_FOLDS, with), labels * (size_t)rows.p, idle, theta);
        for (size_t c = 0; c < labels; c++)
            own[c] = l2[c] / (rows.scale * rows.scale);
        const hst_softmax_fit fit = {.rows = &rows,
                                     .marks = p->marks,
                                     .n_classes = p->n_labels,
                                     .l2_of = own,
                                     .idle = idle,
                                     .tolerance = 1e-6,
                                     .max_steps = 1000,
                                     .theta = theta};
        rc = hst_softmax_run(
            &(hst_softmax_fits){
                .ctx = ctx, .fit = &fit, .n = 1, .tick = count_step, .tick_arg = &progress},
            err);
    }
    if (rc == 0)
        hst_design_restore(&rows, &of, theta, kernel, bias);
    free(theta);
    free(idle);
    free(own);
    free(with);
    hst_design_clear(&rows);
    return rc;
}

/* ---- cross-validation ---- */

/* One fold: learns from the photos of the others, and looks at its own. */
typedef struct part {
    double *theta; /* goes on from strength to strength */
    double *loss;  /* [labels] sums over the held-out photos */
    uint8_t *idle; /* [labels] */
    int in_use;
} part;

typedef struct search {
    const hst_ctx *ctx;
    const hst_labels *p;
    hst_design rows;
    part fold[HST_FOLDS];
    hst_spill *table;          /* where logits live */
    double *logits;            /* [n][labels] of each photo, from the fold that held it out */
    size_t *with;              /* [labels] of all photos */
    double *l2;                /* [labels] of this pass, for rows of mean length 1 */
    double (*loss)[STRENGTHS]; /* [labels] over the held-out photos, at each strength tried */
    double tolerance;
    int max_steps;
    hst_meter meter; /* counts passes over the folds */
    uint64_t done;
} search;

static int part_make(search *s, int k, hst_err *err)
{
    const hst_labels *p = s->p;
    part *f = &s->fold[k];
    const size_t labels = (size_t)p->n_labels;
    size_t learned = 0, held = 0;
    if (!(f->theta = hst_alloc(hst_softmax_size(&s->rows, p->n_labels), sizeof *f->theta, err)) ||
        !(f->loss = hst_alloc(labels, sizeof *f->loss, err)) ||
        !(f->idle = hst_alloc(labels, 1, err)))
        return HST_EMEM;
    for (size_t i = 0; i < p->n; i++) {
        learned += p->fold[i] != k;
        held += p->fold[i] == k;
    }
    f->in_use = learned && held;
    if (f->in_use)
        set_idle(p, s->with, count_marks(p, k, s->with), labels * (size_t)s->rows.p, f->idle,
                 f->theta);
    return 0;
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static void held_out_loss(search *s, int k)
{
    part *f = &s->fold[k];
    const size_t labels = (size_t)s->p->n_labels;
    memset(f->loss, 0, labels * sizeof *f->loss);
    for (size_t i = 0; i < s->p->n; i++) {
        for (size_t c = 0; s->p->fold[i] == k && c < labels; c++) {
            const double z = s->logits[i * labels + c];
            f->loss[c] += hst_log_loss(sigmoid(s->p->marks[i * labels + c] ? z : -z));
        }
        hst_spill_passed(s->table, labels * sizeof *s->logits);
    }
}

static int check_stop(void *arg, hst_err *err)
{
    search *s = arg;
    return hst_meter_at(&s->meter, s->done, err);
}

static int run_folds(search *s, hst_err *err)
{
    hst_softmax_fit fit[HST_FOLDS];
    int n = 0, rc;
    for (int k = 0; k < HST_FOLDS; k++)
        if (s->fold[k].in_use)
            fit[n++] = (hst_softmax_fit){.rows = &s->rows,
                                         .marks = s->p->marks,
                                         .n_classes = s->p->n_labels,
                                         .l2_of = s->l2,
                                         .idle = s->fold[k].idle,
                                         .tolerance = s->tolerance,
                                         .max_steps = s->max_steps,
                                         .theta = s->fold[k].theta,
                                         .logits = s->logits,
                                         .fold = s->p->fold,
                                         .k = k};
    rc = hst_softmax_run(
        &(hst_softmax_fits){.ctx = s->ctx, .fit = fit, .n = n, .tick = check_stop, .tick_arg = s},
        err);
    for (int k = 0; rc == 0 && k < HST_FOLDS; k++)
        if (s->fold[k].in_use)
            held_out_loss(s, k);
    return rc ? rc : hst_meter_at(&s->meter, ++s->done, err);
}

/* The smallest of v[n]. */
static int smallest(const double *v, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        best = v[i] < v[best] ? i : best;
    return best;
}

/* How many of the strengths are tried, from the strongest on: until two in a row made no label
 * better. Negative: an error. */
static int try_strengths(search *s, hst_err *err)
{
    const size_t labels = (size_t)s->p->n_labels;
    int worse = 0, i = 0;
    s->tolerance = 5e-4 * sqrt((double)labels); /* as of one label in the mean */
    s->max_steps = 100;
    for (; i < STRENGTHS && worse < 2; i++) {
        int better = 0;
        for (size_t c = 0; c < labels; c++)
            s->l2[c] = strength(i);
        int rc = run_folds(s, err);
        if (rc)
            return rc;
        for (size_t c = 0; c < labels; c++) {
            for (int k = 0; k < HST_FOLDS; k++)
                s->loss[c][i] += s->fold[k].in_use ? s->fold[k].loss[c] : 0;
            better |= smallest(s->loss[c], i + 1) == i;
        }
        worse = better ? 0 : worse + 1;
    }
    return i;
}

/* Into s->l2; returns that of all together. */
static double choose(search *s, int tried)
{
    const size_t labels = (size_t)s->p->n_labels;
    double all[STRENGTHS] = {0}, told = 0;
    for (size_t c = 0; c < labels; c++) { /* each as a multiple of its least */
        const double least = s->loss[c][smallest(s->loss[c], tried)];
        told += least > 0;
        for (int i = 0; i < tried; i++) {
            s->loss[c][i] = least > 0 ? s->loss[c][i] / least : 0;
            all[i] += s->loss[c][i];
        }
    }
    for (int i = 0; i < tried; i++)
        all[i] /= fmax(told, 1);
    for (size_t c = 0; c < labels; c++) {
        double both[STRENGTHS];
        for (int i = 0; i < tried; i++)
            both[i] = s->loss[c][i] + all[i];
        s->l2[c] = strength(s->p->n < FEW ? OF_FEW : smallest(both, tried));
    }
    return strength(s->p->n < FEW ? OF_FEW : smallest(all, tried));
}

/* The folds once more, until their probabilities stand still. */
static int predict(search *s, hst_out_of_fold *out, hst_err *err)
{
    const hst_labels *p = s->p;
    const size_t labels = (size_t)p->n_labels;
    double sum = 0;
    size_t held = 0;
    *out = (hst_out_of_fold){.n = p->n, .n_classes = p->n_labels};
    out->fold = hst_alloc(p->n, sizeof *out->fold, err);
    out->home = out->fold ? hst_spill_new(s->ctx, p->n * labels, sizeof *out->prob, err) : NULL;
    if (!out->home)
        return HST_EMEM;
    out->prob = hst_spill_at(out->home);
    s->tolerance = 1e-5 * sqrt((double)labels);
    s->max_steps = 500;
    int rc = run_folds(s, err);
    for (size_t i = 0; i < p->n; i++) {
        const int k = out->fold[i] = p->fold[i];
        if (k >= HST_FOLDS)
            continue;
        held++;
        for (size_t c = 0; c < labels; c++)
            out->prob[i * labels + c] = (float)sigmoid(s->logits[i * labels + c]);
        hst_spill_passed(s->table, labels * sizeof *s->logits);
        hst_spill_passed(out->home, labels * sizeof *out->prob);
    }
    for (int k = 0; k < HST_FOLDS; k++)
        for (size_t c = 0; s->fold[k].in_use && c < labels; c++)
            sum += s->fold[k].loss[c];
    out->log_loss = held ? sum / (double)held / (double)labels : 0;
    return rc;
}

static void search_clear(search *s)
{
    for (int k = 0; k < HST_FOLDS; k++) {
        free(s->fold[k].theta);
        free(s->fold[k].loss);
        free(s->fold[k].idle);
    }
    free(s->with);
    free(s->loss);
    hst_spill_free(s->table);
    hst_design_clear(&s->rows);
}

int hst_labels_validate(const hst_ctx *ctx, const hst_labels *p, double *l2, hst_out_of_fold *out,
                        hst_err *err)
{
    search s = {.ctx = ctx, .p = p, .l2 = l2, .meter = hst_meter_start(ctx, "head", STRENGTHS + 1)};
    const hst_logistic of = as_logistic(p);
    const size_t labels = (size_t)p->n_labels;
    *out = (hst_out_of_fold){0};
    s.with = hst_alloc(labels, sizeof *s.with, err);
    s.loss = s.with ? hst_alloc(labels, sizeof *s.loss, err) : NULL;
    s.table = s.loss ? hst_spill_new(ctx, p->n, labels * sizeof *s.logits, err) : NULL;
    s.logits = s.table ? hst_spill_at(s.table) : NULL;
    int rc = s.logits ? hst_cross_validation_rows(ctx, &of, &s.rows, err) : HST_EMEM;
    for (int k = 0; rc == 0 && k < HST_FOLDS; k++)
        rc = part_make(&s, k, err);
    const int tried = rc ? rc : try_strengths(&s, err);
    rc = tried < 0 ? tried : rc;
    if (rc == 0) {
        const double square = s.rows.scale * s.rows.scale, all = choose(&s, tried);
        rc = predict(&s, out, err);
        out->l2 = all * square;
        for (size_t c = 0; c < labels; c++)
            l2[c] *= square;
    }
    search_clear(&s);
    return rc;
}

/* ---- thresholds ---- */

typedef struct place {
    float p;
    int has;
} place;

static int by_falling(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->p > y->p ? -1 : x->p < y->p;
}

/* Of n places in order, `with` of which have the label. */
static float best_threshold(const place *at, size_t n, size_t with)
{
    double best = 0;
    float threshold = 0.5f;
    for (size_t i = 0, hits = 0; i < n; i++) {
        hits += (size_t)at[i].has;
        const double f1 = 2 * (double)hits / (double)(i + 1 + with);
        const float next = i + 1 < n ? at[i + 1].p : 0;
        if ((i + 1 < n && next == at[i].p) || !(f1 > best))
            continue;
        const float middle = next + (at[i].p - next) / 2;
        best = f1;
        threshold = middle > next ? middle : at[i].p;
    }
    return threshold;
}

int hst_labels_thresholds(const hst_out_of_fold *o, const uint8_t *marks, float *threshold,
                          hst_err *err)
{
    const size_t labels = (size_t)o->n_classes;
    place *at = hst_alloc(o->n, sizeof *at, err);
    if (!at)
        return HST_EMEM;
    for (size_t c = 0; c < labels; c++) {
        size_t n = 0, with = 0;
        for (size_t i = 0; i < o->n; i++) {
            if (o->fold[i] >= HST_FOLDS)
                continue;
            at[n++] = (place){o->prob[i * labels + c], marks[i * labels + c]};
            with += marks[i * labels + c];
        }
        qsort(at, n, sizeof *at, by_falling);
        threshold[c] = with < FEW ? 0.5f : best_threshold(at, n, with);
    }
    free(at);
    return 0;
}
