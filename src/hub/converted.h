/* converted.h - weight files of this machine -> safetensors that can be read.
 *
 * cache_dir/backbones/<sha256 of the source file>.safetensors   converted, ready to read */
#ifndef HST_HUB_CONVERTED_H
#define HST_HUB_CONVERTED_H
#include "base/context.h"
#include "formats/safetensors.h"
#include "hub/catalog.h"

/* A readable safetensors file. */
typedef struct hst_weight_file {
    char *path;           /* to be freed */
    char *config;         /* of its config.json, where there is one; to be freed; else NULL */
    hst_tensors *tensors; /* of the file, where it had to be read to be checked; else NULL */
    char base[256];       /* base name of the file or folder that was named */
    char sha256[65];      /* of the file that was named; for a pulled one, of the weight file */
} hst_weight_file;
void hst_weight_file_clear(hst_weight_file *f);

/* A file or folder of this machine: as it is, or converted once. */
HST_CHECK int hst_converted_local(hst_ctx *ctx, const char *path, hst_weight_file *f, hst_err *err);

/* 1: the folder is one that hst_converted_local takes, and no run's. */
int hst_converted_is_folder(const char *dir);

/* cache_dir/backbones/<sha256>.safetensors, to be freed. HST_EARG: there is no cache. */
HST_CHECK char *hst_converted_path(const hst_ctx *ctx, const char *sha256, hst_err *err);

/* Reads the converted file f->path of the source f->sha256 into f->tensors, and compares them and
 * the record of the source with what they were when it was made. k: NULL, or what is known about
 * it. HST_EHASH. */
HST_CHECK int hst_converted_check(hst_weight_file *f, const hst_catalog_entry *k, hst_err *err);

/* The same as 1 or 0 for a file that may be absent; a damaged one is removed, to be made again. */
int hst_converted_usable(const hst_ctx *ctx, hst_weight_file *f, const hst_catalog_entry *k);

/* Makes f->path from the file source, whose hash is f->sha256, and checks it. */
HST_CHECK int hst_converted_make(const hst_ctx *ctx, const char *source, hst_weight_file *f,
                                 const hst_catalog_entry *k, hst_err *err);
#endif
