#include "training/effort.h"

#include "base/mem.h"
#include "evaluation/metrics.h"
#include "training/cross_validation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct search {
    hst_fit *fit;
    double spent;   /* passes of all photos so far */
    double budget;  /* and how many there may be */
    double began_s; /* of the training, for time_s */
    int *fold;      /* [train.n] the same folds for every candidate */
    double *loss;   /* [train.n] of what is kept: -ln p(label), out of fold */
    double log_loss, accuracy;
} search;

double hst_effort_budget(int effort)
{
    static const double passes[HST_EFFORT_MOST + 1] = {1, 1, 4.3, 60};
    return passes[effort];
}

int hst_effort_gains(const double *a, const double *b, size_t n, double margin)
{
    double sum = 0, squares = 0;
    if (n < 2)
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] - b[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    return mean > margin * sqrt(squares / ((double)n - 1) / (double)n);
}

/* ---- judging ---- */

/* Out-of-fold losses of the training side under an extractor, into loss[train.n]. */
static int cross_validate(const search *s, const hst_extractor *e, const hst_features *g,
                          double *loss, hst_effort_step *step, hst_err *err)
{
    const hst_examples *t = &s->fit->train;
    hst_out_of_fold o = {0};
    const float **x = hst_alloc(t->n, sizeof *x, err);
    float *scale = x ? hst_alloc((size_t)e->dim, sizeof *scale, err) : NULL;
    int rc = scale ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < t->n; i++)
        x[i] = hst_features_row(g, t->photo[i]);
    if (rc == 0) {
        hst_branch_scales(e, x, t->n, scale);
        hst_logistic p = {.x = x,
                          .label = t->label,
                          .n = t->n,
                          .dim = e->dim,
                          .n_classes = s->fit->run->data->n_classes,
                          .scale = scale};
        rc = hst_cross_validate(s->fit->ctx, &(hst_cross_validation){.p = &p, .fold = s->fold}, &o,
                                err);
    }
    size_t right = 0, held = 0;
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        const float *prob = o.prob + i * (size_t)o.n_classes;
        loss[i] = 0;
        if (o.fold[i] == HST_FOLDS)
            continue;
        held++;
        loss[i] = hst_log_loss(prob[t->label[i]]);
        right += hst_argmax(prob, o.n_classes) == t->label[i];
    }
    if (rc == 0) {
        step->log_loss = o.log_loss;
        step->accuracy = held ? (double)right / (double)held : 0;
    }
    hst_out_of_fold_clear(&o);
    free(x);
    free(scale);
    return rc;
}

static int note(search *s, const hst_effort_step *step, hst_err *err)
{
    hst_run *r = s->fit->run;
    hst_effort_step *more = hst_resize(r->step, r->n_steps + 1, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    r->step = more;
    r->step[r->n_steps++] = *step;
    hst_log(s->fit->ctx, HST_LOG_INFO,
            "effort: %s: out-of-fold log loss %.4f, accuracy %.3f: %s (%.1f s)", step->what,
            step->log_loss, step->accuracy, step->kept ? "kept" : "left out", step->seconds);
    return 0;
}

/* The rows of a side are those of other features of the same photos. */
static void point_at(hst_examples *e, const hst_features *f)
{
    for (size_t i = 0; i < e->n; i++)
        e->x[i] = hst_features_row(f, e->photo[i]);
}

/* The candidate becomes what is kept. */
static void keep(search *s, hst_extractor *c, hst_features *g, double *loss)
{
    hst_fit *f = s->fit;
    hst_extractor_give(f->extractor, c);
    hst_extractor_free(f->extractor);
    g->n_stored = f->run->features->n_stored; /* of the first pass, which all photos need */
    hst_features_free(f->run->features);
    free(s->loss);
    f->extractor = c;
    f->run->features = g;
    s->loss = loss;
    point_at(&f->train, g);
    point_at(&f->validation, g);
}

/* Passes that a candidate's new views cost. */
static double new_passes(const search *s, const hst_extractor *c)
{
    return hst_extractor_cost(c) - hst_extractor_cost(s->fit->extractor);
}

/* Whether there is time and budget left for so many passes. */
static int affordable(const search *s, double passes)
{
    const hst_run *r = s->fit->run;
    const double used = hst_now_s() - s->began_s, a_pass = used / s->spent;
    if (r->settings.time_s > 0 && used + passes * a_pass > r->settings.time_s)
        return 0;
    return s->spent + passes <= s->budget + 1e-9;
}

/* The usual rule of one standard error where a step makes every prediction dearer; what costs
 * nothing need hardly be better. */
static double margin(const hst_effort_step *step)
{
    return step->cost > 0 ? 1 : 0.25;
}

/* Tries an extractor, which is taken; NULL: it could not be made. */
static int consider(search *s, const char *what, hst_extractor *c, hst_err *err)
{
    hst_fit *f = s->fit;
    hst_effort_step step = {.cost = c ? new_passes(s, c) : 0};
    if (!c)
        return err && err->code ? err->code : HST_EMEM;
    if (!affordable(s, step.cost)) {
        hst_extractor_free(c);
        return 0;
    }
    double since = hst_now_s();
    snprintf(step.what, sizeof step.what, "%s", what);
    hst_features *g =
        hst_features_further(f->ctx, c, f->run->data, f->extractor, f->run->features, err);
    double *loss = g ? hst_alloc(f->train.n, sizeof *loss, err) : NULL;
    int rc = loss ? 0 : err && err->code ? err->code : HST_EMEM;
    const int all = g && g->n_used == f->run->features->n_used;
    s->spent += step.cost;
    if (rc == 0 && all)
        rc = cross_validate(s, c, g, loss, &step, err);
    step.seconds = hst_now_s() - since;
    step.kept = rc == 0 && all && hst_effort_gains(s->loss, loss, f->train.n, margin(&step));
    if (step.kept) {
        s->log_loss = step.log_loss;
        s->accuracy = step.accuracy;
        keep(s, c, g, loss);
    } else {
        hst_extractor_free(c);
        hst_features_free(g);
        free(loss);
    }
    return rc ? rc : note(s, &step, err);
}

/* ---- steps ---- */

static int try_transform(search *s, enum hst_transform t, hst_err *err)
{
    char what[64];
    if (s->fit->extractor->branch[0].transform == t)
        return 0;
    hst_extractor *c = hst_extractor_copy(s->fit->extractor, s->fit->ctx, err);
    for (int k = 0; c && k < c->n_branches; k++)
        c->branch[k].transform = t;
    snprintf(what, sizeof what, "transform %s", hst_transform_names[t]);
    return consider(s, what, c, err);
}

/* A copy in which every branch has the views that add gives for each of those it has. */
static hst_extractor *with_views(const search *s, int (*add)(const hst_prep *p, hst_prep *more),
                                 hst_err *err)
{
    const hst_extractor *e = s->fit->extractor;
    hst_extractor *c = hst_extractor_new(err);
    int rc = c ? 0 : HST_EMEM;
    for (int k = 0; rc == 0 && k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        rc = hst_extractor_add_branch(c, b->backbone, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++)
            rc = hst_extractor_add_view(c, s->fit->ctx, &b->view[i].prep, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++) {
            hst_prep more = b->view[i].prep;
            if (add(&b->view[i].prep, &more))
                rc = hst_extractor_add_view(c, s->fit->ctx, &more, err);
        }
        if (rc == 0)
            c->branch[k].transform = b->transform;
    }
    if (rc == 0)
        return c;
    hst_extractor_free(c);
    return NULL;
}

static int mirrored(const hst_prep *p, hst_prep *more)
{
    more->mirror = 1;
    return !p->mirror;
}

/* 288 beside 224: 9/7, to a multiple of 8. */
static int larger(const hst_prep *p, hst_prep *more)
{
    more->px = (p->px * 9 / 7 + 4) / 8 * 8;
    if (p->geometry != HST_SQUASH)
        more->resize_px = (p->resize_px * more->px + p->px - 1) / p->px;
    return 1;
}

/* The middle, 7/8 of the shorter edge. */
static int cropped(const hst_prep *p, hst_prep *more)
{
    more->geometry = HST_CROP_HF;
    more->resize_px = (p->px * 8 + 6) / 7;
    return p->geometry == HST_SQUASH;
}

/* ---- backbones at hand ---- */

/* Networks to put beside the first, the best first: by what they brought to six sets of photos
 * beside efficientnet_lite0, and by size. */
static const char *const companions[] = {
    "efficientnet_lite2", "mobilenet_v2",       "efficientnet_lite0", "efficientnet_lite1",
    "efficientnet_b0",    "mobilenet_v3_large", "resnet50",           NULL};

static int is_here(const search *s, const char *name)
{
    const char *known;
    int cached;
    for (int i = 0; (known = hst_backbone_name(s->fit->ctx, i, &cached)); i++)
        if (strcmp(known, name) == 0)
            return cached;
    return 0;
}

static int in_use(const search *s, const hst_backbone *b)
{
    const hst_extractor *e = s->fit->extractor;
    for (int k = 0; k < e->n_branches; k++)
        if (strcmp(e->branch[k].backbone->sha256, b->sha256) == 0 ||
            strcmp(e->branch[k].backbone->arch.family, b->arch.family) == 0)
            return 1;
    return 0;
}

/* What is kept, and beside it b, which sees photos in as many of the ways in which the first
 * backbone sees them. */
static hst_extractor *with_beside(const search *s, hst_backbone *b, int n_views, hst_err *err)
{
    const hst_branch *first = &s->fit->extractor->branch[0];
    hst_extractor *c = hst_extractor_copy(s->fit->extractor, s->fit->ctx, err);
    hst_prep p;
    int rc = c ? hst_extractor_prep(b, NULL, &p, err) : HST_EMEM;
    p.resampler = first->view[0].prep.resampler;
    if (rc == 0)
        rc = hst_extractor_add_branch(c, b, err);
    for (int i = 0; rc == 0 && i < n_views; i++) {
        const hst_prep *like = &first->view[i].prep, *plain = &first->view[0].prep;
        hst_prep own = p;
        own.mirror = like->mirror;
        own.px = p.px * like->px / plain->px;
        if (like->geometry != plain->geometry)
            (void)cropped(&p, &own);
        rc = hst_extractor_add_view(c, s->fit->ctx, &own, err);
    }
    if (rc) {
        hst_extractor_free(c);
        return NULL;
    }
    c->branch[c->n_branches - 1].transform = first->transform;
    return c;
}

/* A network that cannot be opened is no reason to fail: it was nobody's wish. */
static int try_beside(search *s, const char *name, int *tried, hst_err *err)
{
    hst_err why = {0};
    char what[96];
    hst_backbone *b = is_here(s, name) ? hst_backbone_open(s->fit->ctx, name, &why) : NULL;
    if (!b || in_use(s, b)) {
        if (why.code)
            hst_log(s->fit->ctx, HST_LOG_WARN, "effort: %s is left out: %s", name, why.msg);
        hst_backbone_free(b);
        return why.code == HST_EMEM || why.code == HST_ESTOPPED
                   ? hst_fail(err, why.code, "%s", why.msg)
                   : 0;
    }
    const int n = s->fit->extractor->n_branches;
    hst_extractor *c = with_beside(s, b, s->fit->extractor->branch[0].n_views, err);
    if (c && !affordable(s, new_passes(s, c))) {
        hst_extractor_free(c);
        c = with_beside(s, b, 1, err);
    }
    const double spent = s->spent;
    snprintf(what, sizeof what, "%s beside", name);
    int rc = consider(s, what, c, err);
    *tried += s->spent > spent;
    if (rc == 0 && s->fit->extractor->n_branches > n)
        s->fit->extractor->branch[n].owned = b;
    else
        hst_backbone_free(b);
    return rc;
}

static int try_companions(search *s, int most, hst_err *err)
{
    int rc = 0, tried = 0;
    for (int i = 0; rc == 0 && companions[i] && tried < most; i++)
        rc = try_beside(s, companions[i], &tried, err);
    return rc;
}

/* ---- the search ---- */

static int start(search *s, hst_err *err)
{
    const hst_examples *t = &s->fit->train;
    hst_run *r = s->fit->run;
    hst_effort_step first = {.kept = 1, .cost = s->spent};
    const double since = hst_now_s();
    size_t *group = hst_alloc(t->n, sizeof *group, err);
    s->fold = group ? hst_alloc(t->n, sizeof *s->fold, err) : NULL;
    s->loss = s->fold ? hst_alloc(t->n, sizeof *s->loss, err) : NULL;
    int rc = s->loss ? hst_copies_group(t->x, t->n, s->fit->extractor->dim, group, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_folds_deal(
            &(hst_deal){
                .label = t->label, .group = group, .n = t->n, .n_classes = r->data->n_classes},
            r->settings.seed, s->fold, err);
    if (rc == 0)
        rc = cross_validate(s, s->fit->extractor, r->features, s->loss, &first, err);
    free(group);
    hst_extractor_describe(s->fit->extractor, first.what, sizeof first.what);
    first.seconds = hst_now_s() - since;
    s->log_loss = first.log_loss;
    s->accuracy = first.accuracy;
    return rc ? rc : note(s, &first, err);
}

static int try_transforms(search *s, hst_err *err)
{
    int rc = 0;
    for (int t = HST_IDENTITY; rc == 0 && t < HST_TRANSFORMS; t++)
        rc = try_transform(s, (enum hst_transform)t, err);
    return rc;
}

/* What brought most for its cost comes first. The transform is chosen again in the end, since it is
 * for all. Where the user chose views, they stay as they are. */
static int run_steps(search *s, int level, hst_err *err)
{
    const int given = s->fit->extractor->branch[0].n_views > 1;
    int rc = start(s, err);
    if (rc == 0)
        rc = try_transforms(s, err);
    if (level == 1)
        return rc;
    if (rc == 0 && !given)
        rc = consider(s, "the middle too", with_views(s, cropped, err), err);
    if (rc == 0)
        rc = try_companions(s, level == 2 ? 1 : 3, err);
    if (rc == 0 && !given)
        rc = consider(s, "mirrored too", with_views(s, mirrored, err), err);
    if (rc == 0 && !given)
        rc = consider(s, "larger too", with_views(s, larger, err), err);
    return rc ? rc : try_transforms(s, err);
}

int hst_effort_search(hst_fit *f, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    const int level = o->time_s > 0 && o->effort == 0 ? HST_EFFORT_MOST : o->effort;
    search s = {.fit = f,
                .spent = hst_extractor_cost(f->extractor),
                .budget = hst_effort_budget(level),
                .began_s = f->began_s};
    if (level == 0)
        return 0;
    int rc = run_steps(&s, level, err);
    free(s.fold);
    free(s.loss);
    return rc;
}
