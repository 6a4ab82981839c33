/* rows.h - predictions as rows of text, JSON or CSV, each written as soon as it is there. */
#ifndef HST_CLI_ROWS_H
#define HST_CLI_ROWS_H
#include "job.h"

typedef struct cli_rows {
    cli_out *out;
    const hst_model *model;
    const char *format; /* "text", "json", "csv" */
    int top;            /* labels wanted; more than there are: all */
    int labelled;       /* rows have a true label */
    int cams;           /* rows have the name of a picture */
    int unknown;        /* photos of no class are called "unknown" */
    double threshold;   /* above 0: from which on a photo has a label, in place of the model's */
    int *order;         /* [classes] work space */
} cli_rows;

typedef struct cli_row {
    const char *path;
    const float *prob;    /* [classes]; not looked at when why is set */
    const char *why;      /* the reason there is no prediction, or NULL */
    int truth;            /* the true label, or -1 */
    const char *cam;      /* the picture of where the label was seen, or NULL */
    double unknown_score; /* above 0: of no class; looked at where the rows tell it */
} cli_row;

/* The header, where the format has one. 0, or an exit status after an error line. */
int cli_rows_begin(cli_rows *r);
/* 0, or -1 when standard output cannot be written (or, said on standard error, without memory). */
int cli_rows_put(cli_rows *r, const cli_row *row);
void cli_rows_end(cli_rows *r);
#endif
