/* canvas.h - drawing with cairo: what all pictures share. */
#ifndef HST_REPORT_CANVAS_H
#define HST_REPORT_CANVAS_H
#include "base/buf.h"
#include "images/image.h"

#include <cairo.h>

/* The sans-serif font of the system, not hinted: the same shapes at any scale. */
void hst_canvas_font(cairo_t *c, double px, int bold);

/* Width of text in the font chosen. */
double hst_canvas_text_width(cairo_t *c, const char *text);

/* Draws text with its base line at x, y; in a text wider than `room` the middle gives way to "..".
 * Control characters are shown as '?'. */
void hst_canvas_text(cairo_t *c, double x, double y, double room, const char *text);

/* Paints the picture with its upper left corner at x, y. */
void hst_canvas_image(cairo_t *c, double x, double y, const hst_image *img);

/* 0, or HST_EMEM when anything drawn so far failed. what: for the message. */
HST_CHECK int hst_canvas_check(cairo_t *c, const char *what, hst_err *err);

/* The picture drawn on image surface s by c, as PNG into b. Errors: HST_EMEM. */
HST_CHECK int hst_canvas_png(cairo_t *c, cairo_surface_t *s, hst_buf *b, hst_err *err);

/* The same as a file that appears whole or not at all. Errors: HST_EMEM, HST_EIO. */
HST_CHECK int hst_canvas_save(cairo_t *c, cairo_surface_t *s, const char *path, hst_err *err);

/* A sink of cairo that adds to the hst_buf arg. */
cairo_status_t hst_canvas_add(void *arg, const unsigned char *bytes, unsigned n);
#endif
