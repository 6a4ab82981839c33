/* outline.h - a thumbnail at 8 x 8 pixels, less its mean, of length 1. */
#ifndef HST_INSPECTION_OUTLINE_H
#define HST_INSPECTION_OUTLINE_H
#include "images/picture.h"

enum {
    HST_OUTLINE_PX = 8,
    HST_OUTLINE = HST_OUTLINE_PX * HST_OUTLINE_PX,
    HST_OUTLINE_UNIT = 1 << 12, /* the length 1; whole numbers are the same on every processor */
};

/* All 0 where the thumbnail is plain. */
void hst_outline_of(const uint8_t *thumb, int16_t out[HST_OUTLINE]);
/* Left and right change places. */
void hst_outline_mirror(const int16_t in[HST_OUTLINE], int16_t out[HST_OUTLINE]);

/* Correlation, in units of HST_OUTLINE_UNIT squared. */
static inline int32_t hst_outlines_alike(const int16_t *a, const int16_t *b)
{
    int32_t sum = 0;
    for (int i = 0; i < HST_OUTLINE; i++)
        sum += a[i] * b[i];
    return sum;
}
#endif
