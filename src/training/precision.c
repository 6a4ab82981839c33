/* precision.c - whether a faster precision of the features costs accuracy on these photos.
 *
 * The same photos are classified out of fold, in the same folds and with the same strength of the
 * penalty, by their features in fp32 and in the faster precision, so that what differs is the
 * precision alone. With 200 photos one is half a point: each is judged FOLDINGS times, dealt to
 * other folds each time, and the right answers of all foldings are compared. */
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/deep.h"
#include "evaluation/metrics.h"
#include "training/cross_validation.h"
#include "training/recipe.h"

#include <stdio.h>
#include <stdlib.h>

enum { PHOTOS = 200, LEAST = 20, FOLDINGS = 5 };
static const double most_lost = 0.001;

/* Photos to try precisions on. */
typedef struct sample {
    hst_data data; /* a few photos of the caller's */
    uint8_t *side;
    size_t photo[PHOTOS]; /* [n] of them, of the training side */
    int label[PHOTOS];    /* 0 .. n_classes-1, of classes that are there */
    size_t n;
    int n_classes;
} sample;

static const hst_sized sized = HST_SIZED(hst_precision_choice, words);

/* Photos all over the data, so many that PHOTOS of them are likely on the training side. */
static int take(const hst_data *d, sample *s, hst_err *err)
{
    const double part = d->split == HST_SPLIT_STABLE ? 1 - d->val_part : 1;
    const size_t most = (size_t)(PHOTOS / part * 1.1) + 1;
    size_t n = 0, k = 0;
    s->data = *d;
    s->data.photos = hst_alloc(d->n_photos, sizeof *s->data.photos, err);
    s->side = s->data.photos ? hst_alloc(d->n_photos, 1, err) : NULL;
    if (!s->side)
        return HST_EMEM;
    for (size_t i = 0; i < d->n_photos; i++)
        if (d->photos[i].side != HST_VALIDATION)
            s->data.photos[n++] = d->photos[i];
    for (; n > most && k < most; k++)
        s->data.photos[k] = s->data.photos[k * n / most];
    s->data.n_photos = n > most ? most : n;
    return 0;
}

/* Those on the training side that can be used, evenly where there are more than PHOTOS. */
static int choose_photos(sample *s, const hst_features *f, hst_err *err)
{
    int *number = hst_alloc((size_t)s->data.n_classes, sizeof *number, err);
    size_t n = 0, seen = 0;
    int rc = number ? hst_split_assign(&s->data, f->content, f->why, s->side, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < s->data.n_photos; i++)
        n += !f->why[i] && s->side[i] != HST_VALIDATION;
    const size_t most = n < PHOTOS ? n : PHOTOS;
    for (size_t i = 0; rc == 0 && i < s->data.n_photos; i++) {
        if (f->why[i] || s->side[i] == HST_VALIDATION)
            continue;
        if (s->n < most && seen * most >= s->n * n) {
            int *known = &number[s->data.photos[i].label];
            *known = *known ? *known : ++s->n_classes;
            s->label[s->n] = *known - 1;
            s->photo[s->n++] = i;
        }
        seen++;
    }
    free(number);
    return rc;
}

/* Right answers of all foldings, and how many answers there were. *l2: 0, or the strength. */
static int judge(const hst_ctx *ctx, const sample *s, const hst_extractor *e, const hst_features *f,
                 double *l2, size_t *right, size_t *held, hst_err *err)
{
    const float *x[PHOTOS];
    int fold[PHOTOS], rc = 0;
    float *scale = hst_alloc((size_t)e->dim, sizeof *scale, err);
    hst_logistic p = {
        .x = x, .label = s->label, .n = s->n, .dim = e->dim, .n_classes = s->n_classes};
    if (!scale)
        return HST_EMEM;
    for (size_t i = 0; i < s->n; i++)
        x[i] = hst_features_row(f, s->photo[i]);
    hst_branch_scales(e, x, s->n, scale);
    p.scale = scale;
    *right = *held = 0;
    for (int k = 0; rc == 0 && k < FOLDINGS; k++) {
        hst_out_of_fold o = {0};
        rc = hst_folds_make(&p, s->data.seed + (uint64_t)k, fold, err);
        rc = rc ? rc
                : hst_cross_validate(ctx, &(hst_cross_validation){.p = &p, .fold = fold, .l2 = *l2},
                                     &o, err);
        for (size_t i = 0; rc == 0 && i < s->n; i++) {
            const float *prob = o.prob + i * (size_t)o.n_classes;
            *held += o.fold[i] != HST_FOLDS;
            *right += o.fold[i] != HST_FOLDS && hst_argmax(prob, o.n_classes) == s->label[i];
        }
        *l2 = rc ? 0 : o.l2;
        hst_out_of_fold_clear(&o);
    }
    free(scale);
    return rc;
}

/* Features of the sample in b's precision, judged. The first time the photos are chosen. */
static int try_one(hst_ctx *ctx, const hst_backbone *b, const char *prepare, sample *s, double *l2,
                   size_t *right, size_t *held, hst_err *err)
{
    hst_extractor *e = hst_extractor_of(ctx, b, prepare, err);
    hst_features *f = e ? hst_features_through(ctx, e, &s->data, 0, err) : NULL;
    int rc = f ? 0 : err && err->code ? err->code : HST_EMEM;
    if (rc == 0 && s->n == 0)
        rc = choose_photos(s, f, err);
    if (rc == 0 && s->n >= LEAST && s->n_classes > 1)
        rc = judge(ctx, s, e, f, l2, right, held, err);
    hst_features_free(f);
    hst_extractor_free(e);
    return rc;
}

/* Whether the candidate is as good as fp32; the words that say so. */
static int compare(hst_ctx *ctx, const hst_backbone *b, enum hst_precision candidate,
                   const char *prepare, sample *s, hst_precision_choice *c, hst_err *err)
{
    size_t right[2] = {0}, held = 0;
    double l2 = 0;
    const char *name = hst_precision_names[candidate];
    int rc = try_one(ctx, b, prepare, s, &l2, &right[0], &held, err);
    if (rc == 0 && held == 0)
        snprintf(c->words, sizeof c->words, "too few photos to measure what %s costs", name);
    if (rc || held == 0)
        return rc;
    hst_backbone *low = hst_backbone_in(ctx, b, candidate, err);
    rc = low ? try_one(ctx, low, prepare, s, &l2, &right[1], &held, err) : HST_EMEM;
    hst_backbone_free(low);
    if (rc)
        return rc;
    const double lost = ((double)right[0] - (double)right[1]) / (double)held;
    c->n = s->n;
    c->accuracy_fp32 = (double)right[0] / (double)held;
    c->accuracy = lost < most_lost ? (double)right[1] / (double)held : c->accuracy_fp32;
    c->precision = lost < most_lost ? name : c->precision;
    if (lost < most_lost)
        snprintf(c->words, sizeof c->words,
                 "accuracy %.1f %%, in fp32 %.1f %% (cross-validated, %zu photos)",
                 100 * c->accuracy, 100 * c->accuracy_fp32, s->n);
    else
        snprintf(c->words, sizeof c->words, "%s would cost %.1f points of accuracy (%zu photos)",
                 name, 100 * lost, s->n);
    return 0;
}

int hst_precision_choose(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                         const char *prepare, hst_precision_choice *out, hst_err *err)
{
    hst_ctx silent = *ctx; /* what there is to say of photos is said when they are used */
    hst_precision_choice c = {.size = sizeof c, .precision = hst_precision_names[0]};
    sample s = {.n = 0};
    int fastest = HST_PRECISION_FP32;
    int rc = hst_sized_check(&sized, out, err);
    silent.log = NULL;
    if (rc == 0 && b->precision != HST_PRECISION_FP32)
        rc = hst_fail(err, HST_EARG, "the backbone is of precision %s already",
                      hst_precision_names[b->precision]);
    for (int i = 0, is_faster; hst_precision(ctx, i, &is_faster); i++)
        fastest = is_faster ? i : fastest;
    if (rc == 0 && fastest == HST_PRECISION_FP32)
        snprintf(c.words, sizeof c.words, "nothing is faster on this processor");
    else if (rc == 0 && d->target != HST_TARGET_CLASS)
        snprintf(c.words, sizeof c.words, "what %s costs is only measured where classes are told",
                 hst_precision_names[fastest]);
    else if (rc == 0)
        rc = take(d, &s, err);
    if (rc == 0 && s.side)
        rc = compare(&silent, b, (enum hst_precision)fastest, hst_deep_resolve(&silent, d, prepare),
                     &s, &c, err);
    free(s.data.photos);
    free(s.side);
    if (rc == 0)
        hst_sized_write(&sized, &c, out);
    return rc;
}
