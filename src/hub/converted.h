/* converted.h - weight files of this machine -> safetensors that can be read.
 *
 * cache_dir/backbones/<sha256 of the source file>.safetensors   converted, ready to read */
#ifndef HST_HUB_CONVERTED_H
#define HST_HUB_CONVERTED_H
#include "base/context.h"
#include "hub/known.h"

/* A readable safetensors file. */
typedef struct hst_found {
    char *path;      /* to be freed */
    char *config;    /* of its config.json, where there is one; to be freed; else NULL */
    char base[256];  /* base name of the file or folder that was named */
    char sha256[65]; /* of the file that was named; for a pulled one, of the weight file */
} hst_found;
void hst_found_clear(hst_found *f);

/* A file or folder of this machine: as it is, or converted once. */
HST_CHECK int hst_hub_local(hst_ctx *ctx, const char *path, hst_found *f, hst_err *err);

/* cache_dir/backbones/<sha256>.safetensors, to be freed. HST_EARG: there is no cache. */
HST_CHECK char *hst_hub_path(const hst_ctx *ctx, const char *sha256, hst_err *err);

/* Reads a converted file and compares its tensors and its record of the source with what they were
 * when it was made. k: NULL, or what is known about it. HST_EHASH. */
HST_CHECK int hst_hub_check(const char *path, const char *source_sha256, const hst_known *k,
                            hst_err *err);

/* 1 when a good converted file lies at path; a damaged one is removed, to be made again. */
int hst_hub_usable(const hst_ctx *ctx, const char *path, const char *sha256, const hst_known *k);

/* Makes out be the conversion of the file source, whose hash is sha256. */
HST_CHECK int hst_hub_import(const hst_ctx *ctx, const char *source, const char *sha256,
                             const char *out, hst_err *err);
#endif
