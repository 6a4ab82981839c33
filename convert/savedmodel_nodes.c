#include "savedmodel_nodes.h"
#include "protobuf.h"

#include <string.h>

enum { MAX_NODES = 20000, MAX_DIMS = 8 };

/* core/protobuf/{saved_model,meta_graph}.proto, core/framework/
 * {graph,node_def,attr_value,tensor}.proto */
enum { SAVED_META_GRAPHS = 2, META_GRAPH = 2, GRAPH_NODE = 1 };
enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum { ATTR_LIST = 1, ATTR_S = 2, ATTR_I = 3, ATTR_B = 5, ATTR_SHAPE = 7, ATTR_TENSOR = 8 };
enum { LIST_S = 2, LIST_I = 3, SHAPE_DIM = 2, DIM_SIZE = 1 };
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4, FLOAT = 1, INT32 = 3 };

typedef struct reading {
    tfjs_weights *have;
    hst_arena *arena;
    size_t room; /* of have */
    json_t *nodes;
} reading;

static const char why_no_text[] = "a text is no UTF-8, or there is no memory for it";

static int bad(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the graph of saved_model.pb: %s", why);
}

/* Text of the file; NULL: it is none. */
static json_t *text(bytes b)
{
    return json_stringn((const char *)b.p, b.n);
}

/* Puts value, which is taken, under key. */
static int put(json_t *object, const char *key, json_t *value, hst_err *err)
{
    return json_object_set_new(object, key, value) == 0 ? 0 : bad(err, why_no_text);
}

static int append(json_t *list, json_t *value, hst_err *err)
{
    return json_array_append_new(list, value) == 0 ? 0 : bad(err, why_no_text);
}

/* ---- attributes ---- */

/* {"dim": [{"size": 224}, ...]}, and the same as numbers. */
static int read_shape(bytes m, json_t *dims, hst_tensor *t, hst_err *err)
{
    pb_field f, size;
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1) {
        int64_t n = 0;
        if (f.number != SHAPE_DIM || f.wire != PB_BYTES)
            continue;
        while ((rc = pb_next(&f.b, &size, err)) == 1)
            n = size.number == DIM_SIZE ? (int64_t)size.v : n;
        if (rc)
            return rc;
        if (t->n_dims == MAX_DIMS)
            return bad(err, "a shape has more than 8 dimensions");
        t->dim[t->n_dims++] = n;
        rc = append(dims, json_pack("{s:I}", "size", (json_int_t)n), err);
        if (rc)
            return rc;
    }
    return rc;
}

/* {"i": [1, 2]} or {"s": ["Relu6"]} */
static int read_list(bytes m, json_t *list, hst_err *err)
{
    json_t *whole = json_array(), *texts = json_array();
    pb_field f;
    uint64_t v;
    int rc = put(list, "i", whole, err);
    rc = rc ? rc : put(list, "s", texts, err);
    while (rc == 0 && (rc = pb_next(&m, &f, err)) == 1) {
        rc = 0;
        if (f.number == LIST_S && f.wire == PB_BYTES)
            rc = append(texts, text(f.b), err);
        while (rc == 0 && f.number == LIST_I && f.wire == PB_BYTES &&
               (rc = pb_varint(&f.b, &v, err)) == 1)
            rc = append(whole, json_integer((json_int_t)v), err);
    }
    return rc;
}

/* The numbers of a constant, where it has such that matter here. */
static int read_tensor(const reading *r, bytes m, hst_tensor *t, hst_err *err)
{
    json_t *dims = json_array();
    bytes content = {0};
    uint64_t type = 0;
    pb_field f;
    int rc = dims ? 0 : HST_EMEM;
    while (rc == 0 && (rc = pb_next(&m, &f, err)) == 1) {
        rc = 0;
        if (f.number == TENSOR_TYPE)
            type = f.v;
        else if (f.number == TENSOR_SHAPE && f.wire == PB_BYTES)
            rc = read_shape(f.b, dims, t, err);
        else if (f.number == TENSOR_CONTENT && f.wire == PB_BYTES)
            content = f.b;
    }
    json_decref(dims);
    t->dtype = type == FLOAT ? HST_F32 : type == INT32 ? HST_I32 : HST_OTHER;
    size_t want = hst_dtype_bytes(t->dtype);
    for (int i = 0; rc == 0 && i < t->n_dims; i++)
        if (t->dim[i] < 0 || !hst_mul_ok(want, (size_t)t->dim[i], &want))
            rc = bad(err, "a constant's shape overflows");
    if (rc || !content.n || want != content.n)
        return rc;
    void *copy = hst_arena_alloc(r->arena, content.n, 1, err);
    if (!copy)
        return HST_EMEM;
    t->data = memcpy(copy, content.p, content.n);
    t->n_bytes = content.n;
    return 0;
}

static int read_value(const reading *r, bytes m, json_t *value, hst_tensor *t, hst_err *err)
{
    pb_field f;
    hst_tensor shape = {0};
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1) {
        json_t *inner = json_object(), *dims = json_array();
        const int is_bytes = f.wire == PB_BYTES;
        rc = put(inner, "dim", dims, err);
        if (rc == 0 && f.number == ATTR_S && is_bytes)
            json_object_set_new(value, "s", text(f.b)); /* bytes that are no text say nothing */
        else if (rc == 0 && f.number == ATTR_I)
            rc = put(value, "i", json_integer((json_int_t)f.v), err);
        else if (rc == 0 && f.number == ATTR_B)
            rc = put(value, "b", json_boolean(f.v), err);
        else if (rc == 0 && f.number == ATTR_LIST && is_bytes)
            rc = read_list(f.b, inner, err);
        else if (rc == 0 && f.number == ATTR_SHAPE && is_bytes)
            rc = read_shape(f.b, dims, &shape, err);
        else if (rc == 0 && f.number == ATTR_TENSOR && is_bytes)
            rc = read_tensor(r, f.b, t, err);
        const char *as = f.number == ATTR_LIST ? "list" : f.number == ATTR_SHAPE ? "shape" : NULL;
        if (rc == 0 && as)
            json_object_set(value, as, inner);
        json_decref(inner);
        if (rc)
            return rc;
    }
    return rc;
}

static int read_attribute(const reading *r, bytes m, json_t *attributes, hst_tensor *t,
                          hst_err *err)
{
    pb_field key, of;
    int rc = pb_entry(m, &key, &of, err);
    json_t *name = rc ? NULL : text(key.b), *value = json_object();
    rc = rc || (name && value) ? rc : bad(err, why_no_text);
    rc = rc ? rc : read_value(r, of.b, value, t, err);
    if (rc == 0 && json_object_set(attributes, json_string_value(name), value) != 0)
        rc = bad(err, why_no_text);
    json_decref(name);
    json_decref(value);
    return rc;
}

/* ---- nodes ---- */

static int add_tensor(const reading *r, const hst_tensor *t, hst_err *err)
{
    if (r->have->n == r->room)
        return bad(err, "it has too many constants");
    r->have->t[r->have->n] = *t;
    const bytes name = {(const uint8_t *)t->name, strlen(t->name)};
    return names_put(&r->have->names, name, (int)r->have->n++, err);
}

static int restores(const pb_field *op)
{
    return pb_is(op, "RestoreV2") || pb_is(op, "AssignVariableOp") || pb_is(op, "NoOp");
}

/* Everything into node; a constant among what there is, too. */
static int read_fields(const reading *r, bytes m, json_t *node, int *left_out, hst_err *err)
{
    json_t *inputs = json_array(), *attributes = json_object();
    hst_tensor t = {.dtype = HST_OTHER};
    pb_field f;
    int rc = put(node, "input", inputs, err);
    rc = rc ? rc : put(node, "attr", attributes, err);
    while (rc == 0 && (rc = pb_next(&m, &f, err)) == 1) {
        rc = 0;
        if (f.wire != PB_BYTES)
            continue;
        if (f.number == NODE_NAME)
            rc = put(node, "name", text(f.b), err);
        else if (f.number == NODE_OP)
            rc = put(node, "op", text(f.b), err);
        else if (f.number == NODE_INPUT)
            rc = append(inputs, text(f.b), err);
        else if (f.number == NODE_ATTR)
            rc = read_attribute(r, f.b, attributes, &t, err);
        *left_out |= f.number == NODE_OP && restores(&f);
    }
    const char *name = json_string_value(json_object_get(node, "name"));
    if (rc || !t.data || !name)
        return rc;
    t.name = hst_arena_strdup(r->arena, name, err);
    return t.name ? add_tensor(r, &t, err) : HST_EMEM;
}

static int read_node(const reading *r, bytes m, hst_err *err)
{
    json_t *node = json_object();
    int left_out = 0, rc = node ? read_fields(r, m, node, &left_out, err) : HST_EMEM;
    if (rc == 0 && !left_out && json_array_append(r->nodes, node) != 0)
        rc = HST_EMEM;
    json_decref(node);
    return rc;
}

/* The GraphDef of the first graph. */
static int find_graph(bytes pb, bytes *graph, hst_err *err)
{
    static const uint32_t path[] = {SAVED_META_GRAPHS, META_GRAPH};
    pb_field f;
    *graph = pb;
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        bytes m = *graph, found = {0};
        int rc;
        while ((rc = pb_next(&m, &f, err)) == 1)
            if (f.number == path[i] && f.wire == PB_BYTES && !found.p)
                found = f.b;
        if (rc || !found.p)
            return rc ? rc : bad(err, "there is none");
        *graph = found;
    }
    return 0;
}

static int read_nodes(const reading *r, bytes graph, hst_err *err)
{
    pb_field f;
    int rc, n = 0;
    while ((rc = pb_next(&graph, &f, err)) == 1) {
        if (f.number != GRAPH_NODE || f.wire != PB_BYTES)
            continue;
        rc = n++ < MAX_NODES ? read_node(r, f.b, err) : bad(err, "it has too many nodes");
        if (rc)
            return rc;
    }
    return rc;
}

int savedmodel_nodes(bytes pb, const hst_tensor *variables, size_t n, tfjs_weights *have,
                     hst_arena *arena, json_t **topology, hst_err *err)
{
    bytes graph = {0};
    json_t *nodes = json_array();
    reading r = {.have = have, .arena = arena, .room = n + MAX_NODES, .nodes = nodes};
    have->t = hst_arena_alloc(arena, r.room, sizeof *have->t, err);
    int rc = have->t ? names_init(&have->names, r.room, arena, err) : HST_EMEM;
    rc = rc ? rc : find_graph(pb, &graph, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_tensor(&r, &variables[i], err);
    rc = rc ? rc : read_nodes(&r, graph, err);
    *topology = rc ? NULL : json_pack("{s:O}", "node", nodes);
    json_decref(nodes);
    return rc || *topology ? rc : bad(err, why_no_text);
}
