/* neighbours.h - the photos whose features are nearest, by the cosine of the angle between them. */
#ifndef HST_REVIEW_NEIGHBOURS_H
#define HST_REVIEW_NEIGHBOURS_H
#include "base/spill.h"

enum {
    HST_NEAR = 40, /* neighbours of a photo that are kept */
    /* Photos that neighbours are looked for among; of more every second, third, ... is, so that
     * the work grows with the number of photos and not with its square. */
    HST_NEAR_AMONG = 20000
};

typedef struct hst_neighbour {
    uint32_t photo;
    float cosine;
} hst_neighbour;

/* Photos, as hst_logistic and hst_deal have them. */
typedef struct hst_near_in {
    const float *const *x; /* [n] rows of dim floats */
    hst_spill *home;       /* as of hst_logistic */
    const float *scale;    /* [dim] each feature is multiplied by its own, or NULL for 1 */
    const size_t *group;   /* [n] a photo is no neighbour of one with the same number */
    size_t n;              /* less than 2^32 */
    int dim;
} hst_near_in;

typedef struct hst_neighbours {
    size_t n;
    hst_neighbour *near; /* [n][HST_NEAR] the nearest first; of equals the first photo */
    int *n_near;         /* [n] how many there are of HST_NEAR */
    double mean_cosine;  /* between any two of the photos looked among */
} hst_neighbours;

/* The same bits for any number of threads. out is ended with hst_neighbours_clear, also after
 * failure. Errors: HST_EMEM, HST_ESTOPPED. */
HST_CHECK int hst_neighbours_find(const hst_ctx *ctx, const hst_near_in *in, hst_neighbours *out,
                                  hst_err *err);
void hst_neighbours_clear(hst_neighbours *o);
#endif
