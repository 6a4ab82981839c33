/* exif.c - which way up the camera was held.
 *
 * Of the whole EXIF standard only tag 0x0112 of the first directory is read:
 *
 *   "II" or "MM" (byte order) | 42 u16 | offset of the directory u32
 *   directory: number of entries u16, then entries of 12 bytes:
 *   tag u16 | type u16 | count u32 | value, left-justified in 4 bytes
 *
 * One number out of a few checked offsets: libexif would unpack every tag, maker notes included, of
 * bytes that come from strangers. */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define TAG_ORIENTATION 0x0112

struct tiff {
    const uint8_t *p;
    size_t n;
    int big_endian;
};

/* The caller has checked that the bytes are there. */
static uint32_t u16(const struct tiff *t, size_t at)
{
    const uint8_t *b = t->p + at;
    return t->big_endian ? (uint32_t)b[0] << 8 | b[1] : (uint32_t)b[1] << 8 | b[0];
}

static uint32_t u32(const struct tiff *t, size_t at)
{
    uint32_t a = u16(t, at), b = u16(t, at + 2);
    return t->big_endian ? a << 16 | b : b << 16 | a;
}

/* The value of an entry that holds one whole number; 0 for any other. */
static uint32_t entry_value(const struct tiff *t, size_t at)
{
    enum { BYTE = 1, SHORT = 3, LONG = 4 };
    if (u32(t, at + 4) != 1)
        return 0;
    switch (u16(t, at + 2)) {
    case BYTE:
        return t->p[at + 8];
    case SHORT:
        return u16(t, at + 8);
    case LONG:
        return u32(t, at + 8);
    default:
        return 0;
    }
}

int hst_exif_orientation(const uint8_t *exif, size_t n)
{
    if (n >= 6 && !memcmp(exif, "Exif\0\0", 6))
        exif += 6, n -= 6;
    if (n < 8 || (memcmp(exif, "II*\0", 4) && memcmp(exif, "MM\0*", 4)))
        return 1;
    struct tiff t = {exif, n, exif[0] == 'M'};
    size_t at = u32(&t, 4);
    if (at > n - 2)
        return 1;
    size_t entries = u16(&t, at);
    at += 2;
    for (size_t i = 0; i < entries && n - at >= 12; i++, at += 12) {
        if (u16(&t, at) != TAG_ORIENTATION)
            continue;
        uint32_t v = entry_value(&t, at);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

/* Where pixel (x, y) of the turned picture comes from: source pixel first + x * right + y * down.
 */
struct walk {
    ptrdiff_t first, right, down;
};

static struct walk walk_of(int orientation, ptrdiff_t w, ptrdiff_t h)
{
    ptrdiff_t end_of_row = w - 1, last_row = (h - 1) * w;
    switch (orientation) {
    case 2: /* mirrored */
        return (struct walk){end_of_row, -1, w};
    case 3: /* upside down */
        return (struct walk){last_row + end_of_row, -1, -w};
    case 4: /* upside down, mirrored */
        return (struct walk){last_row, 1, -w};
    case 5: /* rows and columns exchanged */
        return (struct walk){0, w, 1};
    case 6: /* to be turned a quarter clockwise */
        return (struct walk){last_row, -w, 1};
    case 7: /* exchanged over the other diagonal */
        return (struct walk){last_row + end_of_row, -w, -1};
    case 8: /* to be turned a quarter counter-clockwise */
        return (struct walk){end_of_row, w, -1};
    default:
        return (struct walk){0, 1, w};
    }
}

int hst_image_orient(hst_image *img, int orientation, hst_err *err)
{
    if (orientation < 2 || orientation > 8)
        return 0;
    int quarter = orientation >= 5, w = quarter ? img->h : img->w, h = quarter ? img->w : img->h;
    uint8_t *rgb = hst_alloc((size_t)w * (size_t)h, 3, err);
    if (!rgb)
        return HST_EMEM;
    struct walk k = walk_of(orientation, img->w, img->h);
    uint8_t *to = rgb;
    for (ptrdiff_t y = 0; y < h; y++) {
        const uint8_t *from = img->rgb + 3 * (k.first + y * k.down);
        for (int x = 0; x < w; x++, to += 3, from += 3 * k.right)
            memcpy(to, from, 3);
    }
    free(img->rgb);
    *img = (hst_image){rgb, w, h};
    return 0;
}
