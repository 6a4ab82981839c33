/* ranking.h - the photos of an evaluation in the orders in which they are worth looking at. */
#ifndef HST_REPORT_RANKING_H
#define HST_REPORT_RANKING_H
#include "evaluation/evaluation.h"

enum { HST_CLOSE_PHOTOS = 12 }; /* shown of the least sure ones */

/* A photo of the evaluation in a list, with what it was ordered by. */
typedef struct hst_ranked {
    size_t photo;
    int truth, guess;
    float key; /* smaller comes first */
} hst_ranked;

/* Photos in the orders that they are shown in. */
typedef struct hst_ranking {
    /* [n_wrong] the surest first. Of labels, photos with one that is wrong, and guess is the most
     * wrong of them; of numbers all, the most wrong first. Neither has the other lists. */
    hst_ranked *wrong;
    hst_ranked *cell; /* [n] by truth, guess; wrong ones the surest, right ones the least sure
                         first */
    size_t n, n_wrong;
    /* The first with the smallest distances between their two largest probabilities. */
    hst_ranked close[HST_CLOSE_PHOTOS];
    size_t n_close;
    size_t n_cells; /* of the matrix that have photos */
} hst_ranking;

/* all: of all photos, else of those that count. *r is ended with hst_ranking_clear, also after
 * failure. Errors: HST_EMEM. */
HST_CHECK int hst_ranking_make(const hst_eval *e, int all, hst_ranking *r, hst_err *err);
void hst_ranking_clear(hst_ranking *r);
/* The entries of one cell: their first, and *n. */
const hst_ranked *hst_ranking_cell(const hst_ranking *r, int truth, int guess, size_t *n);
#endif
