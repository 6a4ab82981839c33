#include "savedmodel.h"
#include "base/json.h"
#include "keras.h"
#include "protobuf.h"
#include "savedmodel_graph.h"
#include "savedmodel_nodes.h"
#include "sstable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 64, MAX_DIMS = 8, MAX_NAME = 1000 };
static const char object_graph[] = "_CHECKPOINTABLE_OBJECT_GRAPH";
static const char value_suffix[] = "/.ATTRIBUTES/VARIABLE_VALUE";

/* tensor_bundle.proto, types.proto */
enum { HEADER_SHARDS = 1, HEADER_ENDIAN = 2 };
enum {
    ENTRY_DTYPE = 1,
    ENTRY_SHAPE = 2,
    ENTRY_SHARD = 3,
    ENTRY_OFFSET = 4,
    ENTRY_SIZE = 5,
    ENTRY_CRC = 6,
    ENTRY_SLICES = 7
};
enum { SHAPE_DIM = 2, DIM_SIZE = 1, TYPE_STRING = 7 };

static const struct {
    uint64_t tensorflow;
    enum hst_dtype dtype;
} types[] = {{1, HST_F32}, {2, HST_F64},   {3, HST_I32},   {4, HST_U8},  {6, HST_I8},
             {9, HST_I64}, {10, HST_BOOL}, {14, HST_BF16}, {19, HST_F16}};

typedef struct bundle {
    weights *w;
    hst_source *s;
    hst_crc32c crc;
    sstable index;
    hst_source_file *shard[MAX_SHARDS];
    uint64_t n_shards;
    object_names names;
    names used;
    int ours; /* headstart has exported it */
} bundle;

/* BundleEntryProto. */
typedef struct entry {
    uint64_t dtype, shard, offset, size;
    uint32_t crc;
    int64_t dim[MAX_DIMS];
    int n_dims;
} entry;

static int bad(hst_err *err, const char *key, const char *why)
{
    return hst_fail(err, HST_EMODEL, "checkpoint tensor '%.200s': %s", key, why);
}

/* ---- the index ---- */

static int open_shards(bundle *b, hst_err *err)
{
    char name[100];
    for (uint64_t i = 0; i < b->n_shards; i++) {
        snprintf(name, sizeof name, "variables/variables.data-%05d-of-%05d", (int)i,
                 (int)b->n_shards);
        b->shard[i] = hst_source_find(b->s, name);
        if (!b->shard[i])
            return hst_fail(err, HST_EMODEL, "%s is missing", name);
        int rc = hst_source_load(b->shard[i], err);
        if (rc)
            return rc;
    }
    return 0;
}

/* BundleHeaderProto, under the empty key. */
static int read_header(bundle *b, hst_err *err)
{
    const sst_entry *e = sst_find(&b->index, "");
    bytes m = e ? e->value : (bytes){0};
    pb_field f;
    uint64_t endian = 0;
    int rc;
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if (f.number == HEADER_SHARDS)
            b->n_shards = f.v;
        else if (f.number == HEADER_ENDIAN)
            endian = f.v;
    }
    if (rc)
        return rc;
    if (!e || endian != 0 || b->n_shards < 1 || b->n_shards > MAX_SHARDS)
        return hst_fail(err, HST_EMODEL,
                        "the checkpoint has no header, is big-endian, or has %llu shards (1 to %d "
                        "are read)",
                        (unsigned long long)b->n_shards, MAX_SHARDS);
    return open_shards(b, err);
}

static int read_shape(bytes shape, entry *e, hst_err *err)
{
    pb_field f, size;
    int rc;
    e->n_dims = 0;
    while ((rc = pb_next(&shape, &f, err)) == 1) {
        if (f.number != SHAPE_DIM)
            return hst_fail(err, HST_EMODEL, "a shape of the checkpoint is not known");
        if (e->n_dims == MAX_DIMS)
            return hst_fail(err, HST_EMODEL,
                            "a shape of the checkpoint has more than 8 dimensions");
        int64_t *dim = &e->dim[e->n_dims++];
        *dim = 0;
        while ((rc = pb_next(&f.b, &size, err)) == 1)
            if (size.number == DIM_SIZE)
                *dim = (int64_t)size.v;
        if (rc)
            return rc;
        if (*dim < 0)
            return hst_fail(err, HST_EMODEL, "a shape of the checkpoint has a dimension of %lld",
                            (long long)*dim);
    }
    return rc;
}

static int read_entry(const char *key, bytes m, entry *e, hst_err *err)
{
    pb_field f;
    int rc;
    *e = (entry){0};
    while ((rc = pb_next(&m, &f, err)) == 1) {
        if (f.number == ENTRY_DTYPE)
            e->dtype = f.v;
        else if (f.number == ENTRY_SHAPE)
            rc = read_shape(f.b, e, err);
        else if (f.number == ENTRY_SHARD)
            e->shard = f.v;
        else if (f.number == ENTRY_OFFSET)
            e->offset = f.v;
        else if (f.number == ENTRY_SIZE)
            e->size = f.v;
        else if (f.number == ENTRY_CRC)
            e->crc = (uint32_t)f.v;
        else if (f.number == ENTRY_SLICES)
            return bad(err, key, "it is kept in slices");
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* The bytes of an entry inside its shard. */
static int find_data(const bundle *b, const char *key, const entry *e, bytes *out, hst_err *err)
{
    if (e->shard >= b->n_shards)
        return bad(err, key, "it lies in a shard that is not there");
    const hst_source_file *f = b->shard[e->shard];
    if (!within(e->offset, e->size, f->n_bytes))
        return hst_fail(err, HST_EMODEL,
                        "checkpoint tensor '%.200s': %llu bytes at %lld lie outside its shard of "
                        "%llu",
                        key, (unsigned long long)e->size, (long long)e->offset,
                        (unsigned long long)f->n_bytes);
    *out = (bytes){f->data + e->offset, (size_t)e->size};
    return 0;
}

/* ---- tensors ---- */

/* The object graph is a text: varint length, masked CRC of the length, bytes. Its check sum covers
 * the text without the length, so the entry's own is not that of its bytes. */
static int read_names(bundle *b, hst_err *err)
{
    const sst_entry *at = sst_find(&b->index, object_graph);
    entry e;
    bytes text = {0};
    uint64_t n;
    if (!at)
        return 0; /* names stand in the index, as TensorFlow 1 had it */
    int rc = read_entry(at->key, at->value, &e, err);
    rc = rc ? rc : find_data(b, at->key, &e, &text, err);
    if (rc)
        return rc;
    if (e.dtype != TYPE_STRING || pb_varint(&text, &n, NULL) != 1 || text.n < 4 || n != text.n - 4)
        return bad(err, at->key, "it is no text");
    return object_names_read(&b->names, (bytes){text.p + 4, (size_t)n}, b->w->arena, err);
}

static char *copy_text(const bundle *b, bytes text, hst_err *err)
{
    char *copy = hst_arena_alloc(b->w->arena, text.n + 1, 1, err);
    return copy ? memcpy(copy, text.p, text.n) : NULL;
}

/* A variable's name: from the object graph, else its key, also where two go by the same name. */
static int name_of(bundle *b, const char *key, const char **out, hst_err *err)
{
    size_t n = strlen(key), ns = sizeof value_suffix - 1;
    bytes name = b->names.name ? object_name(&b->names, key) : (bytes){0};
    if (!name.n || name.n > MAX_NAME || memchr(name.p, 0, name.n) || names_get(&b->used, name) >= 0)
        name = (bytes){(const uint8_t *)key,
                       n > ns && strcmp(key + n - ns, value_suffix) == 0 ? n - ns : n};
    *out = copy_text(b, name, err);
    return *out ? names_put(&b->used, name, 0, err) : HST_EMEM;
}

/* Keras 3 calls the kernel of a depthwise convolution, [h][w][c][1], "kernel" like any other; every
 * other writer here "depthwise_kernel". */
static int tell_depthwise(const bundle *b, hst_tensor *t, hst_err *err)
{
    static const char old[] = "/kernel", new[] = "/depthwise_kernel";
    const size_t n = strlen(t->name), n_old = sizeof old - 1;
    if (b->ours || t->n_dims != 4 || t->dim[3] != 1 || t->dim[2] < 2 || n < n_old ||
        strcmp(t->name + n - n_old, old) != 0)
        return 0;
    char *name = hst_arena_alloc(b->w->arena, n + sizeof new, 1, err);
    if (!name)
        return HST_EMEM;
    memcpy(name, t->name, n - n_old);
    memcpy(name + n - n_old, new, sizeof new);
    t->name = name;
    return 0;
}

/* Copies data that does not lie aligned for its type. */
static int align(const bundle *b, hst_tensor *t, hst_err *err)
{
    if ((uintptr_t)t->data % hst_dtype_bytes(t->dtype) == 0)
        return 0;
    void *copy = hst_arena_alloc(b->w->arena, t->n_bytes, 1, err);
    if (!copy)
        return HST_EMEM;
    t->data = memcpy(copy, t->data, t->n_bytes);
    return 0;
}

static int read_tensor(bundle *b, const sst_entry *at, uint64_t *left, hst_err *err)
{
    entry e;
    bytes data = {0};
    hst_tensor t = {.dtype = HST_OTHER};
    int rc = read_entry(at->key, at->value, &e, err);
    if (rc || e.dtype == TYPE_STRING)
        return rc;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].tensorflow == e.dtype)
            t.dtype = types[i].dtype;
    t.n_bytes = hst_dtype_bytes(t.dtype);
    if (!t.n_bytes)
        return bad(err, at->key, "its type of numbers is not read");
    t.n_dims = e.n_dims;
    memcpy(t.dim, e.dim, sizeof e.dim);
    for (int i = 0; i < t.n_dims; i++)
        if (!hst_mul_ok(t.n_bytes, (size_t)t.dim[i], &t.n_bytes))
            return bad(err, at->key, "its shape overflows");
    if (t.n_bytes != e.size)
        return hst_fail(err, HST_EMODEL,
                        "checkpoint tensor '%.200s' has %llu bytes, its shape says %zu", at->key,
                        (unsigned long long)e.size, t.n_bytes);
    if (e.size > *left)
        return bad(err, at->key, "its bytes belong to another tensor, too");
    *left -= e.size;
    rc = find_data(b, at->key, &e, &data, err);
    if (rc)
        return rc;
    if (hst_crc32c_masked(&b->crc, data.p, data.n) != e.crc)
        return bad(err, at->key, "its check sum differs");
    t.data = data.p;
    rc = name_of(b, at->key, &t.name, err);
    rc = rc ? rc : tell_depthwise(b, &t, err);
    rc = rc ? rc : align(b, &t, err);
    return rc ? rc : weights_add(b->w, &t, err);
}

/* Of the variables only: slots of an optimiser and counters have keys of their own kinds. */
static int is_variable(const char *key)
{
    return *key && strcmp(key, object_graph) != 0 && !strstr(key, "/.OPTIMIZER_SLOT/") &&
           strncmp(key, "save_counter/", 13) != 0;
}

static int read_tensors(bundle *b, hst_err *err)
{
    uint64_t left = 0;
    int rc = names_init(&b->used, b->index.n, b->w->arena, err);
    for (uint64_t i = 0; i < b->n_shards; i++)
        left += b->shard[i]->n_bytes;
    for (size_t i = 0; i < b->index.n && rc == 0; i++)
        if (is_variable(b->index.entry[i].key))
            rc = read_tensor(b, &b->index.entry[i], &left, err);
    if (rc == 0 && !b->w->n)
        rc = hst_fail(err, HST_EMODEL, "the checkpoint holds no variables");
    return rc;
}

static int load(hst_source *s, const char *name, bytes *out, hst_err *err)
{
    hst_source_file *f = hst_source_find(s, name);
    int rc = f ? hst_source_load(f, err) : hst_fail(err, HST_EMODEL, "%s is missing", name);
    if (rc == 0)
        *out = (bytes){f->data, (size_t)f->n_bytes};
    return rc;
}

/* A model that headstart has exported says what it is in a file that TensorFlow leaves alone. */
static int say_ours(bundle *b, hst_err *err)
{
    static const char name[] = "assets.extra/headstart.json";
    bytes facts = {0};
    if (!hst_source_find(b->s, name))
        return 0;
    b->ours = 1;
    int rc = load(b->s, name, &facts, err);
    return rc ? rc : weights_say_model(b->w, (const char *)facts.p, facts.n, err);
}

/* Its variables have the names of the graph, which says what is done with them. */
static int read_graph(const bundle *b, bytes pb, hst_err *err)
{
    weights *w = b->w;
    tfjs_weights have = {.ours = 1};
    json_t *topology = NULL;
    int rc = savedmodel_nodes(pb, w->t, w->n, &have, w->arena, &topology, err);
    w->n = 0;
    rc = rc ? rc : tfjs_graph(w, topology, &have, b->s, err);
    json_decref(topology);
    return rc;
}

/* The whole model's configuration in a SavedObject of keras_metadata.pb; NULL: it is of a part. */
static json_t *root_config(bytes object)
{
    enum { PATH = 3, METADATA = 5 };
    pb_field f;
    int is_root = 0;
    bytes text = {0};
    while (pb_next(&object, &f, NULL) == 1)
        if (f.number == PATH && f.wire == PB_BYTES)
            is_root = f.b.n == 4 && memcmp(f.b.p, "root", 4) == 0;
        else if (f.number == METADATA && f.wire == PB_BYTES)
            text = f.b;
    return is_root && text.p ? keras_parse((const char *)text.p, text.n, "metadata", NULL) : NULL;
}

/* Keras 2 keeps its configuration beside the graph; what cannot be read of it is not missed. */
static int say_config(weights *w, const hst_source *s, hst_err *err)
{
    hst_source_file *file = hst_source_find(s, "keras_metadata.pb");
    hst_err why = {0};
    pb_field f;
    int rc = file ? hst_source_load(file, err) : 0;
    bytes all = {file ? file->data : NULL, file ? (size_t)file->n_bytes : 0};
    while (rc == 0 && all.n && pb_next(&all, &f, &why) == 1) {
        json_t *config = f.number == 1 && f.wire == PB_BYTES ? root_config(f.b) : NULL;
        if (config && keras_say_config(w, config, &why) == HST_EMEM)
            rc = hst_fail(err, HST_EMEM, "%s", why.msg);
        json_decref(config);
    }
    return rc;
}

int savedmodel_read(weights *w, hst_source *s, hst_err *err)
{
    bytes pb = {0}, index = {0};
    bundle *b = hst_arena_alloc(w->arena, 1, sizeof *b, err);
    if (!b)
        return HST_EMEM;
    b->w = w;
    b->s = s;
    hst_crc32c_init(&b->crc);
    int rc = load(s, "saved_model.pb", &pb, err);
    rc = rc ? rc : load(s, "variables/variables.index", &index, err);
    rc = rc ? rc : weights_say(w, err, "source_format", "TensorFlow SavedModel");
    rc = rc ? rc : savedmodel_describe(w, pb, err);
    rc = rc ? rc : say_ours(b, err);
    rc = rc ? rc : sst_read(&b->index, index, &b->crc, w->arena, err);
    rc = rc ? rc : read_header(b, err);
    rc = rc ? rc : read_names(b, err);
    rc = rc ? rc : read_tensors(b, err);
    if (rc == 0 && b->ours)
        return read_graph(b, pb, err);
    return rc ? rc : say_config(w, s, err);
}
