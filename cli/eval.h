/* eval.h - what headstart eval shows: of one model, and of several compared. */
#ifndef HST_CLI_EVAL_H
#define HST_CLI_EVAL_H
#include "job.h"

#include <jansson.h>

enum {
    CLI_EVAL_SCHEMA = 1,  /* of --json (docs/evaluation.md) */
    CLI_EVAL_MODELS = 26, /* at most, so that each has a letter */
    CLI_EVAL_PATH = 4096
};

/* An evaluation and the model that it is of. */
typedef struct cli_evaluated {
    const char *name; /* as it was typed */
    const hst_model *model;
    const hst_eval *eval;
    const hst_detection *detection; /* NULL: not measured */
    int saved;                      /* its report is in that folder: */
    char folder[CLI_EVAL_PATH];
} cli_evaluated;

/* A number of an evaluation by its name; NaN where there is none. */
double cli_eval_number(const hst_eval *e, const char *name);
/* Photos that were predicted: those that count and those that do not. */
double cli_eval_photos(const hst_eval *e);

/* The accuracy, what it is of, and apart from it that of photos that were trained on. */
void cli_eval_headline(cli_job *job, const hst_eval *e);
void cli_eval_text(cli_job *job, const cli_evaluated *m);
/* One object; NULL without memory. */
json_t *cli_eval_json(const cli_evaluated *m);

/* Whether the reports of n models can be written where they are wanted, before the work. The exit
 * status. */
int cli_eval_check_pages(cli_job *job, int n);
/* Writes the report of each; fills folder and saved. The exit status. */
int cli_eval_pages(cli_job *job, cli_evaluated *m, int n);
/* Where it is, a line, unless quiet; and for JSON, null where it is not. */
void cli_eval_tell_page(cli_job *job, const cli_evaluated *m);
json_t *cli_eval_page_json(const cli_evaluated *m);

/* Models m[n], n >= 2, on the photos that none of them has learned from. */
void cli_eval_compare_text(cli_job *job, const cli_evaluated *m, int n, const hst_comparison *c);
json_t *cli_eval_compare_json(const cli_evaluated *m, int n, const hst_comparison *c);
#endif
