/* download.h - an address -> a whole, verified file.
 *
 *   path.part       bytes so far; stays when the download breaks off, and is gone on with later
 *   path.part.etag  what the server called the content then: asked for in If-Range
 *
 * One process at a time: the caller holds a lock. */
#ifndef HST_HUB_DOWNLOAD_H
#define HST_HUB_DOWNLOAD_H
#include "base/context.h"
#include "hub/digest.h"
#include "hub/transport.h"

typedef struct hst_wanted {
    const char *url;
    const char *what;          /* its name in messages and progress */
    const char *authorization; /* told to the address's own origin only; NULL: none */
    uint64_t bytes;            /* 0: unknown */
    uint64_t max_bytes;
    hst_hashes known;
} hst_wanted;

/* Makes path be that file. sha256: of its content. Errors: HST_ENET, HST_EHASH (another content
 * than is known; nothing is kept), HST_EIO (also: no space), HST_ESTOPPED. status (may be NULL): of
 * the last answer, 0 when none came. */
HST_CHECK int hst_download(const hst_ctx *ctx, const hst_wanted *w, const char *path,
                           char sha256[65], int *status, hst_err *err);

/* A small text, such as JSON, into memory: NUL-ended, to be freed. */
HST_CHECK int hst_download_text(const hst_ctx *ctx, const hst_wanted *w, char **text, int *status,
                                hst_err *err);

/* HEAD: what is known of a file before it is fetched. */
HST_CHECK int hst_download_head(const hst_ctx *ctx, const hst_wanted *w, hst_response *r,
                                hst_err *err);

/* HST_ENET when downloads are switched off or not set up. name: what would be fetched. */
HST_CHECK int hst_download_allowed(const hst_ctx *ctx, const char *name, hst_err *err);
#endif
