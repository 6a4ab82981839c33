#include "tiff_samples.h"

#include "colour.h"

#include <string.h>
#include <tiff.h>

/* ---- one sample a pixel ---- */

/* Less than a byte, the first in the high bits; also whole bytes. */
static int packed(const uint8_t *row, uint32_t x, int bits)
{
    const uint64_t at = (uint64_t)x * (uint64_t)bits;
    return row[at / 8] >> (8 - bits - (int)(at % 8)) & ((1 << bits) - 1);
}

static void gray_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    const int most = (1 << s->bits) - 1,
              invert = s->photometric == PHOTOMETRIC_MINISWHITE ? 255 : 0;
    for (uint32_t x = 0; x < w; x++) {
        const int v = s->bits == 8 ? row[(size_t)x * (size_t)s->count] : packed(row, x, s->bits);
        memset(rgb + 3 * (size_t)x, v * 255 / most ^ invert, 3);
    }
}

/* Multiplied by the second sample. */
static void gray_alpha_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    (void)s;
    for (size_t x = 0; x < w; x++)
        memset(rgb + 3 * x, colour_undo_alpha(row[2 * x], row[2 * x + 1]), 3);
}

static void palette_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    for (uint32_t x = 0; x < w; x++) {
        const int v = s->bits == 8 ? row[(size_t)x * (size_t)s->count] : packed(row, x, s->bits);
        for (int i = 0; i < 3; i++)
            rgb[3 * (size_t)x + (size_t)i] = (uint8_t)(s->map[i][v] >> 8);
    }
}

/* More than 8 bits of gray are clipped, as in a PNG. */
static void gray12_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    (void)s;
    for (size_t x = 0; x < w; x++) {
        const uint8_t *b = row + x / 2 * 3;
        const int v = x % 2 ? (b[1] & 15) << 8 | b[2] : b[0] << 4 | b[1] >> 4;
        memset(rgb + 3 * x, colour_clip(v), 3);
    }
}

/* The same, to be stretched. */
static void put_wide(unsigned v, const samples *s, uint8_t *to)
{
    const unsigned most = (1u << s->bits) - 1;
    v = s->photometric == PHOTOMETRIC_MINISWHITE ? most - v : v;
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
}

static void wide12_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *to)
{
    for (size_t x = 0; x < w; x++) {
        const uint8_t *b = row + x / 2 * 3;
        put_wide(x % 2 ? (unsigned)(b[1] & 15) << 8 | b[2] : (unsigned)b[0] << 4 | b[1] >> 4, s,
                 to + 2 * x);
    }
}

static void wide16_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *to)
{
    for (size_t x = 0; x < w; x++) {
        uint16_t v;
        memcpy(&v, row + 2 * x, sizeof v);
        put_wide(v, s, to + 2 * x);
    }
}

static void gray16_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    for (size_t x = 0; x < w; x++) {
        uint16_t v;
        memcpy(&v, row + 2 * x, sizeof v);
        memset(rgb + 3 * x, colour_clip(s->kind == SAMPLEFORMAT_INT ? (int16_t)v : v), 3);
    }
}

static void gray32_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    (void)s;
    for (size_t x = 0; x < w; x++) {
        int32_t v;
        memcpy(&v, row + 4 * x, sizeof v);
        memset(rgb + 3 * x, colour_clip(v), 3);
    }
}

static void float_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    (void)s;
    for (size_t x = 0; x < w; x++) {
        float v;
        memcpy(&v, row + 4 * x, sizeof v);
        memset(rgb + 3 * x, v >= 255 ? 255 : v > 0 ? (uint8_t)v : 0, 3); /* not a number: 0 */
    }
}

/* ---- several ---- */

/* The 8 highest bits of a sample. */
static int high(const samples *s, const uint8_t *pixel, int i)
{
    uint16_t v;
    if (s->bits == 8)
        return pixel[i];
    memcpy(&v, pixel + 2 * i, sizeof v);
    return v >> 8;
}

static void rgb_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    const size_t step = (size_t)s->count * (size_t)s->bits / 8;
    for (uint32_t x = 0; x < w; x++, row += step, rgb += 3)
        for (int i = 0; i < 3; i++)
            rgb[i] = s->alpha ? colour_undo_alpha(high(s, row, i), high(s, row, 3))
                              : (uint8_t)high(s, row, i);
}

static void ink_row(const samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb)
{
    const size_t step = (size_t)s->count * (size_t)s->bits / 8;
    for (uint32_t x = 0; x < w; x++, row += step, rgb += 3)
        colour_of_inks(high(s, row, 0), high(s, row, 1), high(s, row, 2), high(s, row, 3), rgb);
}

static void gray_plane(const samples *s, const uint8_t *row, uint32_t w, int plane, uint8_t *rgb)
{
    (void)plane; /* the first alone */
    for (uint32_t x = 0; x < w; x++)
        memset(rgb + 3 * (size_t)x, high(s, row + (size_t)x * (size_t)s->bits / 8, 0), 3);
}

static void rgb_plane(const samples *s, const uint8_t *row, uint32_t w, int plane, uint8_t *rgb)
{
    for (uint32_t x = 0; x < w; x++, row += s->bits / 8, rgb += 3) {
        if (plane < 3)
            rgb[plane] = (uint8_t)high(s, row, 0);
        for (int i = 0; plane == 3 && i < 3; i++)
            rgb[i] = colour_undo_alpha(rgb[i], high(s, row, 0));
    }
}

/* The light that the inks leave is multiplied by the black's, which comes last: three inks are kept
 * in the room of the colours until then. */
static void ink_plane(const samples *s, const uint8_t *row, uint32_t w, int plane, uint8_t *rgb)
{
    for (uint32_t x = 0; x < w; x++, row += s->bits / 8, rgb += 3) {
        if (plane < 3)
            rgb[plane] = (uint8_t)high(s, row, 0);
        else
            colour_of_inks(rgb[0], rgb[1], rgb[2], high(s, row, 0), rgb);
    }
}

/* ---- the choice ---- */

static int choose_gray(samples *s)
{
    const int is_float = s->kind == SAMPLEFORMAT_IEEEFP, bytes = s->bits == 8 || s->bits == 16;
    if (s->count == 2 && bytes && s->planar) {
        s->plane = gray_plane;
        s->planes = 1;
        return s->bits == 8 && !s->alpha;
    }
    if (s->count == 2 && s->bits == 8) {
        s->row = s->alpha ? gray_alpha_row : gray_row;
        return 1;
    }
    if (s->count != 1)
        return 0;
    s->is_wide = s->scales_gray && (s->bits == 12 || s->bits == 16) && s->kind == SAMPLEFORMAT_UINT;
    if (s->bits == 32)
        s->row = is_float ? float_row : gray32_row;
    else if (s->bits == 16 && !is_float)
        s->row = s->is_wide ? wide16_row : gray16_row;
    else if (s->bits == 12)
        s->row = s->is_wide ? wide12_row : gray12_row;
    else if (s->bits == 1 || s->bits == 2 || s->bits == 4 || s->bits == 8)
        s->row = gray_row;
    return s->row != NULL;
}

static int choose(samples *s)
{
    const int bytes = (s->bits == 8 || s->bits == 16) && s->kind == SAMPLEFORMAT_UINT;
    switch (s->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
        return choose_gray(s);
    case PHOTOMETRIC_PALETTE:
        s->row = palette_row;
        return !s->planar && (s->count == 1 || (s->count == 2 && s->bits == 8)) &&
               (s->bits == 1 || s->bits == 2 || s->bits == 4 || s->bits == 8);
    case PHOTOMETRIC_YCBCR: /* where libjpeg makes RGB of it, or there is luminance alone */
        if (s->count == 1)
            return choose_gray(s);
        /* fall through */
    case PHOTOMETRIC_RGB:
        s->alpha &= s->count >= 4;
        s->row = rgb_row;
        s->plane = rgb_plane;
        s->planes = s->alpha ? 4 : 3;
        s->is_rgb = s->count == 3 && s->bits == 8 && !s->planar;
        return bytes && s->count >= 3;
    case PHOTOMETRIC_SEPARATED:
        s->row = ink_row;
        s->plane = ink_plane;
        s->planes = 4;
        return bytes && s->count >= 4;
    default:
        return 0;
    }
}

int samples_choose(samples *s, hst_err *err)
{
    if (s->kind == SAMPLEFORMAT_VOID)
        s->kind = SAMPLEFORMAT_UINT;
    if (choose(s))
        return 0;
    return hst_fail(err, HST_EIMAGE,
                    "a TIFF of %d samples of %d bits (photometric %d, sample format %d), which is "
                    "not read; convert it to 8-bit RGB",
                    s->count, s->bits, s->photometric, s->kind);
}
