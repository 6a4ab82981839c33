/* gray16.c - gray of 16 bits a pixel becomes 8.
 *
 * Pillow clips it at 255, so that an X-ray or the picture of a thermal camera is white; TensorFlow
 * keeps the high byte, of which pictures of 10 or 12 bits have little. Scaled, the smallest value
 * of the picture becomes 0 and the largest 255; a picture that stays below 256 is left as it is, as
 * Pillow leaves it. (docs/images.md has what each is worth.) */
#include "images/decode.h"

#include <string.h>

static unsigned value_at(const uint8_t *row, size_t x)
{
    return (unsigned)row[2 * x] << 8 | row[2 * x + 1];
}

typedef struct range {
    unsigned least, most;
} range;

static range range_of(const hst_image *img)
{
    range r = {65535, 0};
    for (int y = 0; y < img->h; y++) {
        const uint8_t *row = img->rgb + (size_t)y * (size_t)img->w * 3;
        for (size_t x = 0; x < (size_t)img->w; x++) {
            const unsigned v = value_at(row, x);
            r.least = v < r.least ? v : r.least;
            r.most = v > r.most ? v : r.most;
        }
    }
    if (r.most <= 255)
        return (range){0, 255};
    return r.least < r.most ? r : (range){0, 65535};
}

void hst_gray16_to_rgb(hst_image *img, enum hst_gray16 how)
{
    const range r = how == HST_GRAY16_SCALE ? range_of(img) : (range){0, 255};
    for (int y = 0; y < img->h; y++) {
        uint8_t *row = img->rgb + (size_t)y * (size_t)img->w * 3;
        for (size_t x = (size_t)img->w; x-- > 0;) { /* from its end, as the row becomes longer */
            unsigned v = value_at(row, x), span = r.most - r.least;
            if (how == HST_GRAY16_HIGH)
                v >>= 8;
            else if (how == HST_GRAY16_SCALE)
                v = ((v - r.least) * 255 + span / 2) / span;
            memset(row + 3 * x, v < 255 ? (int)v : 255, 3);
        }
    }
}
