#include "report/chart.h"

#include "report/canvas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum {
    TITLE_H = 42,
    FOOT_H = 46,   /* numbers and name of the x axis */
    LEFT_W = 52,   /* numbers of the y axis */
    RIGHT_W = 122, /* names of the lines */
    FONT = 15,
    SMALL_FONT = 13,
    NAME_GAP = 36, /* at least, between two names, each with a value below it */
    VALUE_H = 16,
    SAMPLE_W = 26, /* of the line in front of its name */
    NEAR_LEVEL = 8 /* so near to a level there is no line of the grid */
};
enum { Y_TICKS = 6, X_TICKS = 8, MARKERS = 12 };

typedef struct plot {
    cairo_t *c;
    const hst_chart *chart;
    hst_box box; /* inside the axes */
    double x_low, x_high, y_low, y_high, y_step;
} plot;

/* ---- scales ---- */

/* The smallest of 1, 2, 5 times a power of ten that cuts range into at most `parts`. */
static double round_step(double range, int parts)
{
    double raw = range / parts, power = pow(10, floor(log10(raw)));
    double m = raw / power;
    return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
}

static double to_x(const plot *p, double v)
{
    return p->box.x + (v - p->x_low) / (p->x_high - p->x_low) * p->box.w;
}

static double to_y(const plot *p, double v)
{
    return p->box.y + (p->y_high - v) / (p->y_high - p->y_low) * p->box.h;
}

/* The range of the lines with some air around it; below a level, room for its name. */
static void fit_scales(plot *p)
{
    const hst_chart *k = p->chart;
    double low = k->line[0].y[0], high = low;
    for (int l = 0; l < k->n_lines; l++)
        for (size_t i = 0; i < k->n; i++) {
            low = fmin(low, k->line[l].y[i]);
            high = fmax(high, k->line[l].y[i]);
        }
    if (k->level_name)
        low = fmin(low, k->level);
    double spread = fmax(k->least_range - (high - low), 0);
    low -= spread / 2;
    high += spread / 2;
    double range = high - low;
    p->y_low = fmax(low - range * (k->level_name ? 0.16 : 0.06), k->y_min);
    p->y_high = fmin(high + range * 0.06, k->y_max);
    p->y_step = round_step(p->y_high - p->y_low, Y_TICKS);
    p->x_low = k->x[0];
    p->x_high = k->x[k->n - 1];
}

/* A number of an axis whose ticks are `step` apart; no text of it depends on the locale. */
static void tick_text(char *out, size_t cap, double v, double step)
{
    int decimals = 0;
    long scale = 1;
    for (; decimals < 6 && step * (double)scale < 0.999; decimals++)
        scale *= 10;
    if (fabs(v) > 1e6 || decimals == 6) {
        snprintf(out, cap, "%.0e", v);
        return;
    }
    long n = lround(fabs(v) * (double)scale);
    const char *sign = v < 0 && n ? "-" : "";
    int digits = (int)((unsigned)decimals % 6); /* at most 5 here: said so that a compiler knows */
    if (digits)
        snprintf(out, cap, "%s%ld.%0*ld", sign, n / scale, digits, n % scale);
    else
        snprintf(out, cap, "%s%ld", sign, n);
}

/* ---- axes ---- */

static void set_grey(cairo_t *c, double v)
{
    cairo_set_source_rgb(c, v, v, v);
}

static void stroke_segment(cairo_t *c, double x0, double y0, double x1, double y1)
{
    cairo_move_to(c, x0, y0);
    cairo_line_to(c, x1, y1);
    cairo_stroke(c);
}

static void draw_y_axis(const plot *p)
{
    char text[64];
    cairo_t *c = p->c;
    hst_canvas_font(c, SMALL_FONT, 0);
    cairo_set_line_width(c, 1);
    double first = ceil(p->y_low / p->y_step - 1e-9);
    for (int i = 0; i <= 2 * Y_TICKS; i++) {
        double v = (first + i) * p->y_step, y = floor(to_y(p, v)) + .5;
        if (v > p->y_high + p->y_step * 1e-9)
            break;
        set_grey(c, .86);
        if (!p->chart->level_name || fabs(y - to_y(p, p->chart->level)) > NEAR_LEVEL)
            stroke_segment(c, p->box.x, y, p->box.x + p->box.w, y);
        tick_text(text, sizeof text, v, p->y_step);
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s%s", p->chart->unit[0] ? " " : "", p->chart->unit);
        set_grey(c, .25);
        hst_canvas_text(c, p->box.x - 8 - hst_canvas_text_width(c, text), y + 4.5, LEFT_W, text);
    }
}

static void draw_x_axis(const plot *p)
{
    char text[32];
    cairo_t *c = p->c;
    double bottom = p->box.y + p->box.h;
    double step = fmax(1, round_step(p->x_high - p->x_low, X_TICKS));
    double first = ceil(p->x_low / step - 1e-9);
    hst_canvas_font(c, SMALL_FONT, 0);
    cairo_set_line_width(c, 1);
    for (int i = 0; i <= 2 * X_TICKS; i++) {
        double v = (first + i) * step, x = floor(to_x(p, v)) + .5;
        if (v > p->x_high + step * 1e-9)
            break;
        set_grey(c, .86);
        stroke_segment(c, x, p->box.y, x, bottom);
        snprintf(text, sizeof text, "%.0f", v);
        set_grey(c, .25);
        hst_canvas_text(c, x - hst_canvas_text_width(c, text) / 2, bottom + 18, p->box.w, text);
    }
    set_grey(c, .4);
    stroke_segment(c, p->box.x, bottom, p->box.x + p->box.w, bottom);
    if (p->chart->x_name) {
        double w = hst_canvas_text_width(c, p->chart->x_name);
        set_grey(c, .25);
        hst_canvas_text(c, p->box.x + (p->box.w - w) / 2, bottom + 37, p->box.w, p->chart->x_name);
    }
}

/* Nothing is below a level, so its name stands there. */
static void draw_level(const plot *p)
{
    static const double dots[] = {2, 3};
    cairo_t *c = p->c;
    double y = to_y(p, p->chart->level);
    set_grey(c, .1);
    cairo_set_line_width(c, 1.5);
    cairo_set_dash(c, dots, 2, 0);
    stroke_segment(c, p->box.x, y, p->box.x + p->box.w, y);
    cairo_set_dash(c, NULL, 0, 0);
    hst_canvas_font(c, SMALL_FONT, 0);
    hst_canvas_text(c, p->box.x + 6, y + 16, p->box.w - 12, p->chart->level_name);
}

/* ---- lines ---- */

static void set_line(cairo_t *c, const hst_line *l)
{
    static const double dashes[] = {7, 4};
    cairo_set_source_rgb(c, l->red, l->green, l->blue);
    cairo_set_line_width(c, 2.25);
    cairo_set_line_join(c, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(c, dashes, l->style == HST_LINE_DASHED ? 2 : 0, 0);
}

static void draw_marker(cairo_t *c, const hst_line *l, double x, double y)
{
    const double r = 4;
    cairo_set_dash(c, NULL, 0, 0);
    cairo_set_line_width(c, 1.75);
    if (l->style == HST_LINE_SOLID) {
        cairo_arc(c, x, y, r, 0, 2 * M_PI);
        cairo_set_source_rgb(c, l->red, l->green, l->blue);
        cairo_fill(c);
        return;
    }
    cairo_rectangle(c, x - r, y - r, 2 * r, 2 * r);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_fill_preserve(c);
    cairo_set_source_rgb(c, l->red, l->green, l->blue);
    cairo_stroke(c);
}

static void draw_line(const plot *p, const hst_line *l)
{
    const hst_chart *k = p->chart;
    size_t every = (k->n + MARKERS - 1) / MARKERS;
    set_line(p->c, l);
    for (size_t i = 0; i < k->n; i++)
        cairo_line_to(p->c, to_x(p, k->x[i]), to_y(p, l->y[i]));
    cairo_stroke(p->c);
    for (size_t i = 0; i < k->n; i++)
        if (i == k->n - 1 || (i % every == 0 && i + every / 2 < k->n - 1))
            draw_marker(p->c, l, to_x(p, k->x[i]), to_y(p, l->y[i]));
}

/* Its text stands where there is more room. */
static void draw_mark(const plot *p)
{
    static const double dashes[] = {4, 3};
    cairo_t *c = p->c;
    const hst_chart *k = p->chart;
    const hst_line *l = &k->line[k->n_lines - 1];
    const double x = to_x(p, k->x[k->mark]);
    set_grey(c, .45);
    cairo_set_line_width(c, 1);
    cairo_set_dash(c, dashes, 2, 0);
    stroke_segment(c, x, p->box.y, x, p->box.y + p->box.h);
    cairo_set_dash(c, NULL, 0, 0);
    hst_canvas_font(c, SMALL_FONT, 0);
    const double w = hst_canvas_text_width(c, k->mark_name);
    const int left = x > p->box.x + p->box.w / 2;
    set_grey(c, .25);
    hst_canvas_text(c, left ? x - w - 6 : x + 6, p->box.y + 11, p->box.w, k->mark_name);
    cairo_set_source_rgb(c, l->red, l->green, l->blue);
    cairo_set_line_width(c, 1.75);
    cairo_arc(c, x, to_y(p, l->y[k->mark]), 7, 0, 2 * M_PI);
    cairo_stroke(c);
}

/* A sample of the line, its name and its last value, at height y right of the plot. */
static void draw_name(const plot *p, const hst_line *l, double y)
{
    char text[64];
    cairo_t *c = p->c;
    double x = p->box.x + p->box.w + 12;
    set_line(c, l);
    stroke_segment(c, x, y, x + SAMPLE_W, y);
    draw_marker(c, l, x + SAMPLE_W / 2, y);
    hst_canvas_font(c, SMALL_FONT + 1, 0);
    hst_canvas_text(c, x + SAMPLE_W + 6, y + 5, RIGHT_W - SAMPLE_W - 18, l->name);
    const char *unit = p->chart->unit;
    tick_text(text, sizeof text, l->y[p->chart->n - 1], unit[0] ? 0.1 : 0.001);
    const size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "%s%s", unit[0] ? " " : "", unit);
    hst_canvas_font(c, SMALL_FONT, 1);
    hst_canvas_text(c, x + SAMPLE_W + 6, y + 5 + VALUE_H, RIGHT_W - SAMPLE_W - 18, text);
}

/* Each name beside its line's end; two that would touch are moved apart by the same way. */
static void draw_names(const plot *p)
{
    const hst_line *l = p->chart->line;
    size_t last = p->chart->n - 1;
    if (p->chart->n_lines == 1) {
        draw_name(p, l, to_y(p, l->y[last]));
        return;
    }
    int upper = l[1].y[last] > l[0].y[last];
    double top = to_y(p, l[upper].y[last]), bottom = to_y(p, l[!upper].y[last]);
    double lack = fmax(NAME_GAP - (bottom - top), 0) / 2;
    top = fmax(top - lack, p->box.y);
    bottom = fmin(fmax(bottom + lack, top + NAME_GAP), p->box.y + p->box.h - VALUE_H);
    top = fmin(top, bottom - NAME_GAP);
    draw_name(p, &l[upper], top);
    draw_name(p, &l[!upper], bottom);
}

void hst_chart_draw(cairo_t *c, const hst_chart *chart, const hst_box *box)
{
    plot p = {.c = c,
              .chart = chart,
              .box = {box->x + LEFT_W, box->y + TITLE_H, box->w - LEFT_W - RIGHT_W,
                      box->h - TITLE_H - FOOT_H}};
    fit_scales(&p);
    set_grey(c, .07);
    hst_canvas_font(c, FONT, 1);
    hst_canvas_text(c, box->x + 8, box->y + 20, box->w - 16, chart->title);
    draw_y_axis(&p);
    draw_x_axis(&p);
    if (chart->level_name)
        draw_level(&p);
    for (int l = 0; l < chart->n_lines; l++)
        draw_line(&p, &chart->line[l]);
    if (chart->mark_name)
        draw_mark(&p);
    draw_names(&p);
}
