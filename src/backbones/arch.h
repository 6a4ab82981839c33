/* arch.h - what rebuilds a network's graph: what all networks have, and what the kind of the
 * family (family.h) owns. */
#ifndef HST_BACKBONES_ARCH_H
#define HST_BACKBONES_ARCH_H
#include "backbones/params.h"
#include "images/prepare.h"
#include "nn/graph.h"

/* How those who published a network bring a photo to its size, where they say so. */
typedef struct hst_sizing {
    int known;
    enum hst_geometry geometry;
    hst_size resize; /* as in hst_prep */
    enum hst_interpolation interpolation;
} hst_sizing;

/* Of convolutional networks. */
typedef struct hst_cnn_arch {
    double width; /* channel multiplier */
    enum hst_padding padding;
    double bn_epsilon;
} hst_cnn_arch;

/* What of the tokens behind a transformer's last block its features are: the class token; the mean
 * of those of the patches; one behind the other; what a learned token's attention to them gives. */
enum hst_vit_pool { HST_VIT_CLS, HST_VIT_MEAN, HST_VIT_CLS_MEAN, HST_VIT_MAP };

/* Of vision transformers. */
typedef struct hst_vit_arch {
    int dim, depth, heads;
    int patch;                 /* its side in pixels */
    int hidden;                /* of the layers between two products of a block */
    int class_token;           /* 1: there is one; it is the first */
    int registers;             /* so many tokens more without a place, behind it */
    int layer_scale, pre_norm; /* 1: has them */
    int norm_behind;           /* 1: the last norm is behind the pooling */
    enum hst_vit_pool pool;
    enum hst_act act;
    double epsilon;         /* of its norms */
    enum hst_grid_way grid; /* how its table of positions becomes one of another size */
    int attention_pool;     /* 1: its file has one; where the features are something else, it is
                               left out, and this is 0 */
    int pool_heads;         /* of that; 0: as many as the others have */
    int gated;              /* 1: of the layers between two products one half gates the other */
    int no_table;           /* 1: it has no table of positions */
    struct {
        int is; /* 1: queries and keys are turned by their positions (nn/graph.h) */
        enum hst_rotary_way way;
        int learned; /* of the ways that ask for it: cells of a side when it learned */
        double base;
    } rotary;
} hst_vit_arch;

/* The sides that an input may have. */
enum { HST_LEAST_PX = 32, HST_MOST_PX = 1024 };

enum { HST_LICENCE = 64 };

/* Stored in the model file, but for the sizing, which there is part of the preparation, and the
 * licence, which is told of the source. */
typedef struct hst_arch {
    char family[32];     /* "mobilenet_v2", "efficientnet_lite0" */
    hst_size size;       /* of the input */
    hst_pixel_norm norm; /* of the input */
    hst_sizing sizing;
    char licence[HST_LICENCE]; /* of the weights, where their file or their names tell; else "" */
    union {                    /* one member a kind of family, which alone touches it */
        hst_cnn_arch cnn;
        hst_vit_arch vit;
    };
} hst_arch;

/* HST_EMODEL: an unknown family, sizes or numbers out of bounds (HST_LEAST_PX .. HST_MOST_PX). */
HST_CHECK int hst_arch_check(const hst_arch *a, hst_err *err);
/* As JSON, to be freed; and back, checked. The same arch gives the same text. */
HST_CHECK char *hst_arch_json(const hst_arch *a, hst_err *err);
HST_CHECK int hst_arch_parse(const char *json, hst_arch *out, hst_err *err);
/* Builds the graph of arch, parameters zero. HST_EMODEL: as hst_arch_check. */
HST_CHECK hst_graph *hst_arch_graph(const hst_arch *a, hst_err *err);
#endif
