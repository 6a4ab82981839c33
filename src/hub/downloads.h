/* downloads.h - our own store of what was downloaded, and the memory of what it was.
 *
 *   cache_dir/downloads/<40 digits of the name's SHA-256>/record.json
 *                                                        /<file>       until it is pruned
 *                                                        /lock
 * A record outlives its file: whatever comes from that name later must have the same content. */
#ifndef HST_HUB_DOWNLOADS_H
#define HST_HUB_DOWNLOADS_H
#include "base/context.h"

typedef struct hst_downloaded {
    char *dir;       /* of the record; set also when there is none */
    char *name;      /* as locator.h writes it; NULL: nothing is remembered */
    char *file;      /* path of the file, which may be gone, or lie in another program's cache */
    char sha256[65]; /* "" for what its hub may change (a branch of a repository) */
    uint64_t bytes;
} hst_downloaded;

/* What is remembered of a name. A record that cannot be understood is HST_EHASH. HST_EARG: there is
 * no cache. hst_downloaded_clear() also after an error. */
HST_CHECK int hst_downloaded_read(const hst_ctx *ctx, const char *name, hst_downloaded *out,
                                  hst_err *err);
/* The same by the record's folder. */
HST_CHECK int hst_downloaded_at(const char *dir, hst_downloaded *out, hst_err *err);
/* Remembers k->name, file, sha256, bytes in k->dir. */
HST_CHECK int hst_downloaded_write(const hst_downloaded *k, hst_err *err);
void hst_downloaded_clear(hst_downloaded *k);

/* The lock of a record: a descriptor for hst_lock_drop, or a negative code. */
HST_CHECK int hst_downloaded_lock(const hst_ctx *ctx, const hst_downloaded *k, hst_err *err);

/* 1: the file is ours, in the record's own folder. */
int hst_downloaded_is_own(const hst_downloaded *k);

/* fn(arg, k) for every record, in the order of names; until it returns non-zero, which is returned.
 * Records that cannot be read are left out. */
HST_CHECK int hst_downloaded_each(const hst_ctx *ctx, int (*fn)(void *arg, const hst_downloaded *k),
                                  void *arg, hst_err *err);
#endif
