/* unknown.h - whether a photo is of none of the classes that a model has learned.
 *
 * Three measures of a photo, each larger for stranger ones:
 *
 *   unsure   mean over the classes of ln p: how little the head prefers any of them. With logits
 *            moved to a mean of 0 it is their energy, -ln sum exp (Liu et al. 2020, arXiv
 *            2010.03759), but depends on the probabilities alone.
 *   apart    sum over the classes of p times the distance to the nearest photo of the class (of the
 *            classes that have any), among the fourth roots of features, which bring the many small
 *            ones up to the few large ones.
 *   away     mean distance to the three nearest photos of any class, among features as they are.
 *
 * Distances are sqrt(1 - cosine); of several backbones the cosine is the mean of theirs. Nearest
 * photos among which the photo itself and its copies are not tell what to expect of each measure:
 * mean and deviation over photos of the classes that were not learned from. With z = (measure -
 * mean) / deviation the score is
 *
 *   z_unsure + z_apart + 8 max(z_away - 1.5, 0)^2
 *
 * The first two together tell classes apart that resemble those learned, where neither does alone;
 * the third is silent there and decides about pictures of anything else (measured in
 * docs/unknown.md). A photo is called unknown where its score is above a threshold. */
#ifndef HST_MODEL_UNKNOWN_H
#define HST_MODEL_UNKNOWN_H
#include "base/spill.h"
#include "extractor/extractor.h"

/* What the photos kept for comparison may take in a model file. */
enum { HST_UNKNOWN_MAX_BYTES = 1500000 };

enum hst_strange { HST_UNSURE, HST_APART, HST_AWAY, HST_N_STRANGE };

/* As a list in a file: means, deviations, threshold, rate. */
enum { HST_UNKNOWN_NUMBERS = 2 * HST_N_STRANGE + 2 };

typedef struct hst_unknown {
    size_t n; /* photos to compare with: 1 .. hst_unknown_most */
    int dim, n_branches;
    int branch[HST_MAX_BESIDE +
               1];               /* where each branch's features begin, and where the last ends */
    int32_t *label;              /* [n] class of each */
    int is_root[HST_MAX_BESIDE]; /* 1: the features of this branch are square roots already */
    /* Of a photo's features x, branch by branch: sign(x) |x|^(1/4) / max * 127, rounded; and its
     * fourth power, scaled and rounded in the same way. */
    int8_t *root, *plain;             /* [n][dim] */
    double *root_scale, *plain_scale; /* [n][n_branches] 1 / length; 0 where that is 0 */
    double mean[HST_N_STRANGE];
    double deviation[HST_N_STRANGE]; /* 0: the measure tells nothing and is left out */
    double threshold;                /* of the score */
    double rate;                     /* part of photos of the classes that are above it, 0 .. 1 */
} hst_unknown;

/* Most photos of features of dim numbers that fit into a model file. */
size_t hst_unknown_most(int dim);
/* To compare with n photos: rows x[n] of e's features, which live in home (NULL: in memory), their
 * classes. The numbers behind are 0. Errors: HST_EMEM. */
HST_CHECK hst_unknown *hst_unknown_new(const hst_extractor *e, const float *const *x,
                                       hst_spill *home, const int *label, size_t n, hst_err *err);
/* The same of what was kept of them: root[n][dim], label[n], neither changed. */
HST_CHECK hst_unknown *hst_unknown_again(const hst_extractor *e, const int8_t *root,
                                         const int32_t *label, size_t n, hst_err *err);
void hst_unknown_free(hst_unknown *u);

/* The memory of one thread. */
typedef struct hst_unknown_work hst_unknown_work;
HST_CHECK hst_unknown_work *hst_unknown_work_new(int dim, int n_classes, hst_err *err);
void hst_unknown_work_free(hst_unknown_work *w);

/* One photo. */
typedef struct hst_unknown_asked {
    const float *x, *prob; /* [dim], [n_classes] */
    int n_classes;
    /* fold[u->n] of the photos to compare with: those of fold `left_out` are not there; NULL: all
     * are. */
    const int *fold;
    int left_out;
} hst_unknown_asked;

/* 0: there is no photo to compare with. The same bits on any processor, given the same features. */
int hst_unknown_measure(const hst_unknown *u, const hst_unknown_asked *a, hst_unknown_work *w,
                        double measure[HST_N_STRANGE]);
/* Before the threshold is subtracted. */
double hst_unknown_combine(const hst_unknown *u, const double measure[HST_N_STRANGE]);
#endif
