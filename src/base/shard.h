/* shard.h - which part of a job a task has done: the last line of what it has written. */
#ifndef HST_BASE_SHARD_H
#define HST_BASE_SHARD_H
#include "base/sha256.h"

enum { HST_SHARD_JOB = 256, HST_SHARD_LINE = 4096 /* bytes at most, with the newline */ };

/* What such a line says. */
typedef struct hst_shard_record {
    int index, count;
    uint64_t photos;              /* of the whole listing */
    char listing[HST_SHA256_HEX]; /* SHA-256 of its paths */
    char job[HST_SHARD_JOB];      /* what else its rows depend on */
    int headers;                  /* lines in front of its rows: 0 or 1 */
    /* Of the table of vectors beside them, float32 [rows][dim]; dim 0: there is none. */
    uint64_t rows;
    int dim;
    char vectors[HST_SHA256_HEX]; /* SHA-256 of its numbers */
} hst_shard_record;

/* What a line of a shard begins with, and no row. */
#define HST_SHARD_MARK "{\"headstart_shard\":"

/* line[n], without its newline, to *out. Errors: HST_EDATA. */
HST_CHECK int hst_shard_read(const char *line, size_t n, hst_shard_record *out, hst_err *err);

/* There is a table of such vectors, and this is its next one. Errors: HST_EMEM. */
void hst_shard_has_vectors(hst_shard *s, int dim);
HST_CHECK int hst_shard_vector(hst_shard *s, const float *x, hst_err *err);
#endif
