/* inspection.h - what is wrong with a folder of photos, before a model is made of it. */
#ifndef HST_INSPECTION_INSPECTION_H
#define HST_INSPECTION_INSPECTION_H
#include "base/mem.h"
#include "dataset/dataset.h"
#include "images/picture.h"
#include "inspection/kinds.h"
#include "inspection/near.h"

/* What is known of the photos of a folder; of an hst_pictures or an hst_features. */
typedef struct hst_inspected {
    const hst_data *data;
    const hst_picture *picture; /* [n] */
    hst_spill *home;            /* where they live; NULL: in memory */
    char *const *why;           /* [n] NULL: usable */
    const uint8_t *side;        /* [n] enum hst_side */
    const hst_near *near;
    int outlives; /* 1: data outlives what is found, which may point to its paths */
} hst_inspected;

typedef struct hst_found {
    hst_inspection_finding told;
    enum hst_kind kind;
    double rank; /* among those of its kind, the largest first */
    size_t number;
} hst_found;

struct hst_inspection {
    hst_arena *arena;  /* every text and list below */
    int borrows_paths; /* but for paths, which are the caller's */
    hst_found *found;  /* [n_found] */
    size_t n_found, cap;
    size_t n, n_used, n_stored; /* photos */
};

/* All that is found, the worst first. Errors: HST_EMEM. */
HST_CHECK hst_inspection *hst_inspection_make(const hst_inspected *in, hst_err *err);
/* The same, of photos whose near copies are still to be found: in->near is not looked at. */
HST_CHECK hst_inspection *hst_inspection_search(const hst_ctx *ctx, const hst_inspected *in,
                                                hst_err *err);
#endif
