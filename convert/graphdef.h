/* graphdef.h - a TensorFlow graph, GraphDef, as JSON: of a TensorFlow.js graph model, or what
 * savedmodel_nodes.h makes of a SavedModel's.
 *
 *   {"name": "Conv1_relu/Relu6", "op": "_FusedConv2D", "input": ["images", "Conv1/weights", ...],
 *    "attr": {"strides": {"list": {"i": ["1", "2", "2", "1"]}}, "padding": {"s": "U0FNRQ=="}, ...}}
 *
 * Texts in attributes are base64, whole numbers are texts. Nodes may stand in any order; they are
 * visited in the order in which they are computed. */
#ifndef CONVERT_GRAPHDEF_H
#define CONVERT_GRAPHDEF_H
#include "name_table.h"

#include <jansson.h>

enum { GRAPHDEF_MAX_PORTS = 64 }; /* inputs or outputs of a node */

typedef struct graphdef_link {
    int node, port; /* its output number `port` */
} graphdef_link;

typedef struct graphdef_node {
    const json_t *json;
    const char *name, *op;
    graphdef_link *in; /* [n_in] */
    size_t n_in;
    size_t next_in; /* how many inputs the walk has seen to */
    int seen, done; /* of the walk */
} graphdef_node;

typedef struct graphdef {
    graphdef_node *node;
    size_t n;
    names names; /* -> node */
    int *stack;
} graphdef;

/* HST_EMODEL: a node reads what is not there. All lies in the arena and in the topology. */
HST_CHECK int graphdef_read(graphdef *g, const json_t *topology, hst_arena *arena, hst_err *err);

/* Visits every node, by its number, behind those that it reads. HST_EMODEL: it goes in a circle. */
typedef int graphdef_visit(void *to, int node, hst_err *err);
HST_CHECK int graphdef_walk(graphdef *g, graphdef_visit *visit, void *to, hst_err *err);

/* ---- attributes ---- */

const json_t *graphdef_attribute(const graphdef_node *n, const char *name); /* NULL: none */
/* The sizes of the input of four dimensions that the node is, 0: any; 0: it is none. */
int graphdef_picture(const graphdef_node *n, int64_t size[4]);
/* base64 of a short text; 0: it is not. Some writers leave the text as it is. */
int graphdef_is_text(const json_t *s, const char *want);
/* Whole numbers come as texts or numbers; else INT64_MIN. */
int64_t graphdef_whole(const json_t *v);
/* The numbers of a list attribute; their count, -1 where it is none or too long. */
int graphdef_list(const graphdef_node *n, const char *name, int64_t *out, size_t most);
#endif
