/* thin.h - some of many photos, for what needs no more than that. */
#ifndef HST_DATASET_THIN_H
#define HST_DATASET_THIN_H
#include "dataset/dataset.h"

/* Photos all over the data that are on the training side, or may be: so many that `wanted` of them
 * are likely on it. Into *out, which borrows all but out->photos, to be freed. Errors: HST_EMEM. */
HST_CHECK int hst_data_thin(const hst_data *d, size_t wanted, hst_data *out, hst_err *err);
/* Up to `wanted` of n photos on the training side that can be used (why NULL), evenly all over
 * them. Returns how many are in chosen, rising. */
size_t hst_data_choose(const uint8_t *side, char *const *why, size_t n, size_t wanted,
                       size_t *chosen);
#endif
