/* commands.h - what there is to say about the program as a whole, as data: for --help, the manual
 * pages and the completions of shells. */
#ifndef HST_CLI_COMMANDS_H
#define HST_CLI_COMMANDS_H
#include "options.h"

/* A row of a list: what it is called and what it means. */
typedef struct cli_note {
    const char *name; /* NULL ends a list */
    const char *text;
} cli_note;

extern const cli_command *const cli_commands[]; /* NULL ends them */
extern const char cli_summary[];                /* one sentence, without its full stop */
extern const char *const cli_examples[];        /* command lines; NULL ends them */
extern const cli_note cli_environment[];        /* variables that are looked at */
extern const cli_note cli_statuses[];           /* exit statuses */

extern const cli_command cli_train, cli_doctor, cli_predict, cli_eval, cli_review, cli_features,
    cli_merge, cli_info, cli_backbones, cli_bench, cli_export, cli_pull, cli_sort, cli_store;
#endif
