/* savedmodel.h - TensorFlow's SavedModel: saved_model.pb and a checkpoint (TensorBundle).
 *
 *   saved_model.pb                      the graph; of others' models only the size of its input is
 *                                       read, of those that headstart has exported all of it
 *   variables/variables.index           names, shapes and places of the tensors (sstable.h)
 *   variables/variables.data-I-of-N     their bytes
 *
 * A TensorFlow 2 checkpoint calls its tensors by their place in the object graph
 * ("variables/12/.ATTRIBUTES/VARIABLE_VALUE"); the graph itself, a tensor of the checkpoint, says
 * the variables' own names. Source: tensorflow/core/protobuf/{saved_model,tensor_bundle,
 * trackable_object_graph}.proto, tensorflow/core/util/tensor_bundle. */
#ifndef CONVERT_SAVEDMODEL_H
#define CONVERT_SAVEDMODEL_H
#include "weights.h"

/* HST_EMODEL: damaged (every check sum is compared), sliced, big-endian, no variables. */
HST_CHECK int savedmodel_read(weights *w, hst_source *s, hst_err *err);
#endif
