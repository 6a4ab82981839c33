/* probe.h - the picture that the import helper has a file's own graph compute, and what it says of
 * that: the library's network of the same tensors must give the same (backbones/probed.h).
 *
 *   fact "probe"    "pixels 224 224" or "scaled 224 224": what it was given, its height and width
 *   probe/0 ...     [1][C] vectors and [N][C] tokens that the graph made of it: the features are
 *                   among the vectors, or come of the tokens
 *   probe/features  what the classifier behind the network read, where there is one
 *   fact "names"    its tensors have our names; "onnx": in ONNX' order of axes, "tensorflow": in
 *                   TensorFlow's, which is ours; "keras": those of our layers in Keras, in its
 *                   order */
#ifndef HST_FORMATS_PROBE_H
#define HST_FORMATS_PROBE_H
#include <stddef.h>

#define HST_PROBE_FACT     "probe"
#define HST_PROBE_ANSWER   "probe/"
#define HST_PROBE_FEATURES "probe/features"
#define HST_NAMES_FACT     "names"

/* Fills x[height][width][3]: whole numbers 0..255; scaled: from -2 to 2. Slopes of colour with a
 * pattern on them that is nowhere the same. */
static inline void hst_probe_draw(int height, int width, int scaled, float *x)
{
    unsigned noise = 12345;
    for (int row = 0; row < height; row++)
        for (int col = 0; col < width; col++)
            for (int c = 0; c < 3; c++) {
                const int slope = c == 0   ? 160 * row / height
                                  : c == 1 ? 160 * col / width
                                           : 160 - 80 * row / height - 80 * col / width;
                noise = noise * 1664525u + 1013904223u;
                const int pixel = slope + (int)(noise >> 24) * 95 / 255;
                *x++ = scaled ? (float)(pixel - 128) / 64 : (float)pixel;
            }
}
#endif
