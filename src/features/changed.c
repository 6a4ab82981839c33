/* changed.c - features of augmented photos, from the store or through the network. */
#include "base/mem.h"
#include "dataset/photo.h"
#include "features/loop.h"
#include "features/store.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    const hst_changes *c;
    int n_views;
    hst_store *store;     /* NULL: none */
    hst_store_kind *kind; /* [times][n_views] */
    float *x;             /* [n][times][dim] */
} job;

/* One photo on its way to its rows. */
typedef struct photo {
    size_t i; /* of the data */
    float *x; /* [times][dim] */
    float *views;
    hst_looking *looking;
    uint8_t *bytes; /* NULL: not read yet */
} photo;

hst_augment_key hst_change_key(const hst_changes *c, size_t i, int number)
{
    const uint8_t *d = c->have->content[i].byte;
    return (hst_augment_key){.seed = c->seed,
                             .epoch = (uint32_t)number,
                             .photo = (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 |
                                      (uint32_t)d[2] << 8 | d[3]};
}

/* Its content must still be what the keys say. */
static int read_photo(const job *j, photo *p, hst_err *err)
{
    size_t n;
    hst_digest now;
    const char *path = j->c->d->photos[p->i].path;
    int rc = hst_photo_read(j->c->ctx, path, HST_EIMAGE, &p->bytes, &n, err);
    if (rc == 0)
        rc = hst_sha256_bytes(p->bytes, n, now.byte, err);
    if (rc == 0 && memcmp(now.byte, j->c->have->content[p->i].byte, sizeof now.byte) != 0)
        rc = hst_fail(err, HST_EDATA, "its content has changed since it was first read");
    if (rc == 0)
        hst_looking_at_bytes(p->looking, p->bytes, n);
    return rc;
}

/* One change of it, number from 1 on. */
static int fill_change(const job *j, photo *p, int number, hst_err *err)
{
    const enum hst_format format = (enum hst_format)j->c->have->picture[p->i].file.format;
    const hst_augment_key key = hst_change_key(j->c, p->i, number);
    hst_digest stands_for;
    const int keeps =
        j->store && hst_store_photo_key(j->c->ctx, &j->c->have->content[p->i], format, &stands_for);
    int at, rc = 0;
    for (int v = 0; rc == 0 && hst_extractor_view(j->c->extractor, v, &at, NULL); v++) {
        const hst_store_kind *kind =
            keeps ? &j->kind[(size_t)(number - 1) * (size_t)j->n_views + (size_t)v] : NULL;
        if (kind && hst_store_get(j->store, kind, &stands_for, p->views + at))
            continue;
        rc = p->bytes ? 0 : read_photo(j, p, err);
        if (rc)
            return rc;
        hst_looking_change(p->looking, HST_AUGMENT_AUTO, &key);
        rc = hst_looking_view(p->looking, v, NULL, p->views + at, err);
        if (rc == 0 && kind)
            hst_store_put(j->store, kind, &stands_for, p->views + at);
    }
    if (rc == 0)
        hst_extractor_combine(j->c->extractor, p->views,
                              p->x + (size_t)(number - 1) * (size_t)j->c->extractor->dim);
    return rc;
}

static int work_photo(void *arg, size_t k, hst_looking *l, hst_err *err)
{
    const job *j = arg;
    const hst_extractor *e = j->c->extractor;
    hst_err why = {0};
    photo p = {.i = j->c->photo[k],
               .x = j->x + k * (size_t)j->c->times * (size_t)e->dim,
               .views = hst_alloc((size_t)e->view_floats, sizeof *p.views, &why),
               .looking = l};
    int rc = p.views ? 0 : HST_EMEM;
    for (int t = 1; rc == 0 && t <= j->c->times; t++)
        rc = fill_change(j, &p, t, &why);
    free(p.views);
    free(p.bytes);
    if (rc == 0)
        return 0;
    return hst_fail(err, rc == HST_EMEM ? HST_EMEM : HST_EDATA,
                    "%s was usable and is not any more: %s", j->c->d->photos[p.i].path, why.msg);
}

static int make_kinds(job *j, hst_err *err)
{
    const hst_changes *c = j->c;
    int branch, rc = 0;
    const hst_view *v;
    j->kind = hst_alloc((size_t)c->times, (size_t)j->n_views * sizeof *j->kind, err);
    if (!j->kind)
        return HST_EMEM;
    for (int i = 0; rc == 0 && (v = hst_extractor_view(c->extractor, i, NULL, &branch)); i++) {
        hst_store_kind plain;
        rc =
            hst_store_kind_of(c->ctx, c->extractor->branch[branch].backbone, &v->prep, &plain, err);
        for (int t = 0; rc == 0 && t < c->times; t++) {
            const hst_augment_key key = {.seed = c->seed, .epoch = (uint32_t)t + 1};
            rc = hst_store_kind_changed(&plain, HST_AUGMENT_AUTO, &key,
                                        &j->kind[t * j->n_views + i], err);
        }
    }
    return rc;
}

int hst_features_changed(const hst_changes *c, float *x, hst_err *err)
{
    job j = {.c = c, .n_views = hst_extractor_n_views(c->extractor), .x = x};
    j.store = hst_store_open(c->ctx);
    int rc = j.store ? make_kinds(&j, err) : 0;
    if (rc == 0)
        rc = hst_photos_each(&(hst_photo_loop){.ctx = c->ctx,
                                               .extractor = c->extractor,
                                               .phase = "augmented views",
                                               .n = c->n,
                                               .arg = &j,
                                               .work = work_photo},
                             err);
    hst_store_close(j.store);
    free(j.kind);
    return rc;
}
