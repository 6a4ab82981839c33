#include "onnx.h"
#include "onnx_fold.h"
#include "onnx_operators.h"
#include "onnx_run.h"
#include "onnx_tensor.h"

#include "formats/labels.h"

#include <string.h>

enum { MAX_THINGS = 50000 }; /* tensors and results of operators */

/* onnx.proto: the fields used here. */
enum { MODEL_PRODUCER = 2, MODEL_VERSION = 3, MODEL_GRAPH = 7, MODEL_PROPERTY = 14 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11 };
enum {
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1
};

/* For "%.*s". */
static int text_length(bytes b)
{
    return b.n < 100 ? (int)b.n : 100;
}

/* The tensor that a node gives which reads no value of the network: 1, 0 or an error. */
static int constant_of(onnx *o, hst_tensor *t, hst_err *err)
{
    bytes unnamed;
    const onnx_attribute *value = onnx_find_attribute(&o->node, "value");
    const hst_tensor *same = pb_is(&o->node.op, "Identity") ? onnx_input_tensor(o, 0) : NULL;
    if (same) {
        *t = *same;
        return 1;
    }
    if (!pb_is(&o->node.op, "Constant"))
        return onnx_fold(o, t, err);
    int rc = value ? onnx_tensor(value->t, o->s, o->w->arena, &unnamed, t, err) : 0;
    return rc ? rc : value != NULL;
}

static int run_constant(onnx *o, hst_err *err)
{
    onnx_thing t = {.is_tensor = 1};
    int rc = o->node.n_out == 1 ? constant_of(o, &t.t, err) : 0;
    /* where there is none and it matters, its user finds nothing */
    return rc == 1 ? onnx_add(o, o->node.out[0], &t, err) : rc;
}

static int run_node(onnx *o, hst_err *err)
{
    int x = -1;
    for (int i = o->node.n_in; i-- > 0;)
        x = net_operand(&o->net, onnx_input_value(o, i), x);
    if (x < 0 || pb_is(&o->node.op, "Shape"))
        return run_constant(o, err);
    int y = onnx_operator(o, x, err);
    if (y < 0)
        y = net_other(&o->net, x, y, err);
    if (y < 0)
        return y;
    for (int i = 0; i < o->node.n_out; i++) {
        int rc = o->node.out[i].n ? onnx_add(o, o->node.out[i], &(onnx_thing){.value = y}, err) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* The first sub-message of that field number. */
static int descend(bytes m, uint32_t number, bytes *out, hst_err *err)
{
    pb_field f;
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1)
        if (f.number == number && f.wire == PB_BYTES) {
            *out = f.b;
            return 0;
        }
    return rc ? rc : onnx_refuse(err, "an input does not say its name and shape");
}

/* The sizes of a shape; 0 where one is a name or unknown. */
static int read_shape(bytes shape, int64_t dim[4], hst_err *err)
{
    pb_field f, size;
    int n = 0, rc;
    while ((rc = pb_next(&shape, &f, err)) == 1) {
        if (f.number != SHAPE_DIM || n == 4)
            break;
        dim[n] = 0;
        while ((rc = pb_next(&f.b, &size, err)) == 1)
            if (size.number == DIM_VALUE && size.wire == PB_VARINT && size.v < INT32_MAX)
                dim[n] = (int64_t)size.v;
        if (rc)
            return rc;
        n++;
    }
    if (rc < 0)
        return rc;
    return rc == 0 && n == 4 ? 0 : onnx_refuse(err, "its input has not four dimensions");
}

/* Batch, then channels, height and width in either order. */
static int read_input(onnx *o, bytes info, hst_err *err)
{
    bytes name = {0}, m = {0};
    int64_t dim[4];
    int rc = descend(info, INFO_NAME, &name, err);
    if (rc || names_get(&o->names, name) >= 0)
        return rc; /* an initializer, which old files list as an input */
    rc = descend(info, INFO_TYPE, &m, err);
    rc = rc ? rc : descend(m, TYPE_TENSOR, &m, err);
    rc = rc ? rc : descend(m, TENSOR_SHAPE, &m, err);
    rc = rc ? rc : read_shape(m, dim, err);
    if (rc)
        return rc;
    int last = dim[3] == 3 && dim[1] != 3; /* channels last, as TensorFlow's exporter has them */
    if (dim[2] == 1)
        return 0; /* numbers that tf2onnx found outside of the graph, and that it reads no more */
    o->channels_first = o->as_maps = !last;
    o->input = name;
    int x = last ? net_input(&o->net, dim[1], dim[2], dim[3], err)
                 : net_input(&o->net, dim[2], dim[3], dim[1], err);
    return x < 0 ? x : onnx_add(o, name, &(onnx_thing){.value = x}, err);
}

static int read_initializer(onnx *o, bytes m, hst_err *err)
{
    bytes name;
    onnx_thing t = {.is_tensor = 1};
    int rc = onnx_tensor(m, o->s, o->w->arena, &name, &t.t, err);
    return rc ? rc : onnx_add(o, name, &t, err);
}

static int read_and_run(onnx *o, bytes m, hst_err *err)
{
    int rc = onnx_read_node(&o->node, m, err);
    return rc ? rc : run_node(o, err);
}

/* Calls read for every field of that number. */
static int each(onnx *o, bytes graph, uint32_t number, int (*read)(onnx *o, bytes m, hst_err *err),
                hst_err *err)
{
    pb_field f;
    int rc;
    while ((rc = pb_next(&graph, &f, err)) == 1)
        if (f.number == number && f.wire == PB_BYTES) {
            rc = read(o, f.b, err);
            if (rc)
                return rc;
        }
    return rc;
}

/* Room for every name that the graph can give: an initializer or input has one, a node some. */
static int make_room(onnx *o, bytes graph, hst_err *err)
{
    pb_field f;
    size_t n = 1;
    int rc;
    while ((rc = pb_next(&graph, &f, err)) == 1)
        n += f.number == GRAPH_NODE ? 4 : 1;
    if (rc)
        return rc;
    o->cap = n < MAX_THINGS ? (int)n : MAX_THINGS;
    o->thing = hst_arena_alloc(o->w->arena, (size_t)o->cap, sizeof *o->thing, err);
    return o->thing ? names_init(&o->names, (size_t)o->cap, o->w->arena, err) : HST_EMEM;
}

/* Its operators, told one after another to network.h. */
static int read_network(void *of, hst_err *err)
{
    onnx *o = of;
    int rc = each(o, o->graph, GRAPH_NODE, read_and_run, err);
    rc = rc ? rc : net_finish(&o->net, o->w, err);
    /* PyTorch's own networks pad on all sides alike and take ImageNet's mean and deviation; those
     * that pad as TensorFlow does were TensorFlow's, and so are those of its exporter. */
    if (rc || o->of_tensorflow || net_pads_as_tensorflow(&o->net) || weights_said(o->w, "scaling"))
        return rc;
    rc = weights_said(o->w, "mean") ? 0 : weights_say(o->w, err, "scaling_assumed", "1");
    return rc ? rc : weights_say(o->w, err, "scaling", "imagenet");
}

/* Whether its tensors have the names of a library's parameters, or ours. */
static int has_names(const onnx *o)
{
    static const char ending[] = ".weight";
    int has = o->ours;
    for (int i = 0; i < o->n_initializers && !has; i++) {
        const size_t n = strlen(o->thing[i].t.name), e = sizeof ending - 1;
        has = n > e && strcmp(o->thing[i].t.name + n - e, ending) == 0;
    }
    return has && o->input.n;
}

static int run_graph(void *of, hst_err *err)
{
    return onnx_run_graph(of, err);
}

/* What network.h has no words for, and what may be either, is computed and told by its names. */
static int read_graph(onnx *o, hst_err *err)
{
    int rc = make_room(o, o->graph, err);
    rc = rc ? rc : net_init(&o->net, o->w->arena, (size_t)hst_source_bytes(o->s), err);
    rc = rc ? rc : each(o, o->graph, GRAPH_INITIALIZER, read_initializer, err);
    o->n_initializers = o->n;
    rc = rc ? rc : each(o, o->graph, GRAPH_INPUT, read_input, err);
    return rc ? rc
              : answers_or_network(o->w, &o->net, read_network, has_names(o) ? run_graph : NULL, o,
                                   err);
}

/* The properties of Ultralytics' exports: names of the classes, as Python prints them, and that it
 * classifies. Its networks then take 0..1, of the middle of a photo. */
static int read_foreign(onnx *o, const pb_field *key, bytes value, hst_err *err)
{
    if (pb_is(key, "task") && value.n == 8 && memcmp(value.p, "classify", 8) == 0) {
        int rc = weights_say(o->w, err, "scaling", "01");
        return rc ? rc : weights_say(o->w, err, "preparation", "pil,crop");
    }
    if (!pb_is(key, "names") && !pb_is(key, "labels"))
        return 0;
    json_t *list = hst_labels_parse((const char *)value.p, value.n, "names", NULL);
    int rc = list ? weights_say_json(o->w, "labels", list, err) : 0;
    json_decref(list);
    return rc ? rc : weights_say(o->w, err, "labels_of", "the file's metadata");
}

/* Of the file's properties the one that headstart puts there, and what others do. */
static int read_property(onnx *o, bytes m, hst_err *err)
{
    pb_field key, value;
    int rc = pb_entry(m, &key, &value, err);
    if (rc || !value.number || !pb_is(&key, "headstart"))
        return rc || !value.number ? rc : read_foreign(o, &key, value.b, err);
    o->ours = 1;
    return weights_say_model(o->w, (const char *)value.b.p, value.b.n, err);
}

static int read_model(onnx *o, bytes model, hst_err *err)
{
    pb_field f, producer = {0}, version = {0};
    int rc;
    while ((rc = pb_next(&model, &f, err)) == 1) {
        if (f.number == MODEL_PRODUCER && f.wire == PB_BYTES)
            producer = f;
        else if (f.number == MODEL_VERSION && f.wire == PB_BYTES)
            version = f;
        else if (f.number == MODEL_GRAPH && f.wire == PB_BYTES)
            o->graph = f.b;
        else if (f.number == MODEL_PROPERTY && f.wire == PB_BYTES &&
                 (rc = read_property(o, f.b, err)))
            return rc;
    }
    if (rc == 0 && !o->graph.p)
        rc = onnx_refuse(err, "there is none");
    o->of_tensorflow = pb_is(&producer, "tf2onnx");
    rc = rc ? rc : weights_say(o->w, err, "source_format", "ONNX");
    if (rc == 0 && producer.b.n)
        rc = weights_say(o->w, err, "producer", "%.*s %.*s", text_length(producer.b),
                         (const char *)producer.b.p, text_length(version.b),
                         version.b.n ? (const char *)version.b.p : "");
    return rc ? rc : read_graph(o, err);
}

int onnx_read(weights *w, hst_source *s, hst_err *err)
{
    int rc = s->n ? hst_source_load(&s->file[0], err) : onnx_refuse(err, "there is no file");
    onnx *o = rc ? NULL : hst_arena_alloc(w->arena, 1, sizeof *o, err);
    if (!o)
        return rc ? rc : HST_EMEM;
    o->w = w;
    o->s = s;
    return read_model(o, (bytes){s->file[0].data, (size_t)s->file[0].n_bytes}, err);
}
