/* align.h - lays one thumbnail over another, and says how alike their detail is. */
#ifndef HST_INSPECTION_ALIGN_H
#define HST_INSPECTION_ALIGN_H
#include "images/picture.h"

enum { HST_INNER_PX = HST_THUMB_PX * 3 / 4 }; /* a crop of an eighth moves nothing of it outside */

/* The inner part of a thumbnail at one size, px pixels along the whole. */
typedef struct hst_level {
    int px, inner;
    float x[HST_INNER_PX * HST_INNER_PX]; /* [inner][inner], mean 0, length 1 */
    /* What the numbers of a placement change in it: scale, shift across; scale, shift down. */
    float slope[4][HST_INNER_PX * HST_INNER_PX];
    float inverse[4][4]; /* of the products of the slopes */
} hst_level;

/* A thumbnail made ready to be compared with many others. */
typedef struct hst_template {
    hst_level coarse, fine;
    float detail[HST_INNER_PX * HST_INNER_PX]; /* [inner][inner] of fine, mean 0, length 1 */
} hst_template;

/* mirrored: left and right change places. */
void hst_template_make(const uint8_t *thumb, int mirrored, hst_template *out);

/* Correlation of the detail where the thumbnails lie best over each other, at most 1; 0 where they
 * come to lie nowhere. What reaches `enough` is not made better. */
float hst_template_compare(const hst_template *t, const uint8_t *thumb, float enough);
#endif
