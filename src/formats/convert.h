/* convert.h - starting the import helper (convert/), which turns foreign weight files into
 * safetensors. */
#ifndef HST_FORMATS_CONVERT_H
#define HST_FORMATS_CONVERT_H
#include "base/context.h"
#include "formats/safetensors.h"

/* Of what the helper writes, in its fact "converter". */
#define HST_CONVERT_VERSION "5"
/* 0: the file tells a graph (convert/weights.h) as another version did, and is to be made again. */
int hst_convert_is_current(const hst_tensors *t);

/* Its name, and its folder in a build, seen from a program's. */
#define HST_CONVERT_HELPER   "headstart-convert"
#define HST_CONVERT_IN_BUILD "../convert"

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
