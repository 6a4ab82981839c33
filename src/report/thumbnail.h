/* thumbnail.h - small pictures of photos. */
#ifndef HST_REPORT_THUMBNAIL_H
#define HST_REPORT_THUMBNAIL_H
#include "base/buf.h"
#include "base/context.h"
#include "images/image.h"

/* Reads the photo at path and fits it into box x box pixels, its proportions kept. The caller ends
 * *out with hst_image_clear. Errors: HST_EIMAGE, HST_EIO, HST_EMEM. */
HST_CHECK int hst_thumbnail_read(const hst_ctx *ctx, const char *path, int box, hst_image *out,
                                 hst_err *err);

/* The same of a file's bytes, how->least being the box; turned by EXIF unless the resampler is
 * HST_RESAMPLE_TF. Errors: HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_thumbnail_of(const hst_decode *how, const uint8_t *bytes, size_t n,
                               hst_image *out, hst_err *err);

/* Adds img to b as "data:image/jpeg;base64,...", what <img src> takes. Errors: HST_EMEM. */
HST_CHECK int hst_thumbnail_uri(const hst_image *img, hst_buf *b, hst_err *err);
#endif
