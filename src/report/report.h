/* report.h - what people look at: report.html, CSV files, pictures. */
#ifndef HST_REPORT_REPORT_H
#define HST_REPORT_REPORT_H
#include "dataset/dataset.h"
#include "evaluation/evaluation.h"

typedef struct hst_report_in {
    const char *title; /* the folder that was trained on */
    const char *backbone, *recipe, *prepare;
    const hst_eval *eval;
    size_t n_train, n_skipped;
    const char *const *skipped_path, *const *skipped_why; /* [n_skipped] */
} hst_report_in;

/* One self-contained page: headline with interval, confusion matrix, per-class table, wrong photos
 * (small JPEG pictures inside the page) with true and predicted label, skipped files. All text
 * escaped. */
HST_CHECK int hst_report_html(const hst_report_in *in, const char *path, hst_err *err);
/* path,true,predicted,p_<label>... */
HST_CHECK int hst_report_predictions(const hst_eval *e, const char *path, hst_err *err);
#endif
