/* page_target.c - how good a model of labels or of a number is: the first numbers, the labels one
 * by one, what was predicted beside what is so. */
#include "report/page.h"
#include "report/plot.h"

#include <math.h>
#include <string.h>

static int is_number(const hst_page *p)
{
    return p->e->target == HST_TARGET_NUMBER;
}

/* A number, or a part in percent. */
static void put_value(hst_page *p, double v)
{
    if (is_number(p))
        hst_page_signed(&p->body, v, hst_page_decimals(p->e));
    else
        hst_page_percent(&p->body, v);
}

static void put_range(hst_page *p, double low, double high)
{
    hst_buf_puts(&p->body, "95" HST_NBSP "% interval ");
    put_value(p, low);
    hst_buf_puts(&p->body, " to ");
    put_value(p, high);
}

/* ---- the headline ---- */

/* A row of further numbers: title, value, interval. */
static int put_row(hst_page *p, const char *name, const char *title, hst_err *err)
{
    hst_buf *b = &p->body;
    double v, low, high;
    int rc = hst_eval_metric(p->e, name, &v, &low, &high, err);
    if (rc || isnan(v))
        return rc;
    const int decimals = is_number(p) && strcmp(name, "r2") != 0 ? hst_page_decimals(p->e) : 3;
    hst_buf_printf(b, "<tr><th scope=\"row\">%s</th><td class=\"num\">", title);
    hst_page_signed(b, v, decimals);
    hst_buf_puts(b, "</td><td class=\"num\">");
    hst_page_signed(b, low, decimals);
    hst_buf_puts(b, " to ");
    hst_page_signed(b, high, decimals);
    hst_buf_puts(b, "</td></tr>\n");
    return 0;
}

static int put_more(hst_page *p, hst_err *err)
{
    static const char *const of_labels[][2] = {{"micro_f1", "F1 of all marks together"},
                                               {"macro_f1", "F1, mean over the labels"},
                                               {"subset_accuracy", "photos with all labels right"},
                                               {"hamming_loss", "part of the marks that is wrong"},
                                               {"log_loss", "log loss, mean of the marks"}};
    static const char *const of_number[][2] = {{"r2", "R&sup2;, part of the variance explained"},
                                               {"rmse", "root of the mean squared error"},
                                               {"median_absolute_error", "median absolute error"}};
    const size_t n =
        is_number(p) ? sizeof of_number / sizeof *of_number : sizeof of_labels / sizeof *of_labels;
    int rc = 0;
    hst_page_wide(&p->body, "Further numbers");
    hst_buf_puts(&p->body,
                 "<table class=\"list\">\n<caption class=\"unseen\">Further numbers</caption>\n"
                 "<thead><tr><th scope=\"col\">measure</th><th scope=\"col\" class=\"num\">value"
                 "</th><th scope=\"col\" class=\"num\">95" HST_NBSP
                 "% interval</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = put_row(p, is_number(p) ? of_number[i][0] : of_labels[i][0],
                     is_number(p) ? of_number[i][1] : of_labels[i][1], err);
    hst_buf_puts(&p->body, "</tbody></table></div>\n");
    return rc;
}

/* What one prediction is worth. */
static void put_interval(hst_page *p)
{
    hst_buf *b = &p->body;
    double low, high;
    if (!p->in->model || !hst_model_interval(p->in->model, 0.95, 0, &low, &high))
        return;
    hst_buf_puts(b, "<p>Of 20 predictions about 19 lie so far off at most: the number is between "
                    "the predicted one ");
    hst_page_signed(b, low, hst_page_decimals(p->e));
    hst_buf_puts(b, high < 0 ? " and " : " and +");
    hst_page_signed(b, high, hst_page_decimals(p->e));
    hst_buf_puts(b, ".</p>\n");
}

static int put_how(hst_page *p, const char *name, hst_err *err)
{
    hst_buf *b = &p->body;
    const hst_report_in *in = p->in;
    double v, low, high;
    if (!in->holdout)
        return 0;
    int rc = hst_eval_metric(in->holdout, name, &v, &low, &high, err);
    if (rc)
        return rc;
    hst_page_out_of_fold(b, in);
    if (in->holdout->n && !isnan(v)) {
        put_value(p, v);
        hst_buf_printf(b, " on %zu, ", in->holdout->n);
        put_range(p, low, high);
    } else {
        hst_buf_puts(b, "there were none, or too few");
    }
    hst_buf_puts(b, ".</p>\n");
    if (!is_number(p))
        hst_buf_puts(b, "<p class=\"note\">The thresholds were chosen on the same predictions, so "
                        "that what depends on them (F1, labels right) is a little too good; mean "
                        "average precision does not.</p>\n");
    return 0;
}

static void put_uncounted(hst_page *p)
{
    hst_buf *b = &p->body;
    if (p->e->n_seen) {
        hst_buf_puts(b, "<p>Not counted: ");
        hst_page_count(b, p->e->n_seen, "photo", "photos");
        hst_buf_puts(b, " that the model has learned from.</p>\n");
    }
    if (p->e->n_copies) {
        hst_buf_puts(b, "<p>Each picture counts once: ");
        hst_page_count(b, p->e->n_copies, "photo is a copy of another",
                       "photos are copies of others");
        hst_buf_puts(b, ".</p>\n");
    }
}

int hst_page_target_headline(hst_page *p, hst_err *err)
{
    hst_buf *b = &p->body;
    const char *name = is_number(p) ? "mae" : "map";
    double v, low, high;
    int rc = hst_eval_metric(p->e, name, &v, &low, &high, err);
    hst_page_begin(p, "accuracy", is_number(p) ? "How far off it is" : "How good it is");
    if (rc == 0 && !isnan(v)) {
        hst_buf_puts(b, "<p class=\"big\">");
        put_value(p, v);
        hst_buf_printf(b, " <span>%s</span></p>\n<p class=\"words\"><b>",
                       is_number(p) ? "mean absolute error" : "mean average precision");
        hst_page_count(b, p->e->n, "photo", "photos");
        hst_buf_puts(b, "</b>: ");
        put_range(p, low, high);
        hst_buf_puts(b, ".</p>\n");
        if (is_number(p))
            put_interval(p);
        rc = put_more(p, err);
        rc = rc ? rc : put_how(p, name, err);
    } else if (rc == 0) {
        hst_buf_printf(b, "<p>It cannot be measured: %s.</p>\n",
                       p->e->n_seen ? "the model has learned from all of these photos"
                       : p->e->n    ? "no photo that counts has any of the labels"
                                    : "no photo was kept aside");
    }
    put_uncounted(p);
    hst_page_end(p);
    return rc;
}

/* ---- labels ---- */

static int put_label(hst_page *p, int c, uint64_t most, hst_err *err)
{
    hst_buf *b = &p->body;
    const hst_class_score *s = hst_eval_class(p->e, c);
    const uint64_t photos = p->in->class_photos ? p->in->class_photos[c] : s->support;
    hst_estimate ap;
    int rc = hst_eval_class_metric(p->e, c, "ap", &ap, err);
    if (rc)
        return rc;
    hst_buf_puts(b, "<tr><th scope=\"row\"><span title=\"");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "\">");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "</span></th>");
    hst_page_bar(b, photos, most);
    const double v[] = {ap.value, ap.low, ap.high, s->precision, s->recall, s->f1};
    for (int i = 0; i < 6; i++) {
        const int none = isnan(ap.value);
        hst_buf_puts(b, i == 0 ? "<td>" : i == 1 ? " (" : i == 2 ? "-" : "<td>");
        if (none)
            hst_buf_puts(b, "-");
        else
            hst_page_fixed(b, v[i], i == 1 || i == 2 ? 2 : 3);
        hst_buf_puts(b, i == 0 || i == 1 ? "" : i == 2 ? ")</td>" : "</td>");
    }
    hst_buf_puts(b, "<td>");
    hst_page_fixed(b, hst_eval_threshold(p->e, c), 3);
    hst_buf_puts(b, "</td></tr>\n");
    return 0;
}

int hst_page_label_scores(hst_page *p, hst_err *err)
{
    hst_buf *b = &p->body;
    uint64_t most = 0;
    int rc = 0;
    for (int c = 0; c < p->e->n_classes; c++) {
        const uint64_t n =
            p->in->class_photos ? p->in->class_photos[c] : hst_eval_class(p->e, c)->support;
        most = n > most ? n : most;
    }
    hst_page_begin(p, "classes", "Labels");
    hst_page_wide(b, "Labels");
    hst_buf_puts(b, "<table class=\"scores\">\n<caption class=\"unseen\">Photos and scores of each "
                    "label</caption>\n<thead><tr><th scope=\"col\">label</th><th scope=\"col\">"
                    "photos</th><th scope=\"col\">AP</th><th scope=\"col\">precision</th>"
                    "<th scope=\"col\">recall</th><th scope=\"col\">F1</th><th scope=\"col\">"
                    "threshold</th></tr></thead>\n<tbody>\n");
    for (int c = 0; rc == 0 && c < p->e->n_classes; c++)
        rc = put_label(p, c, most, err);
    hst_buf_puts(b, "</tbody></table></div>\n<p class=\"note\">AP: average precision, the mean of "
                    "precision over all recalls, whatever the threshold, with its 95" HST_NBSP
                    "% interval. A photo has a label from the threshold on; precision, recall and "
                    "F1 are at it.</p>\n");
    hst_page_end(p);
    return rc;
}

/* ---- numbers ---- */

enum { DOTS = 2000, BARS = 21 };

/* The ends of what is drawn, with some air: of the true and the predicted numbers. */
static void fit_axes(const hst_eval *e, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < e->n_photos; i++) {
        const hst_eval_photo *p = hst_eval_at(e, i);
        *low = fmin(*low, fmin(p->number, p->value));
        *high = fmax(*high, fmax(p->number, p->value));
    }
    const double air = *high > *low ? 0.03 * (*high - *low) : 1;
    *low -= air;
    *high += air;
}

static void put_scatter(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_eval *e = p->e;
    double low, high;
    fit_axes(e, &low, &high);
    const hst_plot plot = {.title = "The predicted number of each photo by the true one",
                           .x_name = "true",
                           .y_name = "predicted",
                           .x_low = low,
                           .x_high = high,
                           .y_low = low,
                           .y_high = high};
    const size_t step = e->n / DOTS + 1;
    hst_buf_puts(b, "<figure class=\"chart\">\n");
    hst_plot_begin(b, &plot);
    hst_plot_line(b, &plot, "dotted", (double[2]){low, high}, (double[2]){low, high}, 2);
    for (size_t i = 0, at = 0; i < e->n_photos; i++)
        if (hst_eval_counts(hst_eval_at(e, i)) && at++ % step == 0)
            hst_plot_dot(b, &plot, "b small", hst_eval_at(e, i)->number, hst_eval_at(e, i)->value);
    hst_plot_end(b);
    hst_buf_puts(b, "<figcaption>Each dot is a photo; on the dotted line it would be right."
                    "</figcaption>\n</figure>\n");
}

/* How many photos are so far off, in bars around 0. */
static void put_errors(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_eval *e = p->e;
    double widest = 0, most = 0, n[BARS] = {0};
    for (size_t i = 0; i < e->n_photos; i++)
        if (hst_eval_counts(hst_eval_at(e, i)))
            widest = fmax(widest, fabs(hst_eval_at(e, i)->value - hst_eval_at(e, i)->number));
    if (!(widest > 0))
        return;
    const double width = 2 * widest / BARS;
    for (size_t i = 0; i < e->n_photos; i++) {
        const double off = hst_eval_at(e, i)->value - hst_eval_at(e, i)->number;
        if (!hst_eval_counts(hst_eval_at(e, i)))
            continue;
        double *bar = &n[(size_t)fmin(fmax((off + widest) / width, 0), BARS - 1)];
        *bar += 1;
        most = fmax(most, *bar);
    }
    const hst_plot plot = {.title = "How far predictions are off",
                           .x_name = "predicted less true",
                           .y_name = "photos",
                           .x_low = -widest,
                           .x_high = widest,
                           .y_low = 0,
                           .y_high = most * 1.05};
    hst_buf_puts(b, "<figure class=\"chart\">\n");
    hst_plot_begin(b, &plot);
    for (int k = 0; k < BARS; k++)
        hst_plot_bar(b, &plot, "b", (double[2]){-widest + k * width, -widest + (k + 1) * width},
                     n[k]);
    hst_plot_end(b);
    hst_buf_puts(b, "<figcaption>Right of 0 the prediction is too large, left of it too small."
                    "</figcaption>\n</figure>\n");
}

void hst_page_numbers(hst_page *p)
{
    if (p->e->n == 0)
        return;
    hst_page_begin(p, "numbers", "Predicted and true");
    hst_buf_puts(&p->body, "<div class=\"charts\">\n");
    put_scatter(p);
    put_errors(p);
    hst_buf_puts(&p->body, "</div>\n");
    hst_page_end(p);
}
