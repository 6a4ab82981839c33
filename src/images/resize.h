/* resize.h - the resizers of Pillow and TensorFlow, reproduced. */
#ifndef HST_IMAGES_RESIZE_H
#define HST_IMAGES_RESIZE_H
#include "images/image.h"

/* tf.image.resize(bilinear, antialias=False): half-pixel centres, float32 in the documented order.
 * src[sh][sw][c] -> dst[dh][dw][c]. Bit-exact. Errors: HST_EMEM. */
HST_CHECK int hst_resize_tf(const uint8_t *src, int sw, int sh, int c, float *dst, int dw, int dh,
                            hst_err *err);
/* PIL.Image.resize((dw, dh), BILINEAR): two 8-bit passes with 22-bit weights. Bit-exact. */
HST_CHECK int hst_resize_pil(const uint8_t *src, int sw, int sh, int c, uint8_t *dst, int dw,
                             int dh, hst_err *err);
#endif
