/* page_calibration.c - whether the probabilities mean what they say: of photos that are given 0.8
 * about four of five should be right. */
#include "report/page.h"
#include "report/plot.h"

#include <math.h>

static void put_diagram(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_reliability *r;
    const hst_plot plot = {.title = "How often the model is right, by how sure it is",
                           .x_name = "how sure, %",
                           .y_name = "how often right, %",
                           .x_high = 100,
                           .y_high = 1,
                           .percent = 1};
    hst_plot_begin(b, &plot);
    hst_plot_line(b, &plot, "dotted", (double[2]){0, 100}, (double[2]){0, 1}, 2);
    for (int i = 0; (r = hst_eval_reliability(p->e, i)); i++) {
        if (r->n == 0)
            continue;
        hst_plot_upright(b, &plot, "b", 100 * r->confidence, (double[2]){r->low, r->high});
        hst_plot_dot(b, &plot, "b", 100 * r->confidence, r->accuracy);
    }
    hst_plot_end(b);
}

static void put_bins(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_reliability *r;
    hst_buf_puts(b, "<details><summary>The numbers</summary>\n");
    hst_page_wide(b, "Calibration");
    hst_buf_puts(b, "<table class=\"list\">\n<thead><tr><th scope=\"col\">how sure</th>"
                    "<th scope=\"col\" class=\"num\">in the mean</th>"
                    "<th scope=\"col\" class=\"num\">right</th>"
                    "<th scope=\"col\" class=\"num\">photos</th></tr></thead>\n<tbody>\n");
    for (int i = 0; (r = hst_eval_reliability(p->e, i)); i++) {
        if (r->n == 0)
            continue;
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        hst_page_percent(b, r->above);
        hst_buf_puts(b, " to ");
        hst_page_percent(b, r->up_to);
        hst_buf_puts(b, "</th><td class=\"num\">");
        hst_page_percent(b, r->confidence);
        hst_buf_puts(b, "</td><td class=\"num\">");
        hst_page_percent(b, r->accuracy);
        hst_buf_printf(b, "</td><td class=\"num\">%llu</td></tr>\n", (unsigned long long)r->n);
    }
    hst_buf_puts(b, "</tbody></table></div>\n</details>\n");
}

static void put_temperature(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_report_in *in = p->in;
    if (in->temperature <= 0)
        return;
    hst_buf_puts(b, "<p>Calibrated: logits are divided by the temperature ");
    hst_page_fixed(b, in->temperature, 3);
    hst_buf_puts(b, ", chosen on photos that the classifier had not learned from; their log loss "
                    "went from ");
    hst_page_fixed(b, in->loss_before, 3);
    hst_buf_puts(b, " to ");
    hst_page_fixed(b, in->loss_after, 3);
    hst_buf_puts(b, ".</p>\n");
}

int hst_page_calibration(hst_page *p, hst_err *err)
{
    hst_buf *b = &p->body;
    double error, low, high;
    if (p->e->n == 0 || p->e->n_classes < 2)
        return 0;
    int rc = hst_eval_metric(p->e, "calibration_error", &error, &low, &high, err);
    if (rc)
        return rc;
    hst_page_begin(p, "calibration", "Calibration");
    hst_buf_puts(b, "<p>Expected calibration error ");
    hst_page_percent(b, error);
    hst_buf_puts(b, " (95" HST_NBSP "% interval ");
    hst_page_percent(b, low);
    hst_buf_puts(b, " to ");
    hst_page_percent(b, high);
    hst_buf_puts(b, "): by so much, in the mean, the probability of the label that was given "
                    "differs from how often it is right.</p>\n");
    put_temperature(p);
    hst_buf_puts(b, "<figure class=\"chart\">\n");
    put_diagram(p);
    hst_buf_puts(b,
                 "<figcaption>On the dotted line a model is as often right as it says; below it, "
                 "it is too sure. Bars: 95" HST_NBSP "% intervals.</figcaption>\n</figure>\n");
    put_bins(p);
    hst_page_end(p);
    return 0;
}
