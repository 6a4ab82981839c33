#include "onnx.h"
#include "names.h"
#include "network.h"
#include "onnx_tensor.h"
#include "protobuf.h"

#include <string.h>

enum {
    MAX_THINGS = 50000, /* tensors and results of operators */
    MAX_PORTS = 16,     /* inputs or outputs of an operator */
    MAX_ATTRIBUTES = 32,
    MAX_INTS = 8
};

/* onnx.proto: the fields used here. */
enum { MODEL_PRODUCER = 2, MODEL_VERSION = 3, MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_S = 4, ATTR_T = 5, ATTR_INTS = 8 };
enum {
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1
};

typedef struct attribute {
    pb_field name;
    int64_t i, ints[MAX_INTS];
    int n_ints;
    float f;
    pb_field s;
    bytes t;
} attribute;

typedef struct node {
    bytes in[MAX_PORTS], out[MAX_PORTS];
    int n_in, n_out, n_attributes;
    pb_field op;
    attribute attribute[MAX_ATTRIBUTES];
} node;

/* What a name stands for: a tensor, or a value of the network. */
typedef struct thing {
    int is_tensor, value;
    hst_named t;
} thing;

typedef struct onnx {
    weights *w;
    hst_source *s;
    names names; /* -> thing */
    thing *thing;
    int n, cap;
    network net;
    node node; /* the one being read */
} onnx;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the ONNX graph is refused: %s", why);
}

/* For "%.*s". */
static int text_length(bytes b)
{
    return b.n < 100 ? (int)b.n : 100;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static int add_thing(onnx *o, bytes name, const thing *what, hst_err *err)
{
    if (o->n == o->cap)
        return refuse(err, "it has too many tensors and operators");
    o->thing[o->n] = *what;
    return names_put(&o->names, name, o->n++, err);
}

/* The thing that input i of the node is; NULL: none, or of no known value. */
static const thing *input(const onnx *o, int i)
{
    int at = i < o->node.n_in ? names_get(&o->names, o->node.in[i]) : -1;
    return at >= 0 ? &o->thing[at] : NULL;
}

static const hst_named *tensor(const onnx *o, int i)
{
    const thing *t = input(o, i);
    return t && t->is_tensor ? &t->t : NULL;
}

/* The network's value that is input i; -1: it is none. */
static int value(const onnx *o, int i)
{
    const thing *t = input(o, i);
    return t && !t->is_tensor ? t->value : -1;
}

/* A tensor of one number. */
static int scalar(const onnx *o, int i, double *v)
{
    float f;
    const hst_named *t = tensor(o, i);
    if (!t || hst_named_count(t) != 1 || hst_named_floats(t, &f, NULL))
        return 0;
    *v = (double)f;
    return 1;
}

/* ---- a node -----------------------------------------------------------------------------------
 */

static const attribute *find_attribute(const node *n, const char *name)
{
    for (int i = 0; i < n->n_attributes; i++)
        if (pb_is(&n->attribute[i].name, name))
            return &n->attribute[i];
    return NULL;
}

static int64_t attribute_int(const node *n, const char *name, int64_t absent)
{
    const attribute *a = find_attribute(n, name);
    return a ? a->i : absent;
}

static int add_int(attribute *a, uint64_t v, hst_err *err)
{
    if (a->n_ints == MAX_INTS)
        return refuse(err, "an attribute is longer than any that is needed");
    a->ints[a->n_ints++] = (int64_t)v;
    return 0;
}

static int read_ints(attribute *a, pb_field *f, hst_err *err)
{
    uint64_t v;
    int rc;
    if (f->wire == PB_VARINT)
        return add_int(a, f->v, err);
    while ((rc = pb_varint(&f->b, &v, err)) == 1) {
        rc = add_int(a, v, err);
        if (rc)
            return rc;
    }
    return rc;
}

static int read_attribute(node *n, bytes m, hst_err *err)
{
    pb_field f;
    int rc;
    if (n->n_attributes == MAX_ATTRIBUTES)
        return refuse(err, "an operator has too many attributes");
    attribute *a = &n->attribute[n->n_attributes++];
    *a = (attribute){0};
    while ((rc = pb_next(&m, &f, err)) == 1) {
        float bits;
        uint32_t v = (uint32_t)f.v;
        memcpy(&bits, &v, sizeof bits);
        switch (f.number) {
        case ATTR_NAME:
            a->name = f;
            break;
        case ATTR_F:
            a->f = bits;
            break;
        case ATTR_I:
            a->i = (int64_t)f.v;
            break;
        case ATTR_S:
            a->s = f;
            break;
        case ATTR_T:
            a->t = f.b;
            break;
        case ATTR_INTS:
            rc = read_ints(a, &f, err);
            if (rc)
                return rc;
        }
    }
    return rc;
}

static int read_node(node *n, bytes m, hst_err *err)
{
    pb_field f;
    int rc;
    n->n_in = n->n_out = n->n_attributes = 0;
    n->op = (pb_field){0};
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if ((f.number == NODE_INPUT && n->n_in == MAX_PORTS) ||
            (f.number == NODE_OUTPUT && n->n_out == MAX_PORTS))
            return refuse(err, "an operator has too many inputs or outputs");
        if (f.number == NODE_INPUT)
            n->in[n->n_in++] = f.b;
        else if (f.number == NODE_OUTPUT)
            n->out[n->n_out++] = f.b;
        else if (f.number == NODE_OP)
            n->op = f;
        else if (f.number == NODE_ATTRIBUTE)
            rc = read_attribute(n, f.b, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* ---- operators: each returns the number of its result or an error -------------------------------
 */

static int conv_window(const node *n, net_conv *c, hst_err *err)
{
    const attribute *strides = find_attribute(n, "strides"), *pads = find_attribute(n, "pads");
    const attribute *dilations = find_attribute(n, "dilations");
    const attribute *how = find_attribute(n, "auto_pad");
    if (dilations && (dilations->n_ints != 2 || dilations->ints[0] != 1 || dilations->ints[1] != 1))
        return refuse(err, "a convolution is dilated");
    if (strides && (strides->n_ints != 2 || strides->ints[0] != strides->ints[1]))
        return refuse(err, "a convolution has two strides");
    c->stride = strides ? strides->ints[0] : 1;
    if (how && pb_is(&how->s, "SAME_UPPER"))
        c->same = 1;
    else if (how && !pb_is(&how->s, "NOTSET") && !pb_is(&how->s, "VALID"))
        return refuse(err, "a convolution pads in an unknown way");
    else if (pads && !(how && pb_is(&how->s, "VALID"))) {
        if (pads->n_ints != 4)
            return refuse(err, "a convolution has no four pads");
        memcpy(c->pad, pads->ints, sizeof c->pad);
    }
    return 0;
}

static int conv(onnx *o, int x, hst_err *err)
{
    net_conv c = {.kernel = tensor(o, 1), .layout = NET_OIHW};
    int64_t group = attribute_int(&o->node, "group", 1);
    int has_bias = o->node.n_in > 2 && o->node.in[2].n;
    if (!c.kernel || c.kernel->n_dims != 4 || (has_bias && !tensor(o, 2)))
        return refuse(err, "a convolution has no constant kernel and bias");
    if (group != 1 && (group != c.kernel->dim[0] || c.kernel->dim[1] != 1))
        return refuse(err, "a convolution is neither whole nor depthwise");
    c.depthwise = group != 1;
    int rc = conv_window(&o->node, &c, err);
    if (rc)
        return rc;
    x = net_conv2d(&o->net, x, &c, err);
    return x >= 0 && has_bias ? net_bias(&o->net, x, tensor(o, 2), err) : x;
}

static int batchnorm(onnx *o, int x, hst_err *err)
{
    const hst_named *of[4] = {tensor(o, 1), tensor(o, 2), tensor(o, 3), tensor(o, 4)};
    const attribute *epsilon = find_attribute(&o->node, "epsilon");
    if (!of[0] || !of[1] || !of[2] || !of[3])
        return refuse(err, "batch norm has no constant statistics");
    return net_batchnorm(&o->net, x, of, epsilon ? (double)epsilon->f : 1e-5, err);
}

static int clip(onnx *o, int x, hst_err *err)
{
    const attribute *low_a = find_attribute(&o->node, "min");
    const attribute *high_a = find_attribute(&o->node, "max");
    double low = low_a ? (double)low_a->f : -1, high = high_a ? (double)high_a->f : -1;
    if (o->node.n_in == 3 && !(scalar(o, 1, &low) && scalar(o, 2, &high)))
        low = high = -1;
    if (low != 0 || high != 6)
        return refuse(err, "a Clip is not from 0 to 6");
    return net_activate(&o->net, x, NET_RELU6, err);
}

static int relu(onnx *o, int x, hst_err *err)
{
    return net_activate(&o->net, x, NET_RELU, err);
}

/* x + y of two values; or of the input and a number. */
static int add(onnx *o, int x, hst_err *err)
{
    double v;
    int y = value(o, 1);
    if (y >= 0 && value(o, 0) >= 0)
        return net_add(&o->net, x, y, err);
    if (scalar(o, 1, &v) || scalar(o, 0, &v))
        return net_affine(&o->net, x, 1, v, err);
    return refuse(err, "an Add takes neither two values nor a number");
}

static int scale(onnx *o, int x, hst_err *err)
{
    double v;
    int by = pb_is(&o->node.op, "Div"), from = pb_is(&o->node.op, "Sub");
    if (!scalar(o, 1, &v) && (by || from || !scalar(o, 0, &v)))
        return refuse(err, "numbers are multiplied in the middle of it");
    if (from)
        return net_affine(&o->net, x, 1, -v, err);
    return by && v == 0 ? refuse(err, "it divides by 0")
                        : net_affine(&o->net, x, by ? 1 / v : v, 0, err);
}

/* pads: begin of every dimension, then end. */
static int pad(onnx *o, int x, hst_err *err)
{
    const attribute *mode = find_attribute(&o->node, "mode"), *a = find_attribute(&o->node, "pads");
    const hst_named *t = tensor(o, 1);
    int64_t p[8] = {0};
    double with = 0;
    if (t && t->dtype == HST_I64 && hst_named_count(t) == 8)
        memcpy(p, t->data, sizeof p);
    else if (a && a->n_ints == 8)
        memcpy(p, a->ints, sizeof p);
    else
        return refuse(err, "a Pad has no eight numbers");
    if ((mode && !pb_is(&mode->s, "constant")) || (tensor(o, 2) && !scalar(o, 2, &with)) ||
        with != 0 || p[0] || p[1] || p[4] || p[5])
        return refuse(err, "a Pad adds something else than zeros around the picture");
    return net_pad(&o->net, x, (int64_t[4]){p[2], p[3], p[6], p[7]}, err);
}

static int average(onnx *o, int x, hst_err *err)
{
    const attribute *a = find_attribute(&o->node, "axes");
    const hst_named *t = tensor(o, 1);
    int64_t axes[2] = {2, 3};
    if (pb_is(&o->node.op, "ReduceMean")) {
        if (t && t->dtype == HST_I64 && hst_named_count(t) == 2)
            memcpy(axes, t->data, sizeof axes);
        else if (a && a->n_ints == 2)
            memcpy(axes, a->ints, sizeof axes);
        else
            return refuse(err, "a ReduceMean is not over height and width");
    }
    int64_t a0 = axes[0] < 0 ? axes[0] + 4 : axes[0], a1 = axes[1] < 0 ? axes[1] + 4 : axes[1];
    if (!(a0 > 0 && a0 < 4 && a1 > 0 && a1 < 4 && (a1 == a0 + 1 || a1 == a0 - 1)))
        return refuse(err, "a ReduceMean is not over height and width");
    return net_average(&o->net, x, err);
}

static int same(onnx *o, int x, hst_err *err)
{
    (void)o;
    (void)err;
    return x;
}

static const struct {
    const char *name;
    int (*read)(onnx *o, int x, hst_err *err);
} operators[] = {
    {"Conv", conv},
    {"BatchNormalization", batchnorm},
    {"Clip", clip},
    {"Relu", relu},
    {"Add", add},
    {"Sub", scale},
    {"Mul", scale},
    {"Div", scale},
    {"Pad", pad},
    {"GlobalAveragePool", average},
    {"ReduceMean", average},
    {"Identity", same},
    {"Dropout", same},
    {"Transpose", same}, /* between picture layouts; the convolutions' sizes say if it is not */
};
enum { N_OPERATORS = sizeof operators / sizeof *operators };

/* A tensor by another name. */
static int alias_tensor(onnx *o, hst_err *err)
{
    bytes unnamed;
    const attribute *a = find_attribute(&o->node, "value");
    thing t = {.is_tensor = 1};
    if (o->node.n_out != 1)
        return 0;
    if (pb_is(&o->node.op, "Identity") && tensor(o, 0)) {
        t.t = *tensor(o, 0);
        return add_thing(o, o->node.out[0], &t, err);
    }
    if (!pb_is(&o->node.op, "Constant") || !a)
        return 0; /* where it matters, its user finds nothing */
    int rc = onnx_tensor(a->t, o->s, o->w->arena, &unnamed, &t.t, err);
    return rc ? rc : add_thing(o, o->node.out[0], &t, err);
}

/* Dispatches; an operator behind the average is passed over, and so is its result. */
static int run_node(onnx *o, hst_err *err)
{
    int x = -1, y = -1;
    for (int i = o->node.n_in; i-- > 0;) {
        x = value(o, i) >= 0 ? value(o, i) : x;
        y = x >= 0 && net_is_pooled(&o->net, x) ? x : y;
    }
    if (x < 0)
        return alias_tensor(o, err);
    for (int i = 0; i < N_OPERATORS && y < 0; i++)
        if (pb_is(&o->node.op, operators[i].name)) {
            y = operators[i].read(o, x, err);
            if (y < 0)
                return y;
        }
    if (y < 0)
        return hst_fail(err, HST_EMODEL,
                        "the ONNX operator '%.*s' is none that the networks known here have",
                        text_length(o->node.op.b), (const char *)o->node.op.b.p);
    for (int i = 0; i < o->node.n_out; i++) {
        int rc = o->node.out[i].n ? add_thing(o, o->node.out[i], &(thing){.value = y}, err) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- the graph --------------------------------------------------------------------------------
 */

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
    return rc ? rc : refuse(err, "an input does not say its name and shape");
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
    return rc == 0 && n == 4 ? 0 : refuse(err, "its input has not four dimensions");
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
    int x = last ? net_input(&o->net, dim[1], dim[2], dim[3], err)
                 : net_input(&o->net, dim[2], dim[3], dim[1], err);
    return x < 0 ? x : add_thing(o, name, &(thing){.value = x}, err);
}

static int read_initializer(onnx *o, bytes m, hst_err *err)
{
    bytes name;
    thing t = {.is_tensor = 1};
    int rc = onnx_tensor(m, o->s, o->w->arena, &name, &t.t, err);
    return rc ? rc : add_thing(o, name, &t, err);
}

static int read_and_run(onnx *o, bytes m, hst_err *err)
{
    int rc = read_node(&o->node, m, err);
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

static int read_graph(onnx *o, bytes graph, hst_err *err)
{
    int rc = make_room(o, graph, err);
    rc = rc ? rc : net_init(&o->net, o->w->arena, (size_t)hst_source_bytes(o->s), err);
    rc = rc ? rc : each(o, graph, GRAPH_INITIALIZER, read_initializer, err);
    rc = rc ? rc : each(o, graph, GRAPH_INPUT, read_input, err);
    rc = rc ? rc : each(o, graph, GRAPH_NODE, read_and_run, err);
    rc = rc ? rc : net_finish(&o->net, o->w, err);
    /* PyTorch's own networks pad on all sides alike and take ImageNet's mean and deviation; those
     * that pad as TensorFlow does were TensorFlow's. */
    return rc || net_pads_as_tensorflow(&o->net) ? rc
                                                 : weights_say(o->w, err, "scaling", "imagenet");
}

static int read_model(onnx *o, bytes model, hst_err *err)
{
    pb_field f, producer = {0}, version = {0};
    bytes graph = {0};
    int rc;
    while ((rc = pb_next(&model, &f, err)) == 1) {
        if (f.number == MODEL_PRODUCER && f.wire == PB_BYTES)
            producer = f;
        else if (f.number == MODEL_VERSION && f.wire == PB_BYTES)
            version = f;
        else if (f.number == MODEL_GRAPH && f.wire == PB_BYTES)
            graph = f.b;
    }
    if (rc == 0 && !graph.p)
        rc = refuse(err, "there is none");
    rc = rc ? rc : weights_say(o->w, err, "source_format", "ONNX");
    if (rc == 0 && producer.b.n)
        rc = weights_say(o->w, err, "producer", "%.*s %.*s", text_length(producer.b),
                         (const char *)producer.b.p, text_length(version.b),
                         version.b.n ? (const char *)version.b.p : "");
    return rc ? rc : read_graph(o, graph, err);
}

int onnx_read(weights *w, hst_source *s, hst_err *err)
{
    int rc = s->n ? hst_source_load(&s->file[0], err) : refuse(err, "there is no file");
    onnx *o = rc ? NULL : hst_arena_alloc(w->arena, 1, sizeof *o, err);
    if (!o)
        return rc ? rc : HST_EMEM;
    o->w = w;
    o->s = s;
    return read_model(o, (bytes){s->file[0].data, (size_t)s->file[0].n_bytes}, err);
}
