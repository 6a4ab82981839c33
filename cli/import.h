/* import.h - headstart backbones import: a weight file read once, and what was read. */
#ifndef HST_CLI_IMPORT_H
#define HST_CLI_IMPORT_H
#include "job.h"

/* Imports job->v.words[1]. The command's exit status. */
int cli_import(cli_job *job);
#endif
