#include "onnx_tensor.h"
#include "protobuf.h"

#include <string.h>

enum { MAX_DIMS = 8, MAX_NAME = 1000 };

/* TensorProto and StringStringEntryProto of onnx.proto: the fields used here. */
enum {
    DIMS = 1,
    DATA_TYPE = 2,
    SEGMENT = 3,
    FLOAT_DATA = 4,
    INT64_DATA = 7,
    NAME = 8,
    RAW_DATA = 9,
    EXTERNAL_DATA = 13,
    DATA_LOCATION = 14
};

static const struct {
    uint64_t onnx;
    enum hst_dtype dtype;
} types[] = {{1, HST_F32},  {2, HST_U8},   {3, HST_I8},   {6, HST_I32},  {7, HST_I64},
             {9, HST_BOOL}, {10, HST_F16}, {11, HST_F64}, {16, HST_BF16}};
enum { N_TYPES = sizeof types / sizeof *types };

/* Where the data is. */
typedef struct place {
    bytes raw, floats, ints;
    int n_raw, n_floats, n_ints; /* times the field was there */
    uint64_t external, offset, length;
    int has_length;
    bytes location;
} place;

static int bad(const hst_tensor *t, const char *why, hst_err *err)
{
    return hst_fail(err, HST_EMODEL, "tensor '%.200s': %s", t->name, why);
}

static int read_number(bytes text, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || *v > (UINT64_MAX - 9) / 10)
            return 0;
        *v = *v * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.n > 0;
}

static int read_entry(bytes m, place *at, hst_err *err)
{
    pb_field key, value;
    int ok = 1, rc = pb_entry(m, &key, &value, err);
    if (rc)
        return rc;
    if (pb_is(&key, "location"))
        at->location = value.b;
    else if (pb_is(&key, "offset"))
        ok = read_number(value.b, &at->offset);
    else if (pb_is(&key, "length"))
        ok = at->has_length = read_number(value.b, &at->length);
    return ok ? 0 : hst_fail(err, HST_EMODEL, "external data has an offset that is no number");
}

static int add_dim(hst_tensor *t, uint64_t v, hst_err *err)
{
    if (t->n_dims == MAX_DIMS || v > INT64_MAX)
        return hst_fail(err, HST_EMODEL, "a tensor has an impossible shape");
    t->dim[t->n_dims++] = (int64_t)v;
    return 0;
}

static int read_dims(hst_tensor *t, pb_field *f, hst_err *err)
{
    uint64_t v;
    int rc;
    if (f->wire == PB_VARINT)
        return add_dim(t, f->v, err);
    while ((rc = pb_varint(&f->b, &v, err)) == 1) {
        rc = add_dim(t, v, err);
        if (rc)
            return rc;
    }
    return rc;
}

static int read_field(pb_field *f, hst_tensor *t, bytes *name, place *at, hst_err *err)
{
    switch (f->number) {
    case DIMS:
        return read_dims(t, f, err);
    case DATA_TYPE:
        t->dtype = HST_OTHER;
        for (int i = 0; i < N_TYPES; i++)
            if (types[i].onnx == f->v)
                t->dtype = types[i].dtype;
        return 0;
    case SEGMENT:
        return hst_fail(err, HST_EMODEL, "a tensor comes in segments");
    case FLOAT_DATA:
        at->floats = f->b;
        at->n_floats++;
        return 0;
    case INT64_DATA:
        at->ints = f->b;
        at->n_ints++;
        return 0;
    case NAME:
        *name = f->b;
        return 0;
    case RAW_DATA:
        at->raw = f->b;
        at->n_raw++;
        return 0;
    case EXTERNAL_DATA:
        return read_entry(f->b, at, err);
    case DATA_LOCATION:
        at->external = f->v;
        return 0;
    default:
        return 0;
    }
}

/* Only the plain name of a file beside the model; s holds nothing else, but say it clearly. */
static int external_file(const hst_tensor *t, bytes location, hst_source *s, hst_source_file **out,
                         hst_err *err)
{
    char name[256];
    if (location.n == 0 || location.n >= sizeof name || memchr(location.p, 0, location.n))
        return bad(t, "its external data is in a file without a usable name", err);
    memcpy(name, location.p, location.n);
    name[location.n] = 0;
    const char *plain = strncmp(name, "./", 2) == 0 ? name + 2 : name;
    if (strpbrk(plain, "/\\:") || plain[0] == '.')
        return hst_fail(err, HST_EMODEL,
                        "tensor '%.200s': its external data is at '%s', which is no file beside "
                        "the model",
                        t->name, name);
    *out = hst_source_find(s, plain);
    if (!*out || *out == &s->file[0])
        return hst_fail(err, HST_EMODEL, "tensor '%.200s': its external data '%s' is missing",
                        t->name, name);
    return hst_source_load(*out, err);
}

static int external_data(const hst_tensor *t, const place *at, hst_source *s, bytes *out,
                         hst_err *err)
{
    hst_source_file *f = NULL;
    int rc = external_file(t, at->location, s, &f, err);
    if (rc)
        return rc;
    uint64_t n = at->has_length ? at->length : t->n_bytes;
    if (!within(at->offset, n, f->n_bytes))
        return bad(t, "its external data reaches past the end of that file", err);
    *out = (bytes){f->data + at->offset, (size_t)n};
    return 0;
}

/* int64_data: packed varints. */
static int unpack_ints(hst_tensor *t, bytes packed, hst_arena *arena, hst_err *err)
{
    size_t count = t->n_bytes / sizeof(int64_t);
    if (count > packed.n)
        return bad(t, "its data is shorter than its shape says", err);
    int64_t *out = hst_arena_alloc(arena, count, sizeof *out, err);
    int rc = out ? 1 : HST_EMEM;
    for (size_t i = 0; i < count && rc == 1; i++) {
        uint64_t v = 0;
        rc = pb_varint(&packed, &v, err);
        out[i] = (int64_t)v;
    }
    t->data = out;
    if (rc < 0)
        return rc;
    return rc == 1 && packed.n == 0 ? 0 : bad(t, "its data is not as long as its shape says", err);
}

static int find_data(hst_tensor *t, const place *at, hst_source *s, hst_arena *arena, hst_err *err)
{
    bytes data = at->raw;
    int rc = 0;
    if (at->n_raw + at->n_floats + at->n_ints > 1)
        return bad(t, "its data comes in pieces", err);
    if (at->external)
        rc = external_data(t, at, s, &data, err);
    else if (at->n_floats && t->dtype == HST_F32)
        data = at->floats;
    else if (at->n_ints && t->dtype == HST_I64)
        return unpack_ints(t, at->ints, arena, err);
    else if (!at->n_raw && t->n_bytes)
        return bad(t, "its data is kept in a way that is not read", err);
    if (rc)
        return rc;
    if (data.n != t->n_bytes)
        return hst_fail(err, HST_EMODEL, "tensor '%.200s' has %zu bytes, its shape says %zu",
                        t->name, data.n, t->n_bytes);
    t->data = data.p ? data.p : (const uint8_t *)"";
    if ((uintptr_t)t->data % hst_dtype_bytes(t->dtype) == 0)
        return 0;
    void *copy = hst_arena_alloc(arena, t->n_bytes, 1, err);
    if (!copy)
        return HST_EMEM;
    t->data = memcpy(copy, t->data, t->n_bytes);
    return 0;
}

int onnx_tensor(bytes proto, hst_source *s, hst_arena *arena, bytes *name, hst_tensor *out,
                hst_err *err)
{
    pb_field f;
    place at = {0};
    int rc;
    *out = (hst_tensor){.dtype = HST_OTHER};
    *name = (bytes){(const uint8_t *)"", 0};
    while ((rc = pb_next(&proto, &f, err)) == 1) {
        rc = read_field(&f, out, name, &at, err);
        if (rc)
            return rc;
    }
    if (rc)
        return rc;
    if (name->n > MAX_NAME || (name->n && memchr(name->p, 0, name->n)))
        return hst_fail(err, HST_EMODEL, "a tensor's name is no usable text");
    char *copy = hst_arena_alloc(arena, name->n + 1, 1, err);
    if (!copy)
        return HST_EMEM;
    if (name->n)
        memcpy(copy, name->p, name->n);
    out->name = copy;
    out->n_bytes = hst_dtype_bytes(out->dtype);
    if (!out->n_bytes)
        return bad(out, "its type of numbers is not read", err);
    for (int i = 0; i < out->n_dims; i++)
        if (!hst_mul_ok(out->n_bytes, (size_t)out->dim[i], &out->n_bytes))
            return bad(out, "its shape overflows", err);
    return find_data(out, &at, s, arena, err);
}
