/* onnx.c - ONNX: opset 17, IR 8, which every runtime of the last years reads. */
#include "exports/onnx.h"

#include "base/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPSET = 17, IR_VERSION = 8, MOST_BYTES = 0x7fffffff, MOST_TEXT = 1 << 26 };

/* onnx.proto: ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto. */
enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_DOC = 6,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_PROPERTY = 14
};
enum { OPSET_VERSION = 2, PROPERTY_KEY = 1, PROPERTY_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_INTS = 8, ATTR_TYPE = 20 };
enum { ATTR_IS_FLOAT = 1, ATTR_IS_INT = 2, ATTR_IS_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { INFO_NAME = 1, INFO_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEM = 1, TENSOR_SHAPE = 2 };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2 };
enum { FLOAT = 1, UINT8 = 2, INT64 = 7 };

/* ---- nodes ---- */

static void fail(hst_onnx *o, int rc)
{
    o->rc = o->rc ? o->rc : rc;
}

const char *hst_onnx_name(hst_onnx *o, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *name = o->rc ? NULL : hst_arena_strdup(o->arena, text, o->err);
    if (!name)
        fail(o, HST_EMEM);
    return name ? name : "";
}

float *hst_onnx_floats(hst_onnx *o, size_t n)
{
    float *x = o->rc ? NULL : hst_arena_alloc(o->arena, n, sizeof *x, o->err);
    if (!x)
        fail(o, HST_EMEM);
    return x;
}

static void attribute(hst_buf *to, const char *name, int type, hst_buf *value)
{
    hst_buf a = HST_BUF(MOST_TEXT);
    hst_pb_text(&a, ATTR_NAME, name);
    hst_buf_add(&a, value->p, value->n);
    hst_pb_int(&a, ATTR_TYPE, type);
    hst_pb_message(to, NODE_ATTRIBUTE, &a);
    hst_buf_free(value);
}

void hst_onnx_int(hst_buf *attributes, const char *name, int64_t v)
{
    hst_buf value = HST_BUF(MOST_TEXT);
    hst_pb_int(&value, ATTR_I, v);
    attribute(attributes, name, ATTR_IS_INT, &value);
}

void hst_onnx_float(hst_buf *attributes, const char *name, float v)
{
    hst_buf value = HST_BUF(MOST_TEXT);
    hst_pb_float(&value, ATTR_F, v);
    attribute(attributes, name, ATTR_IS_FLOAT, &value);
}

/* Not packed: AttributeProto is of proto2. */
void hst_onnx_ints(hst_buf *attributes, const char *name, const int64_t *v, size_t n)
{
    hst_buf value = HST_BUF(MOST_TEXT);
    for (size_t i = 0; i < n; i++)
        hst_pb_int(&value, ATTR_INTS, v[i]);
    attribute(attributes, name, ATTR_IS_INTS, &value);
}

void hst_onnx_node(hst_onnx *o, const char *op, hst_buf *attributes, const char *const *outputs,
                   const char *const *inputs)
{
    hst_buf node = HST_BUF(MOST_TEXT);
    for (int i = 0; inputs[i]; i++)
        hst_pb_text(&node, NODE_INPUT, inputs[i]);
    for (int i = 0; outputs[i]; i++)
        hst_pb_text(&node, NODE_OUTPUT, outputs[i]);
    hst_pb_text(&node, NODE_NAME, outputs[0]);
    hst_pb_text(&node, NODE_OP, op);
    if (attributes) {
        hst_buf_add(&node, attributes->p, attributes->n);
        node.failed = node.failed ? node.failed : attributes->failed;
        hst_buf_free(attributes);
    }
    hst_pb_message(&o->nodes, GRAPH_NODE, &node);
}

/* ---- tensors ---- */

const char *hst_onnx_tensor_add(hst_onnx *o, const hst_onnx_tensor *t)
{
    void *list = o->tensor;
    int rc = o->rc ? o->rc : hst_make_room(&list, o->n_tensors, &o->cap, sizeof *t, o->err);
    o->tensor = list;
    if (rc) {
        fail(o, rc);
        return "";
    }
    o->tensor[o->n_tensors++] = *t;
    return t->name;
}

static const char *find_tensor(const hst_onnx *o, const char *name)
{
    for (size_t i = 0; i < o->n_tensors; i++)
        if (strcmp(o->tensor[i].name, name) == 0)
            return o->tensor[i].name;
    return NULL;
}

const char *hst_onnx_whole(hst_onnx *o, const int64_t *v, int n)
{
    hst_onnx_tensor t = {.n_dims = 1, .dim = {n}};
    char text[160] = "";
    for (int i = 0, at = 0; i < n; i++) {
        t.whole[i] = v[i];
        at +=
            snprintf(text + at, sizeof text - (size_t)at, "%s%lld", i ? "," : "", (long long)v[i]);
    }
    t.name = hst_onnx_name(o, "[%s]", text);
    const char *known = find_tensor(o, t.name);
    return known ? known : hst_onnx_tensor_add(o, &t);
}

const char *hst_onnx_number(hst_onnx *o, double v)
{
    float *x = hst_onnx_floats(o, 1);
    hst_onnx_tensor t = {.data = x};
    if (!x)
        return "";
    *x = (float)v;
    t.name = hst_onnx_name(o, "%.9g", v);
    const char *known = find_tensor(o, t.name);
    return known ? known : hst_onnx_tensor_add(o, &t);
}

static size_t count_of(const hst_onnx_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= (size_t)t->dim[i];
    return n;
}

/* Everything of a TensorProto but its numbers. */
static void tensor_begin(const hst_onnx_tensor *t, hst_buf *b)
{
    hst_pb_ints(b, TENSOR_DIMS, t->dim, (size_t)t->n_dims);
    hst_pb_int(b, TENSOR_TYPE, t->data ? FLOAT : INT64);
    hst_pb_text(b, TENSOR_NAME, t->name);
    hst_pb_begin(b, TENSOR_RAW, count_of(t) * (t->data ? sizeof(float) : sizeof(int64_t)));
}

/* The numbers into out[count], in the order that the file has. */
static void reorder(const hst_onnx_tensor *t, float *out)
{
    const size_t o_n = (size_t)t->dim[0], i_n = (size_t)t->dim[1];
    const size_t taps = (size_t)(t->dim[2] * t->dim[3]);
    for (size_t o = 0; o < o_n; o++)
        for (size_t i = 0; i < i_n; i++)
            for (size_t k = 0; k < taps; k++)
                *out++ = t->data[(k * i_n + i) * o_n + o]; /* i_n 1: of depthwise kernels */
}

static int write_tensor(hst_out *out, const hst_onnx_tensor *t, hst_err *err)
{
    hst_buf head = HST_BUF(MOST_TEXT), field = HST_BUF(MOST_TEXT);
    const size_t n = count_of(t), bytes = n * (t->data ? sizeof(float) : sizeof(int64_t));
    float *ordered = NULL;
    tensor_begin(t, &head);
    hst_pb_begin(&field, GRAPH_TENSOR, head.n + bytes);
    hst_buf_add(&field, head.p, head.n);
    int rc = hst_buf_check(&field, err);
    if (rc == 0 && t->order != HST_ONNX_AS_IT_IS)
        rc = (ordered = hst_alloc_raw(n, sizeof *ordered, err)) ? 0 : HST_EMEM;
    if (ordered)
        reorder(t, ordered);
    rc = rc ? rc : hst_out_write(out, field.p, field.n, err);
    const void *numbers = ordered   ? (const void *)ordered
                          : t->data ? (const void *)t->data
                                    : t->whole;
    rc = rc ? rc : hst_out_write(out, numbers, bytes, err);
    free(ordered);
    hst_buf_free(&head);
    hst_buf_free(&field);
    return rc;
}

/* ---- ends and properties ---- */

/* A ValueInfoProto; of a dimension 0 stands "N". */
static void value_info(hst_buf *to, int field, const char *name, int type, const int64_t *dim,
                       int n)
{
    hst_buf shape = HST_BUF(MOST_TEXT), tensor = HST_BUF(MOST_TEXT), inner = HST_BUF(MOST_TEXT);
    for (int i = 0; i < n; i++) {
        if (dim[i])
            hst_pb_int(&inner, DIM_VALUE, dim[i]);
        else
            hst_pb_text(&inner, DIM_NAME, "N");
        hst_pb_message(&shape, SHAPE_DIM, &inner);
    }
    hst_pb_int(&tensor, TENSOR_ELEM, type);
    hst_pb_message(&tensor, TENSOR_SHAPE, &shape);
    hst_pb_message(&inner, TYPE_TENSOR, &tensor);
    hst_buf info = HST_BUF(MOST_TEXT);
    hst_pb_text(&info, INFO_NAME, name);
    hst_pb_message(&info, INFO_TYPE, &inner);
    hst_pb_message(to, field, &info);
}

static void ends(hst_buf *graph, const hst_exporting *x, const char *input, const char *output)
{
    const hst_do_step *in = &x->program->step[0];
    const int64_t h = in->dim[0], w = in->dim[1], c = in->dim[2], n = x->ends.batch;
    const int64_t nhwc[] = {n, h, w, c}, nchw[] = {n, c, h, w}, out[] = {n, x->model->n_classes};
    value_info(graph, GRAPH_INPUT, input, x->ends.uint8 ? UINT8 : FLOAT, x->ends.nchw ? nchw : nhwc,
               4);
    value_info(graph, GRAPH_OUTPUT, output, FLOAT, out, 2);
}

static void property(hst_buf *model, const char *key, const char *value)
{
    hst_buf p = HST_BUF(MOST_TEXT);
    hst_pb_text(&p, PROPERTY_KEY, key);
    hst_pb_text(&p, PROPERTY_VALUE, value);
    hst_pb_message(model, MODEL_PROPERTY, &p);
}

/* What Ultralytics' loaders look for (names, task, imgsz, batch), what the ONNX format itself has
 * for pictures (Image.*, its MetadataProps.md), and ours. */
static void properties(hst_buf *model, const hst_exporting *x)
{
    const hst_do_step *in = &x->program->step[0];
    char size[48], batch[16];
    snprintf(size, sizeof size, "[%d, %d]", in->dim[0], in->dim[1]);
    snprintf(batch, sizeof batch, "%d", x->ends.batch ? x->ends.batch : 1);
    property(model, "names", x->about->names);
    property(model, "task", "classify");
    property(model, "imgsz", size);
    property(model, "batch", batch);
    property(model, "channels", "3");
    property(model, "labels", x->about->labels);
    property(model, "preprocess", x->about->preprocess);
    property(model, "description", x->about->card);
    property(model, "Image.BitmapPixelFormat", "Rgb8");
    property(model, "Image.ColorSpaceGamma", "SRGB");
    property(model, "Image.NominalPixelRange", "NominalRange_0_255");
    property(model, "headstart", x->about->model);
}

/* ---- the file ---- */

/* The model in front of its graph. */
static void model_begin(hst_buf *b)
{
    hst_buf opset = HST_BUF(MOST_TEXT);
    hst_pb_int(b, MODEL_IR_VERSION, IR_VERSION);
    hst_pb_text(b, MODEL_PRODUCER, "headstart");
    hst_pb_text(b, MODEL_PRODUCER_VERSION, hst_version());
    hst_pb_int(&opset, OPSET_VERSION, OPSET);
    hst_pb_message(b, MODEL_OPSET, &opset);
}

static uint64_t tensors_bytes(const hst_onnx *o)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < o->n_tensors; i++) {
        hst_buf head = HST_BUF(MOST_TEXT), field = HST_BUF(MOST_TEXT);
        const hst_onnx_tensor *t = &o->tensor[i];
        tensor_begin(t, &head);
        const uint64_t bytes = head.n + count_of(t) * (t->data ? sizeof(float) : sizeof(int64_t));
        hst_pb_begin(&field, GRAPH_TENSOR, bytes);
        sum += field.n + bytes;
        hst_buf_free(&head);
        hst_buf_free(&field);
    }
    return sum;
}

/* graph: all of it but the tensors. */
static int write_parts(const hst_onnx *o, const hst_exporting *x, const hst_buf *graph,
                       hst_err *err)
{
    hst_buf front = HST_BUF(MOST_TEXT), behind = HST_BUF(MOST_TEXT);
    hst_out *out = NULL;
    const uint64_t bytes = graph->n + tensors_bytes(o);
    model_begin(&front);
    hst_pb_begin(&front, MODEL_GRAPH, bytes);
    properties(&behind, x);
    int rc = hst_buf_check(&front, err);
    rc = rc ? rc : hst_buf_check(&behind, err);
    if (rc == 0 && bytes + front.n + behind.n > MOST_BYTES)
        rc = hst_fail(err, HST_EUNSUP,
                      "the network is too large for an ONNX file, whose limit is "
                      "2 GB");
    rc = rc ? rc : hst_out_open(&out, x->path, err);
    rc = rc ? rc : hst_out_write(out, front.p, front.n, err);
    rc = rc ? rc : hst_out_write(out, graph->p, graph->n, err);
    for (size_t i = 0; rc == 0 && i < o->n_tensors; i++)
        rc = write_tensor(out, &o->tensor[i], err);
    rc = rc ? rc : hst_out_write(out, behind.p, behind.n, err);
    rc = rc ? rc : hst_out_commit(out, err);
    hst_out_close(out);
    hst_buf_free(&front);
    hst_buf_free(&behind);
    return rc;
}

static int write_file(const hst_exporting *x, hst_err *err)
{
    hst_onnx o = {.err = err, .nodes = HST_BUF(MOST_TEXT), .arena = hst_arena_new(err)};
    hst_buf graph = HST_BUF(MOST_TEXT);
    const int raw = x->ends.logits && x->model->target != HST_TARGET_NUMBER;
    const char *output = x->model->target == HST_TARGET_NUMBER ? "number"
                         : raw                                 ? "logits"
                                                               : "probabilities";
    int rc = o.arena ? hst_onnx_steps(&o, x, "image", output) : HST_EMEM;
    if (rc == 0) {
        hst_buf_add(&graph, o.nodes.p, o.nodes.n);
        hst_pb_text(&graph, GRAPH_NAME, "headstart");
        ends(&graph, x, "image", output);
        graph.failed = graph.failed ? graph.failed : o.nodes.failed;
    }
    rc = rc ? rc : hst_buf_check(&graph, err);
    rc = rc ? rc : write_parts(&o, x, &graph, err);
    hst_buf_free(&graph);
    hst_buf_free(&o.nodes);
    free(o.tensor);
    hst_arena_free(o.arena);
    return rc;
}

static const char script[] =
    "import numpy, onnxruntime\n"
    "s = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
    "i = s.get_inputs()[0]\n"
    "nchw = i.shape[1] == 3 and i.shape[3] != 3\n"
    "shape = i.shape[2:] + [3] if nchw else i.shape[1:]\n"
    "x = numpy.load(sys.argv[2]).reshape([-1] + shape)\n"
    "x = x.transpose(0, 3, 1, 2) if nchw else x\n"
    "x = x.astype('uint8' if 'uint8' in i.type else 'float32')\n"
    "step = i.shape[0] if isinstance(i.shape[0], int) else len(x)\n"
    "pad = (-len(x)) % step\n"
    "x = numpy.concatenate([x, x[:1].repeat(pad, 0)])\n"
    "y = [s.run(None, {i.name: x[k:k + step]})[0] for k in range(0, len(x), step)]\n"
    "numpy.concatenate(y)[:len(x) - pad].astype('<f4').tofile(sys.argv[3])\n"
    "print('onnxruntime', onnxruntime.__version__)\n";

const hst_exporter hst_exporter_onnx = {.name = "onnx",
                                        .suffix = ".onnx",
                                        .summary = "ONNX Runtime, OpenVINO, Windows ML, OpenCV",
                                        .tolerance = 1e-4,
                                        .usual = {.uint8 = 1},
                                        .can = {1, 1, 1, 1},
                                        .write = write_file,
                                        .ask = hst_ask_read_back,
                                        .module = "onnxruntime",
                                        .script = script};
