/* image.c - which format the bytes are, and what all formats share. */
#include "images/image.h"

#include "base/mem.h"
#include "images/decode.h"
#include "images/format.h"

#include <stdlib.h>
#include <string.h>

typedef int decode_fn(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);

static decode_fn *const decoders[HST_FORMATS] = {[HST_FORMAT_JPEG] = hst_jpeg_decode,
                                                 [HST_FORMAT_PNG] = hst_png_decode,
                                                 [HST_FORMAT_GIF] = hst_gif_decode,
                                                 [HST_FORMAT_WEBP] = hst_webp_decode,
                                                 [HST_FORMAT_BMP] = hst_bmp_decode};

static int not_read(enum hst_format format, hst_err *err)
{
    const char *name = hst_format_name(format), *library = hst_format_needs(format);
    if (!library)
        return hst_fail(err, HST_EIMAGE, "a picture in format %s, which is not read; convert it",
                        name);
    return hst_fail(err, HST_EIMAGE,
                    "a picture in format %s, which this build does not read (install %s and build "
                    "again)",
                    name, library);
}

int hst_image_decode(const hst_decode *how, const uint8_t *bytes, size_t n, hst_image *out,
                     hst_err *err)
{
    const int fast = how->resampler == HST_RESAMPLE_FAST;
    if (n == 0)
        return hst_fail(err, HST_EIMAGE, "the file is empty");
    if (n > HST_IMAGE_MAX_BYTES)
        return hst_fail(err, HST_EIMAGE, "the file has %zu bytes, more than the %u we read", n,
                        HST_IMAGE_MAX_BYTES);
    const enum hst_format format = hst_format_of(bytes, n);
    if (format == HST_FORMAT_UNKNOWN)
        return hst_fail(err, HST_EIMAGE, "not a JPEG, PNG, GIF, WebP or BMP picture");
    if (!hst_format_is_read(format))
        return not_read(format, err);
    hst_encoded in = {bytes, n, fast ? HST_RESAMPLE_PIL : how->resampler, fast ? how->least : 0};
    hst_image img = {0};
    int orientation = 1;
    int rc = decoders[format](&in, &img, &orientation, err);
    if (rc == 0 && in.resampler == HST_RESAMPLE_PIL)
        rc = hst_image_orient(&img, orientation, err);
    if (rc == 0)
        *out = img;
    else
        hst_image_clear(&img);
    return rc;
}

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
