/* predictions.c - predictions.csv: every validation photo with all its probabilities, or the two
 * numbers. */
#include "base/text_out.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>

/* Nine digits give a float back exactly. */
static void add_float(hst_buf *b, float v)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", (double)v);
    hst_buf_double(b, strtod(text, NULL)); /* the same locale wrote and read it */
}

/* "p_" and the label, as one CSV field. */
static void add_column_name(hst_buf *b, const char *label)
{
    hst_buf name = HST_BUF(1 << 16);
    hst_buf_puts(&name, "p_");
    hst_buf_puts(&name, label);
    hst_buf_csv(b, name.failed ? "p_" : name.p);
    hst_buf_free(&name);
}

/* Labels with '|' between: those that the photo has, or, said, that the model gives it. */
static void add_labels(hst_buf *b, const hst_eval *e, const hst_eval_photo *p, int said)
{
    hst_buf text = HST_BUF(SIZE_MAX / 2);
    for (int c = 0; c < hst_eval_classes(e); c++)
        if (said ? p->prob[c] >= (float)hst_eval_threshold(e, c) : p->marks[c])
            hst_buf_printf(&text, "%s%s", text.n ? "|" : "", hst_eval_label(e, c));
    b->failed |= text.failed;
    hst_buf_csv(b, text.p ? text.p : "");
    hst_buf_free(&text);
}

/* What the photo is, or is predicted to be. */
static void add_known(hst_buf *b, const hst_eval *e, const hst_eval_photo *p, int said)
{
    hst_buf_puts(b, ",");
    if (hst_eval_target(e) == HST_TARGET_LABELS)
        add_labels(b, e, p, said);
    else if (hst_eval_target(e) == HST_TARGET_NUMBER && said)
        add_float(b, p->prob[0]);
    else if (hst_eval_target(e) == HST_TARGET_NUMBER)
        hst_buf_double(b, p->number);
    else
        hst_buf_csv(b, hst_eval_label(e, said ? p->guess : p->truth));
}

static int put_rows(const hst_eval *e, hst_text_out *t, hst_err *err)
{
    const hst_eval_photo *p;
    hst_buf *b = &t->b;
    int rc = 0;
    hst_buf_puts(b, "path,true,predicted");
    const int n = hst_eval_target(e) == HST_TARGET_NUMBER ? 0 : hst_eval_classes(e);
    for (int c = 0; c < n; c++) {
        hst_buf_puts(b, ",");
        add_column_name(b, hst_eval_label(e, c));
    }
    hst_buf_puts(b, "\n");
    for (size_t i = 0; rc == 0 && (p = hst_eval_at(e, i)); i++) {
        hst_buf_csv(b, p->path);
        add_known(b, e, p, 0);
        add_known(b, e, p, 1);
        for (int c = 0; c < n; c++) {
            hst_buf_puts(b, ",");
            add_float(b, p->prob[c]);
        }
        hst_buf_puts(b, "\n");
        rc = hst_text_line(t, err);
    }
    return rc;
}

int hst_report_predictions(const hst_eval *e, const char *path, hst_err *err)
{
    hst_text_out t;
    int rc = hst_text_open(&t, path, err);
    rc = rc ? rc : put_rows(e, &t, err);
    rc = rc ? rc : hst_text_commit(&t, err);
    hst_text_close(&t);
    return rc;
}
