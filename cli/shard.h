/* shard.h - --shard I/N: which of the photos on a command line are this task's. */
#ifndef HST_CLI_SHARD_H
#define HST_CLI_SHARD_H
#include "job.h"

#include <stddef.h>

typedef struct cli_shard_photos {
    hst_shard *shard;      /* NULL: all photos are this task's */
    size_t at, first, end; /* photos given so far; those that are its */
} cli_shard_photos;

/* The photos that words[n] name, of which those of --shard are this task's; rows: how they are
 * written. 0, or an exit status after an error line. */
int cli_shard_open(cli_shard_photos *s, cli_job *job, const hst_model *m, const char *rows);
void cli_shard_close(cli_shard_photos *s);
/* The next photo is there: 1 where it is this task's, 0: not, -1: nor is any behind it. */
int cli_shard_takes(cli_shard_photos *s);
/* Behind the rows: says which shard they were. 0, or an exit status after an error line. */
int cli_shard_end(cli_shard_photos *s, cli_job *job, int headers);

/* "photos-3-of-20.npy" for "photos.npy". 0: too long. */
int cli_shard_name(const char *path, cli_part part, char *out, size_t cap);
#endif
