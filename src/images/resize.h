/* resize.h - the resizers of Pillow and TensorFlow, reproduced. */
#ifndef HST_IMAGES_RESIZE_H
#define HST_IMAGES_RESIZE_H
#include "images/image.h"

/* How pixels between pixels are found. Pillow widens its filters when a picture shrinks, so that
 * every pixel counts (antialiasing), whichever of the two kinds is asked for; TensorFlow only where
 * it says so. Bicubic: Keys' filter with a = -1/2. */
enum hst_interpolation { HST_BILINEAR, HST_BICUBIC, HST_BILINEAR_ANTIALIAS, HST_BICUBIC_ANTIALIAS };

/* src[sh][sw][c] resized to [dh][dw][c], of which the window is computed: dst[h][w][c] begins at
 * column x, row y. w = h = 0 stands for everything. Other numbers are at least 1, and the window
 * lies inside. */
typedef struct hst_resampling {
    const uint8_t *src;
    int sw, sh, c;
    int dw, dh;
    enum hst_interpolation interpolation;
    int x, y, w, h;
} hst_resampling;

/* tf.image.resize(method, antialias): half-pixel centres, float32. Bilinear is bit-exact, bicubic
 * within 1e-4, antialiased within 3e-3 of 0..255. Errors: HST_EMEM. */
HST_CHECK int hst_resize_tf(const hst_resampling *r, float *dst, hst_err *err);
/* PIL.Image.resize((dw, dh), BILINEAR or BICUBIC): two 8-bit passes with 22-bit weights. Bit-exact.
 * Errors: HST_EMEM. */
HST_CHECK int hst_resize_pil(const hst_resampling *r, uint8_t *dst, hst_err *err);

/* hst_resize_tf for all but bilinear without antialiasing; the window is given. */
HST_CHECK int hst_resize_tf_filter(const hst_resampling *r, float *dst, hst_err *err);
/* The same with the window filled in. */
hst_resampling hst_resampling_windowed(const hst_resampling *r);
#endif
