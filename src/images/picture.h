/* picture.h - what is remembered of a photo, so that it need not be decoded again. */
#ifndef HST_IMAGES_PICTURE_H
#define HST_IMAGES_PICTURE_H
#include "images/facts.h"
#include "images/image.h"

enum { HST_THUMB_PX = 32 };

/* Kept in the feature store as it is in memory: fixed sizes, no padding, whole floats. What is
 * computed, or the order of the fields, changes the version. Brightness is 0 (black) to 255, ITU-R
 * 601; it is measured where the longer side has some 256 pixels (171 to 384, or fewer where there
 * are no more), sharpness too, so that photos of any size can be compared. */
#define HST_PICTURE_VERSION 3
typedef struct hst_picture {
    uint64_t pixels; /* XXH64 of the upright pixels, seeded with their width * 2^32 + height: equal
                        for files that hold the same picture; 0: not known */
    int32_t w, h;    /* upright, as decoded */
    hst_facts file;
    float brightness, contrast; /* mean, standard deviation */
    float dark, bright;         /* one pixel in a hundred is as dark as that; as bright */
    float colors;               /* largest standard deviation of red, green, blue */
    float sharpness; /* about 0.5; below 0.16 where edges are blurred over some pixels: energy of
                        the Laplacian against that at half the size, where there is most of it; 1:
                        too small or too plain to tell */
    uint8_t thumb[HST_THUMB_PX * HST_THUMB_PX]; /* brightness, the picture squashed to a square */
    uint32_t reserved;                          /* 0 */
} hst_picture;
_Static_assert(sizeof(hst_picture) == 16 + 12 + 24 + 1024 + 4, "hst_picture has no padding");

/* bytes[n]: the file that img was decoded from; n 0: none. Errors: HST_EMEM. */
HST_CHECK int hst_picture_of(const hst_image *img, const uint8_t *bytes, size_t n, hst_picture *out,
                             hst_err *err);

/* first[i]: the first of n photos with the pixels of photo i; itself where none before it has them,
 * and where they are not known (0). stride: bytes from one photo's pixels to the next. Errors:
 * HST_EMEM. */
HST_CHECK int hst_pixels_first(const uint64_t *pixels, size_t stride, size_t n, size_t *first,
                               hst_err *err);
#endif
