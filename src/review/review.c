/* review.c - the review of a folder: features, findings, and the lists that people go through. */
#include "review/review.h"
#include "base/mem.h"
#include "dataset/deep.h"
#include "training/recipe.h"

#include <stdlib.h>
#include <string.h>

/* The usable photos, as findings take them. */
typedef struct usable {
    const float **x;
    int *label;
    size_t *photo;        /* index in the data */
    size_t *group, *next; /* the first with nearly the same picture; the next one, 0: none */
    float *scale;
    hst_finding *found;
    size_t n;
} usable;

static void usable_clear(usable *u)
{
    free(u->x);
    free(u->label);
    free(u->photo);
    free(u->group);
    free(u->next);
    free(u->scale);
    free(u->found);
}

static int usable_make(const hst_data *d, const hst_features *f, const hst_extractor *e, usable *u,
                       hst_err *err)
{
    u->x = hst_alloc(f->n, sizeof *u->x, err);
    u->label = u->x ? hst_alloc(f->n, sizeof *u->label, err) : NULL;
    u->photo = u->label ? hst_alloc(f->n, sizeof *u->photo, err) : NULL;
    u->group = u->photo ? hst_alloc(f->n, sizeof *u->group, err) : NULL;
    u->next = u->group ? hst_alloc(f->n, sizeof *u->next, err) : NULL;
    u->scale = u->next ? hst_alloc((size_t)e->dim, sizeof *u->scale, err) : NULL;
    u->found = u->scale ? hst_alloc(f->n, sizeof *u->found, err) : NULL;
    if (!u->found)
        return HST_EMEM;
    for (size_t i = 0; i < f->n; i++) {
        if (!hst_features_row(f, i))
            continue;
        u->x[u->n] = hst_features_row(f, i);
        u->label[u->n] = d->photos[i].label;
        u->photo[u->n++] = i;
    }
    hst_branch_scales(e, u->x, f->rows, u->n, u->scale);
    return 0;
}

/* The next photo of each one's group. */
static int chain_copies(usable *u, hst_err *err)
{
    size_t *last = hst_alloc(u->n, sizeof *last, err);
    if (!last)
        return HST_EMEM;
    for (size_t i = 0; i < u->n; i++) {
        if (u->group[i] != i)
            u->next[last[u->group[i]]] = i;
        last[u->group[i]] = i;
    }
    free(last);
    return 0;
}

/* ---- lists ---- */

static int by_score(const void *pa, const void *pb)
{
    const hst_review_photo *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

static hst_review_photo reviewed(const hst_data *d, const usable *u, size_t i)
{
    const hst_finding *f = &u->found[i];
    return (hst_review_photo){.size = sizeof(hst_review_photo),
                              .photo = u->photo[i],
                              .path = d->photos[u->photo[i]].path,
                              .label = u->label[i],
                              .suggested = f->suggested,
                              .score = 1 - (double)f->prob,
                              .suggested_prob = (double)f->suggested_prob,
                              .distance = (double)f->distance,
                              .judged = f->judged,
                              .wrong = f->wrong,
                              .outlier = f->outlier,
                              .hard = f->hard};
}

static int is_in(const hst_review_photo *p, enum hst_review_list list)
{
    return list == HST_REVIEW_ALL || (list == HST_REVIEW_WRONG && p->wrong) ||
           (list == HST_REVIEW_OUTLIERS && p->outlier) || (list == HST_REVIEW_HARD && p->hard);
}

/* In order of score; outliers, which are few, the farthest first. */
static void fill_list(hst_review *r, enum hst_review_list list)
{
    size_t *l = r->list[list], n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!is_in(&r->photo[i], list))
            continue;
        size_t k = n++;
        for (; list == HST_REVIEW_OUTLIERS && k > 0 &&
               r->photo[i].distance > r->photo[l[k - 1]].distance;
             k--)
            l[k] = l[k - 1];
        l[k] = i;
    }
    r->n_list[list] = n;
}

/* Groups of two and more, in the order of their first photos. place: of each in r->photo. */
static void fill_copies(hst_review *r, const usable *u, const size_t *place)
{
    for (size_t i = 0; i < u->n; i++) {
        if (u->group[i] != i || !u->next[i])
            continue;
        r->copy[r->n_copies++] = place[i];
        for (size_t j = u->next[i]; j; j = u->next[j])
            r->copy[r->n_copies++] = place[j];
        r->group[++r->n_groups] = r->n_copies;
    }
}

static int fill(hst_review *r, const usable *u, size_t n_photos, hst_err *err)
{
    size_t *at =
        hst_alloc(n_photos, sizeof *at, err); /* of each photo of the data, its number here */
    size_t *place = at ? hst_alloc(u->n, sizeof *place, err) : NULL;
    int rc = HST_EMEM;
    r->photo = place ? hst_alloc(u->n, sizeof *r->photo, err) : NULL;
    r->copy = r->photo ? hst_alloc(u->n, sizeof *r->copy, err) : NULL;
    r->group = r->copy ? hst_alloc(u->n + 1, sizeof *r->group, err) : NULL;
    for (int l = 0; r->group && l < HST_REVIEW_LISTS; l++)
        if (!(r->list[l] = hst_alloc(u->n, sizeof *r->list[l], err)))
            goto out;
    if (!r->group)
        goto out;
    r->n = u->n;
    for (size_t i = 0; i < u->n; i++) {
        r->photo[i] = reviewed(r->data, u, i);
        at[u->photo[i]] = i;
    }
    qsort(r->photo, r->n, sizeof *r->photo, by_score);
    for (size_t i = 0; i < r->n; i++)
        place[at[r->photo[i].photo]] = i;
    for (int l = 0; l < HST_REVIEW_LISTS; l++)
        fill_list(r, (enum hst_review_list)l);
    fill_copies(r, u, place);
    rc = 0;
out:
    free(at);
    free(place);
    return rc;
}

/* ---- making one ---- */

typedef struct source {
    const hst_data *d;
    const hst_features *f;
    const hst_extractor *e;
    const size_t *group;                /* [photos] copies and near copies */
    const hst_out_of_fold *out_of_fold; /* of all usable photos, or NULL */
    uint64_t seed;
} source;

static hst_review *review_make(const hst_ctx *ctx, const source *s, hst_err *err)
{
    usable u = {0};
    hst_review *r = hst_alloc(1, sizeof *r, err);
    if (r)
        r->ctx = hst_ctx_quiet(ctx);
    int rc = r ? usable_make(s->d, s->f, s->e, &u, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_groups_among(s->group, s->f->n, u.photo, u.n, u.group, err);
    if (rc == 0)
        rc = chain_copies(&u, err);
    if (rc == 0)
        rc = hst_findings_make(ctx,
                               &(hst_findings_in){.x = u.x,
                                                  .home = s->f->rows,
                                                  .scale = u.scale,
                                                  .label = u.label,
                                                  .group = u.group,
                                                  .n = u.n,
                                                  .dim = s->f->dim,
                                                  .n_classes = s->d->n_classes,
                                                  .out_of_fold = s->out_of_fold,
                                                  .seed = s->seed},
                               u.found, err);
    if (rc == 0) {
        r->data = s->d;
        r->n_skipped = s->f->n - s->f->n_used;
        r->n_stored = s->f->n_stored;
        rc = fill(r, &u, s->d->n_photos, err);
    }
    usable_clear(&u);
    if (rc == 0)
        return r;
    hst_review_free(r);
    return NULL;
}

hst_review *hst_review_of_run(const hst_run *r, const hst_model *m, hst_err *err)
{
    const source s = {.d = r->data,
                      .f = r->features,
                      .e = m->extractor,
                      .group = r->group,
                      .out_of_fold = r->out_of_fold.n ? &r->out_of_fold : NULL,
                      .seed = r->settings.seed};
    return review_make(&r->ctx, &s, err);
}

static hst_review *review_through(hst_ctx *ctx, const hst_extractor *e, const hst_data *d,
                                  uint64_t seed, hst_err *err)
{
    hst_features *f = hst_features_through(ctx, e, d, 0, err);
    size_t *group = f ? hst_alloc(f->n, sizeof *group, err) : NULL;
    const source s = {.d = d, .f = f, .e = e, .group = group, .seed = seed};
    hst_near near = {0};
    hst_review *r = group && hst_near_copies_group(ctx, f, &near, group, err) == 0
                        ? review_make(ctx, &s, err)
                        : NULL;
    hst_near_clear(&near);
    free(group);
    hst_features_free(f);
    return r;
}

static int check_labels(const hst_data *d, hst_err *err)
{
    if (d->target != HST_TARGET_CLASS)
        return hst_fail(err, HST_EARG, "a review is of photos of one class each; these have %s",
                        d->target == HST_TARGET_LABELS ? "several labels" : "a number");
    for (size_t i = 0; i < d->n_photos; i++)
        if (d->photos[i].label < 0)
            return hst_fail(err, HST_EARG, "photos without labels cannot be reviewed");
    return 0;
}

hst_review *hst_review_data(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                            const char *prepare, hst_err *err)
{
    hst_extractor *e = check_labels(d, err)
                           ? NULL
                           : hst_extractor_of(ctx, b, hst_deep_resolve(ctx, d, prepare), err);
    hst_review *r = e ? review_through(ctx, e, d, d->seed, err) : NULL;
    hst_extractor_free(e);
    return r;
}

hst_review *hst_review_with(hst_ctx *ctx, const hst_model *m, const hst_data *d, hst_err *err)
{
    return check_labels(d, err) ? NULL : review_through(ctx, m->extractor, d, d->seed, err);
}

void hst_review_free(hst_review *r)
{
    if (!r)
        return;
    for (int l = 0; l < HST_REVIEW_LISTS; l++)
        free(r->list[l]);
    free(r->photo);
    free(r->copy);
    free(r->group);
    free(r);
}

/* ---- asking it ---- */

const hst_review_photo *hst_review_at(const hst_review *r, enum hst_review_list list, size_t i)
{
    if ((int)list < 0 || (int)list >= HST_REVIEW_LISTS || i >= r->n_list[list])
        return NULL;
    return &r->photo[r->list[list][i]];
}

const hst_review_photo *hst_review_copy(const hst_review *r, size_t group, size_t i)
{
    if (group >= r->n_groups || i >= r->group[group + 1] - r->group[group])
        return NULL;
    return &r->photo[r->copy[r->group[group] + i]];
}

size_t hst_review_skipped(const hst_review *r)
{
    return r->n_skipped;
}

size_t hst_review_stored(const hst_review *r)
{
    return r->n_stored;
}
