/* check.c - what decoders of all formats share. */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char truncated[] = "truncated ";

int hst_image_truncated(const char *format, hst_err *err)
{
    return hst_fail(err, HST_EIMAGE, "%s%s: the file ends before the picture does", truncated,
                    format);
}

int hst_image_is_truncated(const char *why)
{
    return strncmp(why, truncated, strlen(truncated)) == 0;
}

int hst_image_check(uint64_t w, uint64_t h, hst_err *err)
{
    if (w == 0 || h == 0)
        return hst_fail(err, HST_EIMAGE, "the picture is empty (%llu x %llu pixels)",
                        (unsigned long long)w, (unsigned long long)h);
    if (w > HST_IMAGE_MAX_PIXELS || h > HST_IMAGE_MAX_PIXELS / w)
        return hst_fail(err, HST_EIMAGE, "too many pixels: %llu x %llu, at most %d in all",
                        (unsigned long long)w, (unsigned long long)h, HST_IMAGE_MAX_PIXELS);
    return 0;
}

int hst_image_alloc(hst_image *out, uint64_t w, uint64_t h, hst_err *err)
{
    if (hst_image_check(w, h, err))
        return HST_EIMAGE;
    uint8_t *rgb = hst_alloc((size_t)(w * h), 3, err);
    if (!rgb)
        return HST_EMEM;
    *out = (hst_image){rgb, (int)w, (int)h};
    return 0;
}

void hst_image_clear(hst_image *img)
{
    free(img->rgb);
    *img = (hst_image){0};
}
