/* measured.h - evaluations of models that say labels or a number, as text for people. */
#ifndef HST_CLI_MEASURED_H
#define HST_CLI_MEASURED_H
#include "job.h"

/* 1: what is here is for e's model; else it says one class, and tables.h is. */
int cli_measured_is(const hst_eval *e);

/* "mAP      0.726 (95 % interval 0.703-0.778, 713 photos)" or "error    13.9 (...)" and a line of
 * what comes next in importance. */
void cli_measured_headline(cli_out *out, const hst_eval *e, const char *photos);
/* As cli_table_estimate. */
void cli_measured_estimate(cli_out *out, const hst_run *r, int brief);
/* All further numbers; of labels a line each. */
void cli_measured_tables(cli_out *out, const hst_eval *e);

/* A number of such an evaluation; remark: a few words on it. */
typedef struct cli_metric {
    const char *name, *title, *remark;
} cli_metric;
/* All of them, the most important first. */
const cli_metric *cli_measured_metrics(const hst_eval *e, size_t *n);
/* One by its name; NaN where there is none. */
hst_estimate cli_measured(const hst_eval *e, const char *name);
#endif
