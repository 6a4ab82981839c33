/* avif.c - AVIF by libavif, as Pillow reads it: its chroma is interpolated, which libheif does not
 * do, and a photo keeps to one thread, as other photos are decoded beside it. */
#include "codec.h"

#include "base/mem.h"

#include <avif/avif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if AVIF_VERSION >= 1000000
#define MIRROR_AXIS(image) ((image)->imir.axis)
#else
#define MIRROR_AXIS(image) ((image)->imir.mode)
#endif

/* "libavif 0.11.1 (dav1d 1.0.0)": the decoder is what the pixels depend on as well. */
static void version(char *out, size_t cap)
{
    const char *decoder = avifCodecName(AVIF_CODEC_CHOICE_AUTO, AVIF_CODEC_FLAG_CAN_DECODE);
    char codecs[256] = ""; /* "dav1d [dec]:1.0.0, aom [enc/dec]:3.6.0" */
    avifCodecVersions(codecs);
    const char *at = decoder ? strstr(codecs, decoder) : NULL;
    at = at ? strchr(at, ':') : NULL;
    if (at)
        snprintf(out, cap, "libavif %s (%s %.*s)", avifVersion(), decoder,
                 (int)strcspn(at + 1, ", "), at + 1);
    else
        snprintf(out, cap, "libavif %s", avifVersion());
}

static int refuse(avifResult why, hst_err *err)
{
    if (why == AVIF_RESULT_OUT_OF_MEMORY)
        return hst_fail(err, HST_EMEM, "out of memory");
    return hst_fail(err, HST_EIMAGE, "damaged AVIF: %s", avifResultToString(why));
}

/* The EXIF orientation that the picture's own turn (anticlockwise, in quarters) and mirror say. */
static int own_orientation(const avifImage *image)
{
    static const int turned[4] = {1, 8, 3, 6}, swapped_rows[4] = {4, 5, 2, 7};
    static const int swapped_columns[4] = {2, 7, 4, 5};
    const int quarters = image->transformFlags & AVIF_TRANSFORM_IROT ? image->irot.angle & 3 : 0;
    if (!(image->transformFlags & AVIF_TRANSFORM_IMIR))
        return turned[quarters];
    return MIRROR_AXIS(image) ? swapped_columns[quarters] : swapped_rows[quarters];
}

/* Pillow asks EXIF and XMP only where the picture lies upright by itself, and then takes from EXIF
 * no more than that it says something. */
static int orientation_of(const avifImage *image)
{
    int said = 1;
    const int own = own_orientation(image);
    if (own != 1 || (image->exif.size && hst_exif_find(image->exif.data, image->exif.size, &said)))
        return own;
    return image->xmp.size ? hst_xmp_orientation(image->xmp.data, image->xmp.size) : 1;
}

/* Opacity is dropped; colours that were multiplied by it are divided first. */
static int convert_with_alpha(const avifImage *image, avifRGBImage *rgb, canvas *out, hst_err *err)
{
    const size_t n = (size_t)out->w * (size_t)out->h;
    uint8_t *rgba = hst_alloc_raw(n, 4, err);
    if (!rgba)
        return HST_EMEM;
    rgb->format = AVIF_RGB_FORMAT_RGBA;
    rgb->pixels = rgba;
    rgb->rowBytes = (uint32_t)out->w * 4;
    const avifResult r = avifImageYUVToRGB(image, rgb);
    for (size_t i = 0; r == AVIF_RESULT_OK && i < n; i++)
        memcpy(out->rgb + 3 * i, rgba + 4 * i, 3);
    free(rgba);
    return r == AVIF_RESULT_OK ? 0 : refuse(r, err);
}

static int convert(const avifDecoder *d, canvas *out, hst_err *err)
{
    avifRGBImage rgb;
    avifRGBImageSetDefaults(&rgb, d->image);
    rgb.depth = 8;
    if (d->image->alphaPlane)
        return convert_with_alpha(d->image, &rgb, out, err);
    rgb.format = AVIF_RGB_FORMAT_RGB;
    rgb.pixels = out->rgb;
    rgb.rowBytes = (uint32_t)out->w * 3;
    const avifResult r = avifImageYUVToRGB(d->image, &rgb);
    return r == AVIF_RESULT_OK ? 0 : refuse(r, err);
}

static int decode(avifDecoder *d, const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    d->maxThreads = 1;
    d->imageSizeLimit = HST_IMAGE_MAX_PIXELS;
    /* older writers leave one of these out, or write the other wrong */
    d->strictFlags &= ~(avifStrictFlags)(AVIF_STRICT_PIXI_REQUIRED | AVIF_STRICT_CLAP_VALID);
    avifResult r = avifDecoderSetIOMemory(d, bytes, n);
    r = r == AVIF_RESULT_OK ? avifDecoderParse(d) : r;
    if (r != AVIF_RESULT_OK)
        return refuse(r, err);
    int rc = canvas_begin(out, d->image->width, d->image->height, err);
    if (rc)
        return rc;
    r = avifDecoderNextImage(d);
    if (r != AVIF_RESULT_OK)
        return refuse(r, err);
    /* asked again: the coded picture may say otherwise than the file around it */
    rc = canvas_begin(out, d->image->width, d->image->height, err);
    out->orientation = orientation_of(d->image);
    return rc ? rc : convert(d, out, err);
}

static int read_avif(const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    avifDecoder *d = avifDecoderCreate();
    if (!d)
        return hst_fail(err, HST_EMEM, "out of memory");
    const int rc = decode(d, bytes, n, out, err);
    avifDecoderDestroy(d);
    return rc;
}

const codec codec_avif = {version, NULL, read_avif};
