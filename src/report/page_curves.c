/* page_curves.c - loss and accuracy over the epochs, best epoch and final values named. */
#include "report/page.h"
#include "report/plot.h"

#include <math.h>

enum { POINTS_MAX = 200 }; /* of more epochs, as many evenly spaced ones are drawn */

double hst_smoothing_floor(double smoothing, int n_classes)
{
    double others = smoothing / n_classes, truth = 1 - smoothing + others;
    double h = -truth * log(truth);
    return others > 0 ? h - (n_classes - 1) * others * log(others) : h;
}

/* The columns of the history that are drawn. */
typedef struct columns {
    size_t n;
    double epoch[POINTS_MAX], train[POINTS_MAX], validation[POINTS_MAX];
    double all[2 * POINTS_MAX + 1]; /* what the scale must hold */
    size_t n_all;
} columns;

static const hst_epoch *best_epoch(const hst_report_in *in)
{
    const hst_epoch *best = NULL;
    for (size_t i = 0; i < in->n_history; i++)
        if (in->history[i].val_loss >= 0 && (!best || in->history[i].val_loss < best->val_loss))
            best = &in->history[i];
    return best;
}

static void choose(const hst_report_in *in, int accuracy, columns *k)
{
    k->n = in->n_history < POINTS_MAX ? in->n_history : POINTS_MAX;
    k->n_all = 0;
    for (size_t i = 0; i < k->n; i++) {
        const hst_epoch *e = &in->history[i * (in->n_history - 1) / (k->n - 1)];
        k->epoch[i] = e->epoch;
        k->train[i] = accuracy ? e->train_accuracy : e->train_loss;
        k->validation[i] = accuracy ? e->val_accuracy : e->val_loss;
        k->all[k->n_all++] = k->train[i];
        if (k->validation[i] >= 0)
            k->all[k->n_all++] = k->validation[i];
    }
    if (!accuracy && in->loss_floor > 0)
        k->all[k->n_all++] = in->loss_floor;
}

static void put_value(hst_buf *b, double v, int accuracy)
{
    if (accuracy)
        hst_page_percent(b, v);
    else
        hst_page_fixed(b, v, 3);
}

/* The names of the lines with what they end at. */
static void put_legend(hst_page *p, const columns *k, int accuracy)
{
    hst_buf *b = &p->body;
    const hst_epoch *best = best_epoch(p->in);
    hst_buf_puts(b, "<figcaption><b>");
    hst_buf_puts(b, accuracy ? "Accuracy" : "Loss");
    hst_buf_puts(b, "</b> at the end: <span class=\"key a\">training ");
    put_value(b, k->train[k->n - 1], accuracy);
    hst_buf_puts(b, "</span>");
    if (k->validation[k->n - 1] >= 0) {
        hst_buf_puts(b, ", <span class=\"key b\">validation ");
        put_value(b, k->validation[k->n - 1], accuracy);
        hst_buf_puts(b, "</span>");
    }
    if (best) {
        hst_buf_printf(b, ". Best epoch, %d%s: validation ", best->epoch,
                       best->epoch ? "" : " (before the backbone learned)");
        put_value(b, accuracy ? best->val_accuracy : best->val_loss, accuracy);
    }
    if (!accuracy && p->in->loss_floor > 0) {
        hst_buf_puts(b, ". Dotted: ");
        hst_page_fixed(b, p->in->loss_floor, 3);
        hst_buf_puts(b, ", the smallest loss that label smoothing allows");
    }
    hst_buf_puts(b, ".</figcaption>\n");
}

static void put_curve(hst_page *p, int accuracy)
{
    hst_buf *b = &p->body;
    const hst_report_in *in = p->in;
    const hst_epoch *best = best_epoch(in);
    columns k;
    choose(in, accuracy, &k);
    hst_plot plot = {.title = accuracy ? "Accuracy over the epochs" : "Loss over the epochs",
                     .x_name = "epoch",
                     .y_name = accuracy ? "accuracy, %" : "loss",
                     .x_low = k.epoch[0],
                     .x_high = k.epoch[k.n - 1],
                     .percent = accuracy,
                     .whole_x = 1};
    hst_plot_fit(&plot, k.all, k.n_all, 0.02);
    hst_buf_puts(b, "<figure class=\"chart\">\n");
    hst_plot_begin(b, &plot);
    if (best)
        hst_plot_upright(b, &plot, "best", best->epoch, (double[2]){plot.y_low, plot.y_high});
    if (!accuracy && in->loss_floor > 0)
        hst_plot_line(b, &plot, "dotted", (double[2]){plot.x_low, plot.x_high},
                      (double[2]){in->loss_floor, in->loss_floor}, 2);
    hst_plot_line(b, &plot, "a", k.epoch, k.train, k.n);
    hst_plot_dot(b, &plot, "a", k.epoch[k.n - 1], k.train[k.n - 1]);
    if (k.validation[0] >= 0) {
        hst_plot_line(b, &plot, "b", k.epoch, k.validation, k.n);
        hst_plot_dot(b, &plot, "b", k.epoch[k.n - 1], k.validation[k.n - 1]);
    }
    if (best)
        hst_plot_dot(b, &plot, "b best", best->epoch,
                     accuracy ? best->val_accuracy : best->val_loss);
    hst_plot_end(b);
    put_legend(p, &k, accuracy);
    hst_buf_puts(b, "</figure>\n");
}

void hst_page_curves(hst_page *p)
{
    if (p->in->n_history < 2)
        return;
    hst_page_begin(p, "training", "Training");
    hst_buf_puts(&p->body,
                 "<p class=\"note\">Dashed: photos that were trained on. Solid: validation "
                 "photos. The upright line and the ring: the epoch with the smallest "
                 "validation loss. results.csv has the numbers.</p>\n"
                 "<div class=\"charts\">\n");
    put_curve(p, 0);
    put_curve(p, 1);
    hst_buf_puts(&p->body, "</div>\n");
    hst_page_end(p);
}
