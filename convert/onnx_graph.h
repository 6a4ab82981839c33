/* onnx_graph.h - what is known of an ONNX graph while its nodes are read one after another. */
#ifndef CONVERT_ONNX_GRAPH_H
#define CONVERT_ONNX_GRAPH_H
#include "name_table.h"
#include "network.h"
#include "protobuf.h"

enum {
    ONNX_MAX_PORTS = 16, /* inputs or outputs of an operator */
    ONNX_MAX_ATTRIBUTES = 32,
    ONNX_MAX_INTS = 8
};

typedef struct onnx_attribute {
    pb_field name;
    int64_t i, ints[ONNX_MAX_INTS];
    int n_ints;
    float f;
    pb_field s;
    bytes t;
} onnx_attribute;

typedef struct onnx_node {
    bytes in[ONNX_MAX_PORTS], out[ONNX_MAX_PORTS];
    int n_in, n_out, n_attributes;
    pb_field op;
    bytes name,
        scopes; /* scopes: of the modules that it is of, as PyTorch's newer exporter tells */
    onnx_attribute attribute[ONNX_MAX_ATTRIBUTES];
} onnx_node;

/* What a name stands for: a tensor, or a value of the network. */
typedef struct onnx_thing {
    int is_tensor, value;
    hst_tensor t;
} onnx_thing;

typedef struct onnx {
    weights *w;
    hst_source *s;
    bytes graph; /* GraphProto */
    names names; /* -> thing */
    onnx_thing *thing;
    int n, cap;
    int n_initializers; /* the first things */
    bytes input;        /* its name */
    int as_maps;        /* 1: which is [batch][channels][height][width] */
    int of_tensorflow;  /* 1: written by TensorFlow's exporter */
    int ours;           /* 1: exported by headstart: its classifier is read as well */
    int channels_first; /* 1: maps are [batch][channels][height][width] all along */
    network net;
    onnx_node node; /* the one being read */
} onnx;

/* Gives a thing a name. HST_EMODEL: there are more than o->cap. */
HST_CHECK int onnx_add(onnx *o, bytes name, const onnx_thing *what, hst_err *err);

/* m: a NodeProto. What n points to stays inside it. */
HST_CHECK int onnx_read_node(onnx_node *n, bytes m, hst_err *err);

/* Input i of the node: a constant tensor, or NULL; the number of a value of the network, or -1. */
const hst_tensor *onnx_input_tensor(const onnx *o, int i);
int onnx_input_value(const onnx *o, int i);

const onnx_attribute *onnx_find_attribute(const onnx_node *n, const char *name); /* NULL: none */

HST_CHECK int onnx_refuse(hst_err *err, const char *why);
#endif
