#include "dataset/photo.h"

#include "base/file.h"
#include "images/image.h"

int hst_photo_read(const hst_ctx *ctx, const char *path, int code, uint8_t **bytes, size_t *n,
                   hst_err *err)
{
    (void)ctx;
    return hst_file_read(path, HST_IMAGE_MAX_BYTES, code, bytes, n, err);
}
