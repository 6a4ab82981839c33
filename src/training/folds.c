#include "training/folds.h"
#include "base/mem.h"
#include "base/random.h"
#include "inspection/groups.h"

#include <stdlib.h>
#include <string.h>

static size_t group_of(const hst_deal *d, size_t i)
{
    return d->group ? d->group[i] : i;
}

/* Marks in fold[] (else 0) the first photo of each group that is all there is of a class. */
static int mark_single(const hst_deal *d, int *fold, hst_err *err)
{
    size_t classes = (size_t)d->n_classes;
    size_t *first = hst_alloc(classes, sizeof *first, err); /* a group with the class, + 1 */
    char *several = first ? hst_alloc(classes, 1, err) : NULL;
    if (!several) {
        free(first);
        return HST_EMEM;
    }
    for (size_t i = 0; i < d->n; i++) {
        size_t c = (size_t)d->label[i], group = group_of(d, i) + 1;
        several[c] |= first[c] && first[c] != group;
        first[c] = first[c] ? first[c] : group;
    }
    for (size_t i = 0; i < d->n; i++)
        fold[i] = 0;
    for (size_t i = 0; i < d->n; i++)
        if (!several[d->label[i]])
            fold[group_of(d, i)] = HST_FOLDS;
    free(several);
    free(first);
    return 0;
}

int hst_folds_deal(const hst_deal *d, uint64_t seed, int *fold, hst_err *err)
{
    size_t *photos = hst_alloc(d->n, sizeof *photos, err), next = 0;
    int rc = photos ? mark_single(d, fold, err) : HST_EMEM;
    hst_rng random = hst_rng_new(seed, HST_RNG_FOLDS, 0, 0);
    for (int c = 0; rc == 0 && c < d->n_classes; c++) {
        size_t n = 0;
        for (size_t i = 0; i < d->n; i++)
            if (d->label[i] == c && group_of(d, i) == i)
                photos[n++] = i;
        hst_rng_shuffle(&random, photos, n);
        for (size_t i = 0; i < n; i++)
            if (fold[photos[i]] != HST_FOLDS)
                fold[photos[i]] = (int)(next++ % HST_FOLDS);
    }
    for (size_t i = 0; rc == 0 && i < d->n; i++)
        fold[i] = fold[group_of(d, i)];
    free(photos);
    return rc;
}

/* ---- copies ---- */

typedef struct row {
    uint64_t hash;
    size_t photo;
} row;

/* FNV-1a over the bits of each number (Fowler, Noll, Vo). */
static uint64_t hash_row(const float *x, int dim)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (int k = 0; k < dim; k++) {
        uint32_t bits;
        memcpy(&bits, x + k, sizeof bits);
        h = (h ^ bits) * 0x100000001b3u;
    }
    return h;
}

/* Rows that may be equal next to each other, in the order of the photos. */
static int by_hash(const void *pa, const void *pb)
{
    const row *a = pa, *b = pb;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

/* The first of rows[n], all of one hash, that is equal to the last of them. */
static size_t first_equal(const float *const *x, size_t bytes, const row *rows, size_t n)
{
    const float *mine = x[rows[n - 1].photo];
    size_t i = 0;
    while (i + 1 < n && memcmp(x[rows[i].photo], mine, bytes) != 0)
        i++;
    return rows[i].photo;
}

int hst_copies_group(const float *const *x, hst_spill *home, size_t n, int dim, size_t *group,
                     hst_err *err)
{
    const size_t bytes = (size_t)dim * sizeof **x;
    row *rows = hst_alloc(n, sizeof *rows, err);
    if (!rows)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        rows[i] = (row){hash_row(x[i], dim), i};
        hst_spill_passed(home, bytes);
    }
    qsort(rows, n, sizeof *rows, by_hash);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (rows[i].hash != rows[first].hash)
            first = i;
        group[rows[i].photo] = first_equal(x, bytes, rows + first, i + 1 - first);
        if (i > first) { /* two rows, somewhere */
            hst_spill_visited(home);
            hst_spill_visited(home);
        }
    }
    free(rows);
    return 0;
}

/* Copies by their features as well as by their pixels: one picture in two files, and what a network
 * sees no difference in. */
static int join_copies(const hst_features *f, size_t *group, hst_err *err)
{
    const float **x = hst_alloc(f->n, sizeof *x, err);
    size_t *photo = x ? hst_alloc(2 * f->n, sizeof *photo, err) : NULL, n = 0;
    int rc = photo ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        if (hst_features_row(f, i)) {
            x[n] = hst_features_row(f, i);
            photo[n++] = i;
        }
    size_t *copies = photo + f->n;
    if (rc == 0 && n)
        rc = hst_copies_group(x, f->rows, n, f->dim, copies, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        hst_groups_join(group, photo[i], photo[copies[i]]);
    hst_groups_flatten(group, rc ? 0 : f->n);
    free(x);
    free(photo);
    return rc;
}

int hst_near_copies_group(const hst_ctx *ctx, const hst_features *f, hst_near *near, size_t *group,
                          hst_err *err)
{
    int rc = hst_near_find(ctx, f->picture, f->pictures, f->n, near, err);
    if (rc)
        return rc;
    memcpy(group, near->group, f->n * sizeof *group);
    return join_copies(f, group, err);
}

int hst_groups_among(const size_t *whole, size_t n_whole, const size_t *photo, size_t n,
                     size_t *group, hst_err *err)
{
    size_t *first = hst_alloc(n_whole, sizeof *first, err); /* of each group, + 1 */
    if (!first)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        size_t *f = &first[whole[photo[i]]];
        *f = *f ? *f : i + 1;
        group[i] = *f - 1;
    }
    free(first);
    return 0;
}

int hst_folds_make(const hst_logistic *p, uint64_t seed, int *fold, hst_err *err)
{
    hst_deal deal = {.label = p->label, .group = p->group, .n = p->n, .n_classes = p->n_classes};
    size_t *own = p->group ? NULL : hst_alloc(p->n, sizeof *own, err);
    int rc = p->group || own ? 0 : HST_EMEM;
    if (rc == 0 && own) {
        rc = hst_copies_group(p->x, p->home, p->n, p->dim, own, err);
        deal.group = own;
    }
    if (rc == 0)
        rc = hst_folds_deal(&deal, seed, fold, err);
    free(own);
    return rc;
}
