/* extract.c - the loop over photos: read, hash, decode, prepare, run the network.
 *
 * A worker thread takes one photo through all of it, so decoding overlaps with the network of the
 * others, a pixel is copied once, and nothing about a photo depends on its neighbours. */
#include "base/file.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "features/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What one thread works with; made by the thread itself at its first photo. */
typedef struct desk {
    hst_work *work;
    float *input; /* [px][px][3] */
} desk;

typedef struct job {
    hst_ctx *ctx;
    const hst_backbone *b;
    const hst_data *d;
    hst_features *f;
    desk *desks;      /* [threads] */
    hst_store *store; /* NULL: none */
    size_t *item;     /* [n_slots]: photo in the slot */
    char *stored;     /* [n_slots]: its features came from the store */
    size_t next;
    size_t done;
    hst_meter meter;
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
    int rc = hst_contract_parse(prepare && !as_published ? prepare : "pil", &p.contract, err);
    if (rc == 0)
        *out = p;
    return rc;
}

static int sit_down(job *j, desk *k, hst_err *err)
{
    size_t px = (size_t)j->f->prep.px;
    if (k->work)
        return 0;
    k->input = hst_alloc(px * px, 3 * sizeof(float), err);
    k->work = k->input ? hst_work_new(j->b->plan, err) : NULL;
    return k->work ? 0 : HST_EMEM;
}

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    (void)err;
    if (j->next == j->f->n)
        return 0;
    j->item[slot] = j->next++;
    return 1;
}

/* One photo on its way through a worker. */
typedef struct passage {
    const char *path;
    hst_digest *content; /* filled */
    float *x;            /* its row of the features */
    int stored;          /* the row came from the store */
} passage;

/* 1 when the store knows this very file and its vector: it need not be read. */
static int from_known_file(job *j, passage *p, const struct stat *st)
{
    p->stored = j->store && hst_store_known_file(j->store, st, p->content) &&
                hst_store_get(j->store, p->content, p->x);
    return p->stored;
}

static int compute(job *j, desk *k, passage *p, const uint8_t *bytes, size_t n, hst_err *err)
{
    int rc = hst_sha256_bytes(bytes, n, p->content->byte, err);
    if (rc)
        return rc;
    p->stored = j->store && hst_store_get(j->store, p->content, p->x);
    if (p->stored)
        return 0;
    rc = sit_down(j, k, err);
    if (rc == 0)
        rc = hst_prepare_bytes(&j->f->prep, bytes, n, k->input, err);
    if (rc)
        return rc;
    hst_plan_run(j->b->plan, k->work, k->input, 1, p->x);
    if (j->store)
        hst_store_put(j->store, p->content, p->x);
    return 0;
}

static int pass(job *j, desk *k, passage *p, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    int there = stat(p->path, &st) == 0;
    if (there && from_known_file(j, p, &st))
        return 0;
    int rc = hst_file_read(p->path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = compute(j, k, p, bytes, n, err);
    if (rc == 0 && there && j->store && (uint64_t)st.st_size == n)
        hst_store_remember_file(j->store, &st, p->content);
    free(bytes);
    return rc;
}

static int work_photo(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    size_t i = j->item[slot];
    hst_err why = {0};
    passage p = {.path = j->d->photos[i].path,
                 .content = &j->f->content[i],
                 .x = j->f->x + i * (size_t)j->f->dim};
    int rc = pass(j, &j->desks[thread], &p, &why);
    j->stored[slot] = p.stored != 0;
    if (rc == HST_EMEM)
        return hst_fail(err, HST_EMEM, "%s: %s", p.path, why.msg);
    if (rc == 0)
        return 0;
    j->f->why[i] = hst_strdup(why.msg, err); /* this photo only: the job goes on */
    return j->f->why[i] ? 0 : HST_EMEM;
}

static int count_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    size_t i = j->item[slot];
    if (hst_digest_is_set(&j->f->content[i]))
        hst_hex(j->f->content[i].byte, j->f->hex[i]);
    if (j->f->why[i])
        hst_log(j->ctx, HST_LOG_WARN, "skipped %s: %s", j->d->photos[i].path, j->f->why[i]);
    else
        j->f->n_used++;
    j->f->n_stored += j->stored[slot] != 0;
    return hst_meter_at(&j->meter, ++j->done, err);
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

static int extract(job *j, hst_err *err)
{
    size_t threads = (size_t)hst_executor_threads(j->ctx->executor), slots = threads * 4;
    int rc = HST_EMEM;
    j->desks = hst_alloc(threads, sizeof *j->desks, err);
    j->item = j->desks ? hst_alloc(slots, sizeof *j->item, err) : NULL;
    j->meter = hst_meter_start(j->ctx, "features", j->f->n);
    j->stored = j->item ? hst_alloc(slots, 1, err) : NULL;
    if (j->stored)
        rc = hst_executor_pipeline(j->ctx->executor,
                                   &(hst_pipeline){.arg = j,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = count_photo,
                                                   .n_slots = slots},
                                   err);
    for (size_t t = 0; j->desks && t < threads; t++) {
        hst_work_free(j->desks[t].work);
        free(j->desks[t].input);
    }
    free(j->desks);
    free(j->item);
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
    job j = {.ctx = ctx, .b = b, .d = d, .f = f, .store = hst_store_open(ctx, b, prep)};
    int rc = extract(&j, err);
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
