/* backbone.h - a pretrained network without its head: graph, weights, preparation, identity. */
#ifndef HST_BACKBONES_BACKBONE_H
#define HST_BACKBONES_BACKBONE_H
#include "base/context.h"
#include "formats/safetensors.h"
#include "images/prepare.h"
#include "nn/plan.h"

/* What rebuilds the graph; stored in the model file. */
typedef struct hst_arch {
    char family[32]; /* "mobilenet_v2", "efficientnet_lite0" */
    double width;    /* channel multiplier */
    int px;          /* input height and width */
    enum hst_padding padding;
    double bn_epsilon;
    hst_norm norm; /* of the input */
} hst_arch;

struct hst_backbone {
    hst_arch arch;
    hst_graph *graph;  /* finished, weights filled */
    hst_plan *plan;    /* for the context's kernels */
    char source[256];  /* base name of the file it came from */
    char sha256[65];   /* of that file */
    char identity[65]; /* SHA-256 over arch and parameter values: the same weights by any route are
                          the same */
};

/* Builds the graph of arch, parameters zero. HST_EMODEL: unknown family, sizes out of bounds. */
HST_CHECK hst_graph *hst_arch_graph(const hst_arch *a, hst_err *err);

/* A backbone from arch and tensors named as hst_graph_param() names them with `prefix` in front
 * (the model file's layout). HST_EMODEL: a tensor is missing, has another shape, or is not finite.
 */
HST_CHECK hst_backbone *hst_backbone_from_tensors(hst_ctx *ctx, const hst_arch *a,
                                                  const hst_tensors *t, const char *prefix,
                                                  hst_err *err);

/* A family: one file each, one line in families.c. */
typedef struct hst_family {
    const char *name;
    /* Adds the family's nodes to g. */
    int (*build)(hst_graph *g, const hst_arch *a, hst_err *err);
    /* Recognises foreign tensors (Hugging Face, PyTorch names): fills *a (which holds defaults and
     * what config.json said) and returns 1; 0: not this family. */
    int (*recognise)(const hst_tensors *t, hst_arch *a);
    /* Writes the foreign name of parameter p to out[cap]: NULL-terminated; 0 or negative. */
    int (*foreign_name)(const hst_tensors *t, const char *param, char *out, size_t cap);
} hst_family;
const hst_family *hst_family_find(const char *name);
#endif
