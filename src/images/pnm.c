/* pnm.c - the portable bitmaps, graymaps and pixmaps of Netpbm, as Pillow reads them.
 *
 *   "P1".."P6", white space, width, height, largest value (not of bitmaps): decimal, white space
 *   between and behind, "#" and the rest of its line anywhere; pixels
 *
 * P1, P2, P3 have decimal numbers; P4, P5, P6 bits (1 is black, rows padded to a byte), bytes, or
 * two bytes, high one first, where the largest value is over 255. Values become 0..255 in
 * proportion, but of graymaps of two bytes Pillow makes 0..65535, and clips at 255. ("tf" keeps the
 * high byte of these, as it does of such PNGs.)
 *
 * By hand since libnetpbm ends the program at the first damaged file. */
#include "images/decode.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 10

struct pnm {
    const uint8_t *p;
    size_t n, at;
    int kind; /* 1..6 */
    int channels;
    unsigned largest;
    int w, h;
};

static int is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int next_byte(struct pnm *m)
{
    return m->at < m->n ? m->p[m->at++] : -1;
}

/* The byte behind a comment, or the byte itself. */
static int next_of_text(struct pnm *m)
{
    int c = next_byte(m);
    while (c == '#') {
        while (c != '\n' && c != '\r' && c >= 0)
            c = next_byte(m);
        c = next_byte(m);
    }
    return c;
}

static int truncated(hst_err *err)
{
    return hst_image_truncated("PNM", err);
}

/* A decimal number, and the one byte of white space behind it. */
static int read_number(struct pnm *m, uint64_t *out, hst_err *err)
{
    int c, digits = 0;
    do
        c = next_of_text(m);
    while (is_space(c));
    for (*out = 0; c >= '0' && c <= '9' && digits <= MAX_DIGITS; digits++) {
        *out = *out * 10 + (uint64_t)(c - '0');
        c = next_of_text(m);
    }
    if (digits == 0 && c < 0)
        return truncated(err);
    if (digits == 0 || digits > MAX_DIGITS || (c >= 0 && !is_space(c)))
        return hst_fail(err, HST_EIMAGE, "damaged PNM: a number was expected");
    return 0;
}

static int read_header(struct pnm *m, uint64_t *w, uint64_t *h, hst_err *err)
{
    uint64_t largest = 1;
    m->kind = m->p[1] - '0';
    m->at = 2;
    m->channels = m->kind % 3 == 0 ? 3 : 1;
    int rc = read_number(m, w, err);
    rc = rc ? rc : read_number(m, h, err);
    if (rc == 0 && m->kind % 3 != 1)
        rc = read_number(m, &largest, err);
    if (rc == 0 && (largest == 0 || largest > 65535))
        return hst_fail(err, HST_EIMAGE, "damaged PNM: a largest value of %llu",
                        (unsigned long long)largest);
    m->largest = (unsigned)largest;
    return rc ? rc : hst_image_check(*w, *h, err);
}

/* Makes the picture, once the file is known to be long enough for its pixels. */
static int make_picture(const struct pnm *m, uint64_t w, uint64_t h, hst_image *out, hst_err *err)
{
    const uint64_t values = w * h * (uint64_t)m->channels;
    const uint64_t least = m->kind == 4   ? (w + 7) / 8 * h
                           : m->kind == 1 ? values
                           : m->kind < 4  ? values * 2 - 1
                                          : values * (m->largest > 255 ? 2 : 1);
    if (m->n - m->at < least)
        return truncated(err);
    return hst_image_alloc(out, w, h, err);
}

int hst_pnm_header(const uint8_t *bytes, size_t n, int *w, int *h, int *bits)
{
    struct pnm m = {.p = bytes, .n = n};
    hst_err unread = {0};
    uint64_t width, height;
    if (read_header(&m, &width, &height, &unread))
        return 0;
    *w = (int)width;
    *h = (int)height;
    *bits = m.largest > 255 ? 16 : 8;
    return m.channels;
}

/* Whether Pillow makes 0..65535 of it. */
static int is_deep(const struct pnm *m)
{
    return m->channels == 1 && m->largest > 255;
}

/* value[v]: what v becomes, 0..255 or, where it is deep, 0..65535. */
static void make_table(const struct pnm *m, uint16_t *value)
{
    for (unsigned v = 0; v <= m->largest; v++)
        value[v] = (uint16_t)rint((double)v / m->largest * (is_deep(m) ? 65535 : 255));
    for (unsigned v = m->largest + 1; v <= 65535; v++)
        value[v] = is_deep(m) ? 65535 : 255;
}

static int read_value(struct pnm *m, uint64_t *v, hst_err *err)
{
    if (m->kind < 4) {
        int rc = read_number(m, v, err);
        if (rc == 0 && *v > m->largest)
            return hst_fail(err, HST_EIMAGE, "damaged PNM: a value of %llu, at most %u",
                            (unsigned long long)*v, m->largest);
        return rc;
    }
    *v = m->p[m->at++];
    if (m->largest > 255)
        *v = *v << 8 | m->p[m->at++];
    return 0;
}

/* Pixel i, as hst_gray16_to_rgb wants it. */
static void put_deep(hst_image *out, size_t i, unsigned v)
{
    uint8_t *row = out->rgb + i / (size_t)out->w * (size_t)out->w * 3;
    row[2 * (i % (size_t)out->w)] = (uint8_t)(v >> 8);
    row[2 * (i % (size_t)out->w) + 1] = (uint8_t)v;
}

static int read_values(struct pnm *m, hst_image *out, hst_err *err)
{
    const size_t pixels = (size_t)out->w * (size_t)out->h;
    uint8_t *to = out->rgb;
    uint16_t *value = hst_alloc_raw(65536, sizeof *value, err);
    int rc = value ? 0 : HST_EMEM;
    if (rc == 0)
        make_table(m, value);
    for (size_t i = 0; i < pixels && rc == 0; i++, to += 3) {
        uint64_t v = 0;
        for (int c = 0; c < m->channels && rc == 0; c++) {
            rc = read_value(m, &v, err);
            if (rc == 0 && !is_deep(m))
                to[c] = (uint8_t)value[v];
        }
        if (is_deep(m) && rc == 0)
            put_deep(out, i, value[v]);
        else if (m->channels == 1)
            memset(to + 1, to[0], 2);
    }
    free(value);
    return rc;
}

static void read_bits(struct pnm *m, hst_image *out)
{
    const size_t w = (size_t)out->w, row = (w + 7) / 8;
    uint8_t *to = out->rgb;
    for (int y = 0; y < out->h; y++, m->at += row)
        for (size_t x = 0; x < w; x++, to += 3)
            memset(to, m->p[m->at + x / 8] >> (7 - x % 8) & 1 ? 0 : 255, 3);
}

/* A digit a pixel, white space between them or not. */
static int read_digits(struct pnm *m, hst_image *out, hst_err *err)
{
    const size_t pixels = (size_t)out->w * (size_t)out->h;
    for (size_t i = 0; i < pixels; i++) {
        int c;
        do
            c = next_of_text(m);
        while (is_space(c));
        if (c < 0)
            return truncated(err);
        if (c != '0' && c != '1')
            return hst_fail(err, HST_EIMAGE, "damaged PNM: a digit other than 0 and 1");
        memset(out->rgb + 3 * i, c == '1' ? 0 : 255, 3);
    }
    return 0;
}

int hst_pnm_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    struct pnm m = {.p = in->bytes, .n = in->n};
    *orientation = 1;
    uint64_t w, h;
    int rc = read_header(&m, &w, &h, err);
    rc = rc ? rc : make_picture(&m, w, h, out, err);
    if (rc)
        return rc;
    if (m.kind == 1)
        return read_digits(&m, out, err);
    if (m.kind == 4) {
        read_bits(&m, out);
        return 0;
    }
    rc = read_values(&m, out, err);
    if (rc == 0 && is_deep(&m))
        hst_gray16_to_rgb(out, in->resampler == HST_RESAMPLE_TF ? HST_GRAY16_HIGH
                               : in->scales_gray                ? HST_GRAY16_SCALE
                                                                : HST_GRAY16_CLIP);
    return rc;
}
