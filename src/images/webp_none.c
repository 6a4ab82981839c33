/* webp_none.c - in place of webp.c where there is no libwebp. */
#include "base/parts.h"
#include "images/decode.h"

int hst_webp_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    (void)in;
    (void)out;
    (void)orientation;
    return hst_part_missing(HST_PART_WEBP, err);
}

int hst_webp_read_head(const uint8_t *bytes, size_t n, hst_webp_head *out)
{
    (void)bytes;
    (void)n;
    (void)out;
    return 0;
}
