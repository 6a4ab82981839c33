/* tfjs.h - TensorFlow.js: model.json and the shards of weights beside it. */
#ifndef CONVERT_TFJS_H
#define CONVERT_TFJS_H
#include "name_table.h"
#include "weights.h"

#include <jansson.h>
#include <string.h>

/* model.json, or the only .json file, of s and its shards. A layers model keeps its names; a graph
 * model is read as network.h says. HST_EMODEL: damaged; a shard that is no plain name beside
 * model.json, or not as long as the manifest says. */
HST_CHECK int tfjs_read(weights *w, hst_source *s, hst_err *err);

/* The weights by name. */
typedef struct tfjs_weights {
    hst_tensor *t;
    size_t n;
    names names; /* -> t */
    int ours;    /* of a model that headstart has exported: its classifier counts */
} tfjs_weights;

/* NULL: there is none of that name. */
static inline const hst_tensor *tfjs_weight(const tfjs_weights *have, const char *name)
{
    const int at = names_get(&have->names, (bytes){(const uint8_t *)name, strlen(name)});
    return at < 0 ? NULL : &have->t[at];
}

/* tfjs_graph.c: the graph of a graph model, or a SavedModel's; s: of all files. */
HST_CHECK int tfjs_graph(weights *w, const json_t *topology, const tfjs_weights *have,
                         const hst_source *s, hst_err *err);
#endif
