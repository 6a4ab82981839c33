#include "images/facts_rich.h"

#include "images/decode.h"

#include <string.h>

static uint32_t number(const uint8_t *p, size_t bytes, int big_endian)
{
    uint32_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | p[big_endian ? i : bytes - 1 - i];
    return v;
}

/* The first value of a directory's entry (exif.c has the layout) of whole numbers; 0 for any
 * other. */
static uint32_t entry_value(const uint8_t *b, size_t n, size_t at, int big_endian)
{
    const uint32_t type = number(b + at + 2, 2, big_endian),
                   count = number(b + at + 4, 4, big_endian);
    const size_t width = type == 1 ? 1 : type == 3 ? 2 : type == 4 ? 4 : 0;
    size_t from = at + 8;
    if (width == 0 || count == 0)
        return 0;
    if (count > 4 / width) /* the values lie elsewhere */
        from = number(b + at + 8, 4, big_endian);
    return from <= n - width ? number(b + from, width, big_endian) : 0;
}

void hst_facts_tiff(const uint8_t *b, size_t n, hst_facts *f)
{
    enum {
        WIDTH = 256,
        HEIGHT,
        BITS,
        COLOURS = 262,
        ORIENTATION = 274,
        SAMPLES = 277,
        EXTRA = 338
    };
    enum { KIND = 339, INKS = 5, UNSIGNED = 1 };
    uint32_t w = 0, h = 0, colours = 0, samples = 1, kind = UNSIGNED;
    if (n < 14 || b[2] == '+' || b[3] == '+')
        return;
    const int big = b[0] == 'M';
    size_t at = number(b + 4, 4, big);
    if (at > n - 2)
        return;
    size_t entries = number(b + at, 2, big);
    for (at += 2; entries > 0 && n - at >= 12; entries--, at += 12) {
        const uint32_t value = entry_value(b, n, at, big);
        switch (number(b + at, 2, big)) {
        case WIDTH:
            w = value;
            break;
        case HEIGHT:
            h = value;
            break;
        case BITS:
            f->bits = (uint8_t)(value <= 64 ? value : 0);
            break;
        case COLOURS:
            colours = value;
            f->flags |= value == INKS ? HST_IS_CMYK : 0;
            break;
        case ORIENTATION:
            f->orientation = (uint8_t)(value >= 1 && value <= 8 ? value : 1);
            break;
        case SAMPLES:
            samples = value;
            break;
        case EXTRA:
            f->flags |= value ? HST_HAS_ALPHA : 0;
            break;
        case KIND:
            kind = value;
            break;
        default:
            break;
        }
    }
    /* those that Pillow clips; of 32 bits or signed ones it is not known what is white */
    if ((f->bits == 12 || f->bits == 16) && samples == 1 && colours <= 1 && kind == UNSIGNED)
        f->flags |= HST_IS_GRAY;
    hst_facts_set_size(f, w, h);
}

/* The boxes lie deep, and of several pictures in one file (tiles, a thumbnail) each has its size in
 * a box "ispe": length u32, name, 4 bytes, width u32, height u32. The largest is the whole. */
void hst_facts_heif(const uint8_t *b, size_t n, hst_facts *f)
{
    static const uint8_t ispe[8] = {0, 0, 0, 20, 'i', 's', 'p', 'e'};
    enum { HEAD = 1 << 16 };
    uint64_t largest = 0;
    const size_t end = n < HEAD ? n : HEAD;
    for (size_t at = 0; at + 20 <= end; at++) {
        if (memcmp(b + at, ispe, sizeof ispe) != 0)
            continue;
        const uint32_t w = number(b + at + 12, 4, 1), h = number(b + at + 16, 4, 1);
        if ((uint64_t)w * h <= largest || w > HST_IMAGE_MAX_PIXELS || h > HST_IMAGE_MAX_PIXELS)
            continue;
        largest = (uint64_t)w * h;
        hst_facts_set_size(f, w, h);
    }
}

static void set_depth(hst_facts *f, uint8_t depth, uint32_t components)
{
    f->bits = depth < 64 ? (uint8_t)(depth + 1) : 0; /* above: signed, or one of each component */
    f->flags |= f->bits > 8 && components == 1 ? HST_IS_GRAY : 0;
}

/* A codestream: 0xff4f 0xff51, length u16, 2 bytes, end of the area u32 u32, its begin u32 u32,
 * tiles u32 u32 u32 u32, components u16, bits - 1 of the first u8. In a file the box "ihdr" has
 * height u32, width u32, components u16, bits - 1 u8. */
void hst_facts_jp2(const uint8_t *b, size_t n, hst_facts *f)
{
    static const uint8_t ihdr[8] = {0, 0, 0, 22, 'i', 'h', 'd', 'r'};
    enum { HEAD = 4096 };
    if (n >= 24 && b[0] == 0xff) {
        const uint32_t right = number(b + 8, 4, 1), bottom = number(b + 12, 4, 1),
                       left = number(b + 16, 4, 1), top = number(b + 20, 4, 1);
        if (left < right && top < bottom)
            hst_facts_set_size(f, right - left, bottom - top);
        if (n >= 43)
            set_depth(f, b[42], number(b + 40, 2, 1));
        return;
    }
    const size_t end = n < HEAD ? n : HEAD;
    for (size_t at = 0; at + 22 <= end; at++) {
        if (memcmp(b + at, ihdr, sizeof ihdr) != 0)
            continue;
        hst_facts_set_size(f, number(b + at + 12, 4, 1), number(b + at + 8, 4, 1));
        set_depth(f, b[at + 18], number(b + at + 16, 2, 1));
        return;
    }
}
