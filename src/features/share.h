/* share.h - features that processes of one job have found together. */
#ifndef HST_FEATURES_SHARE_H
#define HST_FEATURES_SHARE_H
#include "base/ranks.h"
#include "features/lookup.h"

/* What a process found out of a photo, in bytes; and back, into what p points to. Errors:
 * HST_EPROC. */
void hst_lookup_pack(const hst_lookup *l, const hst_lookup_photo *p, hst_buf *b);
HST_CHECK int hst_lookup_unpack(const hst_lookup *l, hst_lookup_photo *p, const uint8_t *bytes,
                                size_t n, hst_err *err);

/* All ranks look at the same photos in the same way. Errors: HST_EARG, on every rank. */
HST_CHECK int hst_features_alike(const hst_ctx *ctx, const hst_extractor *e, const hst_data *d,
                                 hst_err *err);
/* All ranks get what rank 0 has of f: all of it, or, where the rows went into a file, how many
 * there were. Errors: HST_EPROC, HST_EMEM. */
HST_CHECK int hst_features_share(hst_ranks *r, hst_features *f, int in_file, hst_err *err);
#endif
