/* graphdef_run.h - a TensorFlow graph computed on one made-up picture, node by node. */
#ifndef CONVERT_GRAPHDEF_RUN_H
#define CONVERT_GRAPHDEF_RUN_H
#include "graphdef.h"
#include "tfjs.h"

/* Of a graph that headstart has exported: adds its tensors under the names that they have, which
 * are ours, and what it makes of the picture. */
HST_CHECK int graphdef_run(weights *w, graphdef *g, const tfjs_weights *have, const hst_source *s,
                           hst_err *err);
#endif
