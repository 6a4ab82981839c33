/* page_growth.c - the learning curve: how accurate with fewer photos, and what more would bring. */
#include "report/page.h"
#include "report/plot.h"

#include <ctype.h>
#include <math.h>

/* The scale must hold the whole band. */
static hst_plot plot_of(const hst_learning_curve *k)
{
    double all[2 * HST_CURVE_POINTS];
    hst_plot plot = {.title = "Accuracy by the number of photos learned from",
                     .x_name = "photos learned from",
                     .y_name = "accuracy, %",
                     .x_high = k->photos[HST_CURVE_POINTS - 1],
                     .percent = 1,
                     .whole_x = 1};
    for (int i = 0; i < HST_CURVE_POINTS; i++) {
        all[2 * i] = k->low[i];
        all[2 * i + 1] = k->high[i];
    }
    hst_plot_fit(&plot, all, 2 * HST_CURVE_POINTS, 0.02);
    return plot;
}

static void put_points(hst_buf *b, const hst_learning_curve *k)
{
    hst_buf_puts(b, "<figcaption>");
    for (int i = 0; i < HST_CURVE_POINTS; i++) {
        hst_buf_printf(b, "%s%.0f photos: ", i ? ", " : "", round(k->photos[i]));
        hst_page_percent(b, k->accuracy[i]);
    }
    hst_buf_puts(b, ". The band is the 95" HST_NBSP "% interval.</figcaption>\n");
}

void hst_page_growth(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_learning_curve *k = p->in->growth;
    if (!k || !(k->photos[HST_CURVE_POINTS - 1] > 0))
        return;
    const hst_plot plot = plot_of(k);
    const char first[2] = {(char)toupper((unsigned char)k->words[0]), 0};
    hst_page_begin(p, "growth", "What more photos would bring");
    hst_buf_puts(b, "<p><b>");
    hst_page_text(b, first);
    hst_page_text(b, k->words[0] ? k->words + 1 : "");
    hst_buf_puts(b,
                 ".</b> Heads that learned from a part of the photos, each judged on photos that "
                 "it had not seen.</p>\n<figure class=\"chart\">\n");
    hst_plot_begin(b, &plot);
    hst_plot_band(b, &plot, "b", k->photos, k->low, k->high, HST_CURVE_POINTS);
    hst_plot_line(b, &plot, "b", k->photos, k->accuracy, HST_CURVE_POINTS);
    for (int i = 0; i < HST_CURVE_POINTS; i++)
        hst_plot_dot(b, &plot, "b", k->photos[i], k->accuracy[i]);
    hst_plot_end(b);
    put_points(b, k);
    hst_buf_puts(b, "</figure>\n");
    hst_page_end(p);
}
