#include "formats/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are used as they are stored");

/* Limits. The two on JSON keep its tree in memory small beside the file: an empty object costs
 * about 200 bytes there and 3 in the text. */
static const uint64_t max_file_bytes = UINT64_C(4) << 30;
enum {
    MAX_HEADER_BYTES = 100 * 1000 * 1000,
    MAX_VALUES = 200 * 1000,
    MAX_STRING_BYTES = 16 << 20,
    MAX_DEPTH = 3, /* {"name": {"shape": [ */
    MAX_DIMS = 8,
    LENGTH_BYTES = 8,
    DATA_ALIGN = 8 /* the largest element */
};

/* Every type of the format. Some are smaller than a byte. */
static const struct {
    const char *name;
    enum hst_dtype dtype;
    unsigned bits;
} dtypes[] = {
    {"F32", HST_F32, 32},      {"F16", HST_F16, 16},      {"BF16", HST_BF16, 16},
    {"F64", HST_F64, 64},      {"I64", HST_I64, 64},      {"I32", HST_I32, 32},
    {"I16", HST_I16, 16},      {"I8", HST_I8, 8},         {"U8", HST_U8, 8},
    {"BOOL", HST_BOOL, 8},     {"U16", HST_OTHER, 16},    {"U32", HST_OTHER, 32},
    {"U64", HST_OTHER, 64},    {"C64", HST_OTHER, 64},    {"F8_E4M3", HST_OTHER, 8},
    {"F8_E5M2", HST_OTHER, 8}, {"F8_E8M0", HST_OTHER, 8}, {"F6_E2M3", HST_OTHER, 6},
    {"F6_E3M2", HST_OTHER, 6}, {"F4", HST_OTHER, 4},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

size_t hst_dtype_bytes(enum hst_dtype d)
{
    for (size_t i = 0; i < N_DTYPES && d != HST_OTHER; i++)
        if (dtypes[i].dtype == d)
            return dtypes[i].bits / 8;
    return 0;
}

const char *hst_dtype_name(enum hst_dtype d)
{
    for (size_t i = 0; i < N_DTYPES && d != HST_OTHER; i++)
        if (dtypes[i].dtype == d)
            return dtypes[i].name;
    return "OTHER";
}

struct hst_tensors {
    uint8_t *block; /* the file; once parsed, only tensor data, moved to aligned places */
    json_t *root;   /* owns the names and the metadata */
    json_t *meta;   /* borrowed from root; NULL: none */
    hst_tensor *t;  /* sorted by name */
    size_t n;
};

/* One tensor while the header is read: its range of the data. */
typedef struct entry {
    hst_tensor named;
    uint64_t begin, end;
} entry;

/* Walks the header text before a tree is made of it. Strings are skipped; what is wrong with the
 * grammar is left to the JSON reader. */
static int check_header_size(const char *s, size_t n, hst_err *err)
{
    size_t values = 1, in_string = 0;
    int depth = 0, quoted = 0;
    for (size_t i = 0; i < n; i++) {
        if (quoted) {
            if (++in_string > MAX_STRING_BYTES)
                return hst_fail(err, HST_EMODEL, "the header holds a string over %d bytes",
                                MAX_STRING_BYTES);
            quoted = s[i] != '"';
            i += s[i] == '\\';
            continue;
        }
        quoted = s[i] == '"';
        in_string = 0;
        if (s[i] == '{' || s[i] == '[')
            depth++;
        if (s[i] == '}' || s[i] == ']')
            depth--;
        values += s[i] == ',' || s[i] == '{' || s[i] == '[';
        if (depth > MAX_DEPTH)
            return hst_fail(err, HST_EMODEL, "the header is nested deeper than %d levels",
                            MAX_DEPTH);
        if (values > MAX_VALUES)
            return hst_fail(err, HST_EMODEL, "the header holds more than %d values", MAX_VALUES);
    }
    return 0;
}

/* The header as JSON; *data: where the tensors begin. */
static int read_header(hst_tensors *t, size_t n, size_t *data, hst_err *err)
{
    uint64_t length;
    if (n < LENGTH_BYTES)
        return hst_fail(err, HST_EMODEL, "is too short for a safetensors file (%zu bytes)", n);
    memcpy(&length, t->block, sizeof length);
    if (length > MAX_HEADER_BYTES)
        return hst_fail(err, HST_EMODEL,
                        "is no safetensors file: it says its header has %llu bytes, the most is %d",
                        (unsigned long long)length, MAX_HEADER_BYTES);
    if (length > n - LENGTH_BYTES)
        return hst_fail(err, HST_EMODEL,
                        "is cut off, or no safetensors file: the header has %llu bytes, the file "
                        "%zu",
                        (unsigned long long)length, n);
    const char *text = (const char *)t->block + LENGTH_BYTES;
    if (length < 2 || text[0] != '{')
        return hst_fail(err, HST_EMODEL, "the header does not begin with '{'");
    if (check_header_size(text, length, err))
        return HST_EMODEL;
    t->root = hst_json_parse(text, length, "the header", err);
    if (!t->root)
        return err ? err->code : HST_EMODEL;
    *data = LENGTH_BYTES + (size_t)length;
    return 0;
}

static int read_meta(hst_tensors *t, json_t *meta, hst_err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(meta))
        return hst_fail(err, HST_EMODEL, "__metadata__ is not an object");
    json_object_foreach(meta, key, value)
    {
        if (!json_is_string(value))
            return hst_fail(err, HST_EMODEL, "the metadata value '%.100s' is not a string", key);
    }
    t->meta = meta;
    return 0;
}

static int refuse(hst_err *err, const char *name, const char *why)
{
    return hst_fail(err, HST_EMODEL, "tensor '%.100s': %s", name, why);
}

/* A JSON number that may be a size. */
static int read_size(const json_t *j, uint64_t *out)
{
    json_int_t v = json_integer_value(j);
    if (!json_is_integer(j) || v < 0)
        return 0;
    *out = (uint64_t)v;
    return 1;
}

static int read_shape(const json_t *shape, hst_tensor *named, size_t *count, hst_err *err)
{
    if (!json_is_array(shape))
        return refuse(err, named->name, "shape is missing or not a list");
    if (json_array_size(shape) > MAX_DIMS)
        return refuse(err, named->name, "more than 8 dimensions");
    named->n_dims = (int)json_array_size(shape);
    *count = 1;
    for (int i = 0; i < named->n_dims; i++) {
        uint64_t d;
        if (!read_size(json_array_get(shape, (size_t)i), &d))
            return refuse(err, named->name, "a dimension is negative or no whole number");
        if (!hst_mul_ok(*count, d, count))
            return refuse(err, named->name, "the shape overflows");
        named->dim[i] = (int64_t)d;
    }
    return 0;
}

static int read_entry(const char *name, const json_t *j, entry *e, hst_err *err)
{
    size_t count = 0, bits, kind = 0;
    const json_t *range = json_object_get(j, "data_offsets");
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    e->named.name = name;
    if (!json_is_object(j) || !dtype)
        return refuse(err, name, "dtype is missing");
    while (kind < N_DTYPES && strcmp(dtypes[kind].name, dtype) != 0)
        kind++;
    if (kind == N_DTYPES)
        return hst_fail(err, HST_EMODEL, "tensor '%.100s': unknown dtype '%.20s'", name, dtype);
    e->named.dtype = dtypes[kind].dtype;
    if (read_shape(json_object_get(j, "shape"), &e->named, &count, err))
        return HST_EMODEL;
    if (json_array_size(range) != 2 || !read_size(json_array_get(range, 0), &e->begin) ||
        !read_size(json_array_get(range, 1), &e->end) || e->end < e->begin)
        return refuse(err, name, "data_offsets is not a range");
    e->named.n_bytes = (size_t)(e->end - e->begin);
    if (!hst_mul_ok(count, dtypes[kind].bits, &bits))
        return refuse(err, name, "the shape overflows");
    if (bits % 8 || bits / 8 != e->named.n_bytes)
        return hst_fail(err, HST_EMODEL,
                        "tensor '%.100s': its shape needs %zu bytes, its data_offsets give %zu",
                        name, bits / 8, e->named.n_bytes);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->named.name, y->named.name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hst_tensor *)a)->name, ((const hst_tensor *)b)->name);
}

/* The ranges, sorted by begin, must cover 0 .. n_data without holes or overlaps. */
static int check_ranges(const entry *e, size_t n, size_t n_data, hst_err *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].begin != at)
            return hst_fail(err, HST_EMODEL,
                            "tensor '%.100s': %s (its data begins at byte %llu, expected %llu)",
                            e[i].named.name, e[i].begin < at ? "overlaps another" : "a hole before",
                            (unsigned long long)e[i].begin, (unsigned long long)at);
        at = e[i].end;
    }
    if (at == n_data)
        return 0;
    return hst_fail(err, HST_EMODEL, "%s: the tensors need %llu bytes of data, the file has %zu",
                    at > n_data ? "is cut off" : "has bytes left over", (unsigned long long)at,
                    n_data);
}

/* Moves the data down over the header, each tensor to an aligned place. There is always room: the
 * header says more than DATA_ALIGN bytes about each tensor, and the tensors lie in order. */
static void align_data(hst_tensors *t, entry *e, size_t data)
{
    size_t at = 0;
    for (size_t i = 0; i < t->n; i++) {
        memmove(t->block + at, t->block + data + e[i].begin, e[i].named.n_bytes);
        e[i].named.data = t->block + at;
        t->t[i] = e[i].named;
        at += hst_round_up(e[i].named.n_bytes, DATA_ALIGN);
    }
    qsort(t->t, t->n, sizeof *t->t, by_name);
}

static int read_entries(hst_tensors *t, entry *e, hst_err *err)
{
    const char *name;
    json_t *value;
    int rc = 0;
    json_object_foreach(t->root, name, value)
    {
        rc = strcmp(name, "__metadata__") == 0 ? read_meta(t, value, err)
                                               : read_entry(name, value, &e[t->n++], err);
        if (rc)
            return rc;
    }
    return 0;
}

/* Takes block, which it frees on failure. */
static hst_tensors *open_block(uint8_t *block, size_t n, hst_err *err)
{
    entry *e = NULL;
    size_t data = 0;
    int rc = HST_EMEM;
    hst_tensors *t = hst_alloc(1, sizeof *t, err);
    if (!t) {
        free(block);
        return NULL;
    }
    t->block = block;
    rc = read_header(t, n, &data, err);
    if (rc)
        goto out;
    rc = HST_EMEM;
    e = hst_alloc(json_object_size(t->root), sizeof *e, err);
    t->t = e ? hst_alloc(json_object_size(t->root), sizeof *t->t, err) : NULL;
    if (!t->t)
        goto out;
    rc = read_entries(t, e, err);
    if (rc)
        goto out;
    qsort(e, t->n, sizeof *e, by_place);
    rc = check_ranges(e, t->n, n - data, err);
    if (rc == 0)
        align_data(t, e, data);
out:
    free(e);
    if (rc == 0)
        return t;
    hst_tensors_free(t);
    return NULL;
}

hst_tensors *hst_tensors_read(const char *path, hst_err *err)
{
    uint8_t *block = NULL;
    size_t n = 0, max = max_file_bytes < SIZE_MAX / 2 ? (size_t)max_file_bytes : SIZE_MAX / 2;
    hst_tensors *t = NULL;
    if (hst_file_read(path, max, HST_EMODEL, &block, &n, err) == 0)
        t = open_block(block, n, err);
    if (!t)
        hst_err_at(err, path);
    return t;
}

hst_tensors *hst_tensors_parse(const uint8_t *bytes, size_t n, hst_err *err)
{
    uint8_t *block = hst_alloc(n, 1, err);
    if (!block)
        return NULL;
    if (n)
        memcpy(block, bytes, n);
    return open_block(block, n, err);
}

void hst_tensors_drop_data(hst_tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->t[i].data = NULL;
    free(t->block);
    t->block = NULL;
}

void hst_tensors_free(hst_tensors *t)
{
    if (!t)
        return;
    json_decref(t->root);
    free(t->t);
    free(t->block);
    free(t);
}

size_t hst_tensors_count(const hst_tensors *t)
{
    return t->n;
}

const hst_tensor *hst_tensors_at(const hst_tensors *t, size_t i)
{
    return i < t->n ? &t->t[i] : NULL;
}

const hst_tensor *hst_tensors_find(const hst_tensors *t, const char *name)
{
    hst_tensor key = {.name = name};
    return t->n ? bsearch(&key, t->t, t->n, sizeof *t->t, by_name) : NULL;
}

const char *hst_tensors_meta(const hst_tensors *t, const char *key)
{
    return json_string_value(json_object_get(t->meta, key));
}

const char *hst_tensors_meta_next(const hst_tensors *t, const char *key)
{
    void *at = key ? json_object_iter_at(t->meta, key) : NULL;
    at = key ? json_object_iter_next(t->meta, at) : json_object_iter(t->meta);
    return at ? json_object_iter_key(at) : NULL;
}

size_t hst_tensor_count(const hst_tensor *n)
{
    size_t count = 1;
    for (int i = 0; i < n->n_dims; i++)
        count *= (size_t)n->dim[i];
    return count;
}

/* IEEE 754 binary16 -> binary32, exact: 5 exponent bits with bias 15 become 8 with bias 127. */
static float from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
    float f;
    if (exponent == 0) { /* zero and subnormal: fraction * 2^-24 */
        f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    uint32_t wide = exponent == 31 ? 255 : exponent + (127 - 15);
    uint32_t bits = sign | wide << 23 | fraction << 13;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* bfloat16 is the upper half of a binary32. */
static float from_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

int hst_tensor_floats(const hst_tensor *n, float *out, hst_err *err)
{
    size_t count = hst_tensor_count(n);
    const uint16_t *half = n->data;
    const double *wide = n->data;
    switch (n->dtype) {
    case HST_F32:
        if (count)
            memcpy(out, n->data, count * sizeof *out);
        return 0;
    case HST_F16:
        for (size_t i = 0; i < count; i++)
            out[i] = from_f16(half[i]);
        return 0;
    case HST_BF16:
        for (size_t i = 0; i < count; i++)
            out[i] = from_bf16(half[i]);
        return 0;
    case HST_F64:
        for (size_t i = 0; i < count; i++)
            out[i] = (float)wide[i];
        return 0;
    default:
        return hst_fail(err, HST_EMODEL, "tensor '%.100s' has type %s, expected floating point",
                        n->name, hst_dtype_name(n->dtype));
    }
}
