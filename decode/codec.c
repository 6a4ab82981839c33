#include "codec.h"

int canvas_begin(canvas *c, uint64_t w, uint64_t h, hst_err *err)
{
    if (hst_image_check(w, h, err))
        return HST_EIMAGE;
    c->w = (int)w;
    c->h = (int)h;
    if (w * h * 3 <= c->room)
        return 0;
    c->too_large = 1;
    return hst_fail(err, HST_EMEM, "there is no room for %d x %d pixels", c->w, c->h);
}

void canvas_scale_gray(canvas *c)
{
    hst_image img = {c->rgb, c->w, c->h};
    hst_gray16_to_rgb(&img, HST_GRAY16_SCALE);
}

const codec *codec_of(enum hst_format f)
{
    static const codec *const codecs[HST_FORMATS] = {[HST_FORMAT_TIFF] = CODEC_TIFF,
                                                     [HST_FORMAT_HEIC] = CODEC_HEIF,
                                                     [HST_FORMAT_AVIF] = CODEC_AVIF,
                                                     [HST_FORMAT_JXL] = CODEC_JXL,
                                                     [HST_FORMAT_JP2] = CODEC_JP2};
    return codecs[f];
}
