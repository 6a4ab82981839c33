/* extract.c - from photos to features: what the store knows, and the rest through the network. */
#include "base/mem.h"
#include "dataset/photo.h"
#include "features/loop.h"
#include "features/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct job {
    hst_ctx *ctx;
    const hst_extractor *e;
    const hst_data *d;
    hst_features *f;
    hst_store *store;     /* NULL: none */
    hst_store_kind *kind; /* [n_views] of the extractor */
    hst_store_kind kind_picture;
    int n_views;
    char *stored; /* [n]: its features came from the store */
    /* Features of the same photos that are there already, or NULL; of each view of e where they are
     * among their views, or -1. */
    const hst_features *have;
    int have_at[HST_MAX_BESIDE * HST_MAX_VIEWS];
} job;

/* One photo on its way to its row. */
typedef struct photo {
    size_t i;
    const char *path;
    hst_digest *content;                        /* filled */
    float *views;                               /* of all views */
    hst_picture *picture;                       /* filled */
    char found[HST_MAX_BESIDE * HST_MAX_VIEWS]; /* 1: that view's need not be computed */
    int n_found;
} photo;

/* Takes what is there already. */
static void take_over(const job *j, photo *p)
{
    int at, branch;
    const float *have = j->have->views + p->i * (size_t)j->have->view_floats;
    for (int i = 0; hst_extractor_view(j->e, i, &at, &branch); i++) {
        if (j->have_at[i] < 0)
            continue;
        memcpy(p->views + at, have + j->have_at[i],
               (size_t)j->e->branch[branch].dim * sizeof *p->views);
        p->found[i] = 1;
        p->n_found++;
    }
    *p->picture = j->have->picture[p->i];
}

/* Nothing has to be decoded for it. */
static int is_known(const job *j, const photo *p)
{
    return p->n_found == j->n_views && p->picture->pixels;
}

/* Takes from the store what it has of a photo whose content is known. */
static void look_up(const job *j, photo *p)
{
    int at;
    for (int i = 0; j->store && hst_extractor_view(j->e, i, &at, NULL); i++) {
        if (p->found[i])
            continue;
        p->found[i] = (char)hst_store_get(j->store, &j->kind[i], p->content, p->views + at);
        p->n_found += p->found[i];
    }
    float row[sizeof(hst_picture) / sizeof(float)];
    if (j->store && !p->picture->pixels &&
        hst_store_get(j->store, &j->kind_picture, p->content, row))
        memcpy(p->picture, row, sizeof row);
}

static int fill_picture(const job *j, hst_looking *l, const photo *p, hst_err *err)
{
    float row[sizeof(hst_picture) / sizeof(float)];
    int rc = hst_looking_picture(l, p->picture, err);
    if (rc || !j->store)
        return rc;
    memcpy(row, p->picture, sizeof row);
    hst_store_put(j->store, &j->kind_picture, p->content, row);
    return 0;
}

static int compute(const job *j, hst_looking *l, photo *p, const uint8_t *bytes, size_t n,
                   hst_err *err)
{
    int at, rc = hst_sha256_bytes(bytes, n, p->content->byte, err);
    if (rc)
        return rc;
    look_up(j, p);
    hst_looking_at_bytes(l, bytes, n);
    if (!p->picture->pixels)
        rc = fill_picture(j, l, p, err);
    for (int i = 0; rc == 0 && hst_extractor_view(j->e, i, &at, NULL); i++) {
        if (p->found[i])
            continue;
        rc = hst_looking_view(l, i, NULL, p->views + at, err);
        if (rc == 0 && j->store)
            hst_store_put(j->store, &j->kind[i], p->content, p->views + at);
    }
    return rc;
}

/* The features of every view. */
static int fill_views(const job *j, hst_looking *l, photo *p, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    if (j->have)
        take_over(j, p);
    if (is_known(j, p))
        return 0;
    int there = stat(p->path, &st) == 0;
    /* a known file of which the store has all need not be read */
    if (there && j->store && hst_store_known_file(j->store, &st, p->content))
        look_up(j, p);
    if (is_known(j, p))
        return 0;
    int rc = hst_photo_read(j->ctx, p->path, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = compute(j, l, p, bytes, n, err);
    if (rc == 0 && there && j->store && (uint64_t)st.st_size == n)
        hst_store_remember_file(j->store, &st, p->content);
    free(bytes);
    return rc;
}

static int fill_row(const job *j, size_t i, hst_looking *l, hst_err *err)
{
    const size_t dim = (size_t)j->f->dim, floats = (size_t)j->e->view_floats;
    float *own = j->f->views ? NULL : hst_alloc(floats, sizeof *own, err);
    photo p = {.i = i,
               .path = j->d->photos[i].path,
               .content = &j->f->content[i],
               .picture = &j->f->picture[i],
               .views = j->f->views ? j->f->views + i * floats : own};
    int rc = p.views ? fill_views(j, l, &p, err) : HST_EMEM;
    if (rc == 0)
        hst_extractor_combine(j->e, p.views, j->f->x + i * dim);
    j->stored[i] = rc == 0 && p.n_found == j->n_views;
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

/* What is there already needs no key, for which all weights are hashed; without a key no vector is
 * kept or found. */
static int open_store(job *j, hst_err *err)
{
    int branch, rc = 0;
    const hst_view *v;
    j->store = hst_store_open(j->ctx);
    if (!j->store)
        return 0;
    j->kind = hst_alloc((size_t)j->n_views, sizeof *j->kind, err);
    rc = j->kind ? hst_store_kind_picture(&hst_extractor_view(j->e, 0, NULL, NULL)->prep,
                                          &j->kind_picture, err)
                 : HST_EMEM;
    for (int i = 0; rc == 0 && (v = hst_extractor_view(j->e, i, NULL, &branch)); i++)
        if (!j->have || j->have_at[i] < 0)
            rc = hst_store_kind_of(j->ctx, j->e->branch[branch].backbone, &v->prep, &j->kind[i],
                                   err);
    return rc;
}

static int extract(job *j, hst_err *err)
{
    int rc = 0, known = j->have != NULL;
    j->n_views = hst_extractor_n_views(j->e);
    for (int i = 0; i < j->n_views; i++)
        known &= j->have_at[i] >= 0;
    if (!known)
        rc = open_store(j, err);
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
    hst_store_close(j->store);
    free(j->kind);
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
    hst_extractor *e = hst_extractor_of(ctx, b, prepare, err);
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
