/* facts.h - what the header of a picture file says, without its pixels. */
#ifndef HST_IMAGES_FACTS_H
#define HST_IMAGES_FACTS_H
#include "images/format.h"

enum {
    HST_HAS_ALPHA = 1, /* transparency, which is dropped */
    HST_IS_ANIMATED = 2,
    HST_IS_CMYK = 4, /* four inks, as for print */
    HST_IS_GRAY = 8, /* one channel; said of more than 8 bits only */
};

/* What the header says; zeros where it does not, or is damaged. No padding: it is kept as it is. */
typedef struct hst_facts {
    int32_t w, h;        /* as stored, before it is turned upright; 0: not known */
    uint8_t format;      /* enum hst_format */
    uint8_t bits;        /* of a channel; 0: not known */
    uint8_t orientation; /* EXIF, 1..8; 1: upright */
    uint8_t flags;       /* HST_HAS_ALPHA, ... */
} hst_facts;
_Static_assert(sizeof(hst_facts) == 12, "hst_facts has no padding");

/* Of a whole file in memory. */
hst_facts hst_facts_of(const uint8_t *bytes, size_t n);
#endif
