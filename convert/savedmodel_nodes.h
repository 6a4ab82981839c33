/* savedmodel_nodes.h - the graph of a SavedModel: TensorFlow's GraphDef as Protocol Buffers. */
#ifndef CONVERT_SAVEDMODEL_NODES_H
#define CONVERT_SAVEDMODEL_NODES_H
#include "tfjs.h"

/* The graph of saved_model.pb as model.json has it, to be ended by json_decref(), without the nodes
 * that restore variables. have, empty, gets the variables[n] of the checkpoint and the constants of
 * the graph, by their names. HST_EMODEL: damaged, or too many nodes. */
HST_CHECK int savedmodel_nodes(bytes pb, const hst_tensor *variables, size_t n, tfjs_weights *have,
                               hst_arena *arena, json_t **topology, hst_err *err);
#endif
