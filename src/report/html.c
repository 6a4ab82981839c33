/* html.c - report.html: one page that needs nothing but itself. */
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/base64.h"
#include "report/report.h"
#include "report/style.h"
#include "report/thumbnail.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WRONG_MAX = 60,     /* photos shown */
    THUMBNAIL_PX = 160, /* their longer side */
    MATRIX_MAX = 100,   /* classes up to which the matrix is drawn */
    SKIPPED_MAX = 1000, /* skipped files named */
    PAGE_MAX = 64 << 20
};

/* ---- text ---- */

/* Text from outside: printable, and no character that HTML would act on. */
static void put_text(hst_buf *b, const char *s)
{
    char clean[4096];
    hst_printable(clean, sizeof clean, s);
    for (const char *c = clean; *c; c++) {
        const char *safe = *c == '&'    ? "&amp;"
                           : *c == '<'  ? "&lt;"
                           : *c == '>'  ? "&gt;"
                           : *c == '"'  ? "&quot;"
                           : *c == '\'' ? "&#39;"
                                        : NULL;
        hst_buf_add(b, safe ? safe : c, safe ? strlen(safe) : 1);
    }
}

/* v >= 0 with one decimal or three, never with the locale's comma. */
static void put_fixed(hst_buf *b, double v, int decimals)
{
    long scale = decimals == 1 ? 10 : 1000;
    long whole = lround(v * (double)scale);
    hst_buf_printf(b, "%ld.%0*ld", whole / scale, decimals, whole % scale);
}

static void put_percent(hst_buf *b, double part)
{
    put_fixed(b, 100 * part, 1);
    hst_buf_puts(b, " %");
}

/* ---- headline ---- */

/* A line from 0 to 100 % with the interval as a band and the accuracy as a tick. */
static void put_interval(hst_buf *b, double value, double low, double high)
{
    hst_buf_puts(b, "<div class=\"scale\" aria-hidden=\"true\"><i style=\"left:");
    put_fixed(b, 100 * low, 1);
    hst_buf_puts(b, "%;width:");
    put_fixed(b, 100 * (high - low), 1);
    hst_buf_puts(b, "%\"></i><b style=\"left:");
    put_fixed(b, 100 * value, 1);
    hst_buf_puts(b, "%\"></b></div>\n"
                    "<div class=\"ends\"><span>0 %</span><span>100 %</span></div>\n");
}

static void put_range(hst_buf *b, double low, double high)
{
    put_percent(b, low);
    hst_buf_puts(b, " to ");
    put_percent(b, high);
}

/* What an accuracy out of fold is, beside that of the photos kept aside. */
static int put_estimate(hst_buf *b, const hst_report_in *in, hst_err *err)
{
    double accuracy, low, high;
    int rc = hst_eval_metric(in->holdout, "accuracy", &accuracy, &low, &high, err);
    if (rc)
        return rc;
    hst_buf_printf(b,
                   "<p>Out of fold: each photo was judged by a model that had learned from the "
                   "photos of the other folds only, copies of a photo always sharing a fold; so "
                   "are all numbers and photos below. The model in this folder has learned from "
                   "all %zu photos.</p>\n<p>Photos kept aside, judged by a model of the other "
                   "%zu: ",
                   in->n_train, in->n_train - in->holdout->n);
    if (in->holdout->n) {
        put_percent(b, accuracy);
        hst_buf_printf(b, " of %zu right, 95 %% interval ", in->holdout->n);
        put_range(b, low, high);
    } else {
        hst_buf_puts(b, "there were none");
    }
    hst_buf_puts(b, ".</p>\n");
    return 0;
}

static int put_accuracy(hst_buf *b, const hst_report_in *in, hst_err *err)
{
    const hst_eval *e = in->eval;
    double accuracy, low, high;
    int rc = hst_eval_metric(e, "accuracy", &accuracy, &low, &high, err);
    if (rc)
        return rc;
    hst_buf_puts(b, "<p class=\"big\">");
    put_percent(b, accuracy);
    hst_buf_printf(b,
                   " <span>accuracy</span></p>\n<p>%llu of %zu %sphotos right; 95 %% "
                   "interval ",
                   (unsigned long long)e->hits, e->n, in->holdout ? "" : "validation ");
    put_range(b, low, high);
    hst_buf_puts(b, " (Wilson); log loss ");
    put_fixed(b, e->log_loss, 3);
    if (e->imbalance > HST_UNEQUAL) {
        hst_buf_puts(b, "; balanced accuracy, the mean of the classes' recalls, ");
        put_percent(b, e->balanced_accuracy);
    }
    hst_buf_puts(b, ".</p>\n");
    put_interval(b, accuracy, low, high);
    return in->holdout ? put_estimate(b, in, err) : 0;
}

static int put_headline(hst_buf *b, const hst_report_in *in, hst_err *err)
{
    hst_buf_puts(b, "<h1>");
    put_text(b, in->title);
    hst_buf_puts(b, "</h1>\n");
    if (in->eval->n)
        return put_accuracy(b, in, err);
    hst_buf_puts(b, "<p>The accuracy cannot be measured: no photo was kept aside.</p>\n");
    return 0;
}

static void put_curves(hst_buf *b, const hst_buf *svg)
{
    if (!svg || svg->n == 0)
        return;
    hst_buf_puts(
        b, "<h2>Training</h2>\n<p>Dashed with squares: photos that were trained on. Solid "
           "with circles: validation photos. results.csv has the numbers.</p>\n"
           "<div class=\"wide\"><img class=\"curves\" alt=\"Loss and accuracy over the epochs\" "
           "src=\"data:image/svg+xml;base64,");
    hst_base64_add(b, (const unsigned char *)svg->p, svg->n);
    hst_buf_puts(b, "\"></div>\n");
}

/* ---- tables ---- */

static void put_classes(hst_buf *b, const hst_eval *e)
{
    hst_buf_puts(b, "<h2>Classes</h2>\n<div class=\"wide\"><table class=\"scores\">\n<tr>"
                    "<th scope=\"col\">class</th><th scope=\"col\">precision</th>"
                    "<th scope=\"col\">recall</th><th scope=\"col\">F1</th>"
                    "<th scope=\"col\">photos</th></tr>\n");
    for (int c = 0; c < hst_eval_classes(e); c++) {
        const hst_class_score *s = hst_eval_class(e, c);
        const double v[] = {s->precision, s->recall, s->f1};
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        put_text(b, hst_eval_label(e, c));
        hst_buf_puts(b, "</th>");
        for (int i = 0; i < 3; i++) {
            hst_buf_puts(b, "<td>");
            put_fixed(b, v[i], 3);
            hst_buf_puts(b, "</td>");
        }
        hst_buf_printf(b, "<td>%llu</td></tr>\n", (unsigned long long)s->support);
    }
    hst_buf_puts(b, "</table></div>\n<p class=\"note\">Precision: of the photos given this label, "
                    "the part that has it. Recall: of the photos that have it, the part that was "
                    "found. F1: their harmonic mean.</p>\n");
}

/* A cell is shaded by its part of the row, at most to 60 % so that its number stays readable. */
static void put_cell(hst_buf *b, const hst_eval *e, int truth, int guess, uint64_t row)
{
    uint64_t n = hst_eval_confusion(e, truth, guess);
    const char *kind = truth == guess ? "hit" : "miss";
    if (n == 0) {
        hst_buf_puts(b, truth == guess ? "<td class=\"hit\">0</td>" : "<td class=\"none\">0</td>");
        return;
    }
    hst_buf_printf(b, "<td class=\"%s\" style=\"--part:", kind);
    put_fixed(b, 0.1 + 0.5 * (double)n / (double)row, 3);
    hst_buf_printf(b, "\">%llu</td>", (unsigned long long)n);
}

static void put_matrix(hst_buf *b, const hst_eval *e)
{
    int n = hst_eval_classes(e);
    hst_buf_puts(b, "<h2>Confusion matrix</h2>\n<p>Rows: the true class. Columns: what was "
                    "predicted. Darker: a larger part of the row.</p>\n");
    if (n > MATRIX_MAX) {
        hst_buf_printf(b, "<p>%d classes are too many to draw; predictions.csv has them.</p>\n", n);
        return;
    }
    hst_buf_puts(b, "<div class=\"wide\"><table class=\"matrix\">\n<tr><td></td>");
    for (int g = 0; g < n; g++) {
        hst_buf_puts(b, "<th scope=\"col\"><span>");
        put_text(b, hst_eval_label(e, g));
        hst_buf_puts(b, "</span></th>");
    }
    hst_buf_puts(b, "</tr>\n");
    for (int t = 0; t < n; t++) {
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        put_text(b, hst_eval_label(e, t));
        hst_buf_puts(b, "</th>");
        for (int g = 0; g < n; g++)
            put_cell(b, e, t, g, hst_eval_class(e, t)->support);
        hst_buf_puts(b, "</tr>\n");
    }
    hst_buf_puts(b, "</table></div>\n");
}

/* ---- wrong photos ---- */

typedef struct mistake {
    size_t photo;
    float prob; /* of the wrong label */
} mistake;

/* The surest first; the order of the photos among equals. */
static int by_confidence(const void *pa, const void *pb)
{
    const mistake *a = pa, *b = pb;
    if (a->prob != b->prob)
        return a->prob > b->prob ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

/* A photo that has gone since is no reason to lose the report. */
static int put_picture(hst_buf *b, const char *path, hst_err *err)
{
    hst_image img = {0};
    int rc = hst_thumbnail_read(path, THUMBNAIL_PX, &img, err);
    if (rc == HST_EMEM)
        return rc;
    if (rc) {
        hst_buf_puts(b, "<div class=\"gone\">cannot be shown</div>");
        return 0;
    }
    hst_buf_printf(b, "<img alt=\"\" width=\"%d\" height=\"%d\" src=\"", img.w, img.h);
    rc = hst_thumbnail_uri(&img, b, err);
    hst_buf_puts(b, "\">");
    hst_image_clear(&img);
    return rc;
}

static int put_mistake(hst_buf *b, const hst_eval *e, const mistake *m, hst_err *err)
{
    const hst_eval_photo *p = hst_eval_at(e, m->photo);
    hst_buf_puts(b, "<figure>");
    int rc = put_picture(b, p->path, err);
    if (rc)
        return rc;
    hst_buf_puts(b, "<figcaption><b>");
    put_text(b, hst_eval_label(e, p->guess));
    hst_buf_puts(b, "</b> ");
    put_percent(b, (double)m->prob);
    hst_buf_puts(b, "<br>is <b>");
    put_text(b, hst_eval_label(e, p->truth));
    hst_buf_puts(b, "</b> ");
    put_percent(b, (double)p->prob[p->truth]);
    hst_buf_puts(b, "<br><small>");
    put_text(b, p->path);
    hst_buf_puts(b, "</small></figcaption></figure>\n");
    return 0;
}

static int put_mistakes(hst_buf *b, const hst_eval *e, hst_err *err)
{
    const hst_eval_photo *p;
    size_t n = 0;
    int rc = 0;
    mistake *m = hst_alloc(e->n, sizeof *m, err);
    if (!m)
        return HST_EMEM;
    for (size_t i = 0; (p = hst_eval_at(e, i)); i++)
        if (hst_eval_counts(p) && p->guess != p->truth)
            m[n++] = (mistake){i, p->prob[p->guess]};
    qsort(m, n, sizeof *m, by_confidence);
    size_t shown = n < WRONG_MAX ? n : WRONG_MAX;
    hst_buf_puts(b, "<h2>Wrong photos</h2>\n");
    if (n == 0)
        hst_buf_puts(b, "<p>None: every photo that was measured was named rightly.</p>\n");
    else if (shown < n)
        hst_buf_printf(b, "<p>The %zu surest mistakes of %zu.</p>\n", shown, n);
    else
        hst_buf_printf(b, "<p>All %zu, the surest mistakes first.</p>\n", n);
    hst_buf_puts(b, "<div class=\"photos\">\n");
    for (size_t i = 0; rc == 0 && i < shown; i++)
        rc = put_mistake(b, e, &m[i], err);
    hst_buf_puts(b, "</div>\n");
    free(m);
    return rc;
}

/* ---- effort ---- */

/* Without seconds: equal runs have equal pages. */
static void put_steps(hst_buf *b, const hst_report_in *in)
{
    if (in->n_steps == 0)
        return;
    hst_buf_puts(b, "<h2>What was tried</h2>\n<p>Judged by five-fold cross-validation on the "
                    "training side; a step is kept where the log loss falls by more than chance "
                    "would explain. Passes are what it adds to every prediction, counted in those "
                    "of the backbone alone.</p>\n<div class=\"wide\"><table class=\"list\">\n<tr>"
                    "<th scope=\"col\">step</th><th scope=\"col\">log loss</th><th scope=\"col\">"
                    "accuracy</th><th scope=\"col\">passes</th><th scope=\"col\"></th></tr>\n");
    for (size_t i = 0; i < in->n_steps; i++) {
        const hst_effort_step *s = &in->step[i];
        hst_buf_puts(b, "<tr><td>");
        put_text(b, s->what);
        hst_buf_puts(b, "</td><td>");
        put_fixed(b, s->log_loss, 3);
        hst_buf_puts(b, "</td><td>");
        put_percent(b, s->accuracy);
        hst_buf_puts(b, "</td><td>");
        put_fixed(b, s->cost, 1);
        hst_buf_printf(b, "</td><td>%s</td></tr>\n", s->kept ? "kept" : "left out");
    }
    hst_buf_puts(b, "</table></div>\n");
}

/* ---- the rest ---- */

static void put_skipped(hst_buf *b, const hst_report_in *in)
{
    size_t shown = in->n_skipped < SKIPPED_MAX ? in->n_skipped : SKIPPED_MAX;
    if (in->n_skipped == 0)
        return;
    hst_buf_printf(b, "<h2>Skipped files</h2>\n<p>%zu could not be used.", in->n_skipped);
    if (shown < in->n_skipped)
        hst_buf_printf(b, " The first %zu; skipped.csv has all.", shown);
    hst_buf_puts(b, "</p>\n<div class=\"wide\"><table class=\"list\">\n<tr><th scope=\"col\">file"
                    "</th><th scope=\"col\">reason</th></tr>\n");
    for (size_t i = 0; i < shown; i++) {
        hst_buf_puts(b, "<tr><td>");
        put_text(b, in->skipped_path[i]);
        hst_buf_puts(b, "</td><td>");
        put_text(b, in->skipped_why[i]);
        hst_buf_puts(b, "</td></tr>\n");
    }
    hst_buf_puts(b, "</table></div>\n");
}

static void put_making(hst_buf *b, const hst_report_in *in)
{
    const char *const rows[][2] = {{"backbone", in->backbone},
                                   {"recipe", in->recipe},
                                   {"preparation", in->prepare},
                                   {"headstart", hst_version()}};
    hst_buf_puts(b, "<h2>How it was made</h2>\n<dl>\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hst_buf_printf(b, "<dt>%s</dt><dd>", rows[i][0]);
        put_text(b, rows[i][1] ? rows[i][1] : "");
        hst_buf_puts(b, "</dd>\n");
    }
    hst_buf_printf(b,
                   "<dt>photos</dt><dd>%zu trained on, %zu to measure, %zu skipped</dd>\n"
                   "<dt>classes</dt><dd>%d</dd>\n</dl>\n",
                   in->n_train, in->eval->n, in->n_skipped, hst_eval_classes(in->eval));
}

static int put_page(hst_buf *b, const hst_report_in *in, hst_err *err)
{
    hst_buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    put_text(b, in->title);
    hst_buf_puts(b, " - headstart</title>\n<style>\n");
    hst_buf_puts(b, hst_report_style);
    hst_buf_puts(b, "</style>\n</head>\n<body>\n<main>\n");
    int rc = put_headline(b, in, err);
    if (rc)
        return rc;
    if (in->eval->n) {
        put_matrix(b, in->eval);
        put_classes(b, in->eval);
    }
    put_curves(b, in->curves);
    if (in->eval->n)
        rc = put_mistakes(b, in->eval, err);
    put_steps(b, in);
    put_skipped(b, in);
    put_making(b, in);
    hst_buf_puts(b, "</main>\n</body>\n</html>\n");
    return rc;
}

int hst_report_html(const hst_report_in *in, const char *path, hst_err *err)
{
    hst_buf b = HST_BUF(PAGE_MAX);
    int rc = put_page(&b, in, err);
    if (rc == 0)
        rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}
