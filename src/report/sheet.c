/* sheet.c - a contact sheet: photos in a grid, each with its labels and its file.
 *
 *   +-----------+   one cell: CELL_W x CELL_H
 *   |   photo   |   fitted into PHOTO_PX x PHOTO_PX; a wrong one has a thick frame and a cross in
 *   |           |   its corner, so that it is seen without colours too
 *   | predicted |
 *   | is true   |
 *   | file      |
 *   +-----------+
 */
#include "base/file.h"
#include "report/canvas.h"
#include "report/ranking.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PHOTO_PX = 176,
    MARGIN = 12,
    LINE_PX = 19,
    CELL_W = PHOTO_PX + 2 * MARGIN,
    CELL_H = PHOTO_PX + 2 * MARGIN + 3 * LINE_PX,
    HEAD_PX = 48,
    COLUMNS = 6,
    PHOTOS_MAX = 600, /* 100 rows: well below cairo's 32,767 pixels of height */
};

/* ---- one photo ---- */

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
static int put_photo(cairo_t *c, double x, double y, const hst_ctx *ctx, const hst_eval_photo *p,
                     hst_err *err)
{
    hst_image img = {.w = PHOTO_PX, .h = PHOTO_PX};
    int rc = hst_thumbnail_read(ctx, p->path, PHOTO_PX, &img, err);
    if (rc == HST_EMEM)
        return rc;
    x += (PHOTO_PX - img.w) / 2;
    y += (PHOTO_PX - img.h) / 2;
    if (rc == 0) {
        hst_canvas_image(c, x, y, &img);
    } else {
        cairo_set_source_rgb(c, .4, .4, .4);
        hst_canvas_font(c, 13, 0);
        hst_canvas_text(c, x + 10, y + PHOTO_PX / 2, PHOTO_PX - 20, "cannot be shown");
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
    int rc = put_photo(c, x, y, &e->ctx, p, err);
    if (rc)
        return rc;
    long percent = (long)(100 * (double)p->prob[p->guess] + 0.5);
    snprintf(line, sizeof line, "%s %ld %%", hst_eval_label(e, p->guess), percent);
    cairo_set_source_rgb(c, .07, .07, .07);
    hst_canvas_font(c, 14, wrong);
    hst_canvas_text(c, x, y + PHOTO_PX + LINE_PX, PHOTO_PX, line);
    snprintf(line, sizeof line, "%s%s", wrong ? "is " : "right",
             wrong ? hst_eval_label(e, p->truth) : "");
    hst_canvas_text(c, x, y + PHOTO_PX + 2 * LINE_PX, PHOTO_PX, line);
    cairo_set_source_rgb(c, .35, .35, .35);
    hst_canvas_font(c, 11, 0);
    hst_canvas_text(c, x, y + PHOTO_PX + 3 * LINE_PX - 2, PHOTO_PX, hst_path_base(p->path));
    return 0;
}

/* ---- the sheet ---- */

/* order[<= max], of the photos that count, of all where none does: wrong ones, the surest first,
 * then right ones, the classes in turn and the least sure of each first. *n: how many. */
static int choose(const hst_eval *e, size_t max, size_t *order, size_t *n, hst_err *err)
{
    hst_ranking r = {0};
    int more = 1;
    int rc = hst_ranking_make(e, e->n == 0, &r, err);
    *n = 0;
    for (size_t i = 0; rc == 0 && *n < max && i < r.n_wrong; i++)
        order[(*n)++] = r.wrong[i].photo;
    for (size_t turn = 0; rc == 0 && more && *n < max; turn++) {
        more = 0;
        for (int c = 0; *n < max && c < e->n_classes; c++) {
            size_t right;
            const hst_ranked *cell = hst_ranking_cell(&r, c, c, &right);
            if (turn >= right)
                continue;
            more = 1;
            order[(*n)++] = cell[turn].photo;
        }
    }
    hst_ranking_clear(&r);
    return rc;
}

static void put_head(cairo_t *c, const hst_eval *e, size_t shown)
{
    char line[200];
    cairo_set_source_rgb(c, .07, .07, .07);
    hst_canvas_font(c, 17, 1);
    snprintf(line, sizeof line,
             "%llu of %zu photos right; %zu shown: wrong ones, the surest first, then each class "
             "in turn",
             (unsigned long long)e->hits, e->n, shown);
    hst_canvas_text(c, MARGIN, 32, 1e9, line);
}

int hst_contact_sheet(const hst_eval *e, size_t max_photos, const char *path, hst_err *err)
{
    size_t order[PHOTOS_MAX];
    size_t n;
    if (e->target != HST_TARGET_CLASS)
        return hst_fail(err, HST_EARG, "a sheet is of photos of one class each");
    int rc = choose(e, max_photos < PHOTOS_MAX ? max_photos : PHOTOS_MAX, order, &n, err);
    if (rc)
        return rc;
    int rows = ((int)n + COLUMNS - 1) / COLUMNS;
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, COLUMNS * CELL_W, rows * CELL_H + HEAD_PX);
    cairo_t *c = cairo_create(s);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    put_head(c, e, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = put_cell(c, e, hst_eval_at(e, order[i]), (int)i, err);
    if (rc == 0)
        rc = hst_canvas_save(c, s, path, err);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    return rc;
}
