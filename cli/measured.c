#include "measured.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const cli_metric
    of_labels[] = {{"map", "mAP", "mean average precision of the labels"},
                   {"micro_f1", "micro F1", "of all marks together"},
                   {"macro_f1", "macro F1", "mean over the labels"},
                   {"micro_precision", "precision", "of all marks together"},
                   {"micro_recall", "recall", "of all marks together"},
                   {"macro_precision", "macro precision", "mean over the labels"},
                   {"macro_recall", "macro recall", "mean over the labels"},
                   {"subset_accuracy", "all labels right", "part of the photos"},
                   {"hamming_loss", "Hamming loss", "part of the marks that is wrong"},
                   {"log_loss", "log loss", "0 is best; mean of the marks"}},
    of_number[] = {{"mae", "mean error", "mean of |predicted - true|"},
                   {"rmse", "RMSE", "root of the mean square"},
                   {"r2", "R2", "part of the variance explained"},
                   {"median_absolute_error", "median error", "half of the photos are less far off"},
                   {"coverage_80", "in 80 % interval", "part of the photos; should be 0.8"},
                   {"coverage_95", "in 95 % interval", "part of the photos; should be 0.95"}};

const cli_metric *cli_measured_metrics(const hst_eval *e, size_t *n)
{
    const int labels = hst_eval_target(e) == HST_TARGET_LABELS;
    *n = labels ? sizeof of_labels / sizeof *of_labels : sizeof of_number / sizeof *of_number;
    return labels ? of_labels : of_number;
}

int cli_measured_is(const hst_eval *e)
{
    return hst_eval_target(e) != HST_TARGET_CLASS;
}

hst_estimate cli_measured(const hst_eval *e, const char *name)
{
    hst_estimate v = {NAN, NAN, NAN};
    hst_err err;
    if (hst_eval_metric(e, name, &v.value, &v.low, &v.high, &err))
        v.value = NAN;
    return v;
}

/* A part of something has three decimals; a number of the caller's as many digits as it needs. */
static void put_value(cli_out *out, const hst_eval *e, double v, int columns)
{
    char text[32];
    snprintf(text, sizeof text, hst_eval_target(e) == HST_TARGET_NUMBER ? "%.4g" : "%.3f", v);
    cli_out_printf(out, "%*s", columns, text);
}

/* ---- text ---- */

void cli_measured_headline(cli_out *out, const hst_eval *e, const char *photos)
{
    const int labels = hst_eval_target(e) == HST_TARGET_LABELS;
    const hst_estimate first = cli_measured(e, labels ? "map" : "mae");
    const hst_estimate next = cli_measured(e, labels ? "micro_f1" : "r2");
    const double n = cli_measured(e, "n").value, seen = cli_measured(e, "seen").value;
    const char *what = labels ? "mAP" : "error";
    if (isnan(first.value)) {
        if (n > 0)
            cli_out_printf(out, "%-8s cannot be measured: no photo has any of the labels\n", what);
        else if (seen > 0)
            cli_out_printf(out,
                           "%-8s cannot be measured: the model has learned from all %.0f photos\n",
                           what, seen);
        else
            cli_out_printf(out, "%-8s cannot be measured: no photo was kept aside\n", what);
        return;
    }
    cli_out_printf(out, "%-8s ", what);
    put_value(out, e, first.value, 0);
    cli_out_puts(out, labels ? " (95 % interval " : " in the mean (95 % interval ");
    put_value(out, e, first.low, 0);
    cli_out_puts(out, "-");
    put_value(out, e, first.high, 0);
    cli_out_printf(out, ", %.0f %s)\n", n, photos);
    if (labels)
        cli_out_printf(out, "F1       %.3f of all marks, %.3f in the mean of the labels\n",
                       next.value, cli_measured(e, "macro_f1").value);
    else if (!isnan(next.value))
        cli_out_printf(out, "R2       %.3f (%.3f-%.3f)\n", next.value, next.low, next.high);
}

static size_t photos_of(const hst_eval *e)
{
    size_t n = 0;
    while (hst_eval_at(e, n))
        n++;
    return n;
}

void cli_measured_estimate(cli_out *out, const hst_run *r, int brief)
{
    const hst_eval *e = hst_run_eval(r), *aside = hst_run_holdout(r);
    const size_t learned = hst_run_trained(r);
    const double copies = cli_measured(e, "copies").value, n = cli_measured(aside, "n").value;
    const hst_estimate v =
        cli_measured(aside, hst_eval_target(e) == HST_TARGET_LABELS ? "map" : "mae");
    cli_measured_headline(out, e, e == aside ? "validation photos" : "photos, out of fold");
    if (e == aside || brief)
        return;
    cli_out_printf(out,
                   "         each judged by a model that had not seen it; yours has learned from "
                   "all %zu\n",
                   learned);
    if (copies > 0)
        cli_out_printf(out, "copies   %.0f, each picture counts once\n", copies);
    if (!(n > 0) || isnan(v.value))
        return;
    cli_out_puts(out, "hold-out ");
    put_value(out, e, v.value, 0);
    cli_out_puts(out, " (");
    put_value(out, e, v.low, 0);
    cli_out_puts(out, "-");
    put_value(out, e, v.high, 0);
    cli_out_printf(out, "), %.0f photos kept aside from a model of the other %zu\n", n,
                   learned - photos_of(aside));
}

static void put_label(cli_out *out, const hst_eval *e, int c, int name)
{
    static const char *const scores[] = {"ap", "precision", "recall", "f1"};
    static const int columns[] = {7, 11, 8, 7};
    char cut[1024];
    cli_text_shorten(cut, sizeof cut, hst_eval_label(e, c), name);
    cli_out_printf(out, "%s%*s", cut, name - cli_text_width(cut), "");
    for (int i = 0; i < 4; i++) {
        hst_estimate v = {NAN, NAN, NAN};
        hst_err err;
        (void)!hst_eval_class_metric(e, c, scores[i], &v, &err);
        if (isnan(v.value))
            cli_out_printf(out, "%*s", columns[i], "-");
        else
            cli_out_printf(out, "%*.3f", columns[i], v.value);
        if (i == 0 && isnan(v.value))
            cli_out_printf(out, "  %11s", "-");
        else if (i == 0)
            cli_out_printf(out, "  %.3f-%.3f", v.low, v.high);
    }
    cli_out_printf(out, "  %9.3f %7.0f\n", hst_eval_threshold(e, c),
                   (double)hst_eval_class(e, c)->support);
}

static void put_labels(cli_out *out, const hst_eval *e)
{
    enum { NAME = 20 };
    int name = 5;
    for (int c = 0; c < hst_eval_classes(e); c++) {
        char clean[1024];
        cli_text_clean(clean, sizeof clean, hst_eval_label(e, c));
        name = cli_text_width(clean) > name ? cli_text_width(clean) : name;
    }
    name = name < NAME ? name : NAME;
    cli_out_printf(out, "\n%-*s     AP     interval  precision  recall     F1  threshold  photos\n",
                   name, "label");
    for (int c = 0; c < hst_eval_classes(e); c++)
        put_label(out, e, c, name);
}

/* Of a number's metrics those that have none of its unit. */
static int is_part(const char *name)
{
    return strcmp(name, "r2") == 0 || strncmp(name, "coverage", 8) == 0;
}

void cli_measured_tables(cli_out *out, const hst_eval *e)
{
    size_t n;
    const cli_metric *m = cli_measured_metrics(e, &n);
    cli_out_printf(out, "\n%-18s %8s  95 %% interval\n", "", "");
    for (size_t i = 0; i < n; i++) {
        const hst_estimate v = cli_measured(e, m[i].name);
        if (isnan(v.value))
            continue;
        cli_out_printf(out, "%-18s ", m[i].title);
        if (is_part(m[i].name)) {
            cli_out_printf(out, "%8.3f  %.3f-%.3f", v.value, v.low, v.high);
        } else {
            put_value(out, e, v.value, 8);
            cli_out_puts(out, "  ");
            put_value(out, e, v.low, 0);
            cli_out_puts(out, "-");
            put_value(out, e, v.high, 0);
        }
        cli_out_printf(out, "  %s\n", m[i].remark);
    }
    if (hst_eval_target(e) == HST_TARGET_LABELS)
        put_labels(out, e);
}
