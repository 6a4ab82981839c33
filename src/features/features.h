/* features.h - photos -> feature vectors, on all threads, memory flat. */
#ifndef HST_FEATURES_FEATURES_H
#define HST_FEATURES_FEATURES_H
#include "backbones/backbone.h"
#include "dataset/dataset.h"

struct hst_features {
    size_t n; /* photos */
    int dim;
    float *x;   /* [n][dim]; rows of skipped photos are zero */
    char **why; /* [n]; NULL: usable */
    char (*sha256)[65];
    size_t n_used;
    hst_prep prep;
};
#endif
