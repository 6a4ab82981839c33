/* image.h - file bytes -> 8-bit RGB pixels. */
#ifndef HST_IMAGES_IMAGE_H
#define HST_IMAGES_IMAGE_H
#include "base/err.h"

typedef struct hst_image {
    uint8_t *rgb; /* [h][w][3], dense rows, top to bottom; ended by hst_image_clear */
    int w, h;     /* at least 1 each */
} hst_image;

/* Whose decoder we equal, pixel for pixel:
 *  HST_RESAMPLE_PIL  Pillow: Image.open().convert("RGB") after ImageOps.exif_transpose
 *                    (JPEG: accurate integer DCT)
 *  HST_RESAMPLE_TF   tf.io.decode_image(channels=3, expand_animations=False)
 *                    (JPEG: fast integer DCT; never turned by EXIF)
 *  HST_RESAMPLE_FAST as PIL, but hst_image_decode_least may read a JPEG at a half or a quarter of
 *                    its size, which skips most of the work for a photo from a camera
 *  HST_RESAMPLE_SCALED as PIL, but 16-bit gray, which Pillow clips at 255, is stretched over 8
 *                    bits */
enum hst_resampler { HST_RESAMPLE_PIL, HST_RESAMPLE_TF, HST_RESAMPLE_FAST, HST_RESAMPLE_SCALED };

/* More pixels than this are refused before anything is allocated for them (Pillow's hard limit). A
 * fuzzing build sets a smaller one: under its instruments a picture that large takes a minute. */
#ifndef HST_IMAGE_MAX_PIXELS
#define HST_IMAGE_MAX_PIXELS 178956970
#endif
/* Larger files are refused unread. */
#define HST_IMAGE_MAX_BYTES (256u << 20)

typedef struct hst_decode {
    enum hst_resampler resampler;
    int least; /* pixels along the shorter side that are enough, as the picture will be resized;
                  0: all of them */
    struct hst_decoders *decoders; /* the context's, for formats that another process decodes; NULL:
                                      these are not read */
} hst_decode;

/* The format is found by magic bytes, never by name. Errors: HST_EIMAGE with the reason (not an
 * image we know, truncated, damaged, too many pixels), HST_EMEM. On failure *out is untouched. */
HST_CHECK int hst_image_decode(const hst_decode *how, const uint8_t *bytes, size_t n,
                               hst_image *out, hst_err *err);
/* Whether the reason that a decoding failed with is that the file ends too early. */
int hst_image_is_truncated(const char *why);
void hst_image_clear(hst_image *img); /* frees the pixels; {0} is fine */
#endif
