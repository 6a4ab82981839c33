#include "extractor/extractor.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const hst_transform_names[] = {
    [HST_IDENTITY] = "identity", [HST_ROOT] = "sqrt", [HST_UNIT] = "l2", NULL};

/* "pil,pad" is a word for pixels and one for the shape, into word and *fit (NULL: none). */
static int split_words(const char *prepare, char *word, size_t cap, const char **fit, hst_err *err)
{
    const char *comma = prepare ? strchr(prepare, ',') : NULL;
    const int n = comma ? (int)(comma - prepare) : prepare ? (int)strlen(prepare) : 0;
    *fit = comma ? comma + 1 : NULL;
    if ((size_t)n >= cap)
        return hst_resampler_parse(prepare, &(enum hst_resampler){0}, err);
    snprintf(word, cap, "%.*s", n, prepare ? prepare : "");
    return 0;
}

int hst_extractor_prep(const hst_backbone *b, const char *prepare, hst_prep *out, hst_err *err)
{
    char word[32];
    const char *fit;
    hst_prep p = {.size = b->arch.size, .norm = b->arch.norm};
    const hst_sizing *s = &b->arch.sizing;
    if (split_words(prepare, word, sizeof word, &fit, err))
        return HST_EARG;
    const int as_published = strcmp(word, "hub") == 0;
    if (as_published && fit)
        return hst_fail(
            err, HST_EARG,
            "with \"hub\" the backbone's publisher says how a photo is fitted: do not choose "
            "\"%s\" as well",
            fit);
    if (as_published && !s->known)
        return hst_fail(err, HST_EARG,
                        "%s does not say how photos are brought to %d x %d pixels: choose \"pil\", "
                        "\"tf\" or \"fast\"",
                        b->source, p.size.width, p.size.height);
    if (as_published) {
        p.geometry = s->geometry;
        p.resize = s->resize;
        p.interpolation = s->interpolation;
    }
    int rc = hst_resampler_parse(*word && !as_published ? word : "pil", &p.resampler, err);
    if (rc == 0 && fit)
        rc = hst_prep_fit(&p, fit, err);
    if (rc == 0)
        *out = p;
    return rc;
}

/* ---- made and changed ---- */

hst_extractor *hst_extractor_new(hst_err *err)
{
    return hst_alloc(1, sizeof(hst_extractor), err);
}

static void branch_clear(hst_branch *b)
{
    for (int i = 0; i < b->n_views; i++)
        hst_plan_free(b->view[i].owned);
    hst_backbone_free(b->owned);
}

void hst_extractor_free(hst_extractor *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->n_branches; i++)
        branch_clear(&e->branch[i]);
    free(e);
}

int hst_extractor_add_branch(hst_extractor *e, const hst_backbone *b, hst_err *err)
{
    const int dim = hst_plan_output(b->plan).c;
    if (e->n_branches == HST_MAX_BESIDE)
        return hst_fail(err, HST_EARG, "more than %d backbones side by side", HST_MAX_BESIDE);
    if (b->precision == HST_PRECISION_INT8 && !b->ranges)
        return hst_fail(
            err, HST_EARG,
            "the ranges that int8 needs are not known: hst_backbone_calibrate finds them");
    e->branch[e->n_branches++] = (hst_branch){.backbone = b, .dim = dim, .first = e->dim};
    e->dim += dim;
    return 0;
}

int hst_extractor_add_view_with(hst_extractor *e, const hst_ctx *ctx, const hst_graph *g,
                                const hst_plan_options *o, const hst_prep *p, hst_err *err)
{
    hst_branch *b = &e->branch[e->n_branches - 1];
    const int usual =
        !o && g == b->backbone->graph && hst_size_equal(p->size, b->backbone->arch.size);
    hst_view v = {.prep = *p, .plan = usual ? b->backbone->plan : NULL};
    if (b->n_views == HST_MAX_VIEWS)
        return hst_fail(err, HST_EARG, "more than %d views", HST_MAX_VIEWS);
    for (int i = 0; i < b->n_views; i++) /* views of one size share a plan */
        v.plan = hst_size_equal(b->view[i].prep.size, p->size) ? b->view[i].plan : v.plan;
    if (!v.plan)
        v.plan = v.owned = o ? hst_backbone_plan_with(ctx, b->backbone, g, p->size, o, err)
                             : hst_backbone_plan_at(ctx, b->backbone, g, p->size, err);
    if (!v.plan)
        return err && err->code ? err->code : HST_EMEM;
    b->view[b->n_views++] = v;
    e->view_floats += b->dim;
    return 0;
}

int hst_extractor_add_view(hst_extractor *e, const hst_ctx *ctx, const hst_prep *p, hst_err *err)
{
    const hst_graph *g = e->branch[e->n_branches - 1].backbone->graph;
    return hst_extractor_add_view_with(e, ctx, g, NULL, p, err);
}

hst_extractor *hst_extractor_of(const hst_ctx *ctx, const hst_backbone *first, const char *prepare,
                                hst_err *err)
{
    hst_extractor *e = hst_extractor_new(err);
    int rc = e ? 0 : HST_EMEM;
    for (const hst_backbone *b = first; rc == 0 && b; b = b->beside) {
        hst_prep base, view[HST_MAX_VIEWS];
        rc = hst_extractor_prep(b, prepare, &base, err);
        if (rc == 0)
            rc = hst_extractor_add_branch(e, b, err);
        for (int i = 0, n = rc ? 0 : hst_views_list(&b->views, &base, view); rc == 0 && i < n; i++)
            rc = hst_extractor_add_view(e, ctx, &view[i], err);
    }
    if (rc == 0)
        return e;
    hst_extractor_free(e);
    return NULL;
}

int hst_extractor_replace(hst_extractor *e, const hst_ctx *ctx, hst_backbone *b, hst_err *err)
{
    hst_branch *last = &e->branch[e->n_branches - 1], old = *last;
    const int view_floats = e->view_floats;
    int rc = 0;
    *last =
        (hst_branch){.backbone = b, .transform = old.transform, .dim = old.dim, .first = old.first};
    for (int i = 0; rc == 0 && i < old.n_views; i++)
        rc = hst_extractor_add_view(e, ctx, &old.view[i].prep, err);
    e->view_floats = view_floats;
    if (rc) {
        branch_clear(last);
        *last = old;
        return rc;
    }
    last->owned = b;
    branch_clear(&old);
    return 0;
}

/* g: NULL, or the weights for the one branch; o: NULL, or how its networks run. */
static hst_extractor *copy(const hst_extractor *e, const hst_ctx *ctx, const hst_graph *g,
                           const hst_plan_options *o, hst_err *err)
{
    hst_extractor *c = hst_extractor_new(err);
    int rc = c ? 0 : HST_EMEM;
    for (int k = 0; rc == 0 && k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        rc = hst_extractor_add_branch(c, b->backbone, err);
        for (int i = 0; rc == 0 && i < b->n_views; i++)
            rc = hst_extractor_add_view_with(c, ctx, g ? g : b->backbone->graph, o,
                                             &b->view[i].prep, err);
        c->branch[k].transform = b->transform;
    }
    if (rc == 0)
        return c;
    hst_extractor_free(c);
    return NULL;
}

hst_extractor *hst_extractor_copy(const hst_extractor *e, const hst_ctx *ctx, hst_err *err)
{
    return copy(e, ctx, NULL, NULL, err);
}

hst_extractor *hst_extractor_learned(const hst_extractor *e, const hst_ctx *ctx, const hst_graph *g,
                                     hst_err *err)
{
    return copy(e, ctx, g, NULL, err);
}

hst_extractor *hst_extractor_watched(const hst_extractor *e, const hst_ctx *ctx, hst_err *err)
{
    hst_plan_options o = hst_plan_defaults();
    o.fuse = 0;
    return copy(e, ctx, NULL, &o, err);
}

void hst_extractor_give(hst_extractor *e, hst_extractor *to)
{
    for (int k = 0; k < e->n_branches; k++)
        for (int i = 0; i < to->n_branches; i++)
            if (e->branch[k].owned && to->branch[i].backbone == e->branch[k].owned) {
                to->branch[i].owned = e->branch[k].owned;
                e->branch[k].owned = NULL;
            }
}

/* ---- what it is ---- */

int hst_extractor_n_views(const hst_extractor *e)
{
    int n = 0;
    for (int i = 0; i < e->n_branches; i++)
        n += e->branch[i].n_views;
    return n;
}

const hst_view *hst_extractor_view(const hst_extractor *e, int i, int *at, int *branch)
{
    int floats = 0;
    for (int k = 0; k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        if (i < b->n_views) {
            if (at)
                *at = floats + i * b->dim;
            if (branch)
                *branch = k;
            return &b->view[i];
        }
        i -= b->n_views;
        floats += b->n_views * b->dim;
    }
    return NULL;
}

/* A network's work grows with the area of the photo. */
static double view_cost(const hst_backbone *b, hst_size seen)
{
    const hst_size usual = b->arch.size;
    return hst_graph_flops(b->graph) * ((double)seen.width / usual.width) *
           ((double)seen.height / usual.height);
}

static double first_cost(const hst_extractor *e)
{
    return view_cost(e->branch[0].backbone, e->branch[0].view[0].prep.size);
}

double hst_extractor_cost_beside(const hst_extractor *e, const hst_backbone *b)
{
    return view_cost(b, b->arch.size) / first_cost(e);
}

double hst_extractor_cost(const hst_extractor *e)
{
    double sum = 0;
    for (int k = 0; k < e->n_branches; k++)
        for (int i = 0; i < e->branch[k].n_views; i++)
            sum += view_cost(e->branch[k].backbone, e->branch[k].view[i].prep.size);
    return sum / first_cost(e);
}

void hst_extractor_describe(const hst_extractor *e, char *out, size_t cap)
{
    size_t n = 0;
    char size[HST_SIZE_TEXT];
    out[0] = 0;
    for (int k = 0; k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        for (int i = 0; i < b->n_views && n < cap; i++) {
            const hst_prep *p = &b->view[i].prep;
            n += (size_t)snprintf(out + n, cap - n, "%s%s%s%s%s%s",
                                  i   ? ", "
                                  : k ? "; "
                                      : "",
                                  i ? "" : b->backbone->arch.family, i ? "" : " ",
                                  hst_size_text(p->size, size),
                                  i && p->geometry != b->view[0].prep.geometry ? " crop" : "",
                                  p->mirror ? " mirrored" : "");
        }
        if (b->transform != HST_IDENTITY && n < cap)
            n += (size_t)snprintf(out + n, cap - n, " (%s)", hst_transform_names[b->transform]);
    }
}

/* ---- arithmetic ---- */

static void transform(enum hst_transform t, float *x, int n)
{
    double sum = 0;
    for (int i = 0; t == HST_UNIT && i < n; i++)
        sum += (double)x[i] * (double)x[i];
    const double length = sqrt(sum);
    for (int i = 0; i < n; i++) {
        if (t == HST_ROOT)
            x[i] = x[i] < 0 ? -sqrtf(-x[i]) : sqrtf(x[i]);
        else if (length > 0)
            x[i] = (float)((double)x[i] / length);
    }
}

void hst_views_combine(const float *const *view, int n, int dim, enum hst_transform t, float *out)
{
    for (int k = 0; k < dim; k++) {
        double sum = (double)view[0][k];
        for (int i = 1; i < n; i++)
            sum += (double)view[i][k];
        out[k] = n == 1 ? view[0][k] : (float)(sum / n);
    }
    if (t != HST_IDENTITY)
        transform(t, out, dim);
}

void hst_extractor_combine(const hst_extractor *e, const float *views, float *out)
{
    const float *view[HST_MAX_VIEWS];
    for (int k = 0; k < e->n_branches; k++) {
        const hst_branch *b = &e->branch[k];
        for (int i = 0; i < b->n_views; i++, views += b->dim)
            view[i] = views;
        hst_views_combine(view, b->n_views, b->dim, b->transform, out + b->first);
    }
}
