/* recompute.c - some photos once more, through a network that has changed. */
#include "dataset/photo.h"
#include "features/features.h"
#include "features/loop.h"

#include <stdlib.h>

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

int hst_features_recompute(const hst_recompute *a, hst_err *err)
{
    hst_recompute job = *a;
    return hst_photos_each(&(hst_photo_loop){.ctx = a->ctx,
                                             .extractor = a->extractor,
                                             .phase = a->phase,
                                             .n = a->n,
                                             .arg = &job,
                                             .work = work_photo},
                           err);
}
