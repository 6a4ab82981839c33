#include "training/learning_curve.h"
#include "base/mem.h"
#include "base/random.h"
#include "evaluation/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = HST_CURVE_POINTS, RESAMPLES = 400, CLASS_LEAST = 10 };
static const double parts[POINTS] = {.1, .2, .4, .8, 1};
static const double little = .005; /* a gain by twice as many photos that is hardly one */
static const double point = .01;

int hst_curve_possible(size_t n, int n_classes)
{
    return n_classes > 1 && n / 5 >= (size_t)n_classes;
}

int hst_curve_cheap(size_t n, int dim, int n_classes)
{
    return n <= 1000 && (double)n * dim * n_classes <= 5e6;
}

typedef struct job {
    const hst_curve_in *in;
    hst_out_of_fold own; /* where it was not given */
    const int *fold;
    size_t *group;
    double *rank;   /* [n] 0..1: the part of its class from which on a photo is learned from */
    double *learn;  /* [HST_FOLDS][n] weights */
    char *right;    /* [n][POINTS] */
    size_t *judged; /* [n_judged] the photos that count: the first of each group, once held out */
    size_t n_judged, n_groups;
    double photos[POINTS]; /* learned from, in the mean of the draws */
} job;

static int make_room(job *j, hst_err *err)
{
    const size_t n = j->in->n;
    j->group = hst_alloc(n, sizeof *j->group, err);
    j->rank = j->group ? hst_alloc(n, sizeof *j->rank, err) : NULL;
    j->learn = j->rank ? hst_alloc(n, HST_FOLDS * sizeof *j->learn, err) : NULL;
    j->right = j->learn ? hst_alloc(n, POINTS, err) : NULL;
    j->judged = j->right ? hst_alloc(n, sizeof *j->judged, err) : NULL;
    if (!j->judged)
        return HST_EMEM;
    if (!j->in->group)
        return hst_copies_group(j->in->x, j->in->home, n, j->in->dim, j->group, err);
    memcpy(j->group, j->in->group, n * sizeof *j->group);
    return 0;
}

static hst_logistic problem(const hst_curve_in *in)
{
    return (hst_logistic){.x = in->x,
                          .home = in->home,
                          .scale = in->scale,
                          .label = in->label,
                          .weight = in->weight,
                          .n = in->n,
                          .dim = in->dim,
                          .n_classes = in->n_classes};
}

/* Folds, strength and predictions at 100 %. */
static int make_whole(const hst_ctx *ctx, job *j, const hst_out_of_fold **whole, hst_err *err)
{
    const hst_curve_in *in = j->in;
    const hst_logistic p = problem(in);
    hst_deal deal = {.label = in->label, .group = j->group, .n = in->n, .n_classes = in->n_classes};
    *whole = in->whole ? in->whole : &j->own;
    if (in->whole)
        return 0;
    int *fold = hst_alloc(in->n, sizeof *fold, err);
    int rc = fold ? hst_folds_deal(&deal, in->seed, fold, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_cross_validate(ctx, &(hst_cross_validation){.p = &p, .fold = fold, .rough = 1},
                                &j->own, err);
    free(fold);
    return rc;
}

/* ---- drawing ---- */

/* The places of the photos outside fold k in an order drawn for it, class by class. */
static int draw(job *j, int k, hst_err *err)
{
    const hst_curve_in *in = j->in;
    size_t *of = hst_alloc(in->n, sizeof *of, err);
    hst_rng random = hst_rng_new(in->seed, HST_RNG_CURVE, (uint32_t)k, 0);
    if (!of)
        return HST_EMEM;
    for (int c = 0; c < in->n_classes; c++) {
        size_t n = 0;
        for (size_t i = 0; i < in->n; i++)
            if (in->label[i] == c && j->group[i] == i && j->fold[i] != k)
                of[n++] = i;
        hst_rng_shuffle(&random, of, n);
        for (size_t i = 0; i < n; i++)
            j->rank[of[i]] = i ? ((double)i + .5) / (double)n : 0;
    }
    free(of);
    for (size_t i = 0; i < in->n; i++)
        if (j->fold[i] != k)
            j->rank[i] = j->rank[j->group[i]];
    return 0;
}

/* Who is learned from at each size, and how many that are. ranks: of draw, fold by fold. */
static void take(job *j, const double *ranks, int at)
{
    const hst_curve_in *in = j->in;
    size_t learned = 0;
    for (size_t i = 0; i < HST_FOLDS * in->n; i++) {
        const size_t photo = i % in->n;
        const int own = j->fold[photo] == (int)(i / in->n), taken = !own && ranks[i] < parts[at];
        j->learn[i] = !taken ? 0 : in->weight ? in->weight[photo] : 1;
        learned += taken && j->group[photo] == photo;
    }
    j->photos[at] = (double)learned / HST_FOLDS;
}

static void score(job *j, const hst_out_of_fold *o, int at)
{
    const size_t classes = (size_t)o->n_classes;
    for (size_t i = 0; i < j->in->n; i++)
        j->right[i * POINTS + (size_t)at] =
            hst_argmax(o->prob + i * classes, o->n_classes) == j->in->label[i];
}

static int measure(const hst_ctx *ctx, job *j, const hst_out_of_fold *whole, hst_err *err)
{
    const hst_logistic p = problem(j->in);
    double *ranks = hst_alloc(j->in->n, HST_FOLDS * sizeof *ranks, err);
    hst_design rows = {0};
    int rc = ranks ? hst_cross_validation_rows(ctx, &p, &rows, err) : HST_EMEM;
    for (int k = 0; rc == 0 && k < HST_FOLDS; k++) {
        rc = draw(j, k, err);
        memcpy(ranks + (size_t)k * j->in->n, j->rank, j->in->n * sizeof *ranks);
    }
    for (int at = 0; rc == 0 && at < POINTS; at++) {
        hst_out_of_fold o = {0};
        hst_cross_validation v = {.p = &p,
                                  .fold = j->fold,
                                  .learned = j->learn,
                                  .rows = &rows,
                                  .l2 = whole->l2,
                                  .rough = 1};
        take(j, ranks, at);
        if (at < POINTS - 1)
            rc = hst_cross_validate(ctx, &v, &o, err);
        if (rc == 0)
            score(j, at < POINTS - 1 ? &o : whole, at);
        hst_out_of_fold_clear(&o);
    }
    hst_design_clear(&rows);
    free(ranks);
    return rc;
}

/* ---- the law ---- */

/* e(m) = a + b z, z = sqrt(photos at 100 % / m). */
typedef struct law {
    double a, b;
} law;

/* Weighted by the photos learned from: the end of the curve counts most. */
static law fit(const double *m, const double *error)
{
    double w = 0, wz = 0, we = 0, wzz = 0, wze = 0;
    for (int i = 0; i < POINTS; i++) {
        const double z = sqrt(m[POINTS - 1] / m[i]);
        w += m[i];
        wz += m[i] * z;
        we += m[i] * error[i];
        wzz += m[i] * z * z;
        wze += m[i] * z * error[i];
    }
    const double d = w * wzz - wz * wz;
    law l = {.b = d > 0 ? (w * wze - wz * we) / d : 0};
    l.b = l.b > 0 ? l.b : 0;
    l.a = (we - l.b * wz) / w;
    return l.a >= 0 ? l : (law){.b = wze / wzz};
}

static double gain_of(const law *l, const job *j, double more)
{
    const double last = j->photos[POINTS - 1], n = (double)j->n_groups;
    return l->b * (sqrt(last / n) - sqrt(last / (n + more)));
}

/* Errors at each size over photos drawn with replacement; random NULL: over all. */
static void errors(const job *j, hst_rng *random, double error[POINTS])
{
    size_t right[POINTS] = {0};
    for (size_t i = 0; i < j->n_judged; i++) {
        const size_t at = random ? hst_rng_below(random, (uint32_t)j->n_judged) : i;
        for (size_t p = 0; p < POINTS; p++)
            right[p] += (size_t)j->right[j->judged[at] * POINTS + p];
    }
    for (size_t p = 0; p < POINTS; p++)
        error[p] = 1 - (double)right[p] / (double)j->n_judged;
}

/* ---- what more photos would bring ---- */

/* 1, 2 or 5 times a power of ten, next after x. */
static double next_round(double x)
{
    const double ten = pow(10, floor(log10(x) + 1e-9)), steps[3] = {2 * ten, 5 * ten, 10 * ten};
    for (int i = 0; i < 2; i++)
        if (x < steps[i] * (1 - 1e-9))
            return steps[i];
    return steps[2];
}

/* The first round number of photos that brings a point; where twice as many do not, as many as
 * there are. */
static double choose_more(const law *l, const job *j)
{
    const double n = (double)j->n_groups;
    for (double more = 10; more < n; more = next_round(more))
        if (gain_of(l, j, more) >= point)
            return more;
    return n;
}

static int ascending(const void *pa, const void *pb)
{
    const double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static void foresee(const job *j, hst_learning_curve *out)
{
    double error[POINTS], gain[RESAMPLES];
    errors(j, NULL, error);
    const law l = fit(j->photos, error);
    const double more = choose_more(&l, j);
    hst_rng random = hst_rng_new(j->in->seed, HST_RNG_CURVE, HST_FOLDS, 0);
    for (int i = 0; i < RESAMPLES; i++) {
        errors(j, &random, error);
        const law other = fit(j->photos, error);
        gain[i] = gain_of(&other, j, more);
    }
    qsort(gain, RESAMPLES, sizeof *gain, ascending);
    out->more = (uint64_t)more;
    out->gain = gain_of(&l, j, more);
    out->gain_low = gain[RESAMPLES / 40];
    out->gain_high = gain[RESAMPLES - 1 - RESAMPLES / 40];
}

/* How much the recall of class c has risen from 20 to 100 % of the photos for twice as many: the
 * slope of the line through the points. */
static double slope_of(const job *j, int c)
{
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    size_t right[POINTS] = {0};
    for (size_t i = 0; i < j->n_judged; i++) {
        if (j->in->label[j->judged[i]] != c)
            continue;
        n++;
        for (size_t p = 0; p < POINTS; p++)
            right[p] += (size_t)j->right[j->judged[i] * POINTS + p];
    }
    if (n < CLASS_LEAST)
        return 0;
    for (size_t p = 1; p < POINTS; p++) {
        const double x = log2(j->photos[p]), y = (double)right[p] / n;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    const double points = POINTS - 1, d = points * sxx - sx * sx;
    return d > 0 ? (points * sxy - sx * sy) / d : 0;
}

static void find_gaining(const job *j, hst_learning_curve *out)
{
    out->gaining = -1;
    out->class_gain = point; /* less is none */
    for (int c = 0; c < j->in->n_classes; c++) {
        const double slope = slope_of(j, c);
        if (slope > out->class_gain) {
            out->class_gain = slope;
            out->gaining = c;
        }
    }
    if (out->gaining < 0)
        out->class_gain = 0;
}

static void put_into_words(const hst_curve_in *in, hst_learning_curve *out)
{
    char name[100], most[160] = "";
    const unsigned long long more = out->more;
    const int worth = out->gain >= little || out->gain_high >= point;
    if (worth && out->gaining >= 0) {
        hst_printable(name, sizeof name, in->classes[out->gaining]);
        snprintf(most, sizeof most, "; class %s gains most", name);
    }
    snprintf(out->words, sizeof out->words,
             "%s%llu more photos would bring about +%.1f points (%.1f to %.1f)%s",
             worth ? "" : "more photos will not help: ", more, 100 * out->gain, 100 * out->gain_low,
             100 * out->gain_high, most);
}

int hst_learning_curve_make(const hst_ctx *ctx, const hst_curve_in *in, hst_learning_curve *out,
                            hst_err *err)
{
    job j = {.in = in};
    int rc = make_room(&j, err);
    const hst_out_of_fold *whole = NULL;
    *out = (hst_learning_curve){.size = sizeof *out};
    if (rc == 0)
        rc = make_whole(ctx, &j, &whole, err);
    if (rc == 0) {
        j.fold = whole->fold;
        rc = measure(ctx, &j, whole, err);
    }
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        j.n_groups += j.group[i] == i;
        if (j.group[i] == i && j.fold[i] < HST_FOLDS)
            j.judged[j.n_judged++] = i;
    }
    if (rc == 0 && j.n_judged) {
        double error[POINTS];
        errors(&j, NULL, error);
        for (int at = 0; at < POINTS; at++) {
            out->part[at] = parts[at];
            out->photos[at] = j.photos[at];
            out->accuracy[at] = 1 - error[at];
            hst_wilson_part(1 - error[at], hst_fold_trials((double)j.n_judged, HST_FOLDS),
                            &out->low[at], &out->high[at]);
        }
        foresee(&j, out);
        find_gaining(&j, out);
        put_into_words(in, out);
    }
    hst_out_of_fold_clear(&j.own);
    free(j.group);
    free(j.rank);
    free(j.learn);
    free(j.right);
    free(j.judged);
    return rc;
}
