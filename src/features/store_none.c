/* store_none.c - in place of store.c where there is no SQLite: every job computes its features. */
#include "base/parts.h"
#include "features/store.h"

hst_store *hst_store_open(const hst_ctx *ctx)
{
    (void)ctx;
    return NULL;
}

void hst_store_close(hst_store *s)
{
    (void)s;
}

int hst_store_known_file(hst_store *s, const char *path, const struct stat *st, hst_digest *content,
                         enum hst_format *format)
{
    (void)s;
    (void)path;
    (void)format;
    (void)st;
    (void)content;
    return 0;
}

void hst_store_remember_file(hst_store *s, const struct stat *st, const hst_digest *content,
                             enum hst_format format)
{
    (void)format;
    (void)s;
    (void)st;
    (void)content;
}

int hst_store_get(hst_store *s, const hst_store_kind *kind, const hst_digest *photo, float *x)
{
    (void)s;
    (void)kind;
    (void)photo;
    (void)x;
    return 0;
}

void hst_store_put(hst_store *s, const hst_store_kind *kind, const hst_digest *photo,
                   const float *x)
{
    (void)s;
    (void)kind;
    (void)photo;
    (void)x;
}

int hst_store_describe(const hst_ctx *ctx, hst_store_info *info, hst_err *err)
{
    (void)ctx;
    (void)info;
    return hst_part_missing(HST_PART_SQLITE, err);
}

int hst_store_clear(const hst_ctx *ctx, hst_err *err)
{
    (void)ctx;
    return hst_part_missing(HST_PART_SQLITE, err);
}
