/* lookup.h - the features of one photo: what the store has of them, and the rest through the
 * network. */
#ifndef HST_FEATURES_LOOKUP_H
#define HST_FEATURES_LOOKUP_H
#include "extractor/extractor.h"
#include "features/store.h"

enum { HST_LOOKUP_VIEWS = HST_MAX_BESIDE * HST_MAX_VIEWS };

/* Of one extractor; shared by threads. */
typedef struct hst_lookup {
    const hst_ctx *ctx;
    const hst_extractor *e;
    hst_store *store;     /* NULL: none */
    hst_store_kind *kind; /* [n_views] of the extractor */
    hst_store_kind kind_picture;
    int n_views;
} hst_lookup;

/* Opens the store of ctx, where there is one to be had. have: NULL, or of each view not below 0
 * where it will never be looked up: a key costs a hash over the backbone's weights. To be closed
 * also where this fails. Errors: HST_EMEM. */
HST_CHECK int hst_lookup_open(hst_lookup *l, const hst_ctx *ctx, const hst_extractor *e,
                              const int *have, hst_err *err);
void hst_lookup_close(hst_lookup *l);

/* One photo on its way to its features. */
typedef struct hst_lookup_photo {
    const char *path;
    hst_executor *together;       /* NULL, or all threads compute it */
    hst_digest *content;          /* of its bytes, filled */
    hst_digest key;               /* what stands for it in the store, filled; none: nothing does */
    float *views;                 /* [view_floats], filled */
    hst_picture *picture;         /* filled where it is not yet; NULL: it is not wanted */
    char found[HST_LOOKUP_VIEWS]; /* 1: that view's were there already, or are from the store */
    int n_found;
} hst_lookup_photo;

/* Fills p; looking is the thread's. Nothing is read of a photo of which all is known. Errors:
 * HST_EIMAGE, HST_EIO, HST_EMEM. */
HST_CHECK int hst_lookup_one(const hst_lookup *l, hst_looking *looking, hst_lookup_photo *p,
                             hst_err *err);
/* The same for several photos: each is begun, then hst_looking_flush, then those that could be
 * begun are ended. p->views of all stay where they are meanwhile. */
HST_CHECK int hst_lookup_begin(const hst_lookup *l, hst_looking *looking, hst_lookup_photo *p,
                               hst_err *err);
void hst_lookup_end(const hst_lookup *l, const hst_lookup_photo *p);
/* Keeps the picture of a photo that another process has begun, where that had to compute. */
void hst_lookup_keep_picture(const hst_lookup *l, const hst_lookup_photo *p);
#endif
