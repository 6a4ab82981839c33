/* job.h - what every command works with: its values, the library, standard output, the display. */
#ifndef HST_CLI_JOB_H
#define HST_CLI_JOB_H
#include "headstart.h"
#include "options.h"
#include "output.h"
#include "progress.h"

typedef struct cli_job {
    const cli_command *command;
    const char *program; /* as it was called: argv[0] */
    int argc;            /* of the whole program */
    char **argv;
    cli_values v;
    cli_out out;
    cli_display display;
    hst_ctx *ctx;          /* NULL until cli_job_open */
    hst_err err;           /* of the library call that failed last */
    int shown;             /* of cli_hide */
    int keeps;             /* 1: what is computed is kept in the cache */
    char run_folder[4096]; /* that v.resume may point to */
    char shard_file[4096]; /* that v.output may point to */
} cli_job;

/* Makes the context out of environment and options. 0, or the exit status after an error line. */
int cli_job_open(cli_job *job);
/* Tells job->err on standard error; returns the exit status. */
int cli_job_fail(cli_job *job);
/* Of one of several processes that fails before it joins the others, where the first has errors
 * told: gives that one 3 s to fail by itself and end the job, then tells what was hidden. */
void cli_job_tell_late(const cli_job *job);
/* --prepare and --fit in one word, as hst_features_compute takes them: text of cap bytes, or the
 * first alone. */
const char *cli_job_preparation(const cli_job *job, char *text, size_t cap);
int cli_job_is_auto(const cli_job *job); /* --precision auto */
/* The backbone of that name, file or folder, with the command's options for it. */
hst_backbone *cli_job_backbone(cli_job *job, const char *name);
/* The same where --precision may be auto, which looks at the photos; without, that is fp32. */
hst_backbone *cli_job_backbone_for(cli_job *job, const char *name, const hst_data *d);
/* Where job->err is that a backbone is unknown: says which name may be meant. */
void cli_job_suggest(cli_job *job, const char *name);
/* Which photos DIR stands for, as the command's options have it; the split is the caller's. */
hst_data_opts cli_job_data_opts(const cli_job *job);
/* A wrong use of the command: one line, returns CLI_USAGE. */
int cli_job_usage(const cli_job *job, const char *why);
/* Of what one of several processes alone looks at: where that made it end (status is not 0), the
 * others end with the same status. Returns it. */
int cli_job_alone(const cli_job *job, int status);

/* Runs the action that the first word names, with the library open. The command's exit status. */
int cli_job_act(cli_job *job);
/* Says, unless quiet, of how many of n photos the features were in the store. */
void cli_job_say_stored(cli_job *job, size_t stored, size_t n);
#endif
