/* recompute.c - some photos once more, through a network that has changed. */
#include "base/ranks.h"
#include "dataset/photo.h"
#include "features/features.h"
#include "features/loop.h"

#include <stdlib.h>
#include <string.h>

static int work_photo(void *arg, size_t k, hst_looking *l, hst_err *err)
{
    const hst_recompute *a = arg;
    size_t i = a->photo[k], n;
    const char *path = a->d->photos[i].path;
    uint8_t *bytes = NULL;
    hst_err why = {0};
    int rc = hst_photo_read(a->ctx, path, HST_EIMAGE, &bytes, &n, &why);
    if (rc == 0) {
        hst_looking_at_bytes(l, bytes, n);
        rc = hst_looking_run(l, NULL, a->f->x + i * (size_t)a->f->dim, &why);
    }
    free(bytes);
    if (rc == 0)
        return 0;
    return hst_fail(err, rc == HST_EMEM ? HST_EMEM : HST_EDATA,
                    "%s was readable and is not any more: %s", path, why.msg);
}

static size_t row_bytes(const hst_recompute *a)
{
    return (size_t)a->f->dim * sizeof(float);
}

static float *row_of(const hst_recompute *a, size_t k)
{
    return a->f->x + a->photo[k] * (size_t)a->f->dim;
}

static void pack_row(void *arg, size_t k, hst_buf *b)
{
    hst_buf_add(b, row_of(arg, k), row_bytes(arg));
}

static int unpack_row(void *arg, size_t k, const uint8_t *p, size_t n, hst_err *err)
{
    if (n != row_bytes(arg))
        return hst_fail(err, HST_EPROC, "a message that is no row of features");
    memcpy(row_of(arg, k), p, n);
    return 0;
}

/* Rank 0 has all rows: all get them. */
static int share_rows(const hst_recompute *a, hst_err *err)
{
    int rc = 0;
    for (size_t k = 0; a->ctx->ranks && rc == 0 && k < a->n; k++)
        rc = hst_ranks_broadcast(a->ctx->ranks, row_of(a, k), row_bytes(a), err);
    return rc;
}

int hst_features_recompute(const hst_recompute *a, hst_err *err)
{
    hst_recompute job = *a;
    const int rc = hst_photos_each(&(hst_photo_loop){.ctx = a->ctx,
                                                     .extractor = a->extractor,
                                                     .phase = a->phase,
                                                     .n = a->n,
                                                     .arg = &job,
                                                     .work = work_photo,
                                                     .pack = pack_row,
                                                     .unpack = unpack_row},
                                   err);
    return rc ? rc : share_rows(a, err);
}
