/* detection.c - how well photos of no class are told from those of a model's classes. */
#include "base/mem.h"
#include "base/sized.h"
#include "evaluation/auroc.h"
#include "evaluation/evaluation.h"
#include "model/model.h"

#include <math.h>
#include <stdlib.h>

static const double accepted =
    0.95; /* part of the known photos at which unknown ones are counted */

/* Scores of the photos that count. */
static size_t scores(const hst_eval *e, double *out)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_photos; i++)
        if (hst_eval_counts(hst_eval_at(e, i)))
            out[n++] = hst_eval_at(e, i)->unknown_score;
    return n;
}

static uint64_t above(const double *score, size_t n, double threshold)
{
    uint64_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += score[i] > threshold;
    return found;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Part of unknown[m] that are accepted where the smallest threshold is taken that accepts so many
 * of known[n], which is sorted by it. */
static double accepted_unknown(double *known, size_t n, const double *unknown, size_t m)
{
    qsort(known, n, sizeof *known, rising);
    const size_t rank = (size_t)ceil(accepted * (double)n - 1e-9);
    return 1 - (double)above(unknown, m, known[rank ? rank - 1 : 0]) / (double)m;
}

typedef struct place {
    double score;
    size_t photo;
} place;

static int by_score(const void *a, const void *b)
{
    return rising(&((const place *)a)->score, &((const place *)b)->score);
}

/* The area by the code for classes, of which there are two here. It wants numbers from 0 to 1 that
 * have the order of the scores: their ranks, as far as scores differ. */
static int area(const double *score, size_t n_known, size_t n, hst_estimate out[3], hst_err *err)
{
    place *p = hst_alloc(n, sizeof *p, err);
    float *prob = p ? hst_alloc(n, 2 * sizeof *prob, err) : NULL;
    hst_outcomes s = {.n = n, .n_classes = 2, .draws = n};
    s.photo = prob ? hst_alloc(n, sizeof *s.photo, err) : NULL;
    int rc = s.photo ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        p[i] = (place){score[i], i};
        s.photo[i] = (hst_outcome){.prob = prob + 2 * i, .truth = i >= n_known};
    }
    if (rc == 0)
        qsort(p, n, sizeof *p, by_score);
    for (size_t i = 0, rank = 0; rc == 0 && i < n; i++) {
        rank = i && p[i].score > p[i - 1].score ? i : rank;
        prob[2 * p[i].photo + 1] = (float)((double)rank / (double)n);
        prob[2 * p[i].photo] = 1 - prob[2 * p[i].photo + 1];
    }
    if (rc == 0)
        rc = hst_auroc(&s, out, err);
    if (rc == 0)
        rc = hst_auroc_intervals(&s, HST_AUROC_MOST, out, err);
    free(s.photo);
    free(prob);
    free(p);
    return rc;
}

static int compare(const hst_eval *known, const hst_eval *unknown, hst_detection *d, hst_err *err)
{
    double *score = hst_alloc(known->n + unknown->n, sizeof *score, err);
    hst_estimate of[3];
    if (!score)
        return HST_EMEM;
    const size_t n = scores(known, score), m = scores(unknown, score + n);
    *d = (hst_detection){.size = sizeof *d,
                         .known = n,
                         .unknown = m,
                         .refused = above(score, n, 0),
                         .found = above(score + n, m, 0),
                         .auroc = NAN,
                         .auroc_low = NAN,
                         .auroc_high = NAN,
                         .fpr95 = NAN,
                         .seen = unknown->n_seen,
                         .skipped = unknown->n_skipped};
    int rc = 0;
    if (n && m) {
        rc = area(score, n, n + m, of, err);
        d->auroc = of[1].value;
        d->auroc_low = of[1].low;
        d->auroc_high = of[1].high;
        d->fpr95 = accepted_unknown(score, n, score + n, m);
    }
    free(score);
    return rc;
}

int hst_detect(hst_ctx *ctx, const hst_model *m, const hst_eval *e, const hst_data *unknown,
               hst_detection *out, hst_err *err)
{
    static const hst_sized sized = HST_SIZED(hst_detection, skipped);
    hst_detection full;
    if (hst_sized_check(&sized, out, err))
        return HST_EARG;
    if (!m->unknown)
        return hst_fail(
            err, HST_EARG,
            "this model cannot tell unknown photos: train it again, with 'unknown_rate' "
            "above 0 and not by recipe tutorial");
    for (size_t i = 0; i < e->n_photos; i++)
        if (isnan(hst_eval_at(e, i)->unknown_score))
            return hst_fail(err, HST_EARG, "the evaluation is not one of this model");
    hst_eval *u = hst_eval_through(ctx, m, unknown, NULL, err);
    if (!u)
        return err && err->code ? err->code : HST_EMEM;
    int rc = compare(e, u, &full, err);
    if (rc == 0)
        hst_sized_write(&sized, &full, out);
    hst_eval_free(u);
    return rc;
}
