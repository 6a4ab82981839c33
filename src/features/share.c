#include "features/share.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 8 << 20 /* bytes of a spill that are passed on before its pages are given back */ };

static size_t view_bytes(const hst_lookup *l)
{
    return (size_t)l->e->view_floats * sizeof(float);
}

void hst_lookup_pack(const hst_lookup *l, const hst_lookup_photo *p, hst_buf *b)
{
    hst_buf_add(b, p->content, sizeof *p->content);
    hst_buf_add(b, &p->key, sizeof p->key);
    hst_buf_add(b, p->picture, sizeof *p->picture);
    hst_buf_add(b, p->found, (size_t)l->n_views);
    hst_buf_add(b, p->views, view_bytes(l));
}

static void take(void *to, size_t n, const uint8_t **at)
{
    memcpy(to, *at, n);
    *at += n;
}

int hst_lookup_unpack(const hst_lookup *l, hst_lookup_photo *p, const uint8_t *bytes, size_t n,
                      hst_err *err)
{
    const size_t expected = sizeof *p->content + sizeof p->key + sizeof *p->picture +
                            (size_t)l->n_views + view_bytes(l);
    if (n != expected)
        return hst_fail(err, HST_EPROC, "%zu bytes of features, expected %zu", n, expected);
    take(p->content, sizeof *p->content, &bytes);
    take(&p->key, sizeof p->key, &bytes);
    take(p->picture, sizeof *p->picture, &bytes);
    take(p->found, (size_t)l->n_views, &bytes);
    take(p->views, view_bytes(l), &bytes);
    p->n_found = 0;
    for (int i = 0; i < l->n_views; i++)
        p->n_found += p->found[i] != 0;
    return 0;
}

/* Of the names of all photos and of all that is known of them. */
static int digest_of_list(const hst_data *d, hst_digest *out, hst_err *err)
{
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        const hst_photo *p = &d->photos[i];
        rc = hst_sha256_add(h, p->relative, strlen(p->relative) + 1, err);
        rc = rc ? rc : hst_sha256_add(h, &p->label, sizeof p->label, err);
    }
    rc = rc ? rc : hst_sha256_end(h, out->byte, err);
    hst_sha256_free(h);
    return rc;
}

int hst_features_alike(const hst_ctx *ctx, const hst_extractor *e, const hst_data *d, hst_err *err)
{
    hst_digest list;
    int branch, rc;
    const hst_view *v;
    if (hst_ranks_size(ctx->ranks) == 1)
        return 0;
    rc = digest_of_list(d, &list, err);
    rc = rc ? rc : hst_ranks_same(ctx->ranks, "list of photos", &list, sizeof list, err);
    for (int i = 0; rc == 0 && (v = hst_extractor_view(e, i, NULL, &branch)); i++) {
        hst_store_kind kind;
        rc = hst_store_kind_of(ctx, e->branch[branch].backbone, &v->prep, &kind, err);
        rc = rc ? rc
                : hst_ranks_same(ctx->ranks, "backbone, or other bits of its precision,",
                                 kind.prefix, sizeof kind.prefix, err);
    }
    return rc;
}

static int share_bytes(hst_ranks *r, hst_spill *s, void *at, size_t n, hst_err *err)
{
    int rc = 0;
    for (size_t done = 0; rc == 0 && done < n; done += PIECE) {
        const size_t some = n - done < PIECE ? n - done : PIECE;
        rc = hst_ranks_broadcast(r, (char *)at + done, some, err);
        hst_spill_passed(s, some);
    }
    return rc;
}

/* Why photos were skipped: each reason with its NUL, nothing for those that can be used. */
static int share_reasons(hst_ranks *r, hst_features *f, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    for (size_t i = 0; r->rank == 0 && i < f->n; i++)
        hst_buf_add(&b, f->why[i] ? f->why[i] : "", f->why[i] ? strlen(f->why[i]) + 1 : 1);
    size_t bytes = b.n;
    int rc = hst_buf_check(&b, err);
    rc = rc ? rc : hst_ranks_broadcast(r, &bytes, sizeof bytes, err);
    char *text = rc ? NULL : r->rank == 0 ? b.p : hst_alloc(bytes, 1, err);
    if (rc == 0)
        rc = text ? hst_ranks_broadcast(r, text, bytes, err) : HST_EMEM;
    const char *at = text, *end = text ? text + bytes : NULL;
    for (size_t i = 0; rc == 0 && r->rank > 0 && i < f->n; i++) {
        if (at >= end || !memchr(at, 0, (size_t)(end - at)))
            rc = hst_fail(err, HST_EPROC, "reasons for fewer photos than there are");
        free(f->why[i]);
        f->why[i] = rc || !*at ? NULL : hst_strdup(at, err);
        rc = rc || !*at || f->why[i] ? rc : HST_EMEM;
        at += rc ? 0 : strlen(at) + 1;
    }
    free(text);
    return rc;
}

int hst_features_share(hst_ranks *r, hst_features *f, int in_file, hst_err *err)
{
    size_t counts[2] = {f->n_used, f->n_stored};
    const size_t n = f->n;
    if (hst_ranks_size(r) == 1)
        return 0;
    int rc = hst_ranks_broadcast(r, counts, sizeof counts, err);
    f->n_used = counts[0];
    f->n_stored = counts[1];
    if (in_file || rc)
        return rc;
    rc = share_bytes(r, f->rows, f->x, n * (size_t)f->dim * sizeof *f->x, err);
    if (rc == 0 && f->views)
        rc = share_bytes(r, f->view_rows, f->views, n * (size_t)f->view_floats * sizeof *f->views,
                         err);
    rc = rc ? rc : share_bytes(r, f->pictures, f->picture, n * sizeof *f->picture, err);
    rc = rc ? rc : hst_ranks_broadcast(r, f->content, n * sizeof *f->content, err);
    rc = rc ? rc : hst_ranks_broadcast(r, f->pixels, n * sizeof *f->pixels, err);
    return rc ? rc : share_reasons(r, f, err);
}
