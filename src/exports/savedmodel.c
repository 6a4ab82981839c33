/* savedmodel.c - TensorFlow's SavedModel: a folder of the graph (saved_model.pb), its variables'
 * numbers (bundle.h), and in assets.extra what TensorFlow itself leaves alone.
 *
 * The graph is one of sessions: the signature's input and output, and nodes that restore the
 * variables. TensorFlow Serving runs such, and tf.saved_model.load makes a function of it. To that
 * a variable must be told in a collection: one that is not would be shared with every other model
 * of the process that has one of the same name.
 *
 * Sources: tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto, core/framework/{tensor,
 * tensor_shape,variable,versions}.proto */
#include "base/file.h"
#include "exports/bundle.h"
#include "exports/protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 26, SCHEMA = 1, SAVER_V2 = 2 };
/* The operators are those of TensorFlow 2.2 and later. */
enum { PRODUCER = 440 };

enum { SAVED_SCHEMA = 1, SAVED_META = 2 };
enum { META_INFO = 1, META_GRAPH = 2, META_SAVER = 3, META_COLLECTION = 4, META_SIGNATURE = 5 };
enum { INFO_TAG = 4, INFO_STRIPPED = 7 };
enum { SAVER_FILE = 1, SAVER_SAVE = 2, SAVER_RESTORE = 3, SAVER_VERSION = 7 };
enum { GRAPH_NODE = 1, GRAPH_VERSIONS = 4, VERSIONS_PRODUCER = 1 };
enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 }; /* of every map */
enum { ATTR_LIST = 1, ATTR_S = 2, ATTR_I = 3, ATTR_B = 5, ATTR_TYPE = 6, ATTR_SHAPE = 7 };
enum { ATTR_TENSOR = 8, LIST_S = 2, LIST_I = 3, LIST_TYPE = 6 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, TENSOR_TEXT = 8 };
enum { COLLECTION_BYTES = 2, BYTES_VALUE = 1 };
enum { VARIABLE_NAME = 1, VARIABLE_SET = 2, VARIABLE_READ = 3, VARIABLE_RESOURCE = 5 };
enum { SIGNATURE_INPUT = 1, SIGNATURE_OUTPUT = 2, SIGNATURE_METHOD = 3 };
enum { ENDS_NAME = 1, ENDS_TYPE = 2, ENDS_SHAPE = 3 };

static const char reading[] = "/read";

/* ---- attributes and nodes ---- */

static void shape(hst_buf *to, int field, const int64_t *dim, int n)
{
    hst_buf s = HST_BUF(MOST_BYTES), d = HST_BUF(MOST_BYTES);
    for (int i = 0; i < n; i++) {
        hst_pb_int(&d, DIM_SIZE, dim[i]);
        hst_pb_message(&s, SHAPE_DIM, &d);
    }
    hst_pb_message(to, field, &s);
}

/* An entry of a map; *value is empty then. */
static void map_entry(hst_buf *to, int field, const char *key, hst_buf *value)
{
    hst_buf e = HST_BUF(MOST_BYTES);
    hst_pb_text(&e, ENTRY_KEY, key);
    hst_pb_message(&e, ENTRY_VALUE, value);
    hst_pb_message(to, field, &e);
}

static void attribute(hst_buf *node, const hst_tf_attr *a)
{
    hst_buf v = HST_BUF(MOST_BYTES), list = HST_BUF(MOST_BYTES);
    switch (a->kind) {
    case HST_TF_IS_TYPE:
        hst_pb_int(&v, ATTR_TYPE, a->i[0]);
        break;
    case HST_TF_IS_INT:
        hst_pb_int(&v, ATTR_I, a->i[0]);
        break;
    case HST_TF_IS_BOOL:
        hst_pb_int(&v, ATTR_B, a->i[0]);
        break;
    case HST_TF_IS_TEXT:
        hst_pb_text(&v, ATTR_S, a->text[0]);
        break;
    case HST_TF_IS_SHAPE:
        shape(&v, ATTR_SHAPE, a->i, a->n);
        break;
    case HST_TF_IS_INTS:
        hst_pb_ints(&list, LIST_I, a->i, (size_t)a->n);
        hst_pb_message(&v, ATTR_LIST, &list);
        break;
    case HST_TF_IS_TEXTS:
        for (int i = 0; i < a->n; i++)
            hst_pb_text(&list, LIST_S, a->text[i]);
        hst_pb_message(&v, ATTR_LIST, &list);
        break;
    }
    map_entry(node, NODE_ATTR, a->name, &v);
}

/* Of a node all but what it is made with. */
static void node_begin(hst_buf *node, const char *name, const char *op, const char *const *in,
                       int n_in)
{
    hst_pb_text(node, NODE_NAME, name);
    hst_pb_text(node, NODE_OP, op);
    for (int i = 0; i < n_in; i++)
        hst_pb_text(node, NODE_INPUT, in[i]);
}

static void node_add(hst_buf *graph, const hst_tf_node *n)
{
    hst_buf node = HST_BUF(MOST_BYTES);
    node_begin(&node, n->name, n->op, n->in, n->n_in);
    for (int i = 0; i < n->n_attrs; i++)
        attribute(&node, &n->attr[i]);
    hst_pb_message(graph, GRAPH_NODE, &node);
}

/* A Const of what *tensor, all of a TensorProto, holds. */
static void const_add(hst_buf *graph, const char *name, int64_t type, hst_buf *tensor)
{
    hst_buf node = HST_BUF(MOST_BYTES), v = HST_BUF(MOST_BYTES);
    node_begin(&node, name, "Const", NULL, 0);
    attribute(&node, &(hst_tf_attr)HST_TF_TYPED("dtype", type));
    hst_pb_message(&v, ATTR_TENSOR, tensor);
    map_entry(&node, NODE_ATTR, "value", &v);
    hst_pb_message(graph, GRAPH_NODE, &node);
}

static void numbers_add(hst_buf *graph, const hst_tf_tensor *t)
{
    hst_buf tensor = HST_BUF(MOST_BYTES);
    const int64_t type = t->data ? HST_TF_FLOAT : HST_TF_INT32;
    const void *numbers = t->data ? (const void *)t->data : (const void *)t->whole;
    hst_pb_int(&tensor, TENSOR_TYPE, type);
    shape(&tensor, TENSOR_SHAPE, t->dim, t->n_dims);
    hst_pb_bytes(&tensor, TENSOR_CONTENT, numbers, hst_tf_count(t) * 4);
    const_add(graph, t->name, type, &tensor);
}

/* ---- variables ---- */

static void variable_add(hst_tf *g, hst_buf *graph, const hst_tf_tensor *t)
{
    hst_tf_attr dims = {.name = "shape", .kind = HST_TF_IS_SHAPE, .n = t->n_dims};
    memcpy(dims.i, t->dim, sizeof dims.i);
    const hst_tf_node handle = {
        .name = t->name,
        .op = "VarHandleOp",
        .attr = {HST_TF_TYPED("dtype", HST_TF_FLOAT), dims, HST_TF_TEXT("shared_name", t->name)},
        .n_attrs = 3};
    const hst_tf_node value = {.name = hst_tf_name(g, "%s%s", t->name, reading),
                               .op = "ReadVariableOp",
                               .in = &t->name,
                               .n_in = 1,
                               .attr = {HST_TF_TYPED("dtype", HST_TF_FLOAT)},
                               .n_attrs = 1};
    node_add(graph, &handle);
    node_add(graph, &value);
}

static const char *setter(hst_tf *g, const hst_tf_tensor *t)
{
    return hst_tf_name(g, "restore/%s", t->name);
}

/* One node that reads all variables from a file, whose name it is given: RestoreV2. */
static void restore_add(hst_buf *graph, const hst_tf *g)
{
    static const char *const in[] = {"restore/file", "restore/names", "restore/slices"};
    hst_buf names = HST_BUF(MOST_BYTES), slices = HST_BUF(MOST_BYTES), node = HST_BUF(MOST_BYTES);
    hst_buf types = HST_BUF(MOST_BYTES), list = HST_BUF(MOST_BYTES), v = HST_BUF(MOST_BYTES);
    int64_t n = 0;
    for (size_t i = 0; i < g->n_tensors; i++)
        n += g->tensor[i].is_kernel;
    hst_pb_int(&names, TENSOR_TYPE, HST_TF_STRING);
    hst_pb_int(&slices, TENSOR_TYPE, HST_TF_STRING);
    shape(&names, TENSOR_SHAPE, &n, 1);
    shape(&slices, TENSOR_SHAPE, &n, 1);
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensor[i].is_kernel) {
            hst_pb_text(&names, TENSOR_TEXT, g->tensor[i].name);
            hst_pb_text(&slices, TENSOR_TEXT, ""); /* all of it */
            hst_pb_varint(&types, HST_TF_FLOAT);
        }
    node_add(graph, &(hst_tf_node){.name = in[0],
                                   .op = "Placeholder",
                                   .attr = {HST_TF_TYPED("dtype", HST_TF_STRING),
                                            {.name = "shape", .kind = HST_TF_IS_SHAPE}},
                                   .n_attrs = 2});
    const_add(graph, in[1], HST_TF_STRING, &names);
    const_add(graph, in[2], HST_TF_STRING, &slices);
    node_begin(&node, "restore/read", "RestoreV2", in, 3);
    hst_pb_message(&list, LIST_TYPE, &types);
    hst_pb_message(&v, ATTR_LIST, &list);
    map_entry(&node, NODE_ATTR, "dtypes", &v);
    hst_pb_message(graph, GRAPH_NODE, &node);
}

/* The variables, and what sets each of them; restore/all does so for all. */
static void variables_add(hst_tf *g, hst_buf *graph)
{
    hst_buf all = HST_BUF(MOST_BYTES);
    int at = 0;
    restore_add(graph, g);
    hst_pb_text(&all, NODE_NAME, "restore/all");
    hst_pb_text(&all, NODE_OP, "NoOp");
    for (size_t i = 0; i < g->n_tensors; i++) {
        const hst_tf_tensor *t = &g->tensor[i];
        if (!t->is_kernel)
            continue;
        const char *in[] = {t->name, at ? hst_tf_name(g, "restore/read:%d", at) : "restore/read"};
        variable_add(g, graph, t);
        node_add(graph, &(hst_tf_node){.name = setter(g, t),
                                       .op = "AssignVariableOp",
                                       .in = in,
                                       .n_in = 2,
                                       .attr = {HST_TF_TYPED("dtype", HST_TF_FLOAT)},
                                       .n_attrs = 1});
        hst_pb_text(&all, NODE_INPUT, hst_tf_name(g, "^%s", setter(g, t)));
        at++;
    }
    hst_pb_message(graph, GRAPH_NODE, &all);
}

/* By which tf.saved_model.load knows them. */
static void collection_add(hst_tf *g, hst_buf *meta)
{
    hst_buf list = HST_BUF(MOST_BYTES), collection = HST_BUF(MOST_BYTES), v = HST_BUF(MOST_BYTES);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const hst_tf_tensor *t = &g->tensor[i];
        if (!t->is_kernel)
            continue;
        hst_pb_text(&v, VARIABLE_NAME, hst_tf_name(g, "%s:0", t->name));
        hst_pb_text(&v, VARIABLE_SET, setter(g, t));
        hst_pb_text(&v, VARIABLE_READ, hst_tf_name(g, "%s%s:0", t->name, reading));
        hst_pb_int(&v, VARIABLE_RESOURCE, 1);
        hst_pb_message(&list, BYTES_VALUE, &v);
    }
    hst_pb_message(&collection, COLLECTION_BYTES, &list);
    map_entry(meta, META_COLLECTION, "variables", &collection);
}

/* ---- saved_model.pb ---- */

static void graph_def(hst_tf *g, hst_buf *meta)
{
    hst_buf graph = HST_BUF(MOST_BYTES), versions = HST_BUF(MOST_BYTES);
    variables_add(g, &graph);
    for (size_t i = 0; i < g->n_tensors; i++)
        if (!g->tensor[i].is_kernel)
            numbers_add(&graph, &g->tensor[i]);
    for (size_t i = 0; i < g->n_nodes; i++)
        node_add(&graph, &g->node[i]);
    hst_pb_int(&versions, VERSIONS_PRODUCER, PRODUCER);
    hst_pb_message(&graph, GRAPH_VERSIONS, &versions);
    hst_pb_message(meta, META_GRAPH, &graph);
}

/* An input or output of the signature, called as its node. */
static void end_add(hst_buf *signature, int field, const char *name, int64_t type,
                    const hst_tf_attr *dims)
{
    hst_buf info = HST_BUF(MOST_BYTES);
    char port[64];
    snprintf(port, sizeof port, "%s:0", name);
    hst_pb_text(&info, ENDS_NAME, port);
    hst_pb_int(&info, ENDS_TYPE, type);
    shape(&info, ENDS_SHAPE, dims->i, dims->n);
    map_entry(signature, field, name, &info);
}

static void signature(hst_buf *meta, const hst_exporting *x)
{
    const hst_tf_attr in = hst_tf_input_shape(x), out = hst_tf_output_shape(x);
    hst_buf s = HST_BUF(MOST_BYTES);
    end_add(&s, SIGNATURE_INPUT, "image", x->ends.uint8 ? HST_TF_UINT8 : HST_TF_FLOAT, &in);
    end_add(&s, SIGNATURE_OUTPUT, hst_tf_output(x), HST_TF_FLOAT, &out);
    hst_pb_text(&s, SIGNATURE_METHOD, "tensorflow/serving/predict");
    map_entry(meta, META_SIGNATURE, "serving_default", &s);
}

static void saver(hst_buf *meta)
{
    hst_buf s = HST_BUF(MOST_BYTES);
    hst_pb_text(&s, SAVER_FILE, "restore/file:0");
    hst_pb_text(&s, SAVER_SAVE, "restore/file:0"); /* it must be named, though nothing saves */
    hst_pb_text(&s, SAVER_RESTORE, "restore/all");
    hst_pb_int(&s, SAVER_VERSION, SAVER_V2);
    hst_pb_message(meta, META_SAVER, &s);
}

static int write_graph(hst_tf *g, const hst_exporting *x, const char *path, hst_err *err)
{
    hst_buf all = HST_BUF(MOST_BYTES), meta = HST_BUF(MOST_BYTES), info = HST_BUF(MOST_BYTES);
    hst_pb_text(&info, INFO_TAG, "serve");
    hst_pb_int(&info, INFO_STRIPPED, 1);
    hst_pb_message(&meta, META_INFO, &info);
    graph_def(g, &meta);
    saver(&meta);
    collection_add(g, &meta);
    signature(&meta, x);
    hst_pb_int(&all, SAVED_SCHEMA, SCHEMA);
    hst_pb_message(&all, SAVED_META, &meta);
    int rc = g->rc ? g->rc : hst_buf_check(&all, err);
    rc = rc ? rc : hst_file_write(path, all.p, all.n, err);
    hst_buf_free(&all);
    return rc;
}

/* ---- the folder ---- */

static int write_text(const char *folder, const char *name, const char *text, hst_err *err)
{
    char *path = hst_path_join(folder, name, err);
    int rc = path ? hst_file_write(path, text, strlen(text), err) : HST_EMEM;
    free(path);
    return rc;
}

static int write_extra(const hst_exporting *x, const char *folder, hst_err *err)
{
    int rc = hst_mkdirs(folder, err);
    rc = rc ? rc : write_text(folder, "labels.txt", x->about->lines, err);
    rc = rc ? rc : write_text(folder, "preprocess.json", x->about->preprocess, err);
    rc = rc ? rc : write_text(folder, "README.md", x->about->card, err);
    return rc ? rc : write_text(folder, "headstart.json", x->about->model, err);
}

static int write_folder(const hst_exporting *x, hst_err *err)
{
    hst_tf g = {.read = reading};
    char *variables = hst_path_join(x->path, "variables", err);
    char *extra = hst_path_join(x->path, "assets.extra", err);
    char *graph = hst_path_join(x->path, "saved_model.pb", err);
    int rc = variables && extra && graph ? hst_tf_begin(&g, err) : HST_EMEM;
    rc = rc ? rc : hst_tf_steps(&g, x);
    rc = rc ? rc : hst_mkdirs(variables, err);
    rc = rc ? rc : hst_bundle_write(&g, variables, err);
    rc = rc ? rc : write_extra(x, extra, err);
    rc = rc ? rc : write_graph(&g, x, graph, err);
    hst_tf_end(&g);
    free(variables);
    free(extra);
    free(graph);
    return rc;
}

static const char script[] =
    "import numpy, tensorflow\n"
    "f = tensorflow.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
    "a = f.structured_input_signature[1]['image']\n"
    "nchw = a.shape[1] == 3 and a.shape[3] != 3\n"
    "h, w = a.shape[2:] if nchw else a.shape[1:3]\n"
    "x = numpy.load(sys.argv[2]).reshape(-1, h, w, 3).astype(a.dtype.as_numpy_dtype)\n"
    "x = x.transpose(0, 3, 1, 2) if nchw else x\n"
    "step = a.shape[0] or len(x)\n"
    "pad = (-len(x)) % step\n"
    "x = numpy.concatenate([x, x[:1].repeat(pad, 0)])\n"
    "y = [f(image=tensorflow.constant(x[k:k + step])) for k in range(0, len(x), step)]\n"
    "y = numpy.concatenate([list(r.values())[0] for r in y])\n"
    "y[:len(x) - pad].astype('<f4').tofile(sys.argv[3])\n"
    "print('tensorflow', tensorflow.__version__)\n";

const hst_exporter hst_exporter_savedmodel = {.name = "savedmodel",
                                              .suffix = "-savedmodel",
                                              .summary = "TensorFlow, TensorFlow Serving",
                                              .is_folder = 1,
                                              .tolerance = 1e-4,
                                              .usual = {.uint8 = 1},
                                              .can = {1, 1, 1, 1},
                                              .write = write_folder,
                                              .ask = hst_ask_read_back,
                                              .module = "tensorflow",
                                              .script = script};
