#include "savedmodel_graph.h"
#include "protobuf.h"

#include <string.h>

enum { MAX_NAMES = 100000 };

/* saved_model.proto, meta_graph.proto, tensor_shape.proto: the fields used here. */
enum { SAVED_VERSION = 1, SAVED_META_GRAPHS = 2, META_SIGNATURES = 5 };
enum { ENTRY_VALUE = 2, SIGNATURE_INPUTS = 1, TENSOR_SHAPE = 3, SHAPE_DIM = 2, DIM_SIZE = 1 };
/* trackable_object_graph.proto */
enum { GRAPH_NODES = 1, NODE_ATTRIBUTES = 2, ATTR_FULL_NAME = 2, ATTR_KEY = 3 };

typedef struct input_size {
    int64_t width, height; /* 0: not known */
} input_size;

/* [batch, height, width, 3]; anything else says nothing. */
static int read_size(bytes shape, input_size *out, hst_err *err)
{
    pb_field f, size;
    int64_t dim[4] = {0};
    int n = 0, rc;
    while ((rc = pb_next(&shape, &f, err)) == 1) {
        if (f.number != SHAPE_DIM)
            continue;
        while ((rc = pb_next(&f.b, &size, err)) == 1)
            if (n < 4 && size.number == DIM_SIZE && size.wire == PB_VARINT)
                dim[n] = (int64_t)size.v;
        if (rc)
            return rc;
        n++;
    }
    if (rc)
        return rc;
    if (n == 4 && dim[3] == 3 && dim[1] > 0 && dim[1] < 65536 && dim[2] > 0 && dim[2] < 65536)
        *out = (input_size){.width = dim[2], .height = dim[1]};
    return 0;
}

/* Walks the fields of m that have the given number, one level down for each of path; at its end
 * takes the first size found. */
static int find_size(bytes m, const uint32_t *path, input_size *size, hst_err *err)
{
    pb_field f;
    int rc;
    if (!*path)
        return read_size(m, size, err);
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if (f.number != *path || f.wire != PB_BYTES || size->width)
            continue;
        rc = find_size(f.b, path + 1, size, err);
        if (rc)
            return rc;
    }
    return rc;
}

int savedmodel_describe(weights *w, bytes pb, hst_err *err)
{
    /* a signature is an entry of a map, and so is each of its inputs */
    static const uint32_t path[] = {META_SIGNATURES, ENTRY_VALUE,  SIGNATURE_INPUTS,
                                    ENTRY_VALUE,     TENSOR_SHAPE, 0};
    pb_field f;
    int rc, graphs = 0;
    input_size size = {0};
    while ((rc = pb_next(&pb, &f, err)) == 1) {
        if (f.number == SAVED_VERSION && f.v != 1)
            return hst_fail(err, HST_EMODEL, "saved_model.pb has version %llu, expected 1",
                            (unsigned long long)f.v);
        if (f.number != SAVED_META_GRAPHS || f.wire != PB_BYTES)
            continue;
        const int found = find_size(f.b, path, &size, err);
        if (found)
            return found;
        graphs++;
    }
    if (rc == 0 && !graphs)
        rc = hst_fail(err, HST_EMODEL, "saved_model.pb holds no graph");
    if (rc) {
        hst_err_at(err, "saved_model.pb");
        return rc;
    }
    return size.width ? weights_say_size(w, size.width, size.height, err) : 0;
}

/* ---- names ---- */

static int read_attribute(object_names *o, bytes m, hst_err *err)
{
    pb_field f;
    bytes name = {0}, key = {0};
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if (f.number == ATTR_FULL_NAME && f.wire == PB_BYTES)
            name = f.b;
        else if (f.number == ATTR_KEY && f.wire == PB_BYTES)
            key = f.b;
    }
    if (rc || !name.n || !key.n || names_get(&o->keys, key) >= 0)
        return rc;
    o->name[o->n] = name;
    return names_put(&o->keys, key, o->n++, err);
}

static int read_node(object_names *o, bytes m, hst_err *err)
{
    pb_field f;
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1)
        if (f.number == NODE_ATTRIBUTES && f.wire == PB_BYTES) {
            rc = read_attribute(o, f.b, err);
            if (rc)
                return rc;
        }
    return rc;
}

/* No object has many attributes, so a name takes at least some bytes of the message. */
int object_names_read(object_names *o, bytes graph, hst_arena *arena, hst_err *err)
{
    pb_field f;
    size_t most = graph.n / 4 < MAX_NAMES ? graph.n / 4 + 1 : MAX_NAMES;
    int rc = names_init(&o->keys, most, arena, err);
    o->n = 0;
    o->name = rc ? NULL : hst_arena_alloc(arena, most + 1, sizeof *o->name, err);
    rc = o->name ? 0 : HST_EMEM;
    while (rc == 0 && (rc = pb_next(&graph, &f, err)) == 1)
        rc = f.number == GRAPH_NODES && f.wire == PB_BYTES ? read_node(o, f.b, err) : 0;
    if (rc)
        hst_err_at(err, "the object graph");
    return rc;
}

bytes object_name(const object_names *o, const char *key)
{
    int at = names_get(&o->keys, (bytes){(const uint8_t *)key, strlen(key)});
    return at >= 0 ? o->name[at] : (bytes){0};
}
