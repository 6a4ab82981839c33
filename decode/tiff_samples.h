/* tiff_samples.h - the samples of a TIFF's pixels to 8-bit RGB, as Pillow makes them. */
#ifndef DECODE_TIFF_SAMPLES_H
#define DECODE_TIFF_SAMPLES_H
#include "codec.h"

typedef struct samples {
    int bits, count;       /* of a sample; of samples in a pixel */
    int kind, photometric; /* as in the tags */
    int planar;            /* each sample has a plane of its own */
    int orientation;
    int scales_gray;
    int alpha;              /* colours are multiplied by the fourth sample */
    const uint16_t *map[3]; /* of a palette */
    /* chosen by samples_choose */
    int is_rgb;  /* rows are RGB as they are */
    int planes;  /* that are needed of a planar picture */
    int is_wide; /* rows become two bytes a pixel, for canvas_scale_gray */
    /* w pixels of a row. Samples of more than a byte are in this machine's order. */
    void (*row)(const struct samples *s, const uint8_t *row, uint32_t w, uint8_t *rgb);
    /* The same of one plane, 0 being the first; all planes one after the other. */
    void (*plane)(const struct samples *s, const uint8_t *row, uint32_t w, int plane, uint8_t *rgb);
} samples;

/* HST_EIMAGE: a combination that is not read. */
HST_CHECK int samples_choose(samples *s, hst_err *err);
#endif
