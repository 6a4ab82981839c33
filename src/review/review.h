/* review.h - findings about the photos of a folder, put in order and into lists. */
#ifndef HST_REVIEW_REVIEW_H
#define HST_REVIEW_REVIEW_H
#include "model/model.h"
#include "review/findings.h"
#include "training/run.h"

enum { HST_REVIEW_LISTS = HST_REVIEW_HARD + 1 };

struct hst_review {
    hst_ctx ctx;             /* to read photos with; silent, nothing to close */
    const hst_data *data;    /* borrowed */
    hst_review_photo *photo; /* [n] by score, of equals in the order of the data */
    size_t n, n_skipped, n_stored;
    size_t *list[HST_REVIEW_LISTS]; /* [n_list] places in photo */
    size_t n_list[HST_REVIEW_LISTS];
    size_t *copy; /* [n_copies] copies and near copies: places in photo, group after group */
    size_t n_copies;
    size_t *group; /* [n_groups + 1] where each begins in copy */
    size_t n_groups;
};

/* Of the photos of a run, whose model m is; what it has predicted out of fold is taken as it is.
 * Borrows the run's data. Errors: HST_EMEM. */
HST_CHECK hst_review *hst_review_of_run(const hst_run *r, const hst_model *m, hst_err *err);
#endif
