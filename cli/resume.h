/* resume.h - what a run folder remembers of its command line, so that the run can go on.
 *
 * command.json in the run folder, as long as the run is not complete: the folder of photos and the
 * options that were typed, paths made absolute. */
#ifndef HST_CLI_RESUME_H
#define HST_CLI_RESUME_H
#include "job.h"

#include <jansson.h>

/* Writes it. 0: it cannot be written (a full disk, or options that are no UTF-8); the options must
 * be typed again to go on. */
int cli_resume_remember(const cli_job *job, const char *folder);
void cli_resume_forget(const char *folder);

/* Completes job->v for --resume: what was typed then, and what is typed now over it. *texts is to
 * be ended by json_decref after the last look at job->v. Returns 0, or the exit status after an
 * error line; *complete: nothing is left to do. */
int cli_resume_recall(cli_job *job, json_t **texts, int *complete);

/* Tells on standard error what to type to go on. remembered: what cli_resume_remember said. */
void cli_resume_tell(const cli_job *job, const char *folder, int remembered);

/* 1 when the folder has a checkpoint. */
int cli_resume_possible(const char *folder);
#endif
