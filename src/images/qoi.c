/* qoi.c - the "Quite OK Image" format (qoiformat.org), as Pillow reads it.
 *
 *   "qoif" | width u32 | height u32, high bytes first | channels u8 | colour space u8 | codes
 *
 * A code is a byte and what follows; it says a pixel by the last one, by one of 64 that were seen
 * (the place of a colour is a sum of its channels), or as it is. Alpha is dropped.
 *
 * By hand: the format's own header file is as long as this. */
#include "images/decode.h"

#include <string.h>

#define HEADER  14
/* The most pixels that a byte stands for: a run. */
#define MAX_RUN 62

struct qoi {
    const uint8_t *p;
    size_t n, at;
    uint8_t last[4], seen[64][4];
};

/* The pixel that the code and what follows say, from the last one. 0: the file ends. */
static int read_pixel(struct qoi *q, uint8_t code)
{
    const uint8_t *p = q->p + q->at;
    const size_t left = q->n - q->at;
    uint8_t *last = q->last;
    if (code >= 0xfe) {
        const size_t bytes = code == 0xfe ? 3 : 4;
        if (left < bytes)
            return 0;
        memcpy(last, p, bytes);
        q->at += bytes;
    } else if (code < 0x40) {
        memcpy(last, q->seen[code], 4);
    } else if (code < 0x80) {
        for (int c = 0; c < 3; c++)
            last[c] = (uint8_t)(last[c] + (code >> (4 - 2 * c) & 3) - 2);
    } else {
        if (left < 1)
            return 0;
        const int green = (code & 63) - 32;
        last[0] = (uint8_t)(last[0] + green + (p[0] >> 4) - 8);
        last[1] = (uint8_t)(last[1] + green);
        last[2] = (uint8_t)(last[2] + green + (p[0] & 15) - 8);
        q->at++;
    }
    memcpy(q->seen[(last[0] * 3 + last[1] * 5 + last[2] * 7 + last[3] * 11) % 64], last, 4);
    return 1;
}

static int read_pixels(struct qoi *q, hst_image *out, hst_err *err)
{
    const size_t pixels = (size_t)out->w * (size_t)out->h;
    for (size_t i = 0; i < pixels;) {
        if (q->at == q->n)
            return hst_image_truncated("QOI", err);
        const uint8_t code = q->p[q->at++];
        size_t run = 1;
        if (code >= 0xc0 && code < 0xfe)
            run = (size_t)(code & 63) + 1;
        else if (!read_pixel(q, code))
            return hst_image_truncated("QOI", err);
        for (; run && i < pixels; run--, i++)
            memcpy(out->rgb + 3 * i, q->last, 3);
    }
    return 0;
}

static uint32_t big_32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int hst_qoi_decode(const hst_encoded *in, hst_image *out, int *orientation, hst_err *err)
{
    struct qoi q = {.p = in->bytes, .n = in->n, .at = HEADER, .last = {0, 0, 0, 255}};
    *orientation = 1;
    if (in->n < HEADER)
        return hst_image_truncated("QOI", err);
    const uint64_t w = big_32(in->bytes + 4), h = big_32(in->bytes + 8);
    int rc = hst_image_check(w, h, err);
    if (rc == 0 && (in->n - HEADER) < w * h / MAX_RUN)
        return hst_image_truncated("QOI", err);
    rc = rc ? rc : hst_image_alloc(out, w, h, err);
    return rc ? rc : read_pixels(&q, out, err);
}
