/* savedmodel_graph.h - the two messages of a SavedModel that describe it. */
#ifndef CONVERT_SAVEDMODEL_GRAPH_H
#define CONVERT_SAVEDMODEL_GRAPH_H
#include "bytes.h"
#include "name_table.h"
#include "weights.h"

/* saved_model.pb: checks its outer messages and says what the signature says of the input. */
HST_CHECK int savedmodel_describe(weights *w, bytes pb, hst_err *err);

typedef struct object_names {
    names keys; /* checkpoint key -> name */
    bytes *name;
    int n;
} object_names;

/* The names of the variables in a TrackableObjectGraph. */
HST_CHECK int object_names_read(object_names *o, bytes graph, hst_arena *arena, hst_err *err);
/* {NULL, 0}: the graph does not name it. */
bytes object_name(const object_names *o, const char *key);
#endif
