/* job.h - what every command works with: its values, the library, standard output, the display. */
#ifndef HST_CLI_JOB_H
#define HST_CLI_JOB_H
#include "headstart.h"
#include "options.h"
#include "output.h"
#include "progress.h"

typedef struct cli_job {
    const cli_command *command;
    cli_values v;
    cli_out out;
    cli_display display;
    hst_ctx *ctx; /* NULL until cli_job_open */
    hst_err err;  /* of the library call that failed last */
} cli_job;

/* Makes the context out of environment and options. 0, or the exit status after an error line. */
int cli_job_open(cli_job *job);
/* Tells job->err on standard error; returns the exit status. */
int cli_job_fail(cli_job *job);
/* A wrong use of the command: one line, returns CLI_USAGE. */
int cli_job_usage(const cli_job *job, const char *why);

extern const cli_command cli_train, cli_predict, cli_eval, cli_features, cli_info, cli_backbones;
#endif
