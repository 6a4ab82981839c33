/* image.c - which format the bytes are, and what all formats share. */
#include "images/image.h"

#include "base/mem.h"
#include "images/decode.h"

#include <stdlib.h>
#include <string.h>

typedef int decode_fn(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err);

/* First bytes of the formats; '?' stands for any byte. */
static const struct format {
    const char *magic;
    size_t n;
    decode_fn *decode;
} formats[] = {
    {"\xff\xd8\xff", 3, hst_jpeg_decode},
    {"\x89PNG\r\n\x1a\n", 8, hst_png_decode},
    {"GIF8", 4, hst_gif_decode},
    {"RIFF????WEBP", 12, hst_webp_decode},
    {"BM", 2, hst_bmp_decode},
};

static decode_fn *decoder_of(const uint8_t *bytes, size_t n)
{
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        size_t same = 0;
        while (same < formats[f].n && same < n &&
               (formats[f].magic[same] == '?' || (uint8_t)formats[f].magic[same] == bytes[same]))
            same++;
        if (same == formats[f].n)
            return formats[f].decode;
    }
    return NULL;
}

int hst_image_decode(const uint8_t *bytes, size_t n, enum hst_resampler resampler, hst_image *out,
                     hst_err *err)
{
    return hst_image_decode_least(bytes, n, resampler, 0, out, err);
}

int hst_image_decode_least(const uint8_t *bytes, size_t n, enum hst_resampler resampler, int least,
                           hst_image *out, hst_err *err)
{
    const int fast = resampler == HST_RESAMPLE_FAST;
    if (n == 0)
        return hst_fail(err, HST_EIMAGE, "the file is empty");
    if (n > HST_IMAGE_MAX_BYTES)
        return hst_fail(err, HST_EIMAGE, "the file has %zu bytes, more than the %u we read", n,
                        HST_IMAGE_MAX_BYTES);
    decode_fn *decode = decoder_of(bytes, n);
    if (!decode)
        return hst_fail(err, HST_EIMAGE, "not a JPEG, PNG, GIF, WebP or BMP picture");
    hst_encoded in = {bytes, n, fast ? HST_RESAMPLE_PIL : resampler, fast ? least : 0};
    hst_image img = {0};
    int orientation = 1;
    int rc = decode(&in, &img, &orientation, err);
    if (rc == 0 && in.resampler == HST_RESAMPLE_PIL)
        rc = hst_image_orient(&img, orientation, err);
    if (rc == 0)
        *out = img;
    else
        hst_image_clear(&img);
    return rc;
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
