/* orientation.c - where JPEG, PNG and WebP keep what they say about which way up they are: in EXIF
 * first, and where that has no such tag in XMP, a text. Read as Pillow reads it (getexif).
 *
 * A hostile file gets no more than a walk over its blocks, and one inflated text. */
#include "images/decode.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* A text of a PNG is inflated up to here. */
#define MAX_TEXT (1u << 20)

typedef struct block {
    const uint8_t *p; /* NULL: there is none */
    size_t n;
} block;

static size_t big(const uint8_t *p, size_t bytes)
{
    size_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static size_t little_32(const uint8_t *p)
{
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* memmem, which not every system has. */
static const uint8_t *find(const uint8_t *p, size_t n, const char *what)
{
    const size_t length = strlen(what);
    for (; n >= length; p++, n--) {
        const uint8_t *first = memchr(p, what[0], n - length + 1);
        if (!first)
            return NULL;
        n -= (size_t)(first - p);
        p = first;
        if (!memcmp(p, what, length))
            return p;
    }
    return NULL;
}

/* <tiff:Orientation>6</...> or tiff:Orientation="6". */
int hst_xmp_orientation(const uint8_t *xmp, size_t n)
{
    static const char name[] = "tiff:Orientation";
    const uint8_t *end = xmp + n;
    for (const uint8_t *at = xmp; at && (at = find(at, (size_t)(end - at), name));) {
        at += strlen(name);
        const size_t skip = end - at >= 2 && at[0] == '>'                   ? 1
                            : end - at >= 3 && at[0] == '=' && at[1] == '"' ? 2
                                                                            : 0;
        if (skip && at[skip] >= '0' && at[skip] <= '9')
            return at[skip] >= '1' && at[skip] <= '8' ? at[skip] - '0' : 1;
    }
    return 1;
}

static int orientation_of(block exif, block xmp)
{
    int orientation = 1;
    if (exif.p && hst_exif_find(exif.p, exif.n, &orientation))
        return orientation;
    return xmp.p ? hst_xmp_orientation(xmp.p, xmp.n) : 1;
}

/* ---- JPEG ---- */

static int begins(block b, const char *with, size_t n)
{
    return b.n >= n && !memcmp(b.p, with, n);
}

/* Whether a marker has a segment behind it, as against being a sign alone. */
static int has_segment(uint8_t marker)
{
    return marker != 0xc8 && (marker < 0xd0 || marker > 0xd9) && (marker < 0xf0 || marker == 0xfe);
}

/* The next marker from *at on, which ends up behind it; 0 at the end. */
static uint8_t next_marker(const uint8_t *b, size_t n, size_t *at)
{
    for (; *at + 1 < n; (*at)++)
        if (b[*at] == 0xff && b[*at + 1] != 0xff && b[*at + 1] != 0) {
            *at += 2;
            return b[*at - 1];
        }
    return 0;
}

/* The next segment before the picture's data that an application may use for EXIF and XMP. */
static int next_app1(const uint8_t *b, size_t n, size_t *at, block *out)
{
    for (uint8_t marker; (marker = next_marker(b, n, at)) >= 0xc0;) {
        if (!has_segment(marker))
            continue;
        const size_t length = n - *at >= 2 ? big(b + *at, 2) : 0;
        if (marker == 0xda || length < 2 || length > n - *at)
            return 0;
        *out = (block){b + *at + 2, length - 2};
        *at += length;
        if (marker == 0xe1)
            return 1;
    }
    return 0;
}

/* EXIF of more than 64 KB is split over several segments. */
static int join(const uint8_t *b, size_t n, size_t total, uint8_t **out, hst_err *err)
{
    uint8_t *to = *out = hst_alloc(total, 1, err);
    block segment;
    if (!to)
        return HST_EMEM;
    for (size_t at = 2; next_app1(b, n, &at, &segment);)
        if (begins(segment, "Exif\0\0", 6)) {
            const size_t skip = to == *out ? 0 : 6;
            memcpy(to, segment.p + skip, segment.n - skip);
            to += segment.n - skip;
        }
    return 0;
}

int hst_jpeg_orientation(const uint8_t *bytes, size_t n, int *orientation, hst_err *err)
{
    static const char adobe[] = "http://ns.adobe.com/xap/1.0/";
    block segment, exif = {0}, xmp = {0};
    uint8_t *joined = NULL;
    int parts = 0, rc = 0;
    for (size_t at = 2; next_app1(bytes, n, &at, &segment);) {
        if (begins(segment, "Exif\0\0", 6)) {
            exif.n += parts ? segment.n - 6 : segment.n;
            exif.p = parts++ ? exif.p : segment.p;
        } else if (begins(segment, adobe, sizeof adobe)) {
            xmp = (block){segment.p + sizeof adobe, segment.n - sizeof adobe};
        }
    }
    if (parts > 1) {
        rc = join(bytes, n, exif.n, &joined, err);
        exif.p = joined;
    }
    if (rc == 0)
        *orientation = orientation_of(exif, xmp);
    free(joined);
    return rc;
}

/* ---- PNG ---- */

/* A text chunk: tEXt, zTXt or iTXt, from behind its keyword's NUL; NULL: there is none. */
typedef struct text {
    block rest;
    char kind; /* 't', 'z' or 'i' */
} text;

typedef struct png_tags {
    block exif; /* of the chunk of that name, or a text called "exif" */
    text raw;   /* ImageMagick's, in hexadecimal */
    text xmp;
} png_tags;

static int is_chunk_name(const uint8_t *p)
{
    for (int i = 0; i < 4; i++)
        if (!(p[i] >= 'a' && p[i] <= 'z') && !(p[i] >= 'A' && p[i] <= 'Z') &&
            !(p[i] >= '0' && p[i] <= '9') && p[i] != '_')
            return 0;
    return 1;
}

static void take_text(block data, char kind, png_tags *tags)
{
    static const char raw[] = "Raw profile type exif", xmp[] = "XML:com.adobe.xmp";
    if (begins(data, raw, sizeof raw))
        tags->raw = (text){{data.p + sizeof raw, data.n - sizeof raw}, kind};
    else if (begins(data, xmp, sizeof xmp))
        tags->xmp = (text){{data.p + sizeof xmp, data.n - sizeof xmp}, kind};
    else if (kind == 't' && begins(data, "exif", 5))
        tags->exif = (block){data.p + 5, data.n - 5};
}

/* Of several of a kind the last counts. What follows the first picture of an animation is not
 * looked at. */
static void read_chunks(const uint8_t *b, size_t n, png_tags *tags)
{
    int animated = 0, pixels = 0;
    for (size_t at = 8; n - at >= 8 && is_chunk_name(b + at + 4);) {
        const uint8_t *name = b + at + 4;
        const block data = {b + at + 8, big(b + at, 4)};
        if (data.n > n - at - 8 || !memcmp(name, "IEND", 4) ||
            (!memcmp(name, "fcTL", 4) && animated && pixels))
            return;
        animated |= !memcmp(name, "acTL", 4);
        pixels |= !memcmp(name, "IDAT", 4);
        if (!memcmp(name, "eXIf", 4))
            tags->exif = data;
        else if (!memcmp(name, "tEXt", 4) || !memcmp(name, "zTXt", 4) || !memcmp(name, "iTXt", 4))
            take_text(data, (char)name[0], tags);
        if (n - at - 8 - data.n < 4)
            return;
        at += 12 + data.n;
    }
}

/* A stream of zlib; one that is damaged or too long is no text. */
static int inflate_text(block in, uint8_t **out, size_t *n, hst_err *err)
{
    uLongf length = MAX_TEXT;
    *n = 0;
    *out = hst_alloc_raw(MAX_TEXT, 1, err);
    if (!*out)
        return HST_EMEM;
    if (uncompress(*out, &length, in.p, (uLong)in.n) == Z_OK)
        *n = length;
    return 0;
}

/* Behind its keyword, an iTXt has: compressed u8 | method u8 | language | 0 | keyword | 0 | text;
 * a zTXt: method u8 | text. *owned is to be freed; *out lies in it or in the file. */
static int text_bytes(text t, block *out, uint8_t **owned, hst_err *err)
{
    int deflated = t.kind == 'z';
    size_t skip = t.kind == 'z';
    *out = (block){0};
    if (t.kind == 'i' && t.rest.n >= 2) {
        const uint8_t *end = t.rest.p + t.rest.n, *at = t.rest.p + 2;
        deflated = t.rest.p[0] != 0;
        for (int strings = 0; strings < 2 && at; strings++) {
            at = memchr(at, 0, (size_t)(end - at));
            at = at ? at + 1 : NULL;
        }
        skip = at ? (size_t)(at - t.rest.p) : t.rest.n;
    }
    if (!t.rest.p || t.rest.n < skip)
        return 0;
    *out = (block){t.rest.p + skip, t.rest.n - skip};
    if (!deflated)
        return 0;
    int rc = inflate_text(*out, owned, &out->n, err);
    out->p = *owned;
    return rc;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* "\nexif\n    1234\n" and hexadecimal digits, over several lines, become bytes in place. What is
 * no such text becomes nothing. */
static block unhex(uint8_t *p, size_t n)
{
    size_t at = 0, digits = 0;
    for (int lines = 0; lines < 3 && at < n; at++)
        lines += p[at] == '\n';
    for (size_t i = at; i < n; i++) {
        const int d = digit(p[i]);
        if (d < 0 && !memchr("\n\r\t\v\f ", p[i], 6))
            return (block){p, 0};
        if (d < 0)
            continue;
        p[digits / 2] = (uint8_t)(digits % 2 ? p[digits / 2] << 4 | d : d);
        digits++;
    }
    return (block){p, digits / 2};
}

static int raw_exif(text raw, block *out, uint8_t **owned, hst_err *err)
{
    block in;
    int rc = text_bytes(raw, &in, owned, err);
    if (rc == 0 && !*owned) { /* it lies in the file, which is not to be changed */
        *owned = hst_alloc(in.n ? in.n : 1, 1, err);
        rc = *owned ? 0 : HST_EMEM;
        if (rc == 0 && in.n)
            memcpy(*owned, in.p, in.n);
    }
    if (rc == 0)
        *out = unhex(*owned, in.n);
    return rc;
}

int hst_png_orientation(const uint8_t *bytes, size_t n, int *orientation, hst_err *err)
{
    png_tags tags = {0};
    block xmp = {0};
    uint8_t *owned_exif = NULL, *owned_xmp = NULL;
    int rc = 0;
    read_chunks(bytes, n, &tags);
    if (!tags.exif.p && tags.raw.rest.p)
        rc = raw_exif(tags.raw, &tags.exif, &owned_exif, err);
    if (rc == 0)
        rc = text_bytes(tags.xmp, &xmp, &owned_xmp, err);
    if (rc == 0)
        *orientation = orientation_of(tags.exif, xmp);
    free(owned_exif);
    free(owned_xmp);
    return rc;
}

/* ---- WebP ---- */

/* "RIFF" | length u32 | "WEBP" | chunks: name, length u32, data, a byte where length is odd. The
 * first chunk, VP8X, says whether there are any for EXIF and XMP. */
int hst_webp_orientation(const uint8_t *b, size_t n)
{
    enum { HAS_XMP = 4, HAS_EXIF = 8 };
    block exif = {0}, xmp = {0};
    if (n < 21 || memcmp(b + 12, "VP8X", 4))
        return 1;
    if (little_32(b + 4) < n - 8)
        n = 8 + little_32(b + 4);
    for (size_t at = 12; at <= n && n - at >= 8;) {
        const block data = {b + at + 8, little_32(b + at + 4)};
        if (data.n > n - at - 8)
            break;
        if (!exif.p && b[20] & HAS_EXIF && !memcmp(b + at, "EXIF", 4))
            exif = data;
        if (!xmp.p && b[20] & HAS_XMP && !memcmp(b + at, "XMP ", 4))
            xmp = data;
        at += 8 + data.n + data.n % 2;
    }
    return orientation_of(exif, xmp);
}
