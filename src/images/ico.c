/* ico.c - icons and cursors of Windows: the picture that Pillow chooses of those in the file.
 *
 *   0 u16 | 1 or 2 (cursors) u16 | number of entries u16, little endian as all
 *   entry: width u8, height u8 (0: 256), colours u8, 0 u8, planes u16, bits a pixel u16 (cursors:
 *   where their point is), bytes u32, offset u32
 *
 * At the offset is a PNG, or a bitmap without its file header, twice as high as the picture: below
 * the picture's rows are those of a mask, 1 bit a pixel, of what is transparent, which is dropped
 * like any transparency (but see draw_masked). */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 6, ENTRY = 16, ICON = 1, CURSOR = 2 };

typedef struct entry {
    int w, h, depth;
    size_t offset;
} entry;

static size_t little(const uint8_t *p, size_t bytes)
{
    size_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

/* Bits a pixel, to tell pictures of one size apart. */
static int depth_of(const uint8_t *e)
{
    int bits = (int)little(e + 6, 2), needed = 0;
    while (1 << needed < e[2])
        needed++;
    return bits ? bits : needed ? needed : 256;
}

static entry read_entry(const uint8_t *e, int kind)
{
    entry out = {e[0], e[1], depth_of(e), little(e + 12, 4)};
    if (kind == ICON) {
        out.w = e[0] ? e[0] : 256;
        out.h = e[1] ? e[1] : 256;
    }
    return out;
}

/* Of icons the largest area, of those the fewest bits; of cursors one that is wider and higher. */
static int is_preferred(const entry *a, const entry *to, int kind)
{
    const int area = a->w * a->h, other = to->w * to->h;
    if (kind == CURSOR)
        return a->w > to->w && a->h > to->h;
    return area > other || (area == other && a->depth < to->depth);
}

static int choose(const hst_encoded *in, int kind, entry *out, hst_err *err)
{
    const size_t entries = in->n < HEADER ? 0 : little(in->bytes + 4, 2);
    if (in->n < HEADER || (in->n - HEADER) / ENTRY < entries)
        return hst_image_truncated("icon", err);
    if (entries == 0)
        return hst_fail(err, HST_EIMAGE, "damaged icon: it holds no picture");
    for (size_t i = 0; i < entries; i++) {
        const entry now = read_entry(in->bytes + HEADER + i * ENTRY, kind);
        if (i == 0 || is_preferred(&now, out, kind))
            *out = now;
    }
    return out->offset < in->n ? 0 : hst_image_truncated("icon", err);
}

/* Of a gray cursor Pillow takes the mask for as deep as the picture, and shows in black what is
 * transparent. all: the mask above the picture. */
static void draw_masked(const hst_image *all, hst_image *out)
{
    const size_t bytes = (size_t)out->w * (size_t)out->h * 3;
    for (size_t i = 0; i < bytes; i++) {
        const unsigned v = all->rgb[bytes + i] * (255u - all->rgb[i]) + 128;
        out->rgb[i] = (uint8_t)((v + (v >> 8)) >> 8); /* divided by 255, rounded */
    }
}

static int bitmap_decode(const hst_encoded *in, const entry *e, int kind, hst_image *out,
                         hst_err *err)
{
    hst_image all = {0};
    hst_err no_mask = {0};
    int is_gray = 0;
    int rc = hst_dib_decode(in, &(hst_dib){e->offset, 2}, out, &is_gray, err);
    if (rc || kind == ICON || !is_gray)
        return rc;
    if (hst_dib_decode(in, &(hst_dib){e->offset, 1}, &all, &is_gray, &no_mask) == 0 &&
        all.h >= 2 * out->h)
        draw_masked(&all, out);
    hst_image_clear(&all);
    return 0;
}

int hst_ico_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    const int kind = in->n < HEADER ? ICON : (int)little(in->bytes + 2, 2);
    entry e = {0};
    *orientation = 1;
    int rc = choose(in, kind, &e, err);
    if (rc)
        return rc;
    const uint8_t *at = in->bytes + e.offset;
    const size_t left = in->n - e.offset;
    int unused;
    if (left < 8 || memcmp(at, "\x89PNG\r\n\x1a\n", 8))
        return bitmap_decode(in, &e, kind, out, err);
    return hst_png_decode(
        &(hst_encoded){
            .bytes = at, .n = left, .resampler = HST_RESAMPLE_PIL, .scales_gray = in->scales_gray},
        out, &unused, err);
}
