/* calibrate.c - the ranges that a backbone's products in 8 bits read, from photos: each goes
 * through the network in float32, and every number that a product reads is counted. */
#include "base/mem.h"
#include "base/sha256.h"
#include "dataset/deep.h"
#include "dataset/photo.h"
#include "dataset/thin.h"
#include "features/loop.h"
#include "features/store.h"
#include "nn/spread.h"

#include <stdio.h>
#include <stdlib.h>

enum { PHOTOS = 100, MADE_UP = 2 };
enum { RANGES_VERSION = 1 }; /* raised when the same photos may give other ranges than before */

typedef struct job {
    const hst_ctx *ctx;
    const hst_extractor *e; /* in float32 */
    const char *path[PHOTOS];
    size_t n, used;
    hst_store *store;  /* NULL: none */
    hst_digest photos; /* what stands for them all in the store; none: nothing does */
    hst_range *range[HST_MAX_BESIDE];        /* of each branch: what is found */
    hst_spread *all[HST_MAX_BESIDE];         /* of each branch */
    hst_spread *own[PHOTOS][HST_MAX_BESIDE]; /* of each photo, until it is added to all */
} job;

/* ---- which photos ---- */

/* Its hash, and what stands for it in the store, which knows many a file that need not be read. */
static int content_of(const job *j, const char *path, hst_digest *content, hst_digest *key,
                      hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    enum hst_format format;
    const int there = j->store && hst_photo_stat(j->ctx, path, &st) == 0;
    if (there && hst_store_known_file(j->store, path, &st, content, &format)) {
        (void)hst_store_photo_key(j->ctx, content, format, key);
        return 0;
    }
    int rc = hst_photo_read(j->ctx, path, HST_EIMAGE, &bytes, &n, err);
    rc = rc ? rc : hst_sha256_bytes(bytes, n, content->byte, err);
    if (rc == 0 && there) {
        format = hst_format_of(bytes, n);
        (void)hst_store_photo_key(j->ctx, content, format, key);
        if ((uint64_t)st.st_size == n)
            hst_store_remember_file(j->store, &st, content, format);
    }
    free(bytes);
    return rc;
}

/* The side of each, by their contents. why[i]: it cannot be read. */
static int find_sides(const job *j, const hst_data *d, hst_digest *key, char **why, uint8_t *side,
                      hst_err *err)
{
    int rc = 0;
    hst_digest *content = hst_alloc(d->n_photos + 1, sizeof *content, err);
    if (!content)
        return HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        hst_err unread = {0};
        rc = content_of(j, d->photos[i].path, &content[i], &key[i], &unread);
        if (rc == HST_EIMAGE || rc == HST_EIO) {
            why[i] = hst_strdup(unread.msg, err);
            rc = why[i] ? 0 : HST_EMEM;
        } else if (rc) {
            rc = hst_fail(err, rc, "%s", unread.msg);
        }
    }
    rc = rc ? rc : hst_split_assign(d, content, why, side, err);
    free(content);
    return rc;
}

/* The n chosen ones of some photos, by what stands for each. */
static int take(job *j, const hst_data *some, const hst_digest *key, const size_t *chosen,
                hst_err *err)
{
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM, known = j->store != NULL;
    for (size_t i = 0; rc == 0 && i < j->n; i++) {
        j->path[i] = some->photos[chosen[i]].path;
        known &= hst_digest_is_set(&key[chosen[i]]);
        rc = hst_sha256_add(h, key[chosen[i]].byte, sizeof key->byte, err);
    }
    if (rc == 0 && known)
        rc = hst_sha256_end(h, j->photos.byte, err);
    hst_sha256_free(h);
    return rc;
}

/* Up to PHOTOS of the training side, all over the data. */
static int choose(job *j, const hst_data *d, hst_err *err)
{
    hst_data some;
    size_t chosen[PHOTOS];
    j->n = 0;
    int rc = hst_data_thin(d, PHOTOS, &some, err);
    if (rc)
        return rc;
    uint8_t *side = hst_alloc(some.n_photos + 1, 1, err);
    hst_digest *key = side ? hst_alloc(some.n_photos + 1, sizeof *key, err) : NULL;
    char **why = key ? hst_alloc(some.n_photos + 1, sizeof *why, err) : NULL;
    rc = why ? find_sides(j, &some, key, why, side, err) : HST_EMEM;
    if (rc == 0)
        j->n = hst_data_choose(side, why, some.n_photos, PHOTOS, chosen);
    rc = rc ? rc : take(j, &some, key, chosen, err);
    for (size_t i = 0; why && i < some.n_photos; i++)
        free(why[i]);
    free(why);
    free(key);
    free(side);
    free(some.photos);
    return rc;
}

/* ---- what was found before ---- */

/* Of the ranges of a branch, which are kept like a vector: all that the vectors of its views depend
 * on, the photo being all of them. */
static int kind_of(const job *j, const hst_branch *b, hst_store_kind *out, hst_err *err)
{
    char text[32];
    hst_store_kind kind = {.dim = 2 * (size_t)hst_graph_n_nodes(b->backbone->graph)}, view;
    hst_sha256 *h = hst_sha256_new(err);
    snprintf(text, sizeof text, "ranges|%d|", RANGES_VERSION);
    int rc = h ? hst_sha256_adds(h, text, err) : HST_EMEM;
    for (int i = 0; rc == 0 && i < b->n_views; i++) {
        rc = hst_store_kind_of(j->ctx, b->backbone, &b->view[i].prep, &view, err);
        rc = rc ? rc : hst_sha256_add(h, view.prefix, sizeof view.prefix, err);
    }
    rc = rc ? rc : hst_sha256_end(h, kind.prefix, err);
    hst_sha256_free(h);
    if (rc == 0)
        *out = kind;
    return rc;
}

/* *known: the store has the ranges of every branch. */
static int look_up(job *j, hst_store_kind *kind, int *known, hst_err *err)
{
    int rc = 0;
    *known = hst_digest_is_set(&j->photos);
    for (int k = 0; rc == 0 && k < j->e->n_branches; k++) {
        rc = kind_of(j, &j->e->branch[k], &kind[k], err);
        j->range[k] = rc ? NULL : hst_alloc(kind[k].dim / 2, sizeof **j->range, err);
        rc = rc || j->range[k] ? rc : HST_EMEM;
        *known =
            rc == 0 && *known && hst_store_get(j->store, &kind[k], &j->photos, &j->range[k]->least);
    }
    return rc;
}

/* ---- through the network ---- */

static int watch_views(const job *j, size_t i, hst_looking *l, hst_err *err)
{
    hst_spread *const *own = j->own[i];
    int branch, rc = 0;
    for (int v = 0; rc == 0 && hst_extractor_view(j->e, v, NULL, &branch); v++) {
        float *y = hst_alloc((size_t)j->e->branch[branch].dim, sizeof *y, err);
        rc = y ? hst_looking_watch(l, v, hst_spread_add, own[branch], y, err) : HST_EMEM;
        free(y);
    }
    return rc;
}

static void forget(job *j, size_t i)
{
    for (int k = 0; k < HST_MAX_BESIDE; k++) {
        hst_spread_free(j->own[i][k]);
        j->own[i][k] = NULL;
    }
}

/* In the place of photos: blocks of colours with a fine pattern on them. */
static int watch_made_up(const job *j, size_t i, hst_looking *l, hst_err *err)
{
    enum { SIDE = 256 };
    hst_image picture = {.w = SIDE, .h = SIDE};
    picture.rgb = hst_alloc((size_t)SIDE * SIDE, 3, err);
    if (!picture.rgb)
        return HST_EMEM;
    for (size_t k = 0; k < (size_t)SIDE * SIDE * 3; k++) {
        const size_t c = k % 3, x = k / 3 % SIDE, y = k / 3 / SIDE;
        picture.rgb[k] =
            (uint8_t)(((x / 16 * 7 + y / 16 * 11) * (c + i + 1) % 9) * 24 + (x * 13 + y * 7) % 32);
    }
    hst_looking_at_image(l, &picture);
    int rc = watch_views(j, i, l, err);
    hst_image_clear(&picture);
    return rc;
}

static int watch_photo(const job *j, size_t i, hst_looking *l, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    int rc = hst_photo_read(j->ctx, j->path[i], HST_EIMAGE, &bytes, &n, err);
    if (rc == 0) {
        hst_looking_at_bytes(l, bytes, n);
        rc = watch_views(j, i, l, err);
    }
    free(bytes);
    return rc;
}

/* A photo that cannot be used is told of when it is to be used. */
static int work(void *arg, size_t i, hst_looking *l, hst_err *err)
{
    job *j = arg;
    hst_err why = {0};
    int rc = 0;
    for (int k = 0; rc == 0 && k < j->e->n_branches; k++) {
        j->own[i][k] = hst_spread_new(j->e->branch[k].backbone->graph, NULL, err);
        rc = j->own[i][k] ? 0 : HST_EMEM;
    }
    if (rc)
        return rc;
    rc = j->path[i] ? watch_photo(j, i, l, &why) : watch_made_up(j, i, l, &why);
    if (rc)
        forget(j, i);
    return rc == HST_EMEM || rc == HST_ESTOPPED ? hst_fail(err, rc, "%s", why.msg) : 0;
}

static int done(void *arg, size_t i, hst_err *err)
{
    job *j = arg;
    (void)err;
    for (int k = 0; k < j->e->n_branches; k++)
        if (j->own[i][k])
            hst_spread_merge(j->all[k], j->own[i][k]);
    j->used += j->own[i][0] != NULL;
    forget(j, i);
    return 0;
}

static int count(job *j, hst_err *err)
{
    int rc = 0;
    for (int k = 0; rc == 0 && k < j->e->n_branches; k++) {
        j->all[k] = hst_spread_new(j->e->branch[k].backbone->graph, NULL, err);
        rc = j->all[k] ? 0 : HST_EMEM;
    }
    rc = rc ? rc
            : hst_photos_each(&(hst_photo_loop){.ctx = j->ctx,
                                                .extractor = j->e,
                                                .phase = "ranges",
                                                .n = j->n,
                                                .arg = j,
                                                .work = work,
                                                .done = done},
                              err);
    for (size_t i = 0; i < PHOTOS; i++)
        forget(j, i);
    if (rc == 0 && j->used == 0)
        rc = hst_fail(err, HST_EDATA,
                      "no photo of the training side can be used to find the ranges of int8");
    return rc;
}

/* Into j->range, and the store. */
static int find(job *j, hst_err *err)
{
    hst_store_kind kind[HST_MAX_BESIDE];
    int known = 0, rc = look_up(j, kind, &known, err);
    if (rc || known)
        return rc;
    const hst_extractor *plain = j->e;
    hst_extractor *watched = hst_extractor_watched(plain, j->ctx, err);
    if (!watched)
        return err && err->code ? err->code : HST_EMEM;
    j->e = watched;
    rc = count(j, err);
    j->e = plain;
    hst_extractor_free(watched);
    for (int k = 0; rc == 0 && k < plain->n_branches; k++) {
        hst_spread_ranges(j->all[k], j->range[k]);
        if (hst_digest_is_set(&j->photos))
            hst_store_put(j->store, &kind[k], &j->photos, &j->range[k]->least);
    }
    return rc;
}

/* Backbones of the chain get what was found for the branches, which are theirs in order. */
static int settle(const job *j, hst_backbone *b, hst_err *err)
{
    int rc = 0;
    for (int k = 0; rc == 0 && b; b = b->beside, k++)
        rc = b->ranges ? 0 : hst_backbone_set_ranges(j->ctx, b, j->range[k], err);
    return rc;
}

static int is_wanted(const hst_backbone *b)
{
    for (; b; b = b->beside)
        if (b->precision == HST_PRECISION_INT8 && !b->ranges)
            return 1;
    return 0;
}

int hst_backbone_calibrate(hst_ctx *ctx, hst_backbone *b, const hst_data *d, const char *prepare,
                           hst_err *err)
{
    if (!is_wanted(b))
        return 0;
    const char *how = d ? hst_deep_resolve(ctx, d, prepare) : prepare;
    job *j = hst_alloc(1, sizeof *j, err);
    hst_backbone *plain = j ? hst_backbone_in(ctx, b, HST_PRECISION_FP32, err) : NULL;
    hst_extractor *e = plain ? hst_extractor_of(ctx, plain, how, err) : NULL;
    int rc = e ? 0 : err && err->code ? err->code : HST_EMEM;
    if (rc == 0) {
        *j = (job){.ctx = ctx, .e = e, .n = MADE_UP, .store = d ? hst_store_open(ctx) : NULL};
        rc = d ? choose(j, d, err) : 0;
        rc = rc ? rc : find(j, err);
        rc = rc ? rc : settle(j, b, err);
        for (int k = 0; k < HST_MAX_BESIDE; k++) {
            hst_spread_free(j->all[k]);
            free(j->range[k]);
        }
        hst_store_close(j->store);
    }
    hst_extractor_free(e);
    hst_backbone_free(plain);
    free(j);
    return rc;
}
