/* cam_picture.c - a photo under its class-activation map, with the class above it.
 *
 *   tulips 0.97
 *   speaks for it: none [scale] most
 *   +-------+
 *   | photo |
 *   +-------+
 */
#include "report/canvas.h"
#include "report/report.h"

#include <stdio.h>

enum {
    PHOTO_PX = 480,
    MARGIN = 16,
    WIDTH = PHOTO_PX + 2 * MARGIN,
    FONT = 17,
    SMALL_FONT = 13,
    HEAD_PX = 56,
    SCALE_W = 120,
    SCALE_H = 10,
};

static int nothing_speaks(const hst_cam *cam)
{
    for (int i = 0; i < cam->width * cam->height; i++)
        if (cam->map[i] > 0)
            return 0;
    return 1;
}

static void put_scale(cairo_t *c, double x, double y)
{
    cairo_rectangle(c, x - 0.5, y - 0.5, SCALE_W + 1, SCALE_H + 1);
    cairo_set_line_width(c, 1);
    cairo_stroke(c);
    for (int i = 0; i < SCALE_W; i++) {
        uint8_t grey[3] = {200, 200, 200};
        hst_report_cam_paint(grey, (double)i / (SCALE_W - 1));
        cairo_set_source_rgb(c, grey[0] / 255.0, grey[1] / 255.0, grey[2] / 255.0);
        cairo_rectangle(c, x + i, y, 1, SCALE_H);
        cairo_fill(c);
    }
}

static void put_head(cairo_t *c, const hst_explainer *x, const hst_cam *cam)
{
    char line[600];
    double at = MARGIN;
    static const char none[] = "speaks for it:  none ", most[] = " most";
    snprintf(line, sizeof line, "%s %.2f", hst_model_label(hst_explainer_model(x), cam->label),
             (double)cam->prob[cam->label]);
    cairo_set_source_rgb(c, .07, .07, .07);
    hst_canvas_font(c, FONT, 1);
    hst_canvas_text(c, at, MARGIN + FONT - 3, PHOTO_PX, line);
    hst_canvas_font(c, SMALL_FONT, 0);
    const double y = MARGIN + HEAD_PX - 18;
    if (nothing_speaks(cam)) {
        hst_canvas_text(c, at, y, PHOTO_PX, "nothing on the photo speaks for it");
        return;
    }
    hst_canvas_text(c, at, y, PHOTO_PX, none);
    at += hst_canvas_text_width(c, none);
    put_scale(c, (int)at + 4, y - SCALE_H);
    cairo_set_source_rgb(c, .07, .07, .07);
    hst_canvas_text(c, at + SCALE_W + 8, y, PHOTO_PX, most);
}

int hst_explain_draw(const hst_explainer *x, const char *path, hst_err *err)
{
    hst_image img = {0};
    int rc = hst_report_cam(x, PHOTO_PX, &img, err);
    if (rc)
        return rc;
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH, 2 * MARGIN + HEAD_PX + img.h);
    cairo_t *c = cairo_create(s);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    put_head(c, x, hst_explainer_cam(x));
    hst_canvas_image(c, MARGIN + (PHOTO_PX - img.w) / 2, MARGIN + HEAD_PX, &img);
    rc = hst_canvas_save(c, s, path, err);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    hst_image_clear(&img);
    return rc;
}
