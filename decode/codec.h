/* codec.h - one reader a format. A reader is given a whole file in memory and writes 8-bit RGB, as
 * Pillow does: Image.open().convert("RGB"); where the format's library turns the picture upright it
 * does that, else it says how to. */
#ifndef DECODE_CODEC_H
#define DECODE_CODEC_H
#include "images/decode.h"
#include "images/format.h"

/* What a reader writes to. */
typedef struct canvas {
    uint8_t *rgb;    /* [h][w][3], dense rows */
    uint64_t room;   /* bytes at rgb */
    int w, h;        /* 0: not known yet */
    int too_large;   /* canvas_begin failed because of room alone */
    int orientation; /* EXIF, 1..8; 1 from the start */
    int scales_gray; /* unsigned gray of more than 8 bits is stretched over 8; else it is clipped */
} canvas;

/* Sets the size, before pixels are decoded. Errors: HST_EIMAGE (no picture has this size), HST_EMEM
 * (more than there is room for). */
HST_CHECK int canvas_begin(canvas *c, uint64_t w, uint64_t h, hst_err *err);

/* Where gray is stretched, each of its rows is written as two bytes a pixel, the high one first,
 * and then this is called: hst_gray16_to_rgb. */
void canvas_scale_gray(canvas *c);

typedef struct codec {
    /* "libtiff 4.5.0" */
    void (*version)(char *out, size_t cap);
    /* What the library has to load or to find out, while the process may still look at files; NULL:
     * nothing. */
    void (*prepare)(void);
    /* Errors: HST_EIMAGE with the reason, HST_EMEM. */
    int (*read)(const uint8_t *bytes, size_t n, canvas *out, hst_err *err);
} codec;

extern const codec codec_tiff, codec_heif, codec_avif, codec_jxl, codec_jp2;

/* NULL: this build does not read it. */
const codec *codec_of(enum hst_format f);
#endif
