/* convert.h - starting the import helper (convert/), which turns foreign weight files into
 * safetensors. */
#ifndef HST_FORMATS_CONVERT_H
#define HST_FORMATS_CONVERT_H
#include "base/context.h"
#include "formats/safetensors.h"

/* Of what the helper writes, in its fact "converter". */
#define HST_CONVERT_VERSION "2"
/* 0: the file tells a graph (convert/weights.h) as another version did, and is to be made again. */
int hst_convert_is_current(const hst_tensors *t);

/* Path of the helper that belongs to this library: found from the library's own place, so that an
 * installation can be moved and a build needs none; where none is there, the place that `make
 * install` was told. To be freed. NULL: HST_EMEM. */
HST_CHECK char *hst_helper_find(hst_err *err);

/* 0 when the helper is where the context says; else HST_EPROC and what to do. To be asked before a
 * long download that would be of no use without it. */
HST_CHECK int hst_convert_ready(const hst_ctx *ctx, hst_err *err);

/* Runs the helper: source -> out (safetensors, whole or not at all). The helper opens no other
 * file, has no network and is limited in time and memory; its crash is an error message here.
 * Errors: HST_EMODEL (refused, with the helper's reason), HST_EPROC (no helper), HST_EIO. */
HST_CHECK int hst_convert(const hst_ctx *ctx, const char *source, const char *out, hst_err *err);

/* Runs the helper: one member of a zip archive -> out. At most max_bytes. Errors as above. */
HST_CHECK int hst_unpack(const hst_ctx *ctx, const char *archive, const char *member,
                         uint64_t max_bytes, const char *out, hst_err *err);
#endif
