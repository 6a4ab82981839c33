#include "report/canvas.h"

#include <stdio.h>
#include <string.h>

void hst_canvas_font(cairo_t *c, double px, int bold)
{
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(o, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(c, o);
    cairo_font_options_destroy(o);
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, px);
}

double hst_canvas_text_width(cairo_t *c, const char *text)
{
    cairo_text_extents_t e;
    cairo_text_extents(c, text, &e);
    return e.x_advance;
}

/* Start of the character behind, or in front of, the byte at s. */
static size_t char_end(const char *s, size_t at)
{
    while (((unsigned char)s[at] & 0xc0) == 0x80)
        at++;
    return at;
}

void hst_canvas_text(cairo_t *c, double x, double y, double room, const char *text)
{
    char full[512], cut[520];
    hst_printable(full, sizeof full, text);
    size_t n = strlen(full), drop = 0;
    snprintf(cut, sizeof cut, "%s", full);
    while (hst_canvas_text_width(c, cut) > room && drop < n) {
        drop++;
        size_t front = char_end(full, (n - drop + 1) / 2), back = char_end(full, front + drop);
        snprintf(cut, sizeof cut, "%.*s..%s", (int)front, full, full + (back < n ? back : n));
    }
    cairo_move_to(c, x, y);
    cairo_show_text(c, cut);
    cairo_new_path(c); /* or the next line would begin where the text ended */
}

/* An image as cairo holds it: 32 bits a pixel, 0x00RRGGBB. */
static cairo_surface_t *to_surface(const hst_image *img)
{
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, img->w, img->h);
    if (cairo_surface_status(s) != CAIRO_STATUS_SUCCESS)
        return s;
    unsigned char *data = cairo_image_surface_get_data(s);
    size_t stride = (size_t)cairo_image_surface_get_stride(s);
    for (int y = 0; y < img->h; y++) {
        uint32_t *row = (uint32_t *)(void *)(data + (size_t)y * stride); /* rows are aligned */
        const uint8_t *p = img->rgb + (size_t)y * (size_t)img->w * 3;
        for (int x = 0; x < img->w; x++, p += 3)
            row[x] = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    }
    cairo_surface_mark_dirty(s);
    return s;
}

void hst_canvas_image(cairo_t *c, double x, double y, const hst_image *img)
{
    cairo_surface_t *s = to_surface(img);
    cairo_set_source_surface(c, s, x, y);
    cairo_paint(c);
    cairo_surface_destroy(s);
}

int hst_canvas_check(cairo_t *c, const char *what, hst_err *err)
{
    cairo_status_t status = cairo_status(c);
    if (status == CAIRO_STATUS_SUCCESS)
        return 0;
    return hst_fail(err, HST_EMEM, "%s cannot be drawn: %s", what, cairo_status_to_string(status));
}

cairo_status_t hst_canvas_add(void *arg, const unsigned char *bytes, unsigned n)
{
    hst_buf *b = arg;
    hst_buf_add(b, bytes, n);
    return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

int hst_canvas_png(cairo_t *c, cairo_surface_t *s, hst_buf *b, hst_err *err)
{
    int rc = hst_canvas_check(c, "the picture", err);
    if (rc)
        return rc;
    cairo_status_t status = cairo_surface_write_to_png_stream(s, hst_canvas_add, b);
    if (status != CAIRO_STATUS_SUCCESS)
        return hst_fail(err, HST_EMEM, "the picture cannot be written as PNG: %s",
                        cairo_status_to_string(status));
    return 0;
}
