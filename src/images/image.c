/* image.c - which format the bytes are, and its decoder. */
#include "images/image.h"

#include "images/decode.h"
#include "images/decoders.h"
#include "images/format.h"

typedef int decode_fn(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);

static decode_fn *const decoders[HST_FORMATS] = {
    [HST_FORMAT_JPEG] = hst_jpeg_decode, [HST_FORMAT_PNG] = hst_png_decode,
    [HST_FORMAT_GIF] = hst_gif_decode,   [HST_FORMAT_WEBP] = hst_webp_decode,
    [HST_FORMAT_BMP] = hst_bmp_decode,   [HST_FORMAT_PNM] = hst_pnm_decode,
    [HST_FORMAT_QOI] = hst_qoi_decode,   [HST_FORMAT_ICO] = hst_ico_decode};

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
    const int tf = how->resampler == HST_RESAMPLE_TF;
    if (n == 0)
        return hst_fail(err, HST_EIMAGE, "the file is empty");
    if (n > HST_IMAGE_MAX_BYTES)
        return hst_fail(err, HST_EIMAGE, "the file has %zu bytes, more than the %u we read", n,
                        HST_IMAGE_MAX_BYTES);
    const enum hst_format format = hst_format_of(bytes, n);
    const char *other = hst_format_other(bytes, n);
    if (format == HST_FORMAT_UNKNOWN)
        return hst_fail(err, HST_EIMAGE, "not a picture %s%s", other ? "but " : "that is known",
                        other ? other : "");
    if (!hst_format_is_read(format))
        return not_read(format, err);
    hst_encoded in = {.bytes = bytes,
                      .n = n,
                      .resampler = tf ? HST_RESAMPLE_TF : HST_RESAMPLE_PIL,
                      .least = fast ? how->least : 0,
                      .scales_gray = tf || how->resampler == HST_RESAMPLE_SCALED};
    hst_image img = {0};
    int orientation = 1, rc;
    if (decoders[format])
        rc = decoders[format](&in, &img, &orientation, err);
    else if (how->decoders)
        rc = hst_decoders_decode(how->decoders, format, &in, &img, &orientation, err);
    else
        rc = hst_fail(err, HST_EIMAGE, "a picture in format %s, which is not read here",
                      hst_format_name(format));
    /* of formats that TensorFlow does not read, both are given Pillow's pixels, though "tf" clips
     * no gray in any */
    if (rc == 0 && (in.resampler == HST_RESAMPLE_PIL || !decoders[format]))
        rc = hst_image_orient(&img, orientation, err);
    if (rc == 0)
        *out = img;
    else
        hst_image_clear(&img);
    return rc;
}
