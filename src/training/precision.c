/* precision.c - whether a faster precision of the features costs accuracy on these photos.
 *
 * The same photos are classified out of fold, in the same folds and with the same strength of the
 * penalty, by their features in fp32 and in the faster precision, so that what differs is the
 * precision alone. With 200 photos one is half a point: each is judged FOLDINGS times, dealt to
 * other folds each time, and the right answers of all foldings are compared. */
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/deep.h"
#include "dataset/thin.h"
#include "evaluation/metrics.h"
#include "training/cross_validation.h"
#include "training/recipe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHOTOS = 200, LEAST = 20, FOLDINGS = 5 };
static const double most_lost = 0.001;

/* Photos to try precisions on. */
typedef struct sample {
    hst_data data;        /* a few photos of the caller's */
    size_t photo[PHOTOS]; /* [n] of them, of the training side */
    int label[PHOTOS];    /* 0 .. n_classes-1, of classes that are there */
    size_t n;
    int n_classes;
} sample;

static const hst_sized sized = HST_SIZED(hst_precision_choice, words);

/* Those on the training side that can be used, evenly where there are more than PHOTOS. */
static int choose_photos(sample *s, const hst_features *f, hst_err *err)
{
    int *number = hst_alloc((size_t)s->data.n_classes, sizeof *number, err);
    uint8_t *side = number ? hst_alloc(s->data.n_photos, 1, err) : NULL;
    int rc = side ? hst_split_assign(&s->data, f->content, f->why, side, err) : HST_EMEM;
    if (rc == 0)
        s->n = hst_data_choose(side, f->why, s->data.n_photos, PHOTOS, s->photo);
    for (size_t i = 0; i < s->n; i++) {
        int *known = &number[s->data.photos[s->photo[i]].label];
        *known = *known ? *known : ++s->n_classes;
        s->label[i] = *known - 1;
    }
    free(side);
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
    hst_branch_scales(e, x, NULL, s->n, scale);
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

/* Features of the sample in b's precision, judged. The first time the photos are chosen. held 0:
 * there are too few. */
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

/* Right answers of b, of precision fp32 or other. */
typedef struct trial {
    hst_ctx *ctx;
    const hst_data *data;
    const char *prepare; /* resolved */
    sample sample;
    double l2;
    size_t right_fp32, held;
} trial;

/* fp32, which chooses photos and strength. words: why not, where it cannot be tried. */
static int begin(trial *t, const hst_backbone *fp32, const char *name, hst_precision_choice *c,
                 hst_err *err)
{
    if (t->data->target != HST_TARGET_CLASS) {
        snprintf(c->words, sizeof c->words, "what %s costs is only measured where classes are told",
                 name);
        return 0;
    }
    int rc = hst_data_thin(t->data, PHOTOS, &t->sample.data, err);
    rc = rc ? rc
            : try_one(t->ctx, fp32, t->prepare, &t->sample, &t->l2, &t->right_fp32, &t->held, err);
    if (rc == 0 && t->held == 0)
        snprintf(c->words, sizeof c->words, "too few photos to measure what %s costs", name);
    if (rc || t->held == 0)
        return rc;
    c->n = t->sample.n;
    c->accuracy = c->accuracy_fp32 = (double)t->right_fp32 / (double)t->held;
    return 0;
}

/* What b's precision costs, as part of the answers. */
static int cost_of(trial *t, const hst_backbone *b, hst_precision_choice *c, double *cost,
                   hst_err *err)
{
    size_t right = 0;
    int rc = try_one(t->ctx, b, t->prepare, &t->sample, &t->l2, &right, &t->held, err);
    if (rc)
        return rc;
    *cost = ((double)t->right_fp32 - (double)right) / (double)t->held;
    c->accuracy = (double)right / (double)t->held;
    return 0;
}

/* Room for words is left behind what is there. */
static void say(hst_precision_choice *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(hst_precision_choice *c, const char *format, ...)
{
    const size_t n = strlen(c->words);
    va_list args;
    va_start(args, format);
    vsnprintf(c->words + n, sizeof c->words - n, format, args);
    va_end(args);
}

static void say_accuracy(hst_precision_choice *c)
{
    say(c, "accuracy %.1f %%, in fp32 %.1f %% (cross-validated, %zu photos)", 100 * c->accuracy,
        100 * c->accuracy_fp32, c->n);
}

/* The fastest that costs nothing; the words that say so. */
static int try_faster(trial *t, const hst_backbone *b, hst_precision_choice *c, hst_err *err)
{
    char lost[64] = "";
    size_t n = 0;
    int rc = 0, found = 0;
    for (int i = HST_PRECISIONS - 1, is_faster; rc == 0 && !found && i > HST_PRECISION_FP32; i--) {
        const char *name = hst_precision(t->ctx, i, &is_faster);
        double cost = 0;
        if (!is_faster)
            continue;
        hst_backbone *low = hst_backbone_in(t->ctx, b, (enum hst_precision)i, err);
        rc = low ? hst_backbone_calibrate(t->ctx, low, t->data, t->prepare, err) : HST_EMEM;
        rc = rc ? rc : cost_of(t, low, c, &cost, err);
        hst_backbone_free(low);
        found = rc == 0 && cost < most_lost;
        if (found)
            c->precision = name;
        else
            n += (size_t)snprintf(lost + n, sizeof lost - n, "%s%s would cost %.1f", n ? ", " : "",
                                  name, 100 * cost);
    }
    if (found)
        say_accuracy(c);
    else
        c->accuracy = c->accuracy_fp32;
    if (n)
        say(c, "%s%s points of accuracy (%zu photos)", found ? "; " : "", lost, c->n);
    return rc;
}

/* What is tried on photos is said of them when they are used. */
static trial trial_of(hst_ctx *silent, const hst_ctx *ctx, const hst_data *d, const char *prepare)
{
    *silent = *ctx;
    silent->log = NULL;
    return (trial){.ctx = silent, .data = d, .prepare = hst_deep_resolve(silent, d, prepare)};
}

int hst_precision_choose(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                         const char *prepare, hst_precision_choice *out, hst_err *err)
{
    hst_ctx silent;
    hst_precision_choice c = {.size = sizeof c, .precision = hst_precision_names[0]};
    trial t = trial_of(&silent, ctx, d, prepare);
    int fastest = HST_PRECISION_FP32;
    int rc = hst_sized_check(&sized, out, err);
    if (rc == 0 && b->precision != HST_PRECISION_FP32)
        rc = hst_fail(err, HST_EARG, "the backbone is of precision %s already",
                      hst_precision_names[b->precision]);
    for (int i = 0, is_faster; hst_precision(ctx, i, &is_faster); i++)
        fastest = is_faster ? i : fastest;
    if (rc == 0 && fastest == HST_PRECISION_FP32)
        snprintf(c.words, sizeof c.words, "nothing is faster on this processor");
    else if (rc == 0)
        rc = begin(&t, b, hst_precision_names[fastest], &c, err);
    if (rc == 0 && c.n)
        rc = try_faster(&t, b, &c, err);
    free(t.sample.data.photos);
    if (rc == 0)
        hst_sized_write(&sized, &c, out);
    return rc;
}

int hst_precision_cost(hst_ctx *ctx, const hst_backbone *b, const hst_data *d, const char *prepare,
                       hst_precision_choice *out, hst_err *err)
{
    hst_ctx silent;
    hst_precision_choice c = {.size = sizeof c, .precision = hst_precision_names[b->precision]};
    trial t = trial_of(&silent, ctx, d, prepare);
    double cost;
    int rc = hst_sized_check(&sized, out, err);
    hst_backbone *fp32 = rc ? NULL : hst_backbone_in(ctx, b, HST_PRECISION_FP32, err);
    rc = rc || fp32 ? rc : HST_EMEM;
    rc = rc ? rc : begin(&t, fp32, c.precision, &c, err);
    if (rc == 0 && c.n)
        rc = cost_of(&t, b, &c, &cost, err);
    if (rc == 0 && c.n)
        say_accuracy(&c);
    hst_backbone_free(fp32);
    free(t.sample.data.photos);
    if (rc == 0)
        hst_sized_write(&sized, &c, out);
    return rc;
}
