/* size.h - width and height in pixels: of what a network sees, of a picture on its way there.
 *
 * In words a size is "224", a square, or "320x160", width x height. In JSON and in the facts of a
 * converted file NAME_px is the side of a square; any other size is NAME_width_px and
 * NAME_height_px. */
#ifndef HST_IMAGES_SIZE_H
#define HST_IMAGES_SIZE_H
#include "base/err.h"

#include <stddef.h>

typedef struct hst_size {
    int width, height;
} hst_size;

hst_size hst_size_square(int side);
int hst_size_is_square(hst_size s);
int hst_size_equal(hst_size a, hst_size b);
int hst_size_longer(hst_size s); /* the longer side */
size_t hst_size_pixels(hst_size s);
/* Whether both sides are from `least` to `most`. */
int hst_size_within(hst_size s, int least, int most);

enum { HST_SIZE_TEXT = 24 };
/* As words, into text, which is returned. */
const char *hst_size_text(hst_size s, char text[HST_SIZE_TEXT]);
/* The size that word[n] is, sides below 10000; 0: it is none, or has a side of 0. */
int hst_size_parse(const char *word, size_t n, hst_size *out);

struct json_t; /* jansson.h */
/* Into the object o; -1: no memory. */
int hst_size_write(hst_size s, const char *name, struct json_t *o);
/* HST_EMODEL: absent, or a side outside low .. high. */
HST_CHECK int hst_size_read(const struct json_t *o, const char *name, int low, int high,
                            hst_size *out, hst_err *err);
#endif
