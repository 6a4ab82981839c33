/* extract.c - from photos to features: what the store knows, and the rest through the network. */
#include "base/file.h"
#include "base/mem.h"
#include "features/loop.h"
#include "features/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct job {
    hst_ctx *ctx;
    const hst_data *d;
    hst_features *f;
    hst_store *store; /* NULL: none */
    char *stored;     /* [n]: its features came from the store */
} job;

int hst_features_prep(const hst_backbone *b, const char *prepare, hst_prep *out, hst_err *err)
{
    hst_prep p = {.px = b->arch.px, .norm = b->arch.norm};
    const hst_sizing *s = &b->arch.sizing;
    const int as_published = prepare && strcmp(prepare, "hub") == 0;
    if (as_published && !s->known)
        return hst_fail(err, HST_EARG,
                        "%s does not say how photos are brought to %d x %d pixels: choose \"pil\", "
                        "\"tf\" or \"fast\"",
                        b->source, p.px, p.px);
    if (as_published) {
        p.geometry = s->geometry;
        p.resize_px = s->resize_px;
        p.interpolation = s->interpolation;
    }
    int rc = hst_resampler_parse(prepare && !as_published ? prepare : "pil", &p.resampler, err);
    if (rc == 0)
        *out = p;
    return rc;
}

/* One photo on its way to its row. */
typedef struct photo {
    const char *path;
    hst_digest *content; /* filled */
    float *x;            /* its row of the features */
    char *stored;        /* 1: the row came from the store */
} photo;

/* 1 when the store knows this very file and its vector: it need not be read. */
static int from_known_file(const job *j, const photo *p, const struct stat *st)
{
    return j->store && hst_store_known_file(j->store, st, p->content) &&
           hst_store_get(j->store, p->content, p->x);
}

static int compute(const job *j, hst_photo_worker *w, const photo *p, const uint8_t *bytes,
                   size_t n, hst_err *err)
{
    int rc = hst_sha256_bytes(bytes, n, p->content->byte, err);
    if (rc)
        return rc;
    *p->stored = j->store && hst_store_get(j->store, p->content, p->x);
    if (*p->stored)
        return 0;
    rc = hst_photo_worker_run(w, bytes, n, p->x, err);
    if (rc == 0 && j->store)
        hst_store_put(j->store, p->content, p->x);
    return rc;
}

static int fill_row(const job *j, hst_photo_worker *w, const photo *p, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    int there = stat(p->path, &st) == 0;
    *p->stored = there && from_known_file(j, p, &st);
    if (*p->stored)
        return 0;
    int rc = hst_file_read(p->path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = compute(j, w, p, bytes, n, err);
    if (rc == 0 && there && j->store && (uint64_t)st.st_size == n)
        hst_store_remember_file(j->store, &st, p->content);
    free(bytes);
    return rc;
}

static int work_photo(void *arg, size_t i, hst_photo_worker *w, hst_err *err)
{
    const job *j = arg;
    hst_err why = {0};
    photo p = {.path = j->d->photos[i].path,
               .content = &j->f->content[i],
               .x = j->f->x + i * (size_t)j->f->dim,
               .stored = &j->stored[i]};
    int rc = fill_row(j, w, &p, &why);
    if (rc == HST_EMEM)
        return hst_fail(err, HST_EMEM, "%s: %s", p.path, why.msg);
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
    if (j->f->why[i])
        hst_log(j->ctx, HST_LOG_WARN, "skipped %s: %s", j->d->photos[i].path, j->f->why[i]);
    else
        j->f->n_used++;
    j->f->n_stored += j->stored[i] != 0;
}

static hst_features *features_new(const hst_backbone *b, size_t n, hst_err *err)
{
    hst_features *f = hst_alloc(1, sizeof *f, err);
    if (!f)
        return NULL;
    f->n = n;
    f->dim = hst_plan_output(b->plan).c;
    f->x = hst_alloc(n, (size_t)f->dim * sizeof *f->x, err);
    f->why = f->x ? hst_alloc(n, sizeof *f->why, err) : NULL;
    f->content = f->why ? hst_alloc(n, sizeof *f->content, err) : NULL;
    f->hex = f->content ? hst_alloc(n, sizeof *f->hex, err) : NULL;
    if (f->hex)
        return f;
    hst_features_free(f);
    return NULL;
}

static int extract(job *j, const hst_backbone *b, hst_err *err)
{
    j->stored = hst_alloc(j->f->n, 1, err);
    int rc = HST_EMEM;
    if (j->stored)
        rc = hst_photos_each(&(hst_photo_loop){.ctx = j->ctx,
                                               .plan = b->plan,
                                               .prep = &j->f->prep,
                                               .phase = "features",
                                               .n = j->f->n,
                                               .arg = j,
                                               .work = work_photo,
                                               .done = count_photo},
                             err);
    free(j->stored);
    if (rc == 0 && j->f->n_used == 0)
        rc = hst_fail(err, HST_EDATA, "none of the %zu photos could be used; the first: %s: %s",
                      j->f->n, j->d->photos[0].path, j->f->why[0]);
    return rc;
}

hst_features *hst_features_of(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                              const hst_prep *prep, hst_err *err)
{
    if (d->n_photos == 0) {
        hst_fail(err, HST_EDATA, "there are no photos");
        return NULL;
    }
    hst_features *f = features_new(b, d->n_photos, err);
    if (!f)
        return NULL;
    f->prep = *prep;
    job j = {.ctx = ctx, .d = d, .f = f, .store = hst_store_open(ctx, b, prep)};
    int rc = extract(&j, b, err);
    hst_store_close(j.store);
    if (rc == 0)
        return f;
    hst_features_free(f);
    return NULL;
}

hst_features *hst_features_compute(hst_ctx *ctx, const hst_backbone *b, const hst_data *d,
                                   const char *prepare, hst_err *err)
{
    hst_prep prep;
    if (hst_features_prep(b, prepare, &prep, err))
        return NULL;
    return hst_features_of(ctx, b, d, &prep, err);
}

void hst_features_free(hst_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->why && i < f->n; i++)
        free(f->why[i]);
    free(f->why);
    free(f->content);
    free(f->hex);
    free(f->x);
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
