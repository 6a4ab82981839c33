/* bmp.c - Windows bitmaps: 1, 4, 8 bits with a palette (plain or run-length coded), 16, 24, 32
 * bits.
 *
 *   "BM" | file size u32 | 0 u32 | offset of the pixels u32
 *   header: its size u32 (12: OS/2, or 40 and more), width, height (negative: rows from the top),
 *   planes u16, bits u16, compression u32, ..., number of colours u32 at 46
 *   masks of red, green, blue (and alpha) at 54 where compression is 3 | palette | pixels
 *
 * Numbers are little endian; a row is padded to 4 bytes.
 *
 * The "tf" contract refuses what TensorFlow refuses, but does not copy two of its faults:
 * TensorFlow shows the colour numbers of an 8-bit picture as gray instead of looking them up, and
 * takes 32 bits as blue, green, red whatever the masks say.
 *
 * By hand since no maintained C library reads this format alone, and none gives the pixels of
 * Pillow and of TensorFlow both. */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PLAIN = 0, RLE8 = 1, RLE4 = 2, MASKED = 3 };

#define FILE_HEADER 14
#define MASKS       40 /* from the header's beginning on */

struct bmp {
    const uint8_t *p;
    size_t n, at; /* bytes; where the header is */
    uint32_t header, bits, compression, colors;
    uint64_t w, h;
    int top_down;
    uint64_t palette_at, pixels_at;
    uint32_t color_bytes; /* of a palette entry: 3 or 4 */
    int shift[3];         /* of red, green, blue in a 32-bit pixel */
    int green_bits;       /* of a 16-bit pixel: 5 or 6 */
    uint8_t palette[256][3];
    int is_gray; /* the palette counts from black to white */
};

static uint32_t u16(const struct bmp *b, size_t at)
{
    return b->p[at] | (uint32_t)b->p[at + 1] << 8;
}

static uint32_t u32(const struct bmp *b, size_t at)
{
    return u16(b, at) | u16(b, at + 2) << 16;
}

static int truncated(hst_err *err)
{
    return hst_image_truncated("BMP", err);
}

static int unsupported(hst_err *err, const char *what, uint32_t value)
{
    return hst_fail(err, HST_EIMAGE, "a BMP with %s %u, which is not read", what, value);
}

static int is_known_header(uint32_t size)
{
    static const uint32_t known[] = {12, 40, 52, 56, 64, 108, 124};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (size == known[i])
            return 1;
    return 0;
}

static int read_header(struct bmp *b, hst_err *err)
{
    if (b->at > b->n || b->n - b->at < 12)
        return truncated(err);
    b->header = u32(b, b->at);
    if (!is_known_header(b->header))
        return unsupported(err, "a header of size", b->header);
    if (b->n - b->at < b->header)
        return truncated(err);
    if (b->header == 12) {
        b->w = u16(b, b->at + 4);
        b->h = u16(b, b->at + 6);
        b->bits = u16(b, b->at + 10);
        b->color_bytes = 3;
    } else {
        b->w = u32(b, b->at + 4);
        b->h = u32(b, b->at + 8);
        b->top_down = b->p[b->at + 11] == 0xff;
        if (b->top_down)
            b->h = (UINT64_C(1) << 32) - b->h;
        b->bits = u16(b, b->at + 14);
        b->compression = u32(b, b->at + 16);
        b->colors = u32(b, b->at + 32);
        b->color_bytes = 4;
    }
    return 0;
}

static int check_kind(const struct bmp *b, enum hst_resampler resampler, hst_err *err)
{
    uint32_t bits = b->bits, c = b->compression;
    int palette = bits == 1 || bits == 4 || bits == 8;
    if (!palette && bits != 16 && bits != 24 && bits != 32)
        return unsupported(err, "this number of bits a pixel:", bits);
    if (c > MASKED || (c == MASKED && palette) || ((c == RLE8 || c == RLE4) && !palette))
        return unsupported(err, "compression", c);
    if (resampler == HST_RESAMPLE_TF && (bits < 8 || bits == 16 || c == RLE8 || c == RLE4))
        return hst_fail(err, HST_EIMAGE,
                        "a BMP of %u bits, compression %u, which TensorFlow does not read; use the "
                        "\"pil\" preparation or convert the file",
                        bits, c);
    return 0;
}

/* The layouts that Pillow knows; alpha is dropped. */
static int read_masks(struct bmp *b, hst_err *err)
{
    static const struct layout {
        uint32_t bits, r, g, b, a;
        int shift[3], green_bits;
    } layouts[] = {
        {32, 0xff0000, 0xff00, 0xff, 0, {16, 8, 0}, 0},
        {32, 0xff000000, 0xff0000, 0xff00, 0, {24, 16, 8}, 0},
        {32, 0xff000000, 0xff00, 0xff, 0, {24, 8, 0}, 0},
        {32, 0xff000000, 0xff0000, 0xff00, 0xff, {24, 16, 8}, 0},
        {32, 0xff, 0xff00, 0xff0000, 0xff000000, {0, 8, 16}, 0},
        {32, 0xff0000, 0xff00, 0xff, 0xff000000, {16, 8, 0}, 0},
        {32, 0xff000000, 0xff00, 0xff, 0xff0000, {24, 8, 0}, 0},
        {32, 0, 0, 0, 0, {16, 8, 0}, 0},
        {24, 0xff0000, 0xff00, 0xff, 0, {16, 8, 0}, 0},
        {16, 0xf800, 0x7e0, 0x1f, 0, {0}, 6},
        {16, 0x7c00, 0x3e0, 0x1f, 0, {0}, 5},
    };
    const size_t at = b->at + MASKS;
    if (b->n < at + 12 || (b->header >= 56 && b->n < at + 16))
        return truncated(err);
    uint32_t red = u32(b, at), green = u32(b, at + 4), blue = u32(b, at + 8);
    uint32_t alpha = b->header >= 56 && b->bits == 32 ? u32(b, at + 12) : 0;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const struct layout *l = &layouts[i];
        if (l->bits != b->bits || l->r != red || l->g != green || l->b != blue || l->a != alpha)
            continue;
        memcpy(b->shift, l->shift, sizeof b->shift);
        b->green_bits = l->green_bits;
        return 0;
    }
    return unsupported(err, "an unusual order of colours, red mask", red);
}

/* Pillow takes a palette that counts 0, 1, 2.. in gray for a gray picture with all 256 values;
 * colour numbers beyond any other palette are black. */
static int read_palette(struct bmp *b, hst_err *err)
{
    if (b->colors > 65536)
        return unsupported(err, "this number of colours:", b->colors);
    size_t n = b->colors < 256 ? b->colors : 256;
    if (b->n - b->palette_at < n * b->color_bytes)
        return truncated(err);
    int gray = 1, white = n == 2;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *bgr = b->p + b->palette_at + i * b->color_bytes;
        uint8_t rgb[3] = {bgr[2], bgr[1], bgr[0]};
        memcpy(b->palette[i], rgb, 3);
        gray &= rgb[0] == i && rgb[1] == i && rgb[2] == i;
        white &= rgb[0] == 255 * i && rgb[1] == 255 * i && rgb[2] == 255 * i;
    }
    for (size_t i = n; i < 256 && gray; i++)
        memset(b->palette[i], (int)i, 3);
    b->is_gray = n == 2 ? white : gray;
    return 0;
}

/* Where things are, and what pixels mean. */
static int read_layout(struct bmp *b, hst_err *err)
{
    b->palette_at = b->at + b->header;
    if (b->colors == 0 && b->bits <= 8)
        b->colors = 1u << b->bits;
    if (b->pixels_at == b->palette_at && b->bits <= 8)
        b->pixels_at += (uint64_t)b->colors * b->color_bytes;
    if (b->pixels_at == 0)
        b->pixels_at = b->palette_at + (b->bits <= 8 ? (uint64_t)b->colors * b->color_bytes : 0) +
                       (b->compression == MASKED && b->header == 40 ? 12 : 0);
    b->shift[0] = 16;
    b->shift[1] = 8;
    b->green_bits = 5;
    if (b->pixels_at > b->n)
        return truncated(err);
    if (b->compression == MASKED)
        return read_masks(b, err);
    return b->bits <= 8 ? read_palette(b, err) : 0;
}

static void color_16(const struct bmp *b, const uint8_t *p, uint8_t *rgb)
{
    unsigned v = p[0] | (unsigned)p[1] << 8, green_max = (1u << b->green_bits) - 1;
    rgb[0] = (uint8_t)((v >> (5 + b->green_bits) & 31) * 255 / 31);
    rgb[1] = (uint8_t)((v >> 5 & green_max) * 255 / green_max);
    rgb[2] = (uint8_t)((v & 31) * 255 / 31);
}

static void color_24_32(const struct bmp *b, const uint8_t *p, uint8_t *rgb)
{
    uint32_t v = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    if (b->bits == 32)
        v |= (uint32_t)p[3] << 24;
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(v >> b->shift[c]);
}

/* The colour number of pixel x; the leftmost pixel has the highest bits of a byte. */
static int index_at(const uint8_t *row, size_t x, unsigned bits)
{
    size_t bit = x * bits;
    return row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1);
}

static void row_decode(const struct bmp *b, const uint8_t *row, uint8_t *rgb)
{
    for (size_t x = 0; x < b->w; x++, rgb += 3) {
        if (b->bits <= 8)
            memcpy(rgb, b->palette[index_at(row, x, b->bits)], 3);
        else if (b->bits == 16)
            color_16(b, row + 2 * x, rgb);
        else
            color_24_32(b, row + x * (b->bits / 8), rgb);
    }
}

/* Row y of the file is row y from the bottom of the picture, or from the top. */
static uint8_t *row_of(const struct bmp *b, hst_image *out, uint64_t y)
{
    return out->rgb + 3 * b->w * (b->top_down ? y : b->h - 1 - y);
}

static int plain_decode(const struct bmp *b, hst_image *out, hst_err *err)
{
    if (b->w > HST_IMAGE_MAX_PIXELS || b->h > HST_IMAGE_MAX_PIXELS)
        return hst_image_alloc(out, b->w, b->h, err); /* which refuses */
    uint64_t row = (b->w * b->bits + 7) / 8, stride = (row + 3) / 4 * 4;
    if (b->h && b->n - b->pixels_at < stride * (b->h - 1) + row)
        return truncated(err);
    int rc = hst_image_alloc(out, b->w, b->h, err);
    for (uint64_t y = 0; y < b->h && rc == 0; y++)
        row_decode(b, b->p + b->pixels_at + y * stride, row_of(b, out, y));
    return rc;
}

/* Run-length coding, read the way Pillow reads it. */
struct rle {
    const struct bmp *b;
    size_t at; /* in the file */
    uint8_t *index;
    uint64_t done, total, x; /* pixels written, all pixels, column of the next */
};

static void rle_fill(struct rle *r, uint64_t n, int a, int b)
{
    if (n > r->total - r->done)
        n = r->total - r->done;
    for (uint64_t i = 0; i < n; i++)
        r->index[r->done + i] = (uint8_t)(i % 2 ? b : a);
    r->done += n;
}

/* n pixels of one colour, or of two in turn; they stop at the end of the row. */
static void rle_run(struct rle *r, uint64_t n, int value)
{
    uint64_t left = r->x < r->b->w ? r->b->w - r->x : 0;
    int rle4 = r->b->compression == RLE4;
    n = n < left ? n : left;
    rle_fill(r, n, rle4 ? value >> 4 : value, rle4 ? value & 15 : value);
    r->x += n;
}

/* n pixels as they are, padded to an even place in the file. 0 when the file ends. */
static int rle_literal(struct rle *r, unsigned n)
{
    int rle4 = r->b->compression == RLE4;
    size_t left = (size_t)(r->total - r->done), take = n < left ? n : left;
    size_t bytes = rle4 ? (take + 1) / 2 : take;
    if (r->b->n - r->at < bytes)
        return 0;
    const uint8_t *p = r->b->p + r->at;
    for (size_t i = 0; i < take; i++)
        r->index[r->done + i] = (uint8_t)(rle4 ? index_at(p, i, 4) : p[i]);
    r->done += take;
    r->x += n;
    r->at += bytes;
    r->at += r->at % 2 && r->at < r->b->n;
    return 1;
}

/* A code that begins with 0: end of row, end of picture, a jump, or literal pixels. 0 at the end.
 */
static int rle_escape(struct rle *r, int code)
{
    uint64_t w = r->b->w;
    if (code == 0) {
        rle_fill(r, (w - r->done % w) % w, 0, 0);
        r->x = 0;
        return 1;
    }
    if (code == 1)
        return 0;
    if (code != 2)
        return rle_literal(r, (unsigned)code);
    if (r->b->n - r->at < 2)
        return 0;
    rle_fill(r, r->b->p[r->at] + r->b->p[r->at + 1] * w, 0, 0);
    r->at += 2;
    r->x = r->done % w;
    return 1;
}

static int rle_decode(const struct bmp *b, hst_image *out, hst_err *err)
{
    int rc = hst_image_alloc(out, b->w, b->h, err);
    if (rc)
        return rc;
    struct rle r = {.b = b, .at = (size_t)b->pixels_at, .total = b->w * b->h};
    r.index = hst_alloc((size_t)r.total, 1, err);
    if (!r.index)
        return HST_EMEM;
    int more = 1;
    while (more && r.done < r.total && b->n - r.at >= 2) {
        int n = b->p[r.at], value = b->p[r.at + 1];
        r.at += 2;
        if (n)
            rle_run(&r, (uint64_t)n, value);
        else
            more = rle_escape(&r, value);
    }
    if (r.done < r.total)
        rc = truncated(err);
    for (uint64_t y = 0; y < b->h && rc == 0; y++)
        for (uint64_t x = 0; x < b->w; x++)
            memcpy(row_of(b, out, y) + 3 * x, b->palette[r.index[y * b->w + x]], 3);
    free(r.index);
    return rc;
}

/* From the header on; pixels_at may be set: 0 means right behind what comes first. */
static int decode(struct bmp *b, enum hst_resampler resampler, hst_image *out, hst_err *err)
{
    int rc = check_kind(b, resampler, err);
    if (rc == 0)
        rc = read_layout(b, err);
    if (rc)
        return rc;
    return b->compression == RLE8 || b->compression == RLE4 ? rle_decode(b, out, err)
                                                            : plain_decode(b, out, err);
}

int hst_bmp_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    struct bmp b = {.p = in->bytes, .n = in->n, .at = FILE_HEADER};
    *orientation = 1;
    int rc = read_header(&b, err);
    if (rc)
        return rc;
    b.pixels_at = u32(&b, 10);
    return decode(&b, in->resampler, out, err);
}

int hst_dib_decode(const hst_encoded *in, const hst_dib *dib, hst_image *out, int *is_gray,
                   hst_err *err)
{
    struct bmp b = {.p = in->bytes, .n = in->n, .at = dib->at};
    int rc = read_header(&b, err);
    b.h /= (uint64_t)dib->parts;
    rc = rc ? rc : decode(&b, HST_RESAMPLE_PIL, out, err);
    *is_gray = b.is_gray;
    return rc;
}
