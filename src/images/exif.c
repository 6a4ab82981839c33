/* exif.c - which way up the camera was held.
 *
 * Of the whole EXIF standard only tag 0x0112 of the first directory is read:
 *
 *   "II" or "MM" (byte order) | 42 u16 | offset of the directory u32
 *   directory: number of entries u16, then entries of 12 bytes:
 *   tag u16 | type u16 | count u32 | value, left-justified in 4 bytes, or where it is
 *
 * One number out of a few checked offsets: libexif would unpack every tag, maker notes included, of
 * bytes that come from strangers. What is odd is taken as Pillow takes it: of an entry that comes
 * twice the first counts, a value outside of the block ends the reading, and a number is a number
 * whatever its type, but bytes and text are none. */
#include "images/decode.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112

enum {
    BYTE = 1,
    ASCII,
    SHORT,
    LONG,
    RATIONAL,
    SBYTE,
    UNDEFINED,
    SSHORT,
    SLONG,
    SRATIONAL,
    FLOAT,
    DOUBLE,
    IFD,
    LONG8 = 16,
    TYPES
};

static const uint8_t type_bytes[TYPES] = {
    [BYTE] = 1,  [ASCII] = 1,     [SHORT] = 2,  [LONG] = 4,  [RATIONAL] = 8,
    [SBYTE] = 1, [UNDEFINED] = 1, [SSHORT] = 2, [SLONG] = 4, [SRATIONAL] = 8,
    [FLOAT] = 4, [DOUBLE] = 8,    [IFD] = 4,    [LONG8] = 8};

struct tiff {
    const uint8_t *p;
    size_t n;
    int big_endian;
};

/* The caller has checked that the bytes are there. */
static uint64_t number(const struct tiff *t, size_t at, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | t->p[at + (t->big_endian ? i : bytes - 1 - i)];
    return v;
}

static double real(const struct tiff *t, size_t at, unsigned type)
{
    float f;
    double d;
    if (type == FLOAT) {
        const uint32_t bits = (uint32_t)number(t, at, 4);
        memcpy(&f, &bits, sizeof f);
        return (double)f;
    }
    const uint64_t bits = number(t, at, 8);
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double ratio(const struct tiff *t, size_t at, unsigned type)
{
    const uint32_t a = (uint32_t)number(t, at, 4), b = (uint32_t)number(t, at + 4, 4);
    if (b == 0)
        return 0;
    return type == RATIONAL ? (double)a / b : (double)(int32_t)a / (int32_t)b;
}

/* The value at that place, the first of several, where it is an orientation; else 1. */
static int value_at(const struct tiff *t, size_t at, unsigned type)
{
    double v = 0;
    switch (type) {
    case BYTE:
    case ASCII:
    case UNDEFINED:
        return 1;
    case RATIONAL:
    case SRATIONAL:
        v = ratio(t, at, type);
        break;
    case FLOAT:
    case DOUBLE:
        v = real(t, at, type);
        break;
    default: /* below 0 it is large, and none either */
        v = (double)number(t, at, type_bytes[type]);
    }
    for (int orientation = 2; orientation <= 8; orientation++)
        if (v == orientation)
            return orientation;
    return 1;
}

/* Entries behind each other from at on. 1 when one of them is the orientation. */
static int find_entry(const struct tiff *t, size_t at, size_t entries, int *orientation)
{
    uint64_t outside = 0; /* bytes of values that are elsewhere */
    for (size_t i = 0; i < entries && t->n - at >= 12; i++, at += 12) {
        const unsigned type = (unsigned)number(t, at + 2, 2);
        const uint64_t bytes = type < TYPES ? number(t, at + 4, 4) * type_bytes[type] : 0;
        size_t value = at + 8;
        if (bytes == 0)
            continue;
        if (bytes > 4) {
            outside += bytes;
            if (outside > t->n)
                continue;
            value = (size_t)number(t, at + 8, 4);
            if (value > t->n || bytes > t->n - value)
                return 0;
        }
        if (number(t, at, 2) == TAG_ORIENTATION) {
            *orientation = value_at(t, value, type);
            return 1;
        }
    }
    return 0;
}

int hst_exif_find(const uint8_t *exif, size_t n, int *orientation)
{
    *orientation = 1;
    for (int i = 0; i < 2 && n >= 6 && !memcmp(exif, "Exif\0\0", 6); i++)
        exif += 6, n -= 6;
    if (n == 0)
        return 0;
    if (n < 8 || (memcmp(exif, "II*\0", 4) && memcmp(exif, "MM\0*", 4) &&
                  memcmp(exif, "II\0*", 4) && memcmp(exif, "MM*\0", 4)))
        return 1;
    const struct tiff t = {exif, n, exif[0] == 'M'};
    const size_t at = (size_t)number(&t, 4, 4);
    if (at > n - 2)
        return 0;
    return find_entry(&t, at + 2, (size_t)number(&t, at, 2), orientation);
}

int hst_exif_orientation(const uint8_t *exif, size_t n)
{
    int orientation;
    return hst_exif_find(exif, n, &orientation) ? orientation : 1;
}
