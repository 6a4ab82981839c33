#include "report/plot.h"

#include "report/page.h"

#include <math.h>

/* Units of the drawing. */
enum {
    WIDTH = 360,
    HEIGHT = 230,
    LEFT = 44,   /* numbers of the y axis */
    TOP = 24,    /* its name */
    RIGHT = 344, /* ends of the plot; half a number stands beyond */
    BOTTOM = 186,
    Y_TICKS = 5,
    X_TICKS = 6
};

static double to_x(const hst_plot *p, double v)
{
    return LEFT + (v - p->x_low) / (p->x_high - p->x_low) * (RIGHT - LEFT);
}

static double to_y(const hst_plot *p, double v)
{
    const double y = BOTTOM - (v - p->y_low) / (p->y_high - p->y_low) * (BOTTOM - TOP);
    return fmin(fmax(y, TOP), BOTTOM);
}

/* The smallest of 1, 2, 5 times a power of ten that cuts range into at most `parts`. */
static double round_step(double range, int parts)
{
    double raw = range / parts, power = pow(10, floor(log10(raw)));
    double m = raw / power;
    return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
}

/* A number of an axis whose ticks are `step` apart. */
static void put_number(hst_buf *b, double v, double step)
{
    int decimals = 0;
    for (double s = step; decimals < 6 && s < 0.999; s *= 10)
        decimals++;
    hst_buf_puts(b, v < -step / 2 ? "-" : "");
    hst_page_fixed(b, v < -step / 2 ? -v : fmax(v, 0), decimals);
}

static void put_text(hst_buf *b, double x, double y, const char *anchor)
{
    hst_buf_printf(b, "<text text-anchor=\"%s\" x=\"", anchor);
    hst_page_fixed(b, x, 1);
    hst_buf_puts(b, "\" y=\"");
    hst_page_fixed(b, y, 1);
    hst_buf_puts(b, "\">");
}

/* From x0, y0 to x1, y1, in units of the drawing. */
static void put_segment(hst_buf *b, const char *kind, const double at[4])
{
    static const char *const name[] = {"x1", "y1", "x2", "y2"};
    hst_buf_printf(b, "<line class=\"%s\"", kind);
    for (int i = 0; i < 4; i++) {
        hst_buf_printf(b, " %s=\"", name[i]);
        hst_page_fixed(b, at[i], 1);
        hst_buf_puts(b, "\"");
    }
    hst_buf_puts(b, "/>");
}

static void put_y_axis(hst_buf *b, const hst_plot *p)
{
    const double unit = p->percent ? 100 : 1;
    const double step = round_step(unit * (p->y_high - p->y_low), Y_TICKS);
    const double first = ceil(unit * p->y_low / step - 1e-9);
    for (int i = 0; i <= 2 * Y_TICKS; i++) {
        const double v = (first + i) * step, y = to_y(p, v / unit);
        if (v > unit * p->y_high + step * 1e-9)
            break;
        put_segment(b, "grid", (double[4]){LEFT, y, RIGHT, y});
        put_text(b, LEFT - 6, y + 4, "end");
        put_number(b, v, step);
        hst_buf_puts(b, "</text>\n");
    }
    put_text(b, 2, 12, "start");
    hst_buf_printf(b, "%s</text>\n", p->y_name);
}

static void put_x_axis(hst_buf *b, const hst_plot *p)
{
    double step = round_step(p->x_high - p->x_low, X_TICKS);
    step = p->whole_x ? fmax(step, 1) : step;
    const double first = ceil(p->x_low / step - 1e-9);
    for (int i = 0; i <= 2 * X_TICKS; i++) {
        const double v = (first + i) * step, x = to_x(p, v);
        if (v > p->x_high + step * 1e-9)
            break;
        put_segment(b, "grid", (double[4]){x, BOTTOM, x, BOTTOM + 4});
        put_text(b, x, BOTTOM + 18, "middle");
        put_number(b, v, step);
        hst_buf_puts(b, "</text>\n");
    }
    put_segment(b, "axis", (double[4]){LEFT, BOTTOM, RIGHT, BOTTOM});
    put_text(b, (LEFT + RIGHT) / 2.0, BOTTOM + 37, "middle");
    hst_buf_printf(b, "%s</text>\n", p->x_name);
}

void hst_plot_fit(hst_plot *p, const double *v, size_t n, double least)
{
    double low = v[0], high = v[0];
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, v[i]);
        high = fmax(high, v[i]);
    }
    const double air = fmax(0.06 * (high - low), (least - (high - low)) / 2);
    p->y_low = fmax(low - air, 0);
    p->y_high = p->percent ? fmin(high + air, 1) : high + air;
    if (p->percent && p->y_high - p->y_low < least) /* against the ceiling */
        p->y_low = fmax(p->y_high - least, 0);
}

void hst_plot_begin(hst_buf *b, const hst_plot *p)
{
    hst_buf_printf(b, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
                   WIDTH, HEIGHT, p->title);
    put_y_axis(b, p);
    put_x_axis(b, p);
}

static void put_point(hst_buf *b, const hst_plot *p, double x, double y)
{
    hst_page_fixed(b, to_x(p, x), 1);
    hst_buf_puts(b, ",");
    hst_page_fixed(b, to_y(p, y), 1);
    hst_buf_puts(b, " ");
}

void hst_plot_line(hst_buf *b, const hst_plot *p, const char *kind, const double *x,
                   const double *y, size_t n)
{
    hst_buf_printf(b, "<polyline class=\"line %s\" points=\"", kind);
    for (size_t i = 0; i < n; i++)
        put_point(b, p, x[i], y[i]);
    hst_buf_puts(b, "\"/>\n");
}

void hst_plot_band(hst_buf *b, const hst_plot *p, const char *kind, const double *x,
                   const double *low, const double *high, size_t n)
{
    hst_buf_printf(b, "<polygon class=\"band %s\" points=\"", kind);
    for (size_t i = 0; i < n; i++)
        put_point(b, p, x[i], high[i]);
    for (size_t i = n; i-- > 0;)
        put_point(b, p, x[i], low[i]);
    hst_buf_puts(b, "\"/>\n");
}

void hst_plot_dot(hst_buf *b, const hst_plot *p, const char *kind, double x, double y)
{
    hst_buf_printf(b, "<circle class=\"dot %s\" r=\"3.5\" cx=\"", kind);
    hst_page_fixed(b, to_x(p, x), 1);
    hst_buf_puts(b, "\" cy=\"");
    hst_page_fixed(b, to_y(p, y), 1);
    hst_buf_puts(b, "\"/>\n");
}

void hst_plot_bar(hst_buf *b, const hst_plot *p, const char *kind, const double x[2], double y)
{
    hst_buf_printf(b, "<rect class=\"bar %s\" x=\"", kind);
    hst_page_fixed(b, to_x(p, x[0]), 1);
    hst_buf_puts(b, "\" width=\"");
    hst_page_fixed(b, to_x(p, x[1]) - to_x(p, x[0]), 1);
    hst_buf_puts(b, "\" y=\"");
    hst_page_fixed(b, to_y(p, y), 1);
    hst_buf_puts(b, "\" height=\"");
    hst_page_fixed(b, BOTTOM - to_y(p, y), 1);
    hst_buf_puts(b, "\"/>\n");
}

void hst_plot_upright(hst_buf *b, const hst_plot *p, const char *kind, double x, const double y[2])
{
    put_segment(b, kind, (double[4]){to_x(p, x), to_y(p, y[0]), to_x(p, x), to_y(p, y[1])});
    hst_buf_puts(b, "\n");
}

void hst_plot_end(hst_buf *b)
{
    hst_buf_puts(b, "</svg>\n");
}
