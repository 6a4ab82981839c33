/* join.h - one photo out of several files of the same content, where a photo may have several
 * labels: it then has those of all of them. */
#ifndef HST_DATASET_JOIN_H
#define HST_DATASET_JOIN_H
#include "dataset/rows.h"

/* Of files of one part with equal bytes the first by path stays, with the labels of all; the others
 * are left out. Files are read where another is as long. What cannot be read is left to be told
 * later. Errors: HST_EMEM. */
HST_CHECK int hst_rows_join(const hst_ctx *ctx, hst_rows *r, hst_err *err);
#endif
