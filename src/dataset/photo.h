/* photo.h - the bytes of a photo by its path, which may lead through an archive:
 * "pets.zip/cat/1.jpg". */
#ifndef HST_DATASET_PHOTO_H
#define HST_DATASET_PHOTO_H
#include "base/context.h"

#include <sys/stat.h>

/* All bytes at path, to be freed. At most HST_IMAGE_MAX_BYTES. code: the error where it is no
 * readable file, HST_EIMAGE or HST_EDATA. Errors: code, HST_EIO, HST_EMEM, HST_ESTOPPED. */
HST_CHECK int hst_photo_read(const hst_ctx *ctx, const char *path, int code, uint8_t **bytes,
                             size_t *n, hst_err *err);

/* stat(), of a member of an archive too: what its bytes are known by (features/store.h). 0, or -1
 * where there is nothing. */
int hst_photo_stat(const hst_ctx *ctx, const char *path, struct stat *st);
#endif
