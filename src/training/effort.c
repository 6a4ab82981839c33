#include "training/effort.h"
#include "training/effort_search.h"

#include "base/mem.h"
#include "evaluation/metrics.h"
#include "training/cross_validation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int hst_search_judge(const hst_search *s, const hst_extractor *e, const hst_features *g,
                     const int *fold, double *loss, hst_effort_step *step, hst_err *err)
{
    const hst_examples *t = &s->fit->train;
    hst_logistic p = {.label = t->label,
                      .weight = s->weight,
                      .n = t->n,
                      .dim = e->dim,
                      .n_classes = s->fit->run->data->n_classes};
    hst_out_of_fold o = {0};
    const float **x = hst_alloc(t->n, sizeof *x, err);
    float *scale = x ? hst_alloc((size_t)e->dim, sizeof *scale, err) : NULL;
    int rc = scale ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < t->n; i++)
        x[i] = hst_features_row(g, t->photo[i]);
    if (rc == 0) {
        hst_branch_scales(e, x, g->rows, t->n, scale);
        p.x = x;
        p.home = g->rows;
        p.scale = scale;
        rc = hst_cross_validate(s->fit->ctx, &(hst_cross_validation){.p = &p, .fold = fold}, &o,
                                err);
    }
    size_t right = 0, held = 0;
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        const float *prob = o.prob + i * (size_t)o.n_classes;
        const int out = o.fold[i] != HST_FOLDS;
        loss[i] = out ? hst_log_loss(prob[t->label[i]]) : 0;
        right += out && hst_argmax(prob, o.n_classes) == t->label[i];
        held += (size_t)out;
    }
    if (rc == 0) {
        step->log_loss = o.log_loss;
        step->accuracy = held ? (double)right / (double)held : 0;
        step->l2 = o.l2;
    }
    hst_out_of_fold_clear(&o);
    free(x);
    free(scale);
    return rc;
}

int hst_search_note(hst_search *s, const hst_effort_step *step, hst_err *err)
{
    hst_run *r = s->fit->run;
    hst_effort_step *more = hst_resize(r->step, r->n_steps + 1, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    r->step = more;
    r->step[r->n_steps] = *step;
    r->step[r->n_steps++].size = sizeof *step;
    hst_log(s->fit->ctx, HST_LOG_INFO,
            "effort: %s: out-of-fold log loss %.4f, accuracy %.3f: %s (%.1f s)", step->what,
            step->log_loss, step->accuracy, step->kept ? "kept" : "left out", step->seconds);
    return 0;
}

/* The rows of a side are those of other features of the same photos. */
static void point_at(hst_examples *e, const hst_features *f)
{
    e->home = f->rows;
    for (size_t i = 0; i < e->n; i++)
        e->x[i] = hst_features_row(f, e->photo[i]);
}

/* The candidate becomes what is kept. */
void hst_search_keep(hst_search *s, hst_extractor *c, hst_features *g, double *loss)
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
double hst_search_passes(const hst_search *s, const hst_extractor *c)
{
    return hst_extractor_cost(c) - hst_extractor_cost(s->fit->extractor);
}

/* Whether there is time and budget left for so many passes. */
int hst_search_affordable(const hst_search *s, double passes)
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
int hst_search_consider(hst_search *s, const char *what, hst_extractor *c, hst_err *err)
{
    hst_fit *f = s->fit;
    hst_effort_step step = {.cost = c ? hst_search_passes(s, c) : 0};
    if (!c)
        return err && err->code ? err->code : HST_EMEM;
    if (!hst_search_affordable(s, step.cost)) {
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
        rc = hst_search_judge(s, c, g, s->fold, loss, &step, err);
    step.seconds = hst_now_s() - since;
    step.kept = rc == 0 && all && hst_effort_gains(s->loss, loss, f->train.n, margin(&step));
    if (step.kept) {
        hst_search_keep(s, c, g, loss);
    } else {
        hst_extractor_free(c);
        hst_features_free(g);
        free(loss);
    }
    if (rc == 0 && !all)
        hst_log(f->ctx, HST_LOG_INFO, "effort: %s: left out, not all photos can be shown that way",
                what);
    return rc || !all ? rc : hst_search_note(s, &step, err);
}

/* ---- steps ---- */

static int try_transform(hst_search *s, enum hst_transform t, hst_err *err)
{
    char what[64];
    if (s->fit->extractor->branch[0].transform == t)
        return 0;
    hst_extractor *c = hst_extractor_copy(s->fit->extractor, s->fit->ctx, err);
    for (int k = 0; c && k < c->n_branches; k++)
        c->branch[k].transform = t;
    snprintf(what, sizeof what, "transform %s", hst_transform_names[t]);
    return hst_search_consider(s, what, c, err);
}

/* A copy in which every branch has the views that add gives for each of those it has. */
static hst_extractor *with_views(const hst_search *s, int (*add)(const hst_prep *p, hst_prep *more),
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

/* A part of the photo at the same size shows it larger, for one pass more; a second size as large
 * costs more than that and was measured to bring less. */
int hst_search_cropped(const hst_prep *p, hst_prep *more)
{
    hst_view_crop(p, more);
    return p->geometry == HST_SQUASH;
}

/* ---- the search ---- */

static int start(hst_search *s, hst_err *err)
{
    const hst_examples *t = &s->fit->train;
    hst_run *r = s->fit->run;
    hst_effort_step first = {.kept = 1, .cost = s->spent};
    const double since = hst_now_s();
    const hst_logistic p = {.x = t->x,
                            .home = t->home,
                            .label = t->label,
                            .group = t->group,
                            .n = t->n,
                            .dim = s->fit->extractor->dim,
                            .n_classes = r->data->n_classes};
    s->fold = hst_alloc(t->n, sizeof *s->fold, err);
    s->loss = s->fold ? hst_alloc(t->n, sizeof *s->loss, err) : NULL;
    int rc = s->loss ? hst_folds_make(&p, r->settings.seed, s->fold, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_search_judge(s, s->fit->extractor, r->features, s->fold, s->loss, &first, err);
    hst_extractor_describe(s->fit->extractor, first.what, sizeof first.what);
    first.seconds = hst_now_s() - since;
    return rc ? rc : hst_search_note(s, &first, err);
}

static int try_transforms(hst_search *s, hst_err *err)
{
    int rc = 0;
    for (int t = HST_IDENTITY; rc == 0 && t < HST_TRANSFORMS; t++)
        rc = try_transform(s, (enum hst_transform)t, err);
    return rc;
}

/* What brought most for its cost comes first. The transform is chosen again in the end, since it is
 * for all. Where the user chose views, they stay as they are. */
static int run_steps(hst_search *s, int level, hst_err *err)
{
    const int given = s->fit->extractor->branch[0].n_views > 1;
    int rc = start(s, err);
    if (rc == 0)
        rc = try_transforms(s, err);
    if (level == 1)
        return rc;
    if (rc == 0 && !given)
        rc = hst_search_consider(s, "the middle too", with_views(s, hst_search_cropped, err), err);
    if (rc == 0)
        rc = hst_search_companions(s, level == 2 ? 1 : 3, err);
    if (rc == 0 && !given)
        rc = hst_search_consider(s, "mirrored too", with_views(s, mirrored, err), err);
    if (rc == 0)
        rc = try_transforms(s, err);
    return rc || level == 2 ? rc : hst_search_tuned(s, err);
}

int hst_effort_search(hst_fit *f, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    const int level = o->time_s > 0 && o->effort == 0 ? HST_EFFORT_MOST : o->effort;
    hst_search s = {.fit = f,
                    .spent = hst_extractor_cost(f->extractor),
                    .budget = hst_effort_budget(level),
                    .began_s = f->began_s};
    if (level == 0)
        return 0;
    if (f->run->class_weights.kind != HST_UNWEIGHTED &&
        !(s.weight =
              hst_photo_weights(&f->run->class_weights, &f->train, f->run->data->n_classes, err)))
        return HST_EMEM;
    int rc = run_steps(&s, level, err);
    free(s.fold);
    free(s.loss);
    free(s.weight);
    return rc;
}
