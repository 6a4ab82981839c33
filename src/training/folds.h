/* folds.h - which photos are held out together in cross-validation. */
#ifndef HST_TRAINING_FOLDS_H
#define HST_TRAINING_FOLDS_H
#include "features/features.h"
#include "inspection/near.h"
#include "training/logistic.h"

enum { HST_FOLDS = 5 };

/* Photos to deal. */
typedef struct hst_deal {
    const int *label; /* [n], 0 .. n_classes-1 */
    /* [n], NULL: each photo alone. Of photo i the first photo that must share its fold (a copy, a
     * view of the same photo); of that one itself. */
    const size_t *group;
    size_t n;
    int n_classes;
} hst_deal;

/* fold[i]: the fold that holds photo i out, 0 .. HST_FOLDS-1, or HST_FOLDS where it is never held
 * out. Each class's groups (a group has the class of its first photo), in an order drawn from seed,
 * go to the folds in turn, so that folds are stratified. A class with a single group is always
 * learned from, and so is every photo of that group: held out it would only tell that it is
 * unknown. Errors: HST_EMEM. */
HST_CHECK int hst_folds_deal(const hst_deal *d, uint64_t seed, int *fold, hst_err *err);

/* Groups of copies, as hst_deal takes them: photos with the same pixels have the same features, bit
 * for bit. home: of the rows, as of hst_logistic. Errors: HST_EMEM. */
HST_CHECK int hst_copies_group(const float *const *x, hst_spill *home, size_t n, int dim,
                               size_t *group, hst_err *err);

/* Groups of copies and near copies among all photos of f; group[f->n]. near, {0} before: what was
 * found on the way, the caller's to clear, also after a failure. Errors: HST_EMEM. */
HST_CHECK int hst_near_copies_group(const hst_ctx *ctx, const hst_features *f, hst_near *near,
                                    size_t *group, hst_err *err);
/* The groups of photos, group[n], of which photo i is photo[i] among all, where whole[] is the
 * groups of them all, n_whole. Errors: HST_EMEM. */
HST_CHECK int hst_groups_among(const size_t *whole, size_t n_whole, const size_t *photo, size_t n,
                               size_t *group, hst_err *err);

/* fold[n] of photos whose groups stay together: p's, or else copies. */
HST_CHECK int hst_folds_make(const hst_logistic *p, uint64_t seed, int *fold, hst_err *err);
#endif
