/* hub.h - names of backbones -> verified files in the cache.
 *
 * cache_dir/backbones/...     converted, ready to read (converted.h)
 * cache_dir/downloads/...     what was fetched (downloads.h)
 * the Hugging Face cache      what was fetched by hf: names
 *
 *   name --catalog.c--> short name: several locators   name --locator.c--> hf:... | keras:... | ...
 *   locator --huggingface.c | url_source.c--> file --converted.c--> safetensors
 *   short name --pip.c--> safetensors */
#ifndef HST_HUB_HUB_H
#define HST_HUB_HUB_H
#include "hub/converted.h"

/* A readable safetensors file for name, file or folder. Pulls and converts as needed. */
HST_CHECK int hst_hub_find(hst_ctx *ctx, const char *name, hst_weight_file *out, hst_err *err);
/* The entry of a short name; NULL: it is none, or only like one, and a file here has that name. */
const hst_catalog_entry *hst_hub_known(const char *name);
/* The same for a name that is no path. fresh: ask the hub whether what a branch stands for has
 * changed. HST_EARG: unknown. */
HST_CHECK int hst_hub_fetch(hst_ctx *ctx, const char *name, int fresh, hst_weight_file *f,
                            hst_err *err);

/* 1 when nothing would have to be downloaded for the named backbone, as far as names of files tell:
 * nothing is read, made or removed. */
int hst_hub_cached(const hst_ctx *ctx, const char *name);
#endif
