/* deep.h - photos of 16-bit gray, as of X-rays and thermal cameras: which preparation they need. */
#ifndef HST_DATASET_DEEP_H
#define HST_DATASET_DEEP_H
#include "dataset/dataset.h"

/* How d's photos are to be prepared: as asked for (hst_features_compute), but where no word for
 * pixels was given (NULL, ",pad") and there are photos of 16-bit gray (PNG, PNM, TIFF, JPEG 2000),
 * "scaled". Says so in the log, and where a word was given that clips them. Looks at the first
 * bytes of files whose name may be of such; of an archive at no more than 64. */
const char *hst_deep_resolve(hst_ctx *ctx, const hst_data *d, const char *prepare);

/* Whether a photo is one. *members counts those looked at in archives. */
int hst_deep_is(const hst_ctx *ctx, const char *path, int *members);
#define HST_DEEP_OF_MODEL "train the model with 'scaled'"
/* Says that `prepare` clips n photos; of none nothing. */
void hst_deep_clipped(const hst_ctx *ctx, const char *prepare, size_t n, const char *first,
                      const char *advice);
#endif
