/* run_report.h - report.html of a run. */
#ifndef HST_REPORT_RUN_REPORT_H
#define HST_REPORT_RUN_REPORT_H
#include "report/report.h"

/* Writes path. split_sha256: of split.csv, as text. o: what the caller knows; NULL: nothing.
 * Errors: HST_EIO, HST_EMEM. */
HST_CHECK int hst_run_report(const hst_run *r, const hst_model *m, const hst_report_opts *o,
                             const char *split_sha256, const char *path, hst_err *err);
#endif
