/* unknown.h - how well photos of no class are told: eval --unknown. */
#ifndef HST_CLI_UNKNOWN_H
#define HST_CLI_UNKNOWN_H
#include "eval.h"

/* Before a photo is looked at: 0, or an exit status after an error line where the model typed as
 * `name` cannot tell unknown photos. */
int cli_unknown_check(const hst_model *m, const char *name);
/* Measures m, which e is an evaluation of, on the photos in job->v.unknown and its sub-folders. 0,
 * or an exit status after an error line. */
int cli_unknown_measure(cli_job *job, const hst_model *m, const hst_eval *e, hst_detection *out);
/* "refused": photos that count and that the model calls unknown, null where it cannot tell; and,
 * where it was measured, "unknown", an object. */
void cli_unknown_json(json_t **o, const cli_evaluated *m);
/* The same as lines of text, as far as there is something to tell. */
void cli_unknown_text(cli_out *out, const cli_evaluated *m);
#endif
