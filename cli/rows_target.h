/* rows_target.h - rows of models that say labels or a number (rows.h). */
#ifndef HST_CLI_ROWS_TARGET_H
#define HST_CLI_ROWS_TARGET_H
#include "rows.h"

#include <jansson.h>

/* Which of the labels a photo has: those from their threshold on, the most probable first, into
 * r->order; returns how many. */
int cli_rows_said(const cli_rows *r, const float *prob);

/* Behind "PATH: ". */
void cli_rows_target_text(cli_rows *r, const cli_row *row);
/* CSV. Of labels path,labels,p_<label>...; of a number path,number,low_80,high_80,low_95,high_95;
 * then [cam,]error. */
void cli_rows_target_header(const cli_rows *r);
void cli_rows_target_csv(cli_rows *r, const cli_row *row);
/* Into an object that has the path. */
void cli_rows_target_json(cli_rows *r, const cli_row *row, json_t **o);
/* A text as a field of a CSV file (rows.c). */
void cli_rows_field(cli_out *out, const char *s);
#endif
