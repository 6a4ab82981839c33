#include "onnx_graph.h"

#include <string.h>

/* onnx.proto: the fields used here. */
enum {
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    NODE_FACT = 9
};
enum { ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_S = 4, ATTR_T = 5, ATTR_INTS = 8 };

int onnx_refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the ONNX graph is refused: %s", why);
}

int onnx_add(onnx *o, bytes name, const onnx_thing *what, hst_err *err)
{
    if (o->n == o->cap)
        return onnx_refuse(err, "it has too many tensors and operators");
    o->thing[o->n] = *what;
    return names_put(&o->names, name, o->n++, err);
}

/* The thing that input i of the node is; NULL: none, or of no known value. */
static const onnx_thing *input(const onnx *o, int i)
{
    int at = i < o->node.n_in ? names_get(&o->names, o->node.in[i]) : -1;
    return at >= 0 ? &o->thing[at] : NULL;
}

const hst_tensor *onnx_input_tensor(const onnx *o, int i)
{
    const onnx_thing *t = input(o, i);
    return t && t->is_tensor ? &t->t : NULL;
}

int onnx_input_value(const onnx *o, int i)
{
    const onnx_thing *t = input(o, i);
    return t && !t->is_tensor ? t->value : -1;
}

const onnx_attribute *onnx_find_attribute(const onnx_node *n, const char *name)
{
    for (int i = 0; i < n->n_attributes; i++)
        if (pb_is(&n->attribute[i].name, name))
            return &n->attribute[i];
    return NULL;
}

static int add_int(onnx_attribute *a, uint64_t v, hst_err *err)
{
    if (a->n_ints == ONNX_MAX_INTS)
        return onnx_refuse(err, "an attribute is longer than any that is needed");
    a->ints[a->n_ints++] = (int64_t)v;
    return 0;
}

static int read_ints(onnx_attribute *a, pb_field *f, hst_err *err)
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

static int read_attribute(onnx_node *n, bytes m, hst_err *err)
{
    pb_field f;
    int rc;
    if (n->n_attributes == ONNX_MAX_ATTRIBUTES)
        return onnx_refuse(err, "an operator has too many attributes");
    onnx_attribute *a = &n->attribute[n->n_attributes++];
    *a = (onnx_attribute){0};
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

static int read_fact(onnx_node *n, bytes m, hst_err *err)
{
    pb_field key, value;
    int rc = pb_entry(m, &key, &value, err);
    if (rc == 0 && pb_is(&key, "pkg.torch.onnx.name_scopes"))
        n->scopes = value.b;
    return rc;
}

int onnx_read_node(onnx_node *n, bytes m, hst_err *err)
{
    pb_field f;
    int rc;
    n->n_in = n->n_out = n->n_attributes = 0;
    n->op = (pb_field){0};
    n->name = n->scopes = (bytes){0};
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if ((f.number == NODE_INPUT && n->n_in == ONNX_MAX_PORTS) ||
            (f.number == NODE_OUTPUT && n->n_out == ONNX_MAX_PORTS))
            return onnx_refuse(err, "an operator has too many inputs or outputs");
        if (f.number == NODE_INPUT)
            n->in[n->n_in++] = f.b;
        else if (f.number == NODE_OUTPUT)
            n->out[n->n_out++] = f.b;
        else if (f.number == NODE_NAME && f.wire == PB_BYTES)
            n->name = f.b;
        else if (f.number == NODE_OP)
            n->op = f;
        else if (f.number == NODE_FACT && f.wire == PB_BYTES)
            rc = read_fact(n, f.b, err);
        else if (f.number == NODE_ATTRIBUTE)
            rc = read_attribute(n, f.b, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}
