/* orient.c - turns a picture the way its orientation says. */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

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
