/* picture.h - what is remembered of a photo's pixels, so that it need not be decoded again. */
#ifndef HST_IMAGES_PICTURE_H
#define HST_IMAGES_PICTURE_H
#include "images/image.h"

/* Kept in the feature store as it is in memory: fixed sizes, no padding, whole floats. What is
 * computed, or the order of the fields, changes the version. */
#define HST_PICTURE_VERSION 1
typedef struct hst_picture {
    uint64_t pixels; /* XXH64 of the upright pixels, seeded with their width * 2^32 + height: equal
                        for files that hold the same picture; 0: not known */
    int32_t w, h;    /* upright */
} hst_picture;
_Static_assert(sizeof(hst_picture) == 16, "hst_picture has no padding");

hst_picture hst_picture_of(const hst_image *img);
#endif
