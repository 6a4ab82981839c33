/* extract.c - from photos to features: what the store knows, and the rest through the network. */
#include "base/mem.h"
#include "dataset/deep.h"
#include "features/lookup.h"
#include "features/loop.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    hst_ctx *ctx;
    const hst_extractor *e;
    const hst_data *d;
    hst_features *f;
    hst_lookup lookup;
    char *stored; /* [n]: its features came from the store */
    /* Features of the same photos that are there already, or NULL; of each view of e where they are
     * among their views, or -1. */
    const hst_features *have;
    int have_at[HST_LOOKUP_VIEWS];
} job;

/* Takes what is there already of photo i. */
static void take_over(const job *j, size_t i, hst_lookup_photo *p)
{
    int at, branch;
    const float *have = j->have->views + i * (size_t)j->have->view_floats;
    for (int v = 0; hst_extractor_view(j->e, v, &at, &branch); v++) {
        if (j->have_at[v] < 0)
            continue;
        memcpy(p->views + at, have + j->have_at[v],
               (size_t)j->e->branch[branch].dim * sizeof *p->views);
        p->found[v] = 1;
        p->n_found++;
    }
    *p->picture = j->have->picture[i];
}

static int fill_row(const job *j, size_t i, hst_looking *l, hst_err *err)
{
    const size_t dim = (size_t)j->f->dim, floats = (size_t)j->e->view_floats;
    float *own = j->f->views ? NULL : hst_alloc(floats, sizeof *own, err);
    hst_lookup_photo p = {.path = j->d->photos[i].path,
                          .content = &j->f->content[i],
                          .picture = &j->f->picture[i],
                          .views = j->f->views ? j->f->views + i * floats : own};
    if (p.views && j->have)
        take_over(j, i, &p);
    int rc = p.views ? hst_lookup_one(&j->lookup, l, &p, err) : HST_EMEM;
    if (rc == 0)
        hst_extractor_combine(j->e, p.views, j->f->x + i * dim);
    j->stored[i] = rc == 0 && p.n_found == j->lookup.n_views;
    free(own);
    return rc;
}

static int work_photo(void *arg, size_t i, hst_looking *l, hst_err *err)
{
    const job *j = arg;
    const char *path = j->d->photos[i].path;
    hst_err why = {0};
    const int skipped = j->have && j->have->why[i];
    int rc = skipped ? hst_fail(&why, HST_EIMAGE, "%s", j->have->why[i]) : fill_row(j, i, l, &why);
    if (rc == HST_EMEM)
        return hst_fail(err, HST_EMEM, "%s: %s", path, why.msg);
    if (rc == 0)
        return 0;
    j->f->why[i] = hst_strdup(why.msg, err); /* this photo only: the job goes on */
    return j->f->why[i] ? 0 : HST_EMEM;
}

static void count_photo(void *arg, size_t i)
{
    const job *j = arg;
    if (hst_digest_is_set(&j->f->content[i]))
        hst_hex(j->f->content[i].byte, j->f->hex[i]);
    j->f->n_used += !j->f->why[i];
    if (j->f->why[i] && !j->have) /* it was told when it was skipped first */
        hst_log(j->ctx, HST_LOG_WARN, "skipped %s: %s", j->d->photos[i].path, j->f->why[i]);
    j->f->n_stored += j->stored[i] != 0;
}

static hst_features *features_new(const hst_extractor *e, size_t n, int keep_views, hst_err *err)
{
    const size_t views = keep_views ? (size_t)e->view_floats : 0;
    hst_features *f = hst_alloc(1, sizeof *f, err);
    if (!f)
        return NULL;
    f->n = n;
    f->dim = e->dim;
    f->view_floats = e->view_floats;
    f->prep = e->branch[0].view[0].prep;
    f->x = hst_alloc(n, (size_t)f->dim * sizeof *f->x, err);
    f->why = f->x ? hst_alloc(n, sizeof *f->why, err) : NULL;
    f->content = f->why ? hst_alloc(n, sizeof *f->content, err) : NULL;
    f->picture = f->content ? hst_alloc(n, sizeof *f->picture, err) : NULL;
    f->hex = f->picture ? hst_alloc(n, sizeof *f->hex, err) : NULL;
    f->views = f->hex && views ? hst_alloc(n, views * sizeof *f->views, err) : NULL;
    if (f->hex && (f->views || !views))
        return f;
    hst_features_free(f);
    return NULL;
}

static int extract(job *j, hst_err *err)
{
    int rc = 0, known = j->have != NULL;
    const int n_views = hst_extractor_n_views(j->e);
    for (int i = 0; i < n_views; i++)
        known &= j->have_at[i] >= 0;
    j->lookup = (hst_lookup){.ctx = j->ctx, .e = j->e, .n_views = n_views};
    if (!known)
        rc = hst_lookup_open(&j->lookup, j->ctx, j->e, j->have ? j->have_at : NULL, err);
    j->stored = rc ? NULL : hst_alloc(j->f->n, 1, err);
    if (rc == 0)
        rc = HST_EMEM;
    if (j->stored)
        rc = hst_photos_each(&(hst_photo_loop){.ctx = j->ctx,
                                               .extractor = j->e,
                                               .phase = known ? NULL : "features",
                                               .n = j->f->n,
                                               .arg = j,
                                               .work = work_photo,
                                               .done = count_photo},
                             err);
    hst_lookup_close(&j->lookup);
    free(j->stored);
    if (rc == 0 && j->f->n_used == 0)
        rc = hst_fail(err, HST_EDATA, "none of the %zu photos could be used; the first: %s: %s",
                      j->f->n, j->d->photos[0].path, j->f->why[0]);
    return rc;
}

hst_features *hst_features_through(hst_ctx *ctx, const hst_extractor *e, const hst_data *d,
                                   int keep_views, hst_err *err)
{
    if (d->n_photos == 0) {
        hst_fail(err, HST_EDATA, "there are no photos");
        return NULL;
    }
    hst_features *f = features_new(e, d->n_photos, keep_views, err);
    job j = {.ctx = ctx, .e = e, .d = d, .f = f};
    if (f && extract(&j, err) == 0)
        return f;
    hst_features_free(f);
    return NULL;
}

/* Where the features of e's i-th view are among those of another extractor, or -1. */
static int find_view(const hst_extractor *e, int i, const hst_extractor *among)
{
    int branch, other, at;
    const hst_view *v = hst_extractor_view(e, i, NULL, &branch), *o;
    for (int k = 0; (o = hst_extractor_view(among, k, &at, &other)); k++)
        if (e->branch[branch].backbone == among->branch[other].backbone &&
            memcmp(&o->prep, &v->prep, sizeof v->prep) == 0)
            return at;
    return -1;
}

hst_features *hst_features_further(hst_ctx *ctx, const hst_extractor *to, const hst_data *d,
                                   const hst_extractor *e, const hst_features *have, hst_err *err)
{
    hst_features *f = features_new(to, d->n_photos, 1, err);
    job j = {.ctx = ctx, .e = to, .d = d, .f = f, .have = have};
    for (int i = 0; i < hst_extractor_n_views(to); i++)
        j.have_at[i] = find_view(to, i, e);
    if (f) {
        memcpy(f->content, have->content, f->n * sizeof *f->content);
        if (extract(&j, err) == 0)
            return f;
    }
    hst_features_free(f);
    return NULL;
}

hst_features *hst_features_compute(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                   const char *prepare, hst_err *err)
{
    hst_extractor *e = hst_extractor_of(ctx, b, hst_deep_resolve(ctx, d, prepare), err);
    hst_features *f = e ? hst_features_through(ctx, e, d, 0, err) : NULL;
    hst_extractor_free(e);
    return f;
}

void hst_features_free(hst_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->why && i < f->n; i++)
        free(f->why[i]);
    free(f->why);
    free(f->content);
    free(f->picture);
    free(f->hex);
    free(f->x);
    free(f->views);
    free(f);
}

size_t hst_features_count(const hst_features *f)
{
    return f->n;
}

size_t hst_features_used(const hst_features *f)
{
    return f->n_used;
}

size_t hst_features_stored(const hst_features *f)
{
    return f->n_stored;
}

int hst_features_dim(const hst_features *f)
{
    return f->dim;
}

const float *hst_features_row(const hst_features *f, size_t i)
{
    return i < f->n && !f->why[i] ? f->x + i * (size_t)f->dim : NULL;
}

const char *hst_features_skipped(const hst_features *f, size_t i)
{
    return i < f->n ? f->why[i] : NULL;
}

const char *hst_features_sha256(const hst_features *f, size_t i)
{
    return i < f->n ? f->hex[i] : "";
}
