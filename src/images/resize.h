/* resize.h - the resizers of Pillow and TensorFlow, reproduced. */
#ifndef HST_IMAGES_RESIZE_H
#define HST_IMAGES_RESIZE_H
#include "images/image.h"

/* src[sh][sw][c] to dst[dh][dw][c]; every number is at least 1. */
typedef struct hst_resampling {
    const uint8_t *src;
    int sw, sh, c;
    int dw, dh;
} hst_resampling;

/* tf.image.resize(bilinear, antialias=False): half-pixel centres, float32 in the documented order.
 * Bit-exact. Errors: HST_EMEM. */
HST_CHECK int hst_resize_tf(const hst_resampling *r, float *dst, hst_err *err);
/* PIL.Image.resize((dw, dh), BILINEAR): two 8-bit passes with 22-bit weights. Bit-exact.
 * Errors: HST_EMEM. */
HST_CHECK int hst_resize_pil(const hst_resampling *r, uint8_t *dst, hst_err *err);
#endif
