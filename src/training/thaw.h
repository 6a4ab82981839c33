/* thaw.h - which layers of a backbone learn: those from one on. A layer is an op with a kernel or
 * matrix that learns (a convolution) with what follows it up to the next one; of a transformer a
 * block, the first being what stands in front of the first block. */
#ifndef HST_TRAINING_THAW_H
#define HST_TRAINING_THAW_H
#include "nn/graph.h"

typedef struct hst_thaw {
    int first_node;   /* it and those behind it learn */
    int first_layer;  /* of all layers, from 0 */
    int n_layers;     /* of the whole network */
    uint64_t n_learn; /* parameters that learn */
} hst_thaw;

/* "all"; "last:N", the last N layers; "from:LAYER", from the layer of that name on, or from the
 * first one of the block of that name ("block_12"). Errors: HST_EARG. */
HST_CHECK int hst_thaw_parse(const char *text, const hst_graph *g, hst_thaw *out, hst_err *err);

/* The layer of each node, layer[hst_graph_n_nodes]; nodes before the first layer: 0. Returns the
 * number of layers. */
int hst_thaw_layers(const hst_graph *g, int *layer);

/* 1: weight decay is for the node's parameter in that slot. In networks with layer norm it is for
 * kernels and matrices alone, as those who train such networks do it (Touvron et al. 2021, arXiv
 * 2012.12877), in others for all. */
int hst_thaw_decays(const hst_graph *g, int node, int slot);
#endif
