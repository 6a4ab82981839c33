/* huggingface.h - repositories of the Hugging Face hub, in the cache of its own program. */
#ifndef HST_HUB_HUGGINGFACE_H
#define HST_HUB_HUGGINGFACE_H
#include "hub/converted.h"
#include "hub/locator.h"

/* fresh: ask the hub whether what a branch stands for has changed. */
HST_CHECK int hst_hf_find(hst_ctx *ctx, const hst_locator *p, int fresh, hst_weight_file *f,
                          hst_err *err);
/* 1 when nothing would have to be downloaded, as far as names of files tell: nothing is read. */
int hst_hf_cached(const hst_ctx *ctx, const hst_locator *p);
#endif
