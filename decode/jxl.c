/* jxl.c - JPEG XL by libjxl: the first frame, turned upright by the library. */
#include "codec.h"

#include <jxl/decode.h>
#include <stdio.h>

static void version(char *out, size_t cap)
{
    const uint32_t v = JxlDecoderVersion();
    snprintf(out, cap, "libjxl %u.%u.%u", v / 1000000, v / 1000 % 1000, v % 1000);
}

static int begin(JxlDecoder *d, canvas *out, hst_err *err)
{
    JxlBasicInfo info;
    if (JxlDecoderGetBasicInfo(d, &info) != JXL_DEC_SUCCESS)
        return hst_fail(err, HST_EIMAGE, "damaged JPEG XL: no size");
    return canvas_begin(out, info.xsize, info.ysize, err);
}

static int give_room(JxlDecoder *d, const canvas *out, hst_err *err)
{
    static const JxlPixelFormat rgb = {3, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0};
    const size_t n = (size_t)out->w * (size_t)out->h * 3;
    if (out->w && JxlDecoderSetImageOutBuffer(d, &rgb, out->rgb, n) == JXL_DEC_SUCCESS)
        return 0;
    return hst_fail(err, HST_EIMAGE, "libjxl does not give this JPEG XL as RGB");
}

/* Events until the first frame is whole. */
static int run(JxlDecoder *d, canvas *out, hst_err *err)
{
    for (int rc;;) {
        switch (JxlDecoderProcessInput(d)) {
        case JXL_DEC_BASIC_INFO:
            rc = begin(d, out, err);
            break;
        case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
            rc = give_room(d, out, err);
            break;
        case JXL_DEC_FULL_IMAGE:
            return 0;
        case JXL_DEC_NEED_MORE_INPUT:
            return hst_image_truncated("JPEG XL", err);
        default:
            return hst_fail(err, HST_EIMAGE, "damaged JPEG XL");
        }
        if (rc)
            return rc;
    }
}

static int read_jxl(const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    JxlDecoder *d = JxlDecoderCreate(NULL);
    if (!d)
        return hst_fail(err, HST_EMEM, "out of memory");
    int rc = 0;
    if (JxlDecoderSubscribeEvents(d, JXL_DEC_BASIC_INFO | JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS ||
        JxlDecoderSetInput(d, bytes, n) != JXL_DEC_SUCCESS)
        rc = hst_fail(err, HST_EIMAGE, "libjxl does not take this JPEG XL");
    JxlDecoderCloseInput(d);
    rc = rc ? rc : run(d, out, err);
    JxlDecoderDestroy(d);
    return rc;
}

const codec codec_jxl = {version, NULL, read_jxl};
