/* predictions.c - predictions.csv: every validation photo with all its probabilities. */
#include "base/buf.h"
#include "base/file.h"
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

int hst_report_predictions(const hst_eval *e, const char *path, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    const hst_eval_photo *p;
    hst_buf_puts(&b, "path,true,predicted");
    for (int c = 0; c < hst_eval_classes(e); c++) {
        hst_buf_puts(&b, ",");
        add_column_name(&b, hst_eval_label(e, c));
    }
    hst_buf_puts(&b, "\n");
    for (size_t i = 0; (p = hst_eval_at(e, i)); i++) {
        hst_buf_csv(&b, p->path);
        hst_buf_puts(&b, ",");
        hst_buf_csv(&b, hst_eval_label(e, p->truth));
        hst_buf_puts(&b, ",");
        hst_buf_csv(&b, hst_eval_label(e, p->guess));
        for (int c = 0; c < hst_eval_classes(e); c++) {
            hst_buf_puts(&b, ",");
            add_float(&b, p->prob[c]);
        }
        hst_buf_puts(&b, "\n");
    }
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}
