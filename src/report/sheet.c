/* sheet.c - a contact sheet: photos in a grid, each with its true and its predicted label.
 *
 *   +-----------+   one cell: CELL_W x CELL_H
 *   |   photo   |   fitted into PHOTO_PX x PHOTO_PX; a wrong one has a thick frame and a cross in
 *   |           |   its corner, so that it is seen without colours too
 *   | predicted |
 *   | is true   |
 *   +-----------+
 */
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PHOTO_PX = 176,
    MARGIN = 12,
    LINE_PX = 19,
    CELL_W = PHOTO_PX + 2 * MARGIN,
    CELL_H = PHOTO_PX + 2 * MARGIN + 2 * LINE_PX,
    HEAD_PX = 48,
    COLUMNS = 6,
    PHOTOS_MAX = 600, /* 100 rows: well below cairo's 32,767 pixels of height */
    SHEET_MAX = 256 << 20
};

/* ---- text --------------------------------------------------------------------------------------
 */

static double text_width(cairo_t *c, const char *s)
{
    cairo_text_extents_t e;
    cairo_text_extents(c, s, &e);
    return e.x_advance;
}

/* Start of the character behind, or in front of, the byte at s. */
static size_t char_end(const char *s, size_t at)
{
    while (((unsigned char)s[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* Draws text at x, y; in a text wider than `room` the middle gives way to "..". */
static void put_text(cairo_t *c, double x, double y, double room, const char *text)
{
    char full[512], cut[520];
    hst_printable(full, sizeof full, text);
    size_t n = strlen(full), drop = 0;
    snprintf(cut, sizeof cut, "%s", full);
    while (text_width(c, cut) > room && drop < n) {
        drop++;
        size_t front = char_end(full, (n - drop + 1) / 2), back = char_end(full, front + drop);
        snprintf(cut, sizeof cut, "%.*s..%s", (int)front, full, full + (back < n ? back : n));
    }
    cairo_move_to(c, x, y);
    cairo_show_text(c, cut);
}

static void choose_font(cairo_t *c, double px, int bold)
{
    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, px);
}

/* ---- one photo ---------------------------------------------------------------------------------
 */

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

static void put_frame(cairo_t *c, double x, double y, const hst_image *img, int wrong)
{
    double w = img->w, h = img->h, size = 24;
    if (!wrong) {
        cairo_set_source_rgb(c, .6, .6, .6);
        cairo_set_line_width(c, 1);
        cairo_rectangle(c, x - .5, y - .5, w + 1, h + 1);
        cairo_stroke(c);
        return;
    }
    cairo_set_source_rgb(c, .75, .08, .08);
    cairo_set_line_width(c, 6);
    cairo_rectangle(c, x, y, w, h);
    cairo_stroke(c);
    double left = x + w - size;
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_rectangle(c, left, y, size, size);
    cairo_fill(c);
    cairo_set_source_rgb(c, .75, .08, .08);
    cairo_set_line_width(c, 5);
    cairo_move_to(c, left + 6, y + 6);
    cairo_line_to(c, left + size - 6, y + size - 6);
    cairo_move_to(c, left + size - 6, y + 6);
    cairo_line_to(c, left + 6, y + size - 6);
    cairo_stroke(c);
    cairo_set_line_width(c, 3);
    cairo_rectangle(c, left, y, size, size);
    cairo_stroke(c);
}

/* A photo that has gone since becomes an empty box. */
static int put_photo(cairo_t *c, double x, double y, const hst_eval_photo *p, hst_err *err)
{
    hst_image img = {.w = PHOTO_PX, .h = PHOTO_PX};
    int rc = hst_thumbnail_read(p->path, PHOTO_PX, &img, err);
    if (rc == HST_EMEM)
        return rc;
    x += (PHOTO_PX - img.w) / 2;
    y += (PHOTO_PX - img.h) / 2;
    if (rc == 0) {
        cairo_surface_t *s = to_surface(&img);
        cairo_set_source_surface(c, s, x, y);
        cairo_paint(c);
        cairo_surface_destroy(s);
    } else {
        cairo_set_source_rgb(c, .4, .4, .4);
        choose_font(c, 13, 0);
        put_text(c, x + 10, y + PHOTO_PX / 2, PHOTO_PX - 20, "cannot be shown");
    }
    put_frame(c, x, y, &img, p->guess != p->truth);
    hst_image_clear(&img);
    return 0;
}

static int put_cell(cairo_t *c, const hst_eval *e, const hst_eval_photo *p, int at, hst_err *err)
{
    char line[512];
    int wrong = p->guess != p->truth;
    double x = (double)(at % COLUMNS) * CELL_W + MARGIN;
    double y = (double)(at / COLUMNS) * CELL_H + MARGIN + HEAD_PX;
    int rc = put_photo(c, x, y, p, err);
    if (rc)
        return rc;
    long percent = (long)(100 * (double)p->prob[p->guess] + 0.5);
    snprintf(line, sizeof line, "%s %ld %%", hst_eval_label(e, p->guess), percent);
    cairo_set_source_rgb(c, .07, .07, .07);
    choose_font(c, 14, wrong);
    put_text(c, x, y + PHOTO_PX + LINE_PX, PHOTO_PX, line);
    snprintf(line, sizeof line, "%s%s", wrong ? "is " : "right",
             wrong ? hst_eval_label(e, p->truth) : "");
    put_text(c, x, y + PHOTO_PX + 2 * LINE_PX, PHOTO_PX, line);
    return 0;
}

/* ---- the sheet ---------------------------------------------------------------------------------
 */

/* order[<= max]: wrong photos first, then right ones, each in their own order. */
static size_t choose(const hst_eval *e, size_t max, size_t *order)
{
    hst_eval_photo p;
    size_t n = 0;
    for (int right = 0; right < 2; right++)
        for (size_t i = 0; n < max && hst_eval_at(e, i, &p); i++)
            if ((p.guess == p.truth) == right)
                order[n++] = i;
    return n;
}

static void put_head(cairo_t *c, const hst_eval *e, size_t shown)
{
    char line[200];
    cairo_set_source_rgb(c, .07, .07, .07);
    choose_font(c, 17, 1);
    snprintf(line, sizeof line, "%llu of %zu photos right; %zu shown, wrong ones first",
             (unsigned long long)e->hits, e->n, shown);
    put_text(c, MARGIN, 32, 1e9, line);
}

static cairo_status_t add_bytes(void *arg, const unsigned char *bytes, unsigned n)
{
    hst_buf *b = arg;
    hst_buf_add(b, bytes, n);
    return b->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static int write_png(cairo_t *c, cairo_surface_t *s, const char *path, hst_err *err)
{
    hst_buf b = HST_BUF(SHEET_MAX);
    cairo_status_t status = cairo_status(c);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_write_to_png_stream(s, add_bytes, &b);
    int rc = 0;
    if (status != CAIRO_STATUS_SUCCESS)
        rc =
            hst_fail(err, HST_EMEM, "%s cannot be drawn: %s", path, cairo_status_to_string(status));
    else
        rc = hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}

int hst_contact_sheet(const hst_eval *e, size_t max_photos, const char *path, hst_err *err)
{
    size_t order[PHOTOS_MAX];
    size_t n = choose(e, max_photos < PHOTOS_MAX ? max_photos : PHOTOS_MAX, order);
    int rows = ((int)n + COLUMNS - 1) / COLUMNS, rc = 0;
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, COLUMNS * CELL_W, rows * CELL_H + HEAD_PX);
    cairo_t *c = cairo_create(s);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    put_head(c, e, n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        hst_eval_photo p;
        hst_eval_at(e, order[i], &p);
        rc = put_cell(c, e, &p, (int)i, err);
    }
    if (rc == 0)
        rc = write_png(c, s, path, err);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    return rc;
}
