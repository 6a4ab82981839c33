/* facts.c - readers of headers. Numbers are checked before they are followed; what does not add up
 * ends the reading. */
#include "images/facts.h"

#include "images/decode.h"
#include "images/facts_rich.h"

#include <string.h>

static uint32_t big(const uint8_t *p, size_t bytes)
{
    uint32_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static void read_orientation(int (*of)(const uint8_t *, size_t, int *, hst_err *), const uint8_t *b,
                             size_t n, hst_facts *f)
{
    hst_err without_memory = {0};
    int orientation = 1;
    if (of(b, n, &orientation, &without_memory) == 0)
        f->orientation = (uint8_t)orientation;
}

static uint32_t little(const uint8_t *p, size_t bytes)
{
    uint32_t v = 0;
    for (size_t i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

void hst_facts_set_size(hst_facts *f, uint32_t w, uint32_t h)
{
    if (w > HST_IMAGE_MAX_PIXELS || h > HST_IMAGE_MAX_PIXELS)
        return;
    f->w = (int32_t)w;
    f->h = (int32_t)h;
}

/* Segments: 0xff, marker, length u16 with itself, then what the marker says. The frame's (0xc0 to
 * 0xcf but for 0xc4, 0xc8, 0xcc): bits u8, height u16, width u16, components u8. */
static void read_jpeg(const uint8_t *b, size_t n, hst_facts *f)
{
    size_t at = 2;
    read_orientation(hst_jpeg_orientation, b, n, f);
    while (n - at >= 4 && b[at] == 0xff) {
        const uint8_t marker = b[at + 1];
        if (marker == 0xff) { /* filling */
            at++;
            continue;
        }
        const size_t length = big(b + at + 2, 2);
        const uint8_t *p = b + at + 4;
        if (marker == 0xda || length < 2 || length > n - at - 2)
            return;
        if ((marker & 0xf0) == 0xc0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc &&
            length >= 8) {
            f->bits = p[0];
            hst_facts_set_size(f, big(p + 3, 2), big(p + 1, 2));
            f->flags |= p[5] == 4 ? HST_IS_CMYK : 0;
        }
        at += 2 + length;
    }
}

/* Chunks: length u32, name, data, checksum u32. */
static void read_png(const uint8_t *b, size_t n, hst_facts *f)
{
    read_orientation(hst_png_orientation, b, n, f);
    for (size_t at = 8; n - at >= 12;) {
        const size_t length = big(b + at, 4);
        const uint8_t *p = b + at + 8;
        if (length > n - at - 12)
            return;
        if (!memcmp(b + at + 4, "IHDR", 4) && length >= 13) {
            hst_facts_set_size(f, big(p, 4), big(p + 4, 4));
            f->bits = p[8];
            f->flags |= p[9] & 4 ? HST_HAS_ALPHA : 0;
            f->flags |= p[8] > 8 && p[9] == 0 ? HST_IS_GRAY : 0;
        } else if (!memcmp(b + at + 4, "tRNS", 4)) {
            f->flags |= HST_HAS_ALPHA;
        } else if (!memcmp(b + at + 4, "acTL", 4) && length >= 8) {
            f->flags |= big(p, 4) > 1 ? HST_IS_ANIMATED : 0;
        }
        at += 12 + length;
    }
}

/* The end of a chain of blocks, each with its length in front, the last one empty; n: it is cut. */
static size_t after_blocks(const uint8_t *b, size_t n, size_t at)
{
    while (at < n && b[at])
        at += 1 + (size_t)b[at];
    return at < n ? at + 1 : n;
}

static size_t palette_bytes(uint8_t packed)
{
    return packed & 0x80 ? 3u << ((packed & 7) + 1) : 0;
}

/* Screen: size u16 u16, packed u8, 2 bytes, palette. Then extensions ('!', kind, blocks) and frames
 * (',', place and size, packed u8, palette, 1 byte, blocks). */
static void read_gif(const uint8_t *b, size_t n, hst_facts *f)
{
    int frames = 0;
    if (n < 13)
        return;
    hst_facts_set_size(f, little(b + 6, 2), little(b + 8, 2));
    f->bits = 8;
    size_t at = 13 + palette_bytes(b[10]);
    while (at < n && frames < 2) {
        if (b[at] == '!' && n - at >= 8) {
            /* the graphic control extension's first bit: one colour is transparent */
            if (b[at + 1] == 0xf9 && b[at + 2] == 4 && b[at + 3] & 1)
                f->flags |= HST_HAS_ALPHA;
            at = after_blocks(b, n, at + 2);
        } else if (b[at] == ',' && n - at >= 11) {
            frames++;
            at = after_blocks(b, n, at + 11 + palette_bytes(b[at + 9]));
        } else {
            break;
        }
    }
    f->flags |= frames > 1 ? HST_IS_ANIMATED : 0;
}

static void read_webp(const uint8_t *b, size_t n, hst_facts *f)
{
    hst_webp_head head;
    if (!hst_webp_read_head(b, n, &head))
        return;
    hst_facts_set_size(f, (uint32_t)head.w, (uint32_t)head.h);
    f->bits = 8;
    f->flags |= head.has_alpha ? HST_HAS_ALPHA : 0;
    f->flags |= head.is_animated ? HST_IS_ANIMATED : 0;
    f->orientation = (uint8_t)hst_webp_orientation(b, n);
}

/* Header at 14: its size u32; 12: width u16, height u16; else width i32, height i32 (below 0: rows
 * from the top), planes u16, bits u16, compression u32, ..., mask of alpha at 66 where there are
 * masks. */
static void read_bmp(const uint8_t *b, size_t n, hst_facts *f)
{
    if (n < 54)
        return;
    const uint32_t header = little(b + 14, 4), h = little(b + 22, 4);
    f->bits = 8;
    if (header == 12)
        hst_facts_set_size(f, little(b + 18, 2), little(b + 20, 2));
    else
        hst_facts_set_size(f, little(b + 18, 4), h > INT32_MAX ? UINT32_MAX - h + 1 : h);
    if (header >= 56 && n >= 70 && little(b + 28, 2) == 32 && little(b + 30, 4) == 3)
        f->flags |= little(b + 66, 4) ? HST_HAS_ALPHA : 0;
}

static void read_pnm(const uint8_t *b, size_t n, hst_facts *f)
{
    int w, h, bits;
    const int channels = hst_pnm_header(b, n, &w, &h, &bits);
    if (channels == 0)
        return;
    hst_facts_set_size(f, (uint32_t)w, (uint32_t)h);
    f->bits = (uint8_t)bits;
    f->flags |= channels == 1 && bits > 8 ? HST_IS_GRAY : 0;
}

static void read_qoi(const uint8_t *b, size_t n, hst_facts *f)
{
    if (n < 14)
        return;
    hst_facts_set_size(f, big(b + 4, 4), big(b + 8, 4));
    f->bits = 8;
    f->flags |= b[12] == 4 ? HST_HAS_ALPHA : 0;
}

hst_facts hst_facts_of(const uint8_t *bytes, size_t n)
{
    static void (*const readers[HST_FORMATS])(const uint8_t *, size_t, hst_facts *) = {
        [HST_FORMAT_JPEG] = read_jpeg,      [HST_FORMAT_PNG] = read_png,
        [HST_FORMAT_GIF] = read_gif,        [HST_FORMAT_WEBP] = read_webp,
        [HST_FORMAT_BMP] = read_bmp,        [HST_FORMAT_PNM] = read_pnm,
        [HST_FORMAT_QOI] = read_qoi,        [HST_FORMAT_TIFF] = hst_facts_tiff,
        [HST_FORMAT_HEIC] = hst_facts_heif, [HST_FORMAT_AVIF] = hst_facts_heif,
        [HST_FORMAT_JP2] = hst_facts_jp2};
    hst_facts f = {.format = (uint8_t)hst_format_of(bytes, n), .orientation = 1};
    if (readers[f.format])
        readers[f.format](bytes, n, &f);
    return f;
}
