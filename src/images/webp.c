/* webp.c - WebP through libwebp, as Pillow and as TensorFlow use it. */
#include "images/decode.h"

#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static int damaged(hst_err *err)
{
    return hst_fail(err, HST_EIMAGE, "damaged WebP: the picture cannot be decoded");
}

/* A file is "RIFF" | length of the rest u32 | "WEBP" | chunks. */
static int is_cut(const hst_encoded *in)
{
    const uint8_t *b = in->bytes;
    return in->n < 12 || in->n - 8 < ((uint32_t)b[4] | (uint32_t)b[5] << 8 | (uint32_t)b[6] << 16 |
                                      (uint32_t)b[7] << 24);
}

/* The first frame on a black canvas, alpha dropped, as Pillow shows an animation. */
static int animation_decode(const WebPData *data, hst_image *out, hst_err *err)
{
    WebPAnimDecoderOptions options;
    uint8_t *rgba = NULL;
    int at = 0;
    if (!WebPAnimDecoderOptionsInit(&options))
        return damaged(err);
    options.color_mode = MODE_RGBA;
    options.use_threads = 0;
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(data, &options);
    int got = decoder && WebPAnimDecoderGetNext(decoder, &rgba, &at);
    for (size_t i = 0, n = (size_t)out->w * (size_t)out->h; i < n && got; i++)
        memcpy(out->rgb + 3 * i, rgba + 4 * i, 3);
    WebPAnimDecoderDelete(decoder);
    return got ? 0 : damaged(err);
}

static int still_decode(const hst_encoded *in, hst_image *out, hst_err *err)
{
    size_t row = (size_t)out->w * 3;
    if (!WebPDecodeRGBInto(in->bytes, in->n, out->rgb, row * (size_t)out->h, (int)row))
        return damaged(err);
    return 0;
}

int hst_webp_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    WebPBitstreamFeatures f;
    if (is_cut(in))
        return hst_image_truncated("WebP", err);
    if (WebPGetFeatures(in->bytes, in->n, &f) != VP8_STATUS_OK)
        return damaged(err);
    if (in->resampler == HST_RESAMPLE_TF && (f.has_alpha || f.has_animation))
        return hst_fail(err, HST_EIMAGE,
                        "a WebP with transparency or animation, which TensorFlow does not read as "
                        "RGB; use the \"pil\" preparation or convert the file");
    /* Only Pillow's way looks at animations; it needs every chunk to be whole. */
    WebPData data = {in->bytes, in->n};
    WebPDemuxer *demux = in->resampler == HST_RESAMPLE_PIL ? WebPDemux(&data) : NULL;
    int rc = in->resampler == HST_RESAMPLE_PIL && !demux ? damaged(err) : 0;
    if (rc == 0)
        rc = hst_image_alloc(out, (uint64_t)f.width, (uint64_t)f.height, err);
    if (rc == 0)
        rc = f.has_animation ? animation_decode(&data, out, err) : still_decode(in, out, err);
    if (rc == 0)
        *orientation = hst_webp_orientation(in->bytes, in->n);
    WebPDemuxDelete(demux);
    return rc;
}

int hst_webp_read_head(const uint8_t *bytes, size_t n, hst_webp_head *out)
{
    WebPBitstreamFeatures f;
    if (WebPGetFeatures(bytes, n, &f) != VP8_STATUS_OK)
        return 0;
    *out = (hst_webp_head){f.width, f.height, f.has_alpha, f.has_animation};
    return 1;
}
