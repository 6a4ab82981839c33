/* tiff.c - TIFF by libtiff: the first page, in strips or tiles, with the samples of a pixel
 * together or in planes. tiff_samples.c makes RGB of them. */
#include "tiff_samples.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

static void version(char *out, size_t cap)
{
    const char *text = TIFFGetVersion(); /* "LIBTIFF, Version 4.5.0\nCopyright ..." */
    const char *number = strstr(text, "Version ");
    number = number ? number + 8 : text;
    snprintf(out, cap, "libtiff %.*s", (int)strcspn(number, "\n "), number);
}

/* ---- memory as a file ---- */

typedef struct source {
    const uint8_t *bytes;
    size_t n;
    uint64_t at;
    char why[160]; /* the first error that libtiff told */
} source;

static tmsize_t on_read(thandle_t h, void *to, tmsize_t n)
{
    source *s = h;
    if (s->at >= s->n || n <= 0)
        return 0;
    const size_t left = s->n - (size_t)s->at, take = (size_t)n < left ? (size_t)n : left;
    memcpy(to, s->bytes + s->at, take);
    s->at += take;
    return (tmsize_t)take;
}

static tmsize_t on_write(thandle_t h, void *from, tmsize_t n)
{
    (void)h;
    (void)from;
    (void)n;
    return 0;
}

static toff_t on_seek(thandle_t h, toff_t to, int from)
{
    source *s = h;
    s->at = from == SEEK_SET ? to : from == SEEK_CUR ? s->at + to : s->n + to;
    return s->at;
}

static int on_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t on_size(thandle_t h)
{
    return ((source *)h)->n;
}

static int on_map(thandle_t h, void **base, toff_t *n)
{
    source *s = h;
    *base = (void *)s->bytes;
    *n = s->n;
    return 1;
}

static void on_unmap(thandle_t h, void *base, toff_t n)
{
    (void)h;
    (void)base;
    (void)n;
}

static void on_error(thandle_t h, const char *where, const char *format, va_list ap)
{
    source *s = h;
    (void)where;
    if (s && !s->why[0])
        vsnprintf(s->why, sizeof s->why, format, ap);
}

static void prepare(void)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetErrorHandlerExt(on_error);
    TIFFSetWarningHandler(NULL);
}

static int damaged(const source *s, hst_err *err)
{
    return hst_fail(err, HST_EIMAGE, "damaged TIFF: %s",
                    s->why[0] ? s->why : "its pixels cannot be read");
}

/* ---- what the tags say ---- */

static int describe(TIFF *t, int scales_gray, samples *s, hst_err *err)
{
    uint16_t bits, count, kind = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISWHITE,
                          n_extra = 0, *extra = NULL, planar = PLANARCONFIG_CONTIG, compression,
                          turned;
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &count);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &kind);
    TIFFGetFieldDefaulted(t, TIFFTAG_EXTRASAMPLES, &n_extra, &extra);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(t, TIFFTAG_ORIENTATION, &turned);
    TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &photometric);
    *s = (samples){.scales_gray = scales_gray,
                   .bits = bits,
                   .count = count,
                   .kind = kind,
                   .photometric = photometric,
                   .planar = planar == PLANARCONFIG_SEPARATE && count > 1,
                   .orientation = turned >= 1 && turned <= 8 ? turned : 1,
                   .alpha = n_extra && extra[0] == EXTRASAMPLE_ASSOCALPHA};
    if (photometric == PHOTOMETRIC_PALETTE &&
        !TIFFGetField(t, TIFFTAG_COLORMAP, &s->map[0], &s->map[1], &s->map[2]))
        return hst_fail(err, HST_EIMAGE, "damaged TIFF: a palette without colours");
    return samples_choose(s, err);
}

/* ---- strips and tiles ---- */

typedef struct piece {
    uint32_t x, y, w, h; /* the part of the picture that is in it */
    tmsize_t row_bytes;  /* of a row of the piece, of one plane */
} piece;

/* A piece of one plane, or of all samples, that has been read. */
static void place(const samples *s, const piece *p, int plane, const uint8_t *from, canvas *out)
{
    for (uint32_t y = 0; y < p->h; y++) {
        uint8_t *rgb = out->rgb + 3 * (size_t)(p->y + y) * (size_t)out->w +
                       (s->is_wide ? 2u : 3u) * (size_t)p->x;
        const uint8_t *row = from + (size_t)y * (size_t)p->row_bytes;
        if (s->planar)
            s->plane(s, row, p->w, plane, rgb);
        else
            s->row(s, row, p->w, rgb);
    }
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int read_tiles(TIFF *t, const samples *s, uint8_t *room, canvas *out)
{
    uint32_t w = 0, h = 0;
    const int planes = s->planar ? s->planes : 1;
    if (!TIFFGetField(t, TIFFTAG_TILEWIDTH, &w) || !TIFFGetField(t, TIFFTAG_TILELENGTH, &h) || !w ||
        !h)
        return 0;
    for (int plane = 0; plane < planes; plane++)
        for (uint32_t y = 0; y < (uint32_t)out->h; y += lesser(h, (uint32_t)out->h - y))
            for (uint32_t x = 0; x < (uint32_t)out->w; x += lesser(w, (uint32_t)out->w - x)) {
                const piece p = {x, y, lesser(w, (uint32_t)out->w - x),
                                 lesser(h, (uint32_t)out->h - y), TIFFTileRowSize(t)};
                const uint32_t tile = TIFFComputeTile(t, x, y, 0, (uint16_t)plane);
                const tmsize_t n = TIFFTileSize(t);
                if (TIFFReadEncodedTile(t, tile, room, n) < (tmsize_t)p.h * p.row_bytes)
                    return 0;
                place(s, &p, plane, room, out);
            }
    return 1;
}

static int read_strips(TIFF *t, const samples *s, uint8_t *room, canvas *out)
{
    uint32_t rows = 0;
    const int planes = s->planar ? s->planes : 1;
    TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &rows);
    rows = lesser(rows, (uint32_t)out->h);
    for (int plane = 0; rows && plane < planes; plane++)
        for (uint32_t y = 0; y < (uint32_t)out->h; y += lesser(rows, (uint32_t)out->h - y)) {
            const piece p = {0, y, (uint32_t)out->w, lesser(rows, (uint32_t)out->h - y),
                             TIFFScanlineSize(t)};
            const tmsize_t n = (tmsize_t)p.h * p.row_bytes;
            uint8_t *to = s->is_rgb ? out->rgb + (size_t)y * 3 * (size_t)out->w : room;
            const uint32_t strip = TIFFComputeStrip(t, y, (uint16_t)plane);
            if (TIFFReadEncodedStrip(t, strip, to, n) < n)
                return 0;
            if (!s->is_rgb)
                place(s, &p, plane, room, out);
        }
    return rows != 0;
}

/* What a piece takes, as the samples are laid out; 0: the tags do not fit together. */
static size_t piece_bytes(TIFF *t, const samples *s, const canvas *out)
{
    const tmsize_t n = TIFFIsTiled(t) ? TIFFTileSize(t) : TIFFStripSize(t);
    const tmsize_t row = TIFFIsTiled(t) ? TIFFTileRowSize(t) : TIFFScanlineSize(t);
    uint32_t w = (uint32_t)out->w;
    if (TIFFIsTiled(t) && (!TIFFGetField(t, TIFFTAG_TILEWIDTH, &w) || !w))
        return 0;
    const uint64_t bits = (uint64_t)w * (uint64_t)(s->planar ? 1 : s->count) * (uint64_t)s->bits;
    return n > 0 && row > 0 && (uint64_t)row >= (bits + 7) / 8 ? (size_t)n : 0;
}

static int read_pieces(TIFF *t, const samples *s, source *from, canvas *out, hst_err *err)
{
    const size_t n = piece_bytes(t, s, out);
    if (n == 0)
        return damaged(from, err);
    uint8_t *room = hst_alloc_raw(n, 1, err);
    if (!room)
        return HST_EMEM;
    const int ok = TIFFIsTiled(t) ? read_tiles(t, s, room, out) : read_strips(t, s, room, out);
    free(room);
    return ok ? 0 : damaged(from, err);
}

/* Luminance with fewer samples of colour, which libtiff itself makes RGB of. */
static int read_as_rgba(TIFF *t, source *from, canvas *out, hst_err *err)
{
    TIFFRGBAImage img;
    char why[1024] = "";
    const size_t n = (size_t)out->w * (size_t)out->h;
    if (!TIFFRGBAImageBegin(&img, t, 1, why))
        return hst_fail(err, HST_EIMAGE, "damaged TIFF: %.160s", why);
    img.req_orientation = img.orientation = ORIENTATION_TOPLEFT; /* it is turned later */
    uint32_t *raster = hst_alloc_raw(n, sizeof *raster, err);
    int rc = raster ? 0 : HST_EMEM;
    if (raster && !TIFFRGBAImageGet(&img, raster, (uint32_t)out->w, (uint32_t)out->h))
        rc = damaged(from, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        out->rgb[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        out->rgb[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        out->rgb[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    free(raster);
    TIFFRGBAImageEnd(&img);
    return rc;
}

/* Whether it is luminance and colour; libjpeg makes RGB of it where it can. */
static int is_ycc(TIFF *t, samples *s)
{
    uint16_t compression;
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &compression);
    if (compression == COMPRESSION_OJPEG)
        return 1;
    if (s->photometric != PHOTOMETRIC_YCBCR || s->count < 3)
        return 0;
    if (compression != COMPRESSION_JPEG || s->planar)
        return 1;
    TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    return 0;
}

static int decode(TIFF *t, source *from, canvas *out, hst_err *err)
{
    uint32_t w = 0, h = 0;
    samples s;
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h);
    int rc = canvas_begin(out, w, h, err);
    rc = rc ? rc : describe(t, out->scales_gray, &s, err);
    if (rc)
        return rc;
    out->orientation = s.orientation;
    if (is_ycc(t, &s))
        return read_as_rgba(t, from, out, err);
    rc = read_pieces(t, &s, from, out, err);
    if (rc == 0 && s.is_wide)
        canvas_scale_gray(out);
    return rc;
}

static int read_tiff(const uint8_t *bytes, size_t n, canvas *out, hst_err *err)
{
    source s = {.bytes = bytes, .n = n};
    TIFF *t = TIFFClientOpen("", "r", &s, on_read, on_write, on_seek, on_close, on_size, on_map,
                             on_unmap);
    if (!t)
        return damaged(&s, err);
    const int rc = decode(t, &s, out, err);
    TIFFClose(t);
    return rc;
}

const codec codec_tiff = {version, prepare, read_tiff};
