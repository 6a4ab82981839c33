#include "review/findings.h"
#include "base/mem.h"
#include "review/neighbours.h"
#include "training/robust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    VOICES = 3,
    NEAREST = 5,    /* neighbours that tell how far a photo is from everything */
    FAR_LEAST = 20, /* photos from which on quartiles of that say anything */
    OTHER_FOLDS = 1 /* added to the seed: the second voice has folds of its own */
};
static const double part_of_distance = 1 / 16.; /* T, see findings.h */
static const float narrow = .25f;               /* a lead by less than that is hard */

typedef struct job {
    const hst_ctx *ctx;
    const hst_findings_in *in;
    hst_logistic p;
    size_t *group;       /* [n] */
    double *trust;       /* [n] 0: suspected after the first voice, else 1 */
    char *suspicious;    /* [n] */
    float *prob;         /* [n][n_classes] the mean of the voices */
    char *judged;        /* [n] */
    hst_out_of_fold own; /* the first voice, where it was not given */
    hst_neighbours near;
} job;

static int make_room(job *j, hst_err *err)
{
    const hst_findings_in *in = j->in;
    size_t cells;
    if (!hst_mul_ok(in->n, (size_t)in->n_classes, &cells))
        return hst_fail(err, HST_EMEM, "out of memory: %zu photos", in->n);
    j->group = hst_alloc(in->n, sizeof *j->group, err);
    j->trust = j->group ? hst_alloc(in->n, sizeof *j->trust, err) : NULL;
    j->suspicious = j->trust ? hst_alloc(in->n, 1, err) : NULL;
    j->judged = j->suspicious ? hst_alloc(in->n, 1, err) : NULL;
    j->prob = j->judged ? hst_alloc(cells, sizeof *j->prob, err) : NULL;
    if (!j->prob)
        return HST_EMEM;
    j->p = (hst_logistic){.x = in->x,
                          .home = in->home,
                          .scale = in->scale,
                          .label = in->label,
                          .n = in->n,
                          .dim = in->dim,
                          .n_classes = in->n_classes};
    if (!in->group)
        return hst_copies_group(in->x, in->home, in->n, in->dim, j->group, err);
    memcpy(j->group, in->group, in->n * sizeof *j->group);
    return 0;
}

/* Predictions out of fold: folds by seed, strength l2 (0: chosen), weights as given (NULL: 1). */
static int ask(const job *j, uint64_t seed, double l2, const double *weight, hst_out_of_fold *out,
               hst_err *err)
{
    hst_logistic p = j->p;
    hst_deal deal = {.label = p.label, .group = j->group, .n = p.n, .n_classes = p.n_classes};
    int *fold = hst_alloc(p.n, sizeof *fold, err);
    int rc = fold ? hst_folds_deal(&deal, seed, fold, err) : HST_EMEM;
    p.weight = weight;
    if (rc == 0)
        rc = hst_cross_validate(
            j->ctx, &(hst_cross_validation){.p = &p, .fold = fold, .l2 = l2, .rough = 1}, out, err);
    free(fold);
    return rc;
}

/* Adds a voice's probabilities of the photos that it has judged. */
static void add_voice(job *j, const hst_out_of_fold *o)
{
    const size_t classes = (size_t)j->in->n_classes;
    for (size_t i = 0; i < j->in->n; i++) {
        if (o->fold[i] >= HST_FOLDS)
            continue;
        j->judged[i]++;
        for (size_t c = 0; c < classes; c++)
            j->prob[i * classes + c] += o->prob[i * classes + c];
    }
}

/* The first two voices, and who is to be trusted after the first. */
static int ask_classifiers(job *j, hst_err *err)
{
    const hst_findings_in *in = j->in;
    const hst_out_of_fold *first = in->out_of_fold;
    hst_out_of_fold second = {0};
    int rc = 0;
    if (!first) {
        rc = ask(j, in->seed, 0, NULL, &j->own, err);
        first = &j->own;
    }
    if (rc)
        return rc;
    int64_t n = hst_suspicious(first, in->label, j->suspicious, err);
    rc = n < 0 ? (int)n : hst_robust_drop(&j->p, j->suspicious, j->trust, err);
    if (rc == 0)
        rc = ask(j, in->seed + OTHER_FOLDS, first->l2, j->trust, &second, err);
    if (rc == 0) {
        add_voice(j, first);
        add_voice(j, &second);
    }
    hst_out_of_fold_clear(&second);
    return rc;
}

/* The third voice. */
static void ask_neighbours(job *j)
{
    const size_t classes = (size_t)j->in->n_classes;
    const double apart = part_of_distance * (1 - j->near.mean_cosine);
    for (size_t i = 0; i < j->in->n; i++) {
        const hst_neighbour *near = j->near.near + i * HST_NEAR;
        double vote[HST_NEAR], sum = 0;
        for (int k = 0; k < j->near.n_near[i]; k++) {
            const double behind = (double)(near[0].cosine - near[k].cosine);
            vote[k] = j->trust[near[k].photo] > 0 && (apart > 0 || behind <= 0)
                          ? exp(behind > 0 ? -behind / apart : 0)
                          : 0;
            sum += vote[k];
        }
        if (!j->judged[i] || !(sum > 0))
            continue;
        j->judged[i]++;
        for (int k = 0; k < j->near.n_near[i]; k++)
            j->prob[i * classes + (size_t)j->in->label[near[k].photo]] += (float)(vote[k] / sum);
    }
}

/* Sums of the voices to means, and what they say of each photo. */
static void conclude(job *j, hst_finding *out)
{
    const size_t classes = (size_t)j->in->n_classes;
    for (size_t i = 0; i < j->in->n; i++) {
        float *prob = j->prob + i * classes;
        const int own = j->in->label[i];
        hst_finding *f = &out[i];
        *f = (hst_finding){.prob = 1, .suggested = own, .suggested_prob = 1};
        f->judged = j->judged[i] > 0;
        if (!f->judged)
            continue;
        f->suggested_prob = 0;
        for (int c = 0; c < (int)classes; c++) {
            prob[c] /= (float)j->judged[i];
            if (c != own && prob[c] > f->next_prob)
                f->next_prob = prob[c];
            if (prob[c] > f->suggested_prob) {
                f->suggested_prob = prob[c];
                f->suggested = c;
            }
        }
        f->prob = prob[own];
        f->hard = f->suggested == own && f->prob - f->next_prob < narrow;
    }
}

/* Confident learning on what all voices say together. */
static int find_wrong(job *j, hst_finding *out, hst_err *err)
{
    const size_t n = j->in->n;
    int *fold = hst_alloc(n, sizeof *fold, err);
    if (!fold)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        fold[i] = out[i].judged ? 0 : HST_FOLDS;
    hst_out_of_fold all = {.n = n, .n_classes = j->in->n_classes, .fold = fold, .prob = j->prob};
    int64_t found = hst_suspicious(&all, j->in->label, j->suspicious, err);
    for (size_t i = 0; found >= 0 && i < n; i++)
        out[i].wrong = j->suspicious[i];
    free(fold);
    return found < 0 ? (int)found : 0;
}

/* ---- outliers ---- */

static int ascending(const void *pa, const void *pb)
{
    const float a = *(const float *)pa, b = *(const float *)pb;
    return a < b ? -1 : a > b;
}

static int find_outliers(const job *j, hst_finding *out, hst_err *err)
{
    const size_t n = j->in->n;
    float *sorted = hst_alloc(n, sizeof *sorted, err);
    if (!sorted)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        const int near = j->near.n_near[i] < NEAREST ? j->near.n_near[i] : NEAREST;
        double sum = 0;
        for (int k = 0; k < near; k++)
            sum += (double)j->near.near[i * HST_NEAR + (size_t)k].cosine;
        sorted[i] = out[i].distance = near ? (float)(1 - sum / near) : 2;
    }
    qsort(sorted, n, sizeof *sorted, ascending);
    const float low = sorted[n / 4], high = sorted[n - 1 - n / 4];
    for (size_t i = 0; n >= FAR_LEAST && i < n; i++)
        out[i].outlier = out[i].distance > high + 1.5f * (high - low) + 1e-6f; /* of rounding */
    free(sorted);
    return 0;
}

int hst_findings_make(const hst_ctx *ctx, const hst_findings_in *in, hst_finding *out, hst_err *err)
{
    job j = {.ctx = ctx, .in = in};
    int rc = make_room(&j, err);
    for (size_t i = 0; rc == 0 && i < in->n; i++)
        j.trust[i] = 1;
    if (rc == 0 && in->n_classes > 1)
        rc = ask_classifiers(&j, err);
    if (rc == 0)
        rc = hst_neighbours_find(ctx,
                                 &(hst_near_in){.x = in->x,
                                                .home = in->home,
                                                .scale = in->scale,
                                                .group = j.group,
                                                .n = in->n,
                                                .dim = in->dim},
                                 &j.near, err);
    if (rc == 0) {
        ask_neighbours(&j);
        conclude(&j, out);
        rc = find_wrong(&j, out, err);
    }
    if (rc == 0)
        rc = find_outliers(&j, out, err);
    hst_neighbours_clear(&j.near);
    hst_out_of_fold_clear(&j.own);
    free(j.group);
    free(j.trust);
    free(j.suspicious);
    free(j.judged);
    free(j.prob);
    return rc;
}
