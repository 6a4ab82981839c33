/* page_headline.c - how good the model is: a number, its interval in words, what was measured. */
#include "report/page.h"

#include <math.h>

enum { WIDE_POINTS = 20 }; /* an interval wider than this says little */

/* A line from 0 to 100 % with the interval as a band and the accuracy as a tick. */
static void put_scale(hst_buf *b, double value, double low, double high)
{
    hst_buf_puts(b, "<svg class=\"scale\" viewBox=\"0 0 1000 26\" preserveAspectRatio=\"none\" "
                    "aria-hidden=\"true\"><rect class=\"frame\" x=\"1\" y=\"6\" width=\"998\" "
                    "height=\"14\"/><rect class=\"band\" y=\"6\" height=\"14\" x=\"");
    hst_page_fixed(b, 1000 * low, 1);
    hst_buf_puts(b, "\" width=\"");
    hst_page_fixed(b, 1000 * (high - low), 1);
    hst_buf_puts(b, "\"/><rect class=\"tick\" y=\"0\" width=\"4\" height=\"26\" x=\"");
    hst_page_fixed(b, fmin(fmax(1000 * value - 2, 0), 996), 1);
    hst_buf_puts(b,
                 "\"/></svg>\n<div class=\"ends\" aria-hidden=\"true\"><span>0" HST_NBSP "%</span>"
                 "<span>100" HST_NBSP "%</span></div>\n");
}

static void put_range(hst_buf *b, double low, double high)
{
    hst_page_percent(b, low);
    hst_buf_puts(b, " to ");
    hst_page_percent(b, high);
}

/* What an accuracy out of fold is, beside that of the photos kept aside. */
static int put_estimate(hst_buf *b, const hst_report_in *in, hst_err *err)
{
    double accuracy, low, high;
    int rc = hst_eval_metric(in->holdout, "accuracy", &accuracy, &low, &high, err);
    if (rc)
        return rc;
    hst_page_out_of_fold(b, in);
    if (in->holdout->n) {
        hst_page_percent(b, accuracy);
        hst_buf_printf(b, " of %zu right, 95" HST_NBSP "%% interval ", in->holdout->n);
        put_range(b, low, high);
    } else {
        hst_buf_puts(b, "there were none");
    }
    hst_buf_puts(b, ".</p>\n");
    return 0;
}

/* "38 photos: between 81 and 97 %", and what to think of it. */
static void put_words(hst_buf *b, const hst_eval *e, double low, double high)
{
    hst_buf_puts(b, "<p class=\"words\"><b>");
    hst_page_count(b, e->n, "photo", "photos");
    hst_buf_printf(b, ": between %ld and %ld" HST_NBSP "%%</b>", lround(100 * low),
                   lround(100 * high));
    if (100 * (high - low) > WIDE_POINTS)
        hst_buf_puts(b, ". So few photos cannot say more; four times as many would make the "
                        "interval half as wide");
    hst_buf_puts(b, ".</p>\n");
}

static int put_accuracy(hst_page *p, hst_err *err)
{
    hst_buf *b = &p->body;
    const hst_eval *e = p->e;
    double accuracy, low, high;
    int rc = hst_eval_metric(e, "accuracy", &accuracy, &low, &high, err);
    if (rc)
        return rc;
    hst_buf_puts(b, "<p class=\"big\">");
    hst_page_percent(b, accuracy);
    hst_buf_puts(b, " <span>accuracy</span></p>\n");
    put_words(b, e, low, high);
    put_scale(b, accuracy, low, high);
    hst_buf_printf(b, "<p>%llu of %zu %sphotos right; 95" HST_NBSP "%% interval ",
                   (unsigned long long)e->hits, e->n,
                   p->in->holdout || p->in->evaluation ? "" : "validation ");
    put_range(b, low, high);
    hst_buf_puts(b, " (Wilson); log loss ");
    hst_page_fixed(b, e->log_loss, 3);
    if (e->imbalance > HST_UNEQUAL) {
        hst_buf_puts(b, "; balanced accuracy, the mean of the classes' recalls, ");
        hst_page_percent(b, e->balanced_accuracy);
    }
    hst_buf_puts(b, ".</p>\n");
    return p->in->holdout ? put_estimate(b, p->in, err) : 0;
}

/* Photos that were judged and do not count. */
static void put_uncounted(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_eval *e = p->e;
    if (e->n_seen) {
        hst_buf_puts(b, "<p>Not counted: ");
        hst_page_count(b, e->n_seen, "photo", "photos");
        hst_buf_puts(b, " that the model has learned from, of which ");
        hst_page_percent(b, (double)e->seen_hits / (double)e->n_seen);
        hst_buf_puts(b, " are right.</p>\n");
    }
    if (e->n_copies) {
        hst_buf_puts(b, "<p>Each picture counts once: ");
        hst_page_count(b, e->n_copies, "photo is a copy of another", "photos are copies of others");
        hst_buf_puts(b, ".</p>\n");
    }
}

int hst_page_headline(hst_page *p, hst_err *err)
{
    int rc = 0;
    hst_page_begin(p, "accuracy", "Accuracy");
    if (p->e->n)
        rc = put_accuracy(p, err);
    else
        hst_buf_printf(&p->body, "<p>The accuracy cannot be measured: %s.</p>\n",
                       p->e->n_seen ? "the model has learned from all of these photos"
                                    : "no photo was kept aside");
    put_uncounted(p);
    hst_page_end(p);
    return rc;
}
