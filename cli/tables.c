#include "tables.h"

#include "measured.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
    LINE = 80,       /* columns a table may fill */
    NAME = 24,       /* columns of a class name, at most */
    MATRIX_MAX = 30, /* classes up to which the matrix is shown */
    PAIRS = 5,       /* confused pairs beside it */
    PAIRS_ALONE = 20 /* and without it */
};

void cli_table_headline(cli_out *out, const hst_eval *e, const char *photos)
{
    if (cli_measured_is(e)) {
        cli_measured_headline(out, e, photos);
        return;
    }
    double accuracy = 0, low = 0, high = 0;
    uint64_t n = 0, right = 0;
    hst_err err;
    if (hst_eval_metric(e, "accuracy", &accuracy, &low, &high, &err))
        return;
    for (int c = 0; c < hst_eval_classes(e); c++) {
        n += hst_eval_class(e, c)->support;
        right += hst_eval_confusion(e, c, c);
    }
    double seen = 0;
    (void)!hst_eval_metric(e, "seen", &seen, NULL, NULL, &err);
    if (n == 0 && seen > 0)
        cli_out_printf(
            out, "accuracy cannot be measured: the model has learned from all %.0f photos\n", seen);
    else if (n == 0)
        cli_out_puts(out, "accuracy cannot be measured: no photo was kept aside\n");
    else
        cli_out_printf(
            out, "accuracy %s%.3f%s (95 %% interval %.3f-%.3f, %" PRIu64 " of %" PRIu64 " %s)\n",
            cli_paint(out, CLI_STRONG), accuracy, cli_paint(out, CLI_PLAIN), low, high, right, n,
            photos);
}

void cli_table_caveats(cli_out *out, const hst_eval *e)
{
    enum { WIDE = 10, UNEQUAL = 5 };
    double accuracy = 0, low = 0, high = 0, balanced = 0, imbalance = 0, n = 0;
    hst_err err;
    if (cli_measured_is(e) || hst_eval_metric(e, "accuracy", &accuracy, &low, &high, &err) ||
        hst_eval_metric(e, "balanced_accuracy", &balanced, NULL, NULL, &err) ||
        hst_eval_metric(e, "imbalance", &imbalance, NULL, NULL, &err) ||
        hst_eval_metric(e, "n", &n, NULL, NULL, &err))
        return;
    if (imbalance > UNEQUAL)
        cli_out_printf(out,
                       "balanced %.3f (mean of the classes' recalls; the largest has %.0f photos "
                       "for one of the smallest)\n",
                       balanced, imbalance);
    if (100 * (high - low) > WIDE)
        cli_out_printf(out, "%.0f photo%s: the accuracy is between %.0f and %.0f %%\n", n,
                       n > 1 ? "s" : "", 100 * low, 100 * high);
}

/* Photos of e, whether they count or not. */
static size_t photos_of(const hst_eval *e)
{
    size_t n = 0;
    while (hst_eval_at(e, n))
        n++;
    return n;
}

void cli_table_estimate(cli_out *out, const hst_run *r, int brief)
{
    const hst_eval *e = hst_run_eval(r), *aside = hst_run_holdout(r);
    double value = 0, low = 0, high = 0, n = 0, measured = 0, copies = 0;
    const size_t learned = hst_run_trained(r), judged = photos_of(e);
    hst_err err;
    if (cli_measured_is(e)) {
        cli_measured_estimate(out, r, brief);
        return;
    }
    if (e == aside) {
        cli_table_headline(out, e, "validation photos");
        return;
    }
    if (hst_eval_metric(aside, "accuracy", &value, &low, &high, &err) ||
        hst_eval_metric(aside, "n", &n, NULL, NULL, &err) ||
        hst_eval_metric(e, "n", &measured, NULL, NULL, &err) ||
        hst_eval_metric(e, "copies", &copies, NULL, NULL, &err))
        return;
    if (!(measured > 0)) {
        cli_out_puts(out, "accuracy cannot be measured: no class has a second photo\n");
        return;
    }
    cli_table_headline(out, e, "photos, out of fold");
    if (brief)
        return;
    cli_out_printf(out,
                   "         each judged by a model that had not seen it; yours has learned from "
                   "all %zu\n",
                   learned);
    if (judged < learned)
        cli_out_printf(out, "         %zu, the only ones of their class, could not be judged\n",
                       learned - judged);
    if (copies > 0)
        cli_out_printf(out, "copies   %.0f, each picture counts once\n", copies);
    if (n > 0)
        cli_out_printf(out,
                       "hold-out %.3f (%.3f-%.3f), %.0f photos kept aside from a model of the "
                       "other %zu\n",
                       value, low, high, n, learned - photos_of(aside));
}

/* A class name in exactly `columns`, left-aligned. */
static void put_name(cli_out *out, const char *name, int columns)
{
    char cut[1024];
    cli_text_shorten(cut, sizeof cut, name, columns);
    cli_out_printf(out, "%s%*s", cut, columns - cli_text_width(cut), "");
}

/* Columns for the class names: the widest, within 5 .. NAME. */
static int name_columns(const hst_eval *e)
{
    int widest = 5;
    for (int c = 0; c < hst_eval_classes(e); c++) {
        char clean[1024];
        cli_text_clean(clean, sizeof clean, hst_eval_label(e, c));
        int w = cli_text_width(clean);
        widest = w > widest ? w : widest;
    }
    return widest < NAME ? widest : NAME;
}

/* NaN, of a class that no photo says anything about, as "-". */
static void put_score(cli_out *out, int columns, double v)
{
    if (isnan(v))
        cli_out_printf(out, "%*s", columns, "-");
    else
        cli_out_printf(out, "%*.3f", columns, v);
}

/* NaN where no photo tells. */
static hst_estimate class_metric(const hst_eval *e, int c, const char *name)
{
    hst_estimate v = {NAN, NAN, NAN};
    hst_err err;
    (void)!hst_eval_class_metric(e, c, name, &v, &err);
    return v;
}

static void put_class(cli_out *out, const hst_eval *e, int c, int name)
{
    const uint64_t photos = hst_eval_class(e, c)->support;
    const hst_estimate recall = class_metric(e, c, "recall");
    char interval[16] = "-";
    if (photos)
        snprintf(interval, sizeof interval, "%.3f-%.3f", recall.low, recall.high);
    put_name(out, hst_eval_label(e, c), name);
    put_score(out, 11, class_metric(e, c, "precision").value);
    put_score(out, 8, recall.value);
    cli_out_printf(out, "  %11s", interval);
    put_score(out, 7, class_metric(e, c, "f1").value);
    put_score(out, 7, class_metric(e, c, "auroc").value);
    cli_out_printf(out, "%8" PRIu64 "\n", photos);
}

/* 1: it has photos here, or a photo was called it. */
static int is_here(const hst_eval *e, int c)
{
    return hst_eval_class(e, c)->support || !isnan(class_metric(e, c, "precision").value);
}

void cli_table_classes(cli_out *out, const hst_eval *e)
{
    int name = name_columns(e), absent = 0;
    put_name(out, "class", name);
    cli_out_puts(out, "  precision  recall     interval     F1  AUROC  photos\n");
    for (int c = 0; c < hst_eval_classes(e); c++) {
        if (is_here(e, c))
            put_class(out, e, c, name);
        else
            absent++;
    }
    if (absent)
        cli_out_printf(out, "%d more class%s of the model: no photo here, and none called so\n",
                       absent, absent > 1 ? "es" : "");
}

void cli_table_confused(cli_out *out, const hst_eval *e)
{
    int most = hst_eval_classes(e) > MATRIX_MAX ? PAIRS_ALONE : PAIRS, name = name_columns(e);
    const hst_confused *p;
    for (int i = 0; i < most && (p = hst_eval_confused(e, (size_t)i)); i++) {
        if (i == 0)
            cli_out_puts(out, "most confused\n");
        cli_out_puts(out, "  ");
        put_name(out, hst_eval_label(e, p->truth), name);
        cli_out_puts(out, "  called  ");
        put_name(out, hst_eval_label(e, p->guess), name);
        cli_out_printf(out, "  %" PRIu64 " of %" PRIu64 "\n", p->n,
                       hst_eval_class(e, p->truth)->support);
    }
    if (hst_eval_confused(e, 0))
        cli_out_puts(out, "\n");
}

static int digits(uint64_t v)
{
    int n = 1;
    for (; v >= 10; v /= 10)
        n++;
    return n;
}

/* Columns of one count, with a space in front. */
static int cell_columns(const hst_eval *e)
{
    uint64_t largest = (uint64_t)hst_eval_classes(e);
    for (int t = 0; t < hst_eval_classes(e); t++)
        for (int g = 0; g < hst_eval_classes(e); g++)
            if (hst_eval_confusion(e, t, g) > largest)
                largest = hst_eval_confusion(e, t, g);
    return 2 + digits(largest);
}

/* Columns first .. last-1 of the matrix; "." for 0, so that what matters stands out. */
static void put_block(cli_out *out, const hst_eval *e, int first, int last)
{
    int name = name_columns(e), cell = cell_columns(e), n = hst_eval_classes(e);
    cli_out_printf(out, "%*s", name + 4, "");
    for (int g = first; g < last; g++)
        cli_out_printf(out, "%*d", cell, g + 1);
    cli_out_puts(out, "\n");
    for (int t = 0; t < n; t++) {
        cli_out_printf(out, "%3d ", t + 1);
        put_name(out, hst_eval_label(e, t), name);
        for (int g = first; g < last; g++) {
            uint64_t v = hst_eval_confusion(e, t, g);
            if (v)
                cli_out_printf(out, "%*" PRIu64, cell, v);
            else
                cli_out_printf(out, "%*s", cell, ".");
        }
        cli_out_puts(out, "\n");
    }
}

void cli_table_confusion(cli_out *out, const hst_eval *e)
{
    int n = hst_eval_classes(e);
    if (n > MATRIX_MAX)
        return;
    int per_block = (LINE - name_columns(e) - 4) / cell_columns(e);
    cli_out_puts(out, "confusion matrix (rows: true class, columns: predicted class)\n");
    for (int first = 0; first < n; first += per_block)
        put_block(out, e, first, first + per_block < n ? first + per_block : n);
}

/* Adds bins first .. first + n - 1 up; the mean of their confidences is in *confidence. */
static uint64_t sum_bins(const hst_eval *e, int first, int n, double *confidence, uint64_t *right)
{
    uint64_t photos = 0;
    double sum = 0;
    *right = 0;
    for (int k = first; k < first + n; k++) {
        const hst_reliability *r = hst_eval_reliability(e, k);
        photos += r->n;
        *right += r->right;
        sum += r->n ? r->confidence * (double)r->n : 0;
    }
    *confidence = photos ? sum / (double)photos : NAN;
    return photos;
}

void cli_table_reliability(cli_out *out, const hst_eval *e)
{
    enum { ROWS = 5, EACH = 3 }; /* of the 15 bins, three a row */
    cli_out_puts(out, "\nhow sure it was, and how often it was right\n"
                      "probability  mean said  right  photos\n");
    for (int row = 0; row < ROWS; row++) {
        double confidence;
        uint64_t right, n = sum_bins(e, row * EACH, EACH, &confidence, &right);
        if (n)
            cli_out_printf(out, "%.1f to %.1f  %11.3f  %5.3f  %6" PRIu64 "\n", row / (double)ROWS,
                           (row + 1) / (double)ROWS, confidence, (double)right / (double)n, n);
    }
}
