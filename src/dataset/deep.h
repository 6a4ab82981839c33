/* deep.h - photos of 16-bit gray, as of X-rays and thermal cameras: which preparation they need. */
#ifndef HST_DATASET_DEEP_H
#define HST_DATASET_DEEP_H
#include "dataset/dataset.h"

/* How d's photos are to be prepared: as asked for (hst_features_compute), but where no word for
 * pixels was given (NULL, ",pad") and there are photos of 16-bit gray, PNG or PNM, "scaled". Says
 * so in the log, and where a word was given that clips them. Looks at the first bytes of files
 * whose name may be of such; of an archive at no more than 64. */
const char *hst_deep_resolve(hst_ctx *ctx, const hst_data *d, const char *prepare);
#endif
