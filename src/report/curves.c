/* curves.c - loss and accuracy over the epochs, as PNG and as SVG from the same drawing. */
#include "report/canvas.h"
#include "report/chart.h"
#include "report/report.h"

#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 600,
    CHART_H = 270,
    PNG_SCALE = 2,    /* for dense screens and for paper */
    POINTS_MAX = 500, /* one line; of more epochs, as many evenly spaced ones are drawn */
    PICTURE_MAX = 16 << 20
};

/* The columns of the history that are drawn. */
typedef struct columns {
    size_t n;
    double epoch[POINTS_MAX];
    double train_loss[POINTS_MAX], val_loss[POINTS_MAX];
    double train_accuracy[POINTS_MAX], val_accuracy[POINTS_MAX]; /* percent */
} columns;

static void choose(const hst_curves *in, columns *k)
{
    k->n = in->n < POINTS_MAX ? in->n : POINTS_MAX;
    for (size_t i = 0; i < k->n; i++) {
        const hst_epoch *e = &in->history[i * (in->n - 1) / (k->n - 1)];
        k->epoch[i] = e->epoch;
        k->train_loss[i] = e->train_loss;
        k->val_loss[i] = e->val_loss;
        k->train_accuracy[i] = 100 * e->train_accuracy;
        k->val_accuracy[i] = 100 * e->val_accuracy;
    }
}

static size_t smallest(const double *v, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        at = v[i] < v[at] ? i : at;
    return at;
}

static hst_line train_line(const double *y)
{
    return (hst_line){"train", y, HST_LINE_DASHED, .76, .25, .05};
}

static hst_line validation_line(const double *y)
{
    return (hst_line){"validation", y, HST_LINE_SOLID, .08, .25, .65};
}

static void draw(cairo_t *c, const hst_curves *in)
{
    char level[80], best[80];
    columns k;
    choose(in, &k);
    const size_t mark = smallest(k.val_loss, k.n);
    snprintf(best, sizeof best, "best epoch: %.0f", k.epoch[mark]);
    int n_lines = in->history[0].val_loss < 0 ? 1 : 2;
    long thousandths = lround(1000 * in->loss_floor);
    snprintf(level, sizeof level, "smallest loss reachable with label smoothing: %ld.%03ld",
             thousandths / 1000, thousandths % 1000);
    hst_chart loss = {.title = "Loss",
                      .unit = "",
                      .x = k.epoch,
                      .n = k.n,
                      .line = {train_line(k.train_loss), validation_line(k.val_loss)},
                      .n_lines = n_lines,
                      .level_name = in->loss_floor > 0 ? level : NULL,
                      .level = in->loss_floor,
                      .y_min = 0,
                      .y_max = INFINITY,
                      .least_range = 0.02,
                      .mark_name = n_lines == 2 ? best : NULL,
                      .mark = mark};
    hst_chart accuracy = {.title = "Accuracy",
                          .x_name = "epoch",
                          .unit = "%",
                          .x = k.epoch,
                          .n = k.n,
                          .line = {train_line(k.train_accuracy), validation_line(k.val_accuracy)},
                          .n_lines = n_lines,
                          .y_min = 0,
                          .y_max = 100,
                          .least_range = 2,
                          .mark_name = n_lines == 2 ? "" : NULL,
                          .mark = mark};
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    hst_chart_draw(c, &loss, &(hst_box){0, 4, WIDTH, CHART_H});
    hst_chart_draw(c, &accuracy, &(hst_box){0, CHART_H, WIDTH, CHART_H});
}

int hst_curves_png(const hst_curves *in, hst_buf *b, hst_err *err)
{
    cairo_surface_t *s =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, WIDTH * PNG_SCALE, 2 * CHART_H * PNG_SCALE);
    cairo_t *c = cairo_create(s);
    cairo_scale(c, PNG_SCALE, PNG_SCALE);
    draw(c, in);
    int rc = hst_canvas_png(c, s, b, err);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    return rc;
}

/* cairo names the drawing's group after a count of all surfaces the process has made, as in
 * <g id="surface12">. Nothing refers to it; without it equal work gives equal bytes. */
static void drop_surface_number(const hst_buf *from, hst_buf *to)
{
    static const char before[] = "<g id=\"surface";
    const char *at = from->p ? strstr(from->p, before) : NULL;
    const char *end = at ? strchr(at, '>') : NULL;
    if (!end) {
        hst_buf_add(to, from->p, from->n);
        return;
    }
    hst_buf_add(to, from->p, (size_t)(at - from->p) + 2); /* with "<g" */
    hst_buf_puts(to, end);
}

int hst_curves_svg(const hst_curves *in, hst_buf *b, hst_err *err)
{
    hst_buf raw = HST_BUF(PICTURE_MAX);
    cairo_surface_t *s =
        cairo_svg_surface_create_for_stream(hst_canvas_add, &raw, WIDTH, 2 * CHART_H);
    cairo_svg_surface_set_document_unit(s, CAIRO_SVG_UNIT_PX);
    cairo_t *c = cairo_create(s);
    draw(c, in);
    cairo_surface_finish(s); /* writes what is left */
    int rc = hst_canvas_check(c, "the curves", err);
    if (rc == 0 && cairo_surface_status(s) != CAIRO_STATUS_SUCCESS)
        rc = hst_fail(err, HST_EMEM, "the curves cannot be written as SVG: %s",
                      cairo_status_to_string(cairo_surface_status(s)));
    if (rc == 0)
        rc = hst_buf_check(&raw, err);
    if (rc == 0)
        drop_surface_number(&raw, b);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    hst_buf_free(&raw);
    return rc ? rc : hst_buf_check(b, err);
}
