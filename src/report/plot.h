/* plot.h - lines and points as inline SVG, coloured by the page's style ("line a", "dot b"...), so
 * that they are right in light and dark, with text that can be read out and copied.
 *
 * Drawn 360 units wide: on a phone a unit is a pixel, on a larger screen at most 1.5. */
#ifndef HST_REPORT_PLOT_H
#define HST_REPORT_PLOT_H
#include "base/buf.h"

typedef struct hst_plot {
    const char *title;  /* constant, for who hears it */
    const char *x_name; /* constants below the axis and above it */
    const char *y_name;
    double x_low, x_high, y_low, y_high; /* low < high */
    int percent;                         /* y is a part, shown in percent */
    int whole_x;                         /* x has whole numbers only */
} hst_plot;

/* y_low and y_high around v[n] with some air, at least `least` apart, inside [floor, ceiling]. */
void hst_plot_fit(hst_plot *p, const double *v, size_t n, double least);

void hst_plot_begin(hst_buf *b, const hst_plot *p); /* with grid and axes */
/* kind: the class of the element. */
void hst_plot_line(hst_buf *b, const hst_plot *p, const char *kind, const double *x,
                   const double *y, size_t n);
void hst_plot_band(hst_buf *b, const hst_plot *p, const char *kind, const double *x,
                   const double *low, const double *high, size_t n);
void hst_plot_dot(hst_buf *b, const hst_plot *p, const char *kind, double x, double y);
/* From the bottom up to y, between x0 and x1. */
void hst_plot_bar(hst_buf *b, const hst_plot *p, const char *kind, const double x[2], double y);
/* At x, from y[0] to y[1]; beyond the plot's ends it is cut. */
void hst_plot_upright(hst_buf *b, const hst_plot *p, const char *kind, double x, const double y[2]);
void hst_plot_end(hst_buf *b);
#endif
