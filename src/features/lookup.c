#include "features/lookup.h"
#include "base/mem.h"
#include "dataset/photo.h"

#include <stdlib.h>
#include <string.h>

int hst_lookup_open(hst_lookup *l, const hst_ctx *ctx, const hst_extractor *e, const int *have,
                    hst_err *err)
{
    int branch, rc = 0;
    const hst_view *v;
    *l = (hst_lookup){.ctx = ctx, .e = e, .n_views = hst_extractor_n_views(e)};
    l->store = hst_store_open(ctx);
    if (!l->store)
        return 0;
    l->kind = hst_alloc((size_t)l->n_views, sizeof *l->kind, err);
    rc = l->kind ? hst_store_kind_picture(&hst_extractor_view(e, 0, NULL, NULL)->prep,
                                          &l->kind_picture, err)
                 : HST_EMEM;
    for (int i = 0; rc == 0 && (v = hst_extractor_view(e, i, NULL, &branch)); i++)
        if (!have || have[i] < 0)
            rc = hst_store_kind_of(ctx, e->branch[branch].backbone, &v->prep, &l->kind[i], err);
    return rc;
}

void hst_lookup_close(hst_lookup *l)
{
    hst_store_close(l->store);
    free(l->kind);
    l->store = NULL;
    l->kind = NULL;
}

/* Nothing has to be decoded for it. */
static int is_known(const hst_lookup *l, const hst_lookup_photo *p)
{
    return p->n_found == l->n_views && (!p->picture || p->picture->pixels);
}

/* Takes from the store what it has of a photo whose content is known. */
static void look_up(const hst_lookup *l, hst_lookup_photo *p, enum hst_format format)
{
    int at;
    if (!l->store || !hst_store_photo_key(l->ctx, p->content, format, &p->key))
        return;
    for (int i = 0; hst_extractor_view(l->e, i, &at, NULL); i++) {
        if (p->found[i])
            continue;
        p->found[i] = (char)hst_store_get(l->store, &l->kind[i], &p->key, p->views + at);
        p->n_found += p->found[i];
    }
    float row[sizeof(hst_picture) / sizeof(float)];
    if (p->picture && !p->picture->pixels &&
        hst_store_get(l->store, &l->kind_picture, &p->key, row))
        memcpy(p->picture, row, sizeof row);
}

/* What is computed of it is kept. */
static int is_kept(const hst_lookup *l, const hst_lookup_photo *p)
{
    return l->store && hst_digest_is_set(&p->key);
}

static void keep_picture(const hst_lookup *l, const hst_lookup_photo *p)
{
    float row[sizeof(hst_picture) / sizeof(float)];
    if (!is_kept(l, p))
        return;
    memcpy(row, p->picture, sizeof row);
    hst_store_put(l->store, &l->kind_picture, &p->key, row);
}

static int fill_picture(const hst_lookup *l, hst_looking *looking, const hst_lookup_photo *p,
                        hst_err *err)
{
    int rc = hst_looking_picture(looking, p->picture, err);
    if (rc == 0)
        keep_picture(l, p);
    return rc;
}

static int compute(const hst_lookup *l, hst_looking *looking, hst_lookup_photo *p,
                   const uint8_t *bytes, size_t n, hst_err *err)
{
    int at, rc = hst_sha256_bytes(bytes, n, p->content->byte, err);
    if (rc)
        return rc;
    look_up(l, p, hst_format_of(bytes, n));
    hst_looking_at_bytes(looking, bytes, n);
    if (p->picture && !p->picture->pixels)
        rc = fill_picture(l, looking, p, err);
    for (int i = 0; rc == 0 && hst_extractor_view(l->e, i, &at, NULL); i++) {
        if (p->found[i])
            continue;
        rc = p->together ? hst_looking_view(looking, i, p->together, p->views + at, err)
                         : hst_looking_later(looking, i, p->views + at, err);
    }
    return rc;
}

int hst_lookup_begin(const hst_lookup *l, hst_looking *looking, hst_lookup_photo *p, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    struct stat st;
    enum hst_format format;
    if (is_known(l, p))
        return 0;
    int there = hst_photo_stat(l->ctx, p->path, &st) == 0;
    /* a known file of which the store has all need not be read */
    if (there && l->store && hst_store_known_file(l->store, p->path, &st, p->content, &format))
        look_up(l, p, format);
    if (is_known(l, p))
        return 0;
    int rc = hst_photo_read(l->ctx, p->path, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = compute(l, looking, p, bytes, n, err);
    if (rc == 0 && there && l->store && (uint64_t)st.st_size == n)
        hst_store_remember_file(l->store, &st, p->content, hst_format_of(bytes, n));
    free(bytes);
    return rc;
}

void hst_lookup_end(const hst_lookup *l, const hst_lookup_photo *p)
{
    int at;
    if (!is_kept(l, p))
        return;
    for (int i = 0; hst_extractor_view(l->e, i, &at, NULL); i++)
        if (!p->found[i])
            hst_store_put(l->store, &l->kind[i], &p->key, p->views + at);
}

void hst_lookup_keep_picture(const hst_lookup *l, const hst_lookup_photo *p)
{
    if (p->picture->pixels && p->n_found < l->n_views)
        keep_picture(l, p);
}

int hst_lookup_one(const hst_lookup *l, hst_looking *looking, hst_lookup_photo *p, hst_err *err)
{
    int rc = hst_lookup_begin(l, looking, p, err);
    const int flushed = hst_looking_flush(looking, rc ? NULL : err);
    rc = rc ? rc : flushed;
    if (rc == 0)
        hst_lookup_end(l, p);
    return rc;
}
