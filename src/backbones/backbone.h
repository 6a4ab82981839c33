/* backbone.h - a pretrained network without its head: graph, weights, preparation, identity. */
#ifndef HST_BACKBONES_BACKBONE_H
#define HST_BACKBONES_BACKBONE_H
#include "base/context.h"
#include "formats/safetensors.h"
#include "images/prepare.h"
#include "nn/plan.h"

/* How those who published a network bring a photo to its size, where they say so. */
typedef struct hst_sizing {
    int known;
    enum hst_geometry geometry;
    int resize_px; /* as in hst_prep */
    enum hst_interpolation interpolation;
} hst_sizing;

/* What rebuilds the graph; stored in the model file, but for the sizing: there it is part of the
 * preparation. */
typedef struct hst_arch {
    char family[32]; /* "mobilenet_v2", "efficientnet_lite0" */
    double width;    /* channel multiplier */
    int px;          /* input height and width */
    enum hst_padding padding;
    double bn_epsilon;
    hst_norm norm; /* of the input */
    hst_sizing sizing;
} hst_arch;

struct hst_backbone {
    hst_arch arch;
    hst_graph *graph; /* finished, weights filled */
    hst_plan *plan;   /* for the context's kernels */
    char source[256]; /* base name of the file it came from */
    char sha256[65];  /* of that file */
    char format[64], producer[64];
};

typedef struct hst_family hst_family; /* family.h */

/* SHA-256 over arch and parameter values: the same weights by any route are the same. hex[65]. */
HST_CHECK int hst_backbone_identity(const hst_backbone *b, char hex[65], hst_err *err);

/* HST_EMODEL: an unknown family, sizes or numbers out of bounds (width 0.1 .. 4, px 32 .. 1024). */
HST_CHECK int hst_arch_check(const hst_arch *a, hst_err *err);
/* As JSON, to be freed; and back, checked. The same arch gives the same text. */
HST_CHECK char *hst_arch_json(const hst_arch *a, hst_err *err);
HST_CHECK int hst_arch_parse(const char *json, hst_arch *out, hst_err *err);
/* Builds the graph of arch, parameters zero. HST_EMODEL: as hst_arch_check. */
HST_CHECK hst_graph *hst_arch_graph(const hst_arch *a, hst_err *err);

/* A backbone from arch and tensors named as hst_graph_param() names them with `prefix` in front
 * (the model file's layout). HST_EMODEL: a tensor is missing, has another shape, or is not finite.
 */
HST_CHECK hst_backbone *hst_backbone_from_tensors(hst_ctx *ctx, const hst_arch *a,
                                                  const hst_tensors *t, const char *prefix,
                                                  hst_err *err);
/* b with other weights: g is of b's arch and is taken, also on failure. Errors: HST_EMEM;
 * HST_EMODEL: weights that are no finite numbers. */
HST_CHECK hst_backbone *hst_backbone_tuned(const hst_ctx *ctx, const hst_backbone *b, hst_graph *g,
                                           hst_err *err);
#endif
