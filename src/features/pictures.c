#include "features/pictures.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "dataset/deep.h"
#include "dataset/photo.h"
#include "features/store.h"
#include "images/prepare.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    const hst_ctx *ctx;
    const hst_data *d;
    hst_pictures *out;
    hst_digest *key;  /* [n] what stands for the photo in the store; none: nothing does */
    hst_store *store; /* NULL: none */
    hst_store_kind kind;
    enum hst_resampler resampler;
    char *stored; /* [n] */
    size_t *item; /* [slots]: the photo in each */
    size_t next, done;
    hst_meter meter;
} job;

static int look_up(const job *j, size_t i, enum hst_format format)
{
    float row[sizeof(hst_picture) / sizeof(float)];
    if (!j->store || !hst_store_photo_key(j->ctx, &j->out->content[i], format, &j->key[i]) ||
        !hst_store_get(j->store, &j->kind, &j->key[i], row))
        return 0;
    memcpy(&j->out->picture[i], row, sizeof row);
    j->stored[i] = 1;
    return 1;
}

static int decode(const job *j, size_t i, const uint8_t *bytes, size_t n, hst_err *err)
{
    float row[sizeof(hst_picture) / sizeof(float)];
    hst_picture p;
    hst_image img = {0};
    int rc =
        hst_image_decode(&(hst_decode){j->resampler, 0, j->ctx->decoders}, bytes, n, &img, err);
    rc = rc ? rc : hst_picture_of(&img, bytes, n, &p, err);
    hst_image_clear(&img);
    if (rc)
        return rc;
    j->out->picture[i] = p;
    memcpy(row, &p, sizeof row);
    if (j->store && hst_digest_is_set(&j->key[i]))
        hst_store_put(j->store, &j->kind, &j->key[i], row);
    return 0;
}

static int fill(const job *j, size_t i, hst_err *err)
{
    const char *path = j->d->photos[i].path;
    hst_digest *content = &j->out->content[i];
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    enum hst_format format;
    const int there = hst_photo_stat(j->ctx, path, &st) == 0;
    /* a known file of which the store has all need not be read */
    if (there && j->store && hst_store_known_file(j->store, path, &st, content, &format) &&
        look_up(j, i, format))
        return 0;
    int rc = hst_photo_read(j->ctx, path, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_sha256_bytes(bytes, n, content->byte, err);
    if (rc == 0 && !look_up(j, i, hst_format_of(bytes, n)))
        rc = decode(j, i, bytes, n, err);
    if (rc == 0 && there && j->store && (uint64_t)st.st_size == n)
        hst_store_remember_file(j->store, &st, content, hst_format_of(bytes, n));
    free(bytes);
    return rc;
}

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    (void)err;
    if (j->next == j->d->n_photos)
        return 0;
    j->item[slot] = j->next++;
    return 1;
}

static int work_photo(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    const size_t i = j->item[slot];
    hst_err why = {0};
    (void)thread;
    const int rc = fill(j, i, &why);
    hst_spill_passed(j->out->pictures, sizeof *j->out->picture);
    if (rc == 0)
        return 0;
    if (rc == HST_EMEM)
        return hst_fail(err, HST_EMEM, "%s: %s", j->d->photos[i].path, why.msg);
    j->out->why[i] = hst_strdup(why.msg, err);
    return j->out->why[i] ? 0 : HST_EMEM;
}

static int deliver_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    const size_t i = j->item[slot];
    j->out->n_used += !j->out->why[i];
    j->out->n_stored += j->stored[i] != 0;
    return hst_meter_at(&j->meter, ++j->done, err);
}

static hst_pictures *pictures_new(const hst_ctx *ctx, size_t n, hst_err *err)
{
    hst_pictures *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return NULL;
    p->n = n;
    p->pictures = hst_spill_new(ctx, n, sizeof *p->picture, err);
    p->picture = p->pictures ? hst_spill_at(p->pictures) : NULL;
    p->why = p->picture ? hst_alloc(n, sizeof *p->why, err) : NULL;
    p->content = p->why ? hst_alloc(n, sizeof *p->content, err) : NULL;
    if (p->content)
        return p;
    hst_pictures_free(p);
    return NULL;
}

hst_pictures *hst_pictures_of(hst_ctx *ctx, const hst_data *d, hst_err *err)
{
    enum { SLOTS_PER_THREAD = 4 };
    const size_t slots = (size_t)hst_executor_threads(ctx->executor) * SLOTS_PER_THREAD;
    job j = {.ctx = ctx, .d = d, .meter = hst_meter_start(ctx, "photos", d->n_photos)};
    int rc = HST_EMEM;
    j.out = pictures_new(ctx, d->n_photos, err);
    j.stored = j.out ? hst_alloc(d->n_photos, 1, err) : NULL;
    j.key = j.stored ? hst_alloc(d->n_photos, sizeof *j.key, err) : NULL;
    j.item = j.key ? hst_alloc(slots, sizeof *j.item, err) : NULL;
    j.resampler = hst_deep_resolve(ctx, d, NULL) ? HST_RESAMPLE_SCALED : HST_RESAMPLE_PIL;
    if (j.item)
        rc = hst_store_kind_picture(&(hst_prep){.resampler = j.resampler}, &j.kind, err);
    if (rc == 0) {
        j.store = hst_store_open(ctx);
        rc = hst_executor_pipeline(ctx->executor,
                                   &(hst_pipeline){.arg = &j,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = deliver_photo,
                                                   .n_slots = slots},
                                   err);
        hst_store_close(j.store);
    }
    free(j.stored);
    free(j.key);
    free(j.item);
    if (rc == 0)
        return j.out;
    hst_pictures_free(j.out);
    return NULL;
}

void hst_pictures_free(hst_pictures *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->why && i < p->n; i++)
        free(p->why[i]);
    free(p->why);
    hst_spill_free(p->pictures);
    free(p->content);
    free(p);
}
