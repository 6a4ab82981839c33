/* photo.c - one photo with its true and its predicted label above it. */
#include "report/canvas.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <stdio.h>

enum {
    PHOTO_PX = 480,
    MARGIN = 16,
    WIDTH = PHOTO_PX + 2 * MARGIN,
    FONT = 17,
    LINE_PX = 24,
};

/* The title on one line where it fits, else on two. */
typedef struct title {
    char line[2][600];
    int n_lines;
} title;

static void make_title(title *t, const hst_eval *e, const hst_eval_photo *p)
{
    const char *truth = hst_eval_label(e, p->truth), *guess = hst_eval_label(e, p->guess);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 1, 1);
    cairo_t *c = cairo_create(s); /* to measure with */
    hst_canvas_font(c, FONT, 1);
    t->n_lines = 1;
    int n = snprintf(t->line[0], sizeof t->line[0], "True label: %s, predicted: %s", truth, guess);
    if (n >= (int)sizeof t->line[0] || hst_canvas_text_width(c, t->line[0]) > PHOTO_PX) {
        t->n_lines = 2;
        snprintf(t->line[0], sizeof t->line[0], "True label: %s", truth);
        snprintf(t->line[1], sizeof t->line[1], "Predicted: %s", guess);
    }
    cairo_destroy(c);
    cairo_surface_destroy(s);
}

static void draw(cairo_t *c, const title *t, const hst_image *img)
{
    double top = MARGIN + t->n_lines * LINE_PX;
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_set_source_rgb(c, .07, .07, .07);
    hst_canvas_font(c, FONT, 1);
    for (int i = 0; i < t->n_lines; i++)
        hst_canvas_text(c, MARGIN, MARGIN + FONT + (double)i * LINE_PX - 3, PHOTO_PX, t->line[i]);
    if (img->rgb)
        hst_canvas_image(c, MARGIN + (PHOTO_PX - img->w) / 2, top, img);
    else
        hst_canvas_text(c, MARGIN, top + LINE_PX, PHOTO_PX, "The photo cannot be shown.");
}

int hst_report_photo(const hst_eval *e, size_t i, const char *path, hst_err *err)
{
    const hst_eval_photo *p = hst_eval_at(e, i);
    hst_image img = {0};
    title t;
    if (!p)
        return hst_fail(err, HST_EARG, "there is no photo %zu among %zu", i, e->n_photos);
    int rc = hst_thumbnail_read(&e->ctx, p->path, PHOTO_PX, &img, err);
    if (rc == HST_EMEM)
        return rc;
    make_title(&t, e, p);
    int h = 2 * MARGIN + t.n_lines * LINE_PX + (img.rgb ? img.h : 2 * LINE_PX);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, h);
    cairo_t *c = cairo_create(s);
    draw(c, &t, &img);
    rc = hst_canvas_save(c, s, path, err);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    hst_image_clear(&img);
    return rc;
}
