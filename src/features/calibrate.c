/* calibrate.c - the ranges that a backbone's products in 8 bits read, from photos: each goes
 * through the network in float32, and every number that a product reads is counted. */
#include "base/mem.h"
#include "base/sha256.h"
#include "dataset/deep.h"
#include "dataset/photo.h"
#include "dataset/thin.h"
#include "features/loop.h"
#include "nn/spread.h"

#include <stdlib.h>

enum { PHOTOS = 100, MADE_UP = 2 };

typedef struct job {
    const hst_ctx *ctx;
    const hst_extractor *e; /* watched */
    const char *path[PHOTOS];
    size_t n, used;
    hst_spread *all[HST_MAX_BESIDE];         /* of each branch */
    hst_spread *own[PHOTOS][HST_MAX_BESIDE]; /* of each photo, until it is added to all */
} job;

/* ---- which photos ---- */

/* The side of each, by their contents. why[i]: it cannot be read. */
static int find_sides(const hst_ctx *ctx, const hst_data *d, char **why, uint8_t *side,
                      hst_err *err)
{
    int rc = 0;
    hst_digest *content = hst_alloc(d->n_photos + 1, sizeof *content, err);
    if (!content)
        return HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        hst_err unread = {0};
        uint8_t *bytes = NULL;
        size_t n;
        rc = hst_photo_read(ctx, d->photos[i].path, HST_EIMAGE, &bytes, &n, &unread);
        if (rc == HST_EIMAGE || rc == HST_EIO) {
            why[i] = hst_strdup(unread.msg, err);
            rc = why[i] ? 0 : HST_EMEM;
        } else {
            rc = rc ? hst_fail(err, rc, "%s", unread.msg)
                    : hst_sha256_bytes(bytes, n, content[i].byte, err);
        }
        free(bytes);
    }
    rc = rc ? rc : hst_split_assign(d, content, why, side, err);
    free(content);
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
    char **why = side ? hst_alloc(some.n_photos + 1, sizeof *why, err) : NULL;
    rc = why ? find_sides(j->ctx, &some, why, side, err) : HST_EMEM;
    if (rc == 0)
        j->n = hst_data_choose(side, why, some.n_photos, PHOTOS, chosen);
    for (size_t i = 0; i < j->n; i++)
        j->path[i] = some.photos[chosen[i]].path;
    for (size_t i = 0; why && i < some.n_photos; i++)
        free(why[i]);
    free(why);
    free(side);
    free(some.photos);
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
        j->own[i][k] = hst_spread_new(j->e->branch[k].backbone->graph, err);
        rc = j->own[i][k] ? 0 : HST_EMEM;
    }
    if (rc)
        return rc;
    rc = j->path[i] ? watch_photo(j, i, l, &why) : watch_made_up(j, i, l, &why);
    if (rc)
        forget(j, i);
    return rc == HST_EMEM || rc == HST_ESTOPPED ? hst_fail(err, rc, "%s", why.msg) : 0;
}

static void done(void *arg, size_t i)
{
    job *j = arg;
    for (int k = 0; k < j->e->n_branches; k++)
        if (j->own[i][k])
            hst_spread_merge(j->all[k], j->own[i][k]);
    j->used += j->own[i][0] != NULL;
    forget(j, i);
}

static int count(job *j, hst_err *err)
{
    int rc = 0;
    for (int k = 0; rc == 0 && k < j->e->n_branches; k++) {
        j->all[k] = hst_spread_new(j->e->branch[k].backbone->graph, err);
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

/* Backbones of the chain get what the branches, which are theirs in order, have counted. */
static int settle(const job *j, hst_backbone *b, hst_err *err)
{
    int rc = 0;
    for (int k = 0; rc == 0 && b; b = b->beside, k++) {
        hst_range *r = hst_alloc((size_t)hst_graph_n_nodes(b->graph), sizeof *r, err);
        if (!r)
            return HST_EMEM;
        hst_spread_ranges(j->all[k], r);
        rc = b->ranges ? 0 : hst_backbone_set_ranges(j->ctx, b, r, err);
        free(r);
    }
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
    hst_extractor *watched = e ? hst_extractor_watched(e, ctx, err) : NULL;
    int rc = watched ? 0 : err && err->code ? err->code : HST_EMEM;
    if (rc == 0) {
        *j = (job){.ctx = ctx, .e = watched, .n = MADE_UP};
        rc = d ? choose(j, d, err) : 0;
        rc = rc ? rc : count(j, err);
        rc = rc ? rc : settle(j, b, err);
        for (int k = 0; k < HST_MAX_BESIDE; k++)
            hst_spread_free(j->all[k]);
    }
    hst_extractor_free(watched);
    hst_extractor_free(e);
    hst_backbone_free(plain);
    free(j);
    return rc;
}
