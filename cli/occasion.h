/* occasion.h - when a command was given and how, for the report of what it does. */
#ifndef HST_CLI_OCCASION_H
#define HST_CLI_OCCASION_H
#include "job.h"

typedef struct cli_occasion {
    char date[40]; /* "2026-11-27 03:16 UTC"; empty: the clock is not to be had */
    char *command; /* as a shell reads it; NULL: no memory */
} cli_occasion;

cli_occasion cli_occasion_now(const cli_job *job);
void cli_occasion_clear(cli_occasion *o);
/* Borrows the texts of o. */
hst_report_opts cli_occasion_opts(const cli_occasion *o);
#endif
