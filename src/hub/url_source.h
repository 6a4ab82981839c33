/* url_source.h - files by address: Keras, torchvision, TF Hub, Kaggle and any other. */
#ifndef HST_HUB_URL_SOURCE_H
#define HST_HUB_URL_SOURCE_H
#include "hub/converted.h"
#include "hub/downloads.h"
#include "hub/locator.h"

HST_CHECK int hst_url_source_find(hst_ctx *ctx, const hst_locator *p, hst_weight_file *f,
                                  hst_err *err);
/* 1 when nothing would have to be downloaded, as far as names of files tell: nothing is read. */
int hst_url_source_cached(const hst_ctx *ctx, const hst_locator *p);

/* The downloaded file, verified; its path is in k (to be cleared by the caller, also after an
 * error). max_bytes: of the file. */
HST_CHECK int hst_url_source_file(hst_ctx *ctx, const hst_locator *p, uint64_t max_bytes,
                                  hst_downloaded *k, hst_err *err);
#endif
