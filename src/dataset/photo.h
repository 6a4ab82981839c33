/* photo.h - the bytes of a photo by its path. */
#ifndef HST_DATASET_PHOTO_H
#define HST_DATASET_PHOTO_H
#include "base/context.h"

/* All bytes at path, to be freed. At most HST_IMAGE_MAX_BYTES. code: the error where it is no
 * readable file, HST_EIMAGE or HST_EDATA. Errors: code, HST_EMEM. */
HST_CHECK int hst_photo_read(const hst_ctx *ctx, const char *path, int code, uint8_t **bytes,
                             size_t *n, hst_err *err);
#endif
