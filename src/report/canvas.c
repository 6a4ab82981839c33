#include "report/canvas.h"

#include "base/file.h"
#include "base/mem.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- PNG ---- */

/* libpng leaves on an error by longjmp; everything it needs lies here, so that nothing is lost. */
struct encoder {
    png_structp png;
    png_infop info;
    hst_buf *to;
    const unsigned char *pixel; /* as cairo holds them */
    int w, h;
    size_t stride;
    png_bytep row; /* [w][3] */
};

static void add_bytes(png_structp png, png_bytep bytes, size_t n)
{
    hst_buf *b = png_get_io_ptr(png);
    hst_buf_add(b, bytes, n);
    if (b->failed)
        png_error(png, "no memory");
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* One row, 0x00RRGGBB a pixel, as red, green, blue. */
static void to_rgb(const uint32_t *from, int w, png_bytep to)
{
    for (int x = 0; x < w; x++, to += 3) {
        to[0] = (png_byte)(from[x] >> 16);
        to[1] = (png_byte)(from[x] >> 8);
        to[2] = (png_byte)from[x];
    }
}

/* Beyond this level a photo takes four times as long to be 8 % smaller. */
enum { COMPRESSION = 2 };

static int encode(struct encoder *e)
{
    if (setjmp(png_jmpbuf(e->png)))
        return HST_EMEM;
    png_set_write_fn(e->png, e->to, add_bytes, flush_nothing);
    png_set_compression_level(e->png, COMPRESSION);
    png_set_IHDR(e->png, e->info, (png_uint_32)e->w, (png_uint_32)e->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->png, e->info);
    for (size_t y = 0; y < (size_t)e->h; y++) {
        to_rgb((const uint32_t *)(const void *)(e->pixel + y * e->stride), e->w, e->row);
        png_write_row(e->png, e->row);
    }
    png_write_end(e->png, e->info);
    return 0;
}

static void on_error(png_structp png, png_const_charp why)
{
    (void)why;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp what)
{
    (void)png;
    (void)what;
}

int hst_canvas_png(cairo_t *c, cairo_surface_t *s, hst_buf *b, hst_err *err)
{
    struct encoder e = {.to = b};
    int rc = hst_canvas_check(c, "the picture", err);
    if (rc)
        return rc;
    cairo_surface_flush(s);
    e.pixel = cairo_image_surface_get_data(s);
    e.w = cairo_image_surface_get_width(s);
    e.h = cairo_image_surface_get_height(s);
    e.stride = (size_t)cairo_image_surface_get_stride(s);
    e.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    e.info = e.png ? png_create_info_struct(e.png) : NULL;
    e.row = hst_alloc((size_t)e.w, 3, err);
    rc = e.info && e.row && e.pixel ? encode(&e) : HST_EMEM;
    free(e.row);
    png_destroy_write_struct(&e.png, &e.info);
    return rc ? hst_fail(err, rc, "out of memory: the picture cannot be written as PNG") : 0;
}

int hst_canvas_save(cairo_t *c, cairo_surface_t *s, const char *path, hst_err *err)
{
    enum { PNG_MAX = 256 << 20 };
    hst_buf b = HST_BUF(PNG_MAX);
    int rc = hst_canvas_png(c, s, &b, err);
    if (rc == 0)
        rc = hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}
