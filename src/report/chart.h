/* chart.h - lines over a whole-numbered x axis, drawn with cairo.
 *
 *     Title
 *   2 |-------------------------------  light grid at round numbers
 *     |  o.                             lines differ by dash and marker, not by colour alone
 *   1 |---`o....o---------------------  o train: each is named at its right end,
 *     |         :                         0.98   with its last value
 *     |.............................    a level: a dotted line with its name below it
 *     +--1----2----3
 *                epoch
 */
#ifndef HST_REPORT_CHART_H
#define HST_REPORT_CHART_H
#include <cairo.h>
#include <stddef.h>

enum hst_line_style { HST_LINE_SOLID, HST_LINE_DASHED }; /* filled circles; open squares */

typedef struct hst_line {
    const char *name;
    const double *y; /* [n], finite */
    enum hst_line_style style;
    double red, green, blue;
} hst_line;

enum { HST_CHART_LINES = 2 }; /* at most */

typedef struct hst_chart {
    const char *title;
    const char *x_name; /* NULL: none */
    const char *unit;   /* behind the numbers of the y axis: "%", or "" */
    const double *x;    /* [n] rising */
    size_t n;           /* at least 2 */
    hst_line line[HST_CHART_LINES];
    int n_lines;            /* at least 1 */
    const char *level_name; /* NULL: no level */
    double level;           /* nothing is below it */
    double y_min, y_max;    /* the axis does not go beyond these */
    double least_range;     /* above 0: of the y axis, where the lines hardly move */
    const char
        *mark_name; /* NULL: no mark; else beside an upright line at a point, with a ring around
                               the last line there; "": no text */
    size_t mark;    /* index of that point */
} hst_chart;

typedef struct hst_box {
    double x, y, w, h;
} hst_box;

/* Draws into box. The font, line width and colours of c are changed. */
void hst_chart_draw(cairo_t *c, const hst_chart *chart, const hst_box *box);
#endif
