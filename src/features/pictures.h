/* pictures.h - photos -> what is remembered of their pixels, without any network. */
#ifndef HST_FEATURES_PICTURES_H
#define HST_FEATURES_PICTURES_H
#include "base/sha256.h"
#include "base/spill.h"
#include "dataset/dataset.h"
#include "images/picture.h"

typedef struct hst_pictures {
    size_t n;             /* photos */
    hst_spill *pictures;  /* where they live */
    hst_picture *picture; /* [n]; pixels 0: could not be decoded */
    char **why;           /* [n] why not; NULL: it could */
    hst_digest *content;  /* [n] SHA-256 of the bytes; none: could not be read */
    size_t n_used;
    size_t n_stored; /* of those, from the feature store */
} hst_pictures;

/* Of all photos of d, as the usual preparation ("pil") decodes them: what the feature store has is
 * neither read nor decoded, and what it has not is kept there. Nothing is logged of photos that
 * cannot be used: why tells. Errors: HST_ESTOPPED, HST_EMEM. */
HST_CHECK hst_pictures *hst_pictures_of(hst_ctx *ctx, const hst_data *d, hst_err *err);
void hst_pictures_free(hst_pictures *p);
#endif
