/* near.h - near duplicates: the same photo saved again, resized, cropped by some per cent,
 * brightened or mirrored. Found by what hst_picture remembers: no photo is decoded, no network is
 * asked.
 *
 *   hash       64 signs of a cosine transform of the thumbnail (a "perceptual hash"; Zauner 2010);
 *              of pairs whose hashes differ in few bits
 *   outline    both thumbnails at 8 x 8 pixels are alike
 *   alignment  one is laid over the other by scale and shift along each axis (Lucas and Kanade
 *              1981, inverse compositional: Baker and Matthews 2004), which finds what was cropped
 *   detail     what is left of both when blurred copies are subtracted is alike. A t-shirt on a
 *              table looks like any other one from afar; its folds do not.
 *
 * All pairs are looked at, of very many photos those that an index names (near_index.h): what that
 * finds is part of what all pairs have. What is found does not depend on the number of threads. */
#ifndef HST_INSPECTION_NEAR_H
#define HST_INSPECTION_NEAR_H
#include "base/context.h"
#include "base/spill.h"
#include "images/picture.h"

typedef struct hst_near_pair {
    size_t a, b;    /* a < b */
    float likeness; /* correlation of their detail, at most 1; 1: the same pixels */
    int mirrored;
} hst_near_pair;

typedef struct hst_near {
    size_t n;            /* photos */
    size_t *group;       /* [n]: the first photo of its group, itself where it has no copy; groups
                             are chains of pairs */
    hst_near_pair *pair; /* by a, then b. Of photos with the same pixels the first stands for all:
                             the others have one pair, with it */
    size_t n_pairs;
    size_t n_indexed; /* different pictures of which an index was asked; 0: all pairs */
} hst_near;

/* Different pictures of which all pairs are looked at: some seconds of one processor. */
enum { HST_NEAR_ALL_PAIRS = 20000 };

typedef struct hst_near_among {
    const hst_picture *pictures; /* [n] */
    hst_spill *home;
    size_t n;
    size_t all_pairs; /* in place of HST_NEAR_ALL_PAIRS */
} hst_near_among;

/* Among pictures[n], which live in home (NULL: in memory); those not known (pixels 0) are like
 * none. {0} before; end with hst_near_clear. ctx: its threads, and where an index is asked its
 * progress; NULL: one thread. Errors: HST_EMEM, HST_ESTOPPED. */
HST_CHECK int hst_near_find(const hst_ctx *ctx, const hst_picture *pictures, hst_spill *home,
                            size_t n, hst_near *out, hst_err *err);
/* The same, with an index from fewer pictures on, or from more. */
HST_CHECK int hst_near_search(const hst_ctx *ctx, const hst_near_among *in, hst_near *out,
                              hst_err *err);
void hst_near_clear(hst_near *near);
#endif
