/* hdf5_data.c - what an HDF5 object holds: shapes, types, attributes, numbers. */
#include "hdf5.h"

#include <string.h>
#include <zlib.h>

/* ---- shape and type ---- */

int h5_read_space(const uint8_t *p, uint64_t n, h5_space *out, hst_err *err)
{
    static const char wrong[] = "a shape is described wrongly";
    *out = (h5_space){.count = 1};
    if (n < 4 || (p[0] != 1 && p[0] != 2))
        return h5_refuse(err, wrong);
    uint64_t at = p[0] == 1 ? 8 : 4;
    out->n_dims = p[1];
    out->is_null = p[0] == 2 && p[3] == 2;
    if (out->n_dims > H5_MAX_DIMS || n < at + 8 * (uint64_t)out->n_dims)
        return h5_refuse(err, wrong);
    for (int i = 0; i < out->n_dims; i++) {
        out->dim[i] = h5_int(p + at + 8 * i, 8);
        if (out->dim[i] > INT64_MAX || __builtin_mul_overflow(out->count, out->dim[i], &out->count))
            return h5_refuse(err, "a shape is larger than any file");
    }
    if (out->is_null)
        out->count = 0;
    return 0;
}

/* IEEE numbers and two's complement, little endian, without padding; HST_OTHER: another kind. */
static enum hst_dtype number_type(const uint8_t *p, uint64_t n)
{
    static const struct {
        uint8_t size, exponent_at, exponent, mantissa;
        uint32_t bias;
        enum hst_dtype dtype;
    } floats[] = {
        {2, 10, 5, 10, 15, HST_F16}, {4, 23, 8, 23, 127, HST_F32}, {8, 52, 11, 52, 1023, HST_F64}};
    uint64_t size = h5_int(p + 4, 4);
    if ((p[0] & 15) == H5_FLOAT && n >= 20 && !(p[1] & 0x41))
        for (int i = 0; i < 3; i++)
            if (size == floats[i].size && h5_int(p + 8, 2) == 0 && h5_int(p + 10, 2) == size * 8 &&
                p[12] == floats[i].exponent_at && p[13] == floats[i].exponent && p[14] == 0 &&
                p[15] == floats[i].mantissa && h5_int(p + 16, 4) == floats[i].bias)
                return floats[i].dtype;
    if ((p[0] & 15) != H5_INTEGER || n < 12 || (p[1] & 1) || h5_int(p + 8, 2) != 0 ||
        h5_int(p + 10, 2) != size * 8)
        return HST_OTHER;
    if (!(p[1] & 8))
        return size == 1 ? HST_U8 : HST_OTHER;
    return size == 1   ? HST_I8
           : size == 2 ? HST_I16
           : size == 4 ? HST_I32
           : size == 8 ? HST_I64
                       : HST_OTHER;
}

int h5_read_type(const uint8_t *p, uint64_t n, h5_type *out, hst_err *err)
{
    enum { VLEN_TEXT = 1 };
    if (n < 8 || p[0] >> 4 < 1 || p[0] >> 4 > 3)
        return h5_refuse(err, "a type is described wrongly");
    *out = (h5_type){.class = p[0] & 15, .size = (uint32_t)h5_int(p + 4, 4), .dtype = HST_OTHER};
    out->dtype = number_type(p, n);
    out->is_text = out->class == H5_STRING || (out->class == H5_VLEN && (p[1] & 15) == VLEN_TEXT);
    if (out->size == 0)
        return h5_refuse(err, "a type has no size");
    return 0;
}

/* ---- attributes ---- */

/* III.E: the global heap. Length and place of a text of variable length, from its length, the
 * address of a collection and its number there. */
static int find_text(h5 *f, const uint8_t *ref, const uint8_t **text, uint64_t *n, hst_err *err)
{
    enum { HEAD = 16 };
    uint64_t at = h5_int(ref + 4, 8), index = h5_int(ref + 12, 4);
    *n = h5_int(ref, 4);
    *text = f->p;
    if (*n == 0)
        return 0;
    const uint8_t *p = h5_at(f, at, HEAD);
    uint64_t size = p ? h5_int(p + 8, 8) : 0;
    if (!p || memcmp(p, "GCOL", 4) != 0 || !h5_at(f, at, size))
        return h5_refuse(err, "a collection of texts is missing or cut off");
    for (uint64_t i = HEAD; i <= size && size - i >= HEAD;) {
        uint64_t number = h5_int(p + i, 2), bytes = h5_int(p + i + 8, 8), left = size - i - HEAD;
        int rc = h5_step(f, 1, err);
        if (rc)
            return rc;
        if (number == 0 || bytes > left)
            break; /* number 0 is the free space at the end */
        if (number == index && *n <= bytes) {
            *text = p + i + HEAD;
            return 0;
        }
        i += HEAD + (bytes + 7) / 8 * 8;
    }
    return h5_refuse(err, "a text is not in its collection");
}

static int read_texts(h5 *f, const h5_type *t, uint64_t count, const uint8_t *p, h5_texts *out,
                      hst_err *err)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(count, sizeof *out->text, &bytes))
        return h5_refuse(err, "a shape is larger than any file");
    out->text = h5_alloc(f, bytes, err);
    if (!out->text)
        return err->code;
    for (; out->n < count; out->n++) {
        const uint8_t *text = p + out->n * t->size;
        uint64_t n = t->size;
        int rc = t->class == H5_VLEN ? find_text(f, text, &text, &n, err) : h5_step(f, 1, err);
        char *copy = rc ? NULL : h5_alloc(f, n + 1, err);
        if (!copy)
            return rc ? rc : err->code;
        memcpy(copy, text, (size_t)n); /* up to the first NUL, where there is one */
        out->text[out->n] = copy;
    }
    return 0;
}

/* IV.A.2.m. Version 1 pads name, type and shape to 8 bytes each; version 3 has a byte more. */
typedef struct attribute {
    const uint8_t *name, *type, *space, *data;
    uint64_t n_name, n_type, n_space, n_data;
} attribute;

static int split_attribute(const h5_message *m, attribute *a, hst_err *err)
{
    static const char wrong[] = "an attribute is described wrongly";
    if (m->shared || m->n < 8 || m->p[0] < 1 || m->p[0] > 3)
        return h5_refuse(err, wrong);
    if (m->p[0] > 1 && m->p[1])
        return h5_refuse(err, "an attribute has a type that lies elsewhere");
    uint64_t pad = m->p[0] == 1 ? 7 : 0, at = m->p[0] == 3 ? 9 : 8;
    a->n_name = h5_int(m->p + 2, 2);
    a->n_type = h5_int(m->p + 4, 2);
    a->n_space = h5_int(m->p + 6, 2);
    uint64_t name = (a->n_name + pad) & ~pad, type = (a->n_type + pad) & ~pad;
    uint64_t space = (a->n_space + pad) & ~pad;
    if (m->n < at + name + type + space)
        return h5_refuse(err, wrong);
    a->name = m->p + at;
    a->type = a->name + name;
    a->space = a->type + type;
    a->data = a->space + space;
    a->n_data = m->n - at - name - type - space;
    return 0;
}

typedef struct wanted {
    const char *name;
    h5_texts *out;
} wanted;

/* IV.A.2.v: attribute info; IV.A.2.m: attribute. */
static int see_attribute(h5 *f, void *to, const h5_message *m, hst_err *err)
{
    wanted *w = to;
    attribute a = {0};
    h5_type type;
    h5_space space;
    uint64_t bytes;
    if (m->type == H5_ATTRIBUTE_INFO && m->n >= 18) {
        uint64_t at = m->p[1] & 1 ? 4 : 2;
        if (m->n < at + 8 || h5_int(m->p + at, 8) != UINT64_MAX)
            return h5_refuse(err, "attributes are kept in a fractal heap");
    }
    if (m->type != H5_ATTRIBUTE)
        return 0;
    int rc = split_attribute(m, &a, err);
    size_t n = strlen(w->name) + 1;
    if (rc || a.n_name != n || memcmp(a.name, w->name, n) != 0)
        return rc;
    rc = h5_read_type(a.type, a.n_type, &type, err);
    rc = rc ? rc : h5_read_space(a.space, a.n_space, &space, err);
    if (rc)
        return rc;
    if (w->out->found)
        return h5_refuse(err, "an attribute is there twice");
    w->out->found = 1;
    if (!type.is_text)
        return space.count ? hst_fail(err, HST_EMODEL, "attribute '%s' is no text", w->name) : 0;
    if ((type.class == H5_VLEN && type.size != 16) ||
        __builtin_mul_overflow(space.count, (uint64_t)type.size, &bytes) || bytes > a.n_data)
        return h5_refuse(err, "an attribute is cut off");
    return read_texts(f, &type, space.count, a.data, w->out, err);
}

int h5_attribute(h5 *f, uint64_t object, const char *name, h5_texts *out, hst_err *err)
{
    wanted w = {name, out};
    *out = (h5_texts){0};
    return h5_visit(f, object, see_attribute, &w, err);
}

/* ---- data ---- */

enum { MAX_FILTERS = 4, DEFLATE = 1, SHUFFLE = 2, FLETCHER = 3 };
enum layout_class { COMPACT, CONTIGUOUS, CHUNKED };

/* A data set as its header describes it. */
typedef struct dataset {
    int has_space, has_type, has_layout;
    h5_space space;
    h5_type type;
    enum layout_class layout;
    uint64_t at, n; /* contiguous: where, bytes; chunked: the tree */
    const uint8_t *compact;
    uint64_t chunk[H5_MAX_DIMS];
    int n_filters, filter[MAX_FILTERS];
} dataset;

/* IV.A.2.i: versions 3 and 4. */
static int see_layout(dataset *d, const h5_message *m, hst_err *err)
{
    static const char wrong[] = "a data set's layout is of a kind that is not read here";
    if (m->n < 4 || (m->p[0] != 3 && m->p[0] != 4) || m->p[1] > CHUNKED ||
        (m->p[0] == 4 && m->p[1] == CHUNKED))
        return h5_refuse(err,
                         m->n >= 4 && m->p[1] == 3 ? "a data set is a view of other files" : wrong);
    d->layout = m->p[1];
    d->has_layout = 1;
    if (d->layout == COMPACT) {
        d->n = h5_int(m->p + 2, 2);
        d->compact = m->p + 4;
        return d->n <= m->n - 4 ? 0 : h5_refuse(err, wrong);
    }
    if (d->layout == CONTIGUOUS) {
        if (m->n < 18)
            return h5_refuse(err, wrong);
        d->at = h5_int(m->p + 2, 8);
        d->n = h5_int(m->p + 10, 8);
        return 0;
    }
    int n = m->p[2] - 1; /* the last one is the element's size */
    if (n < 1 || n > H5_MAX_DIMS || m->n < 11 + 4 * ((uint64_t)n + 1))
        return h5_refuse(err, wrong);
    d->at = h5_int(m->p + 3, 8);
    d->n = (uint64_t)n;
    for (int i = 0; i < n; i++)
        d->chunk[i] = h5_int(m->p + 11 + 4 * i, 4);
    return 0;
}

/* IV.A.2.l: versions 1 and 2. */
static int see_filters(dataset *d, const h5_message *m, hst_err *err)
{
    static const char wrong[] = "a data set is packed in a way that is not read here";
    if (m->n < 2 || (m->p[0] != 1 && m->p[0] != 2) || m->p[1] > MAX_FILTERS)
        return h5_refuse(err, wrong);
    int v1 = m->p[0] == 1;
    uint64_t at = v1 ? 8 : 2;
    d->n_filters = m->p[1];
    for (int i = 0; i < d->n_filters; i++) {
        uint64_t head = v1 ? 8 : 6, name = 0;
        if (at > m->n || m->n - at < head)
            return h5_refuse(err, wrong);
        d->filter[i] = (int)h5_int(m->p + at, 2);
        if (d->filter[i] < DEFLATE || d->filter[i] > FLETCHER)
            return h5_refuse(err, wrong);
        if (v1)
            name = (h5_int(m->p + at + 2, 2) + 7) / 8 * 8;
        uint64_t values = h5_int(m->p + at + head - 2, 2);
        at += head + name + 4 * (values + (v1 ? values & 1 : 0));
    }
    return 0;
}

static int see_dataset(h5 *f, void *to, const h5_message *m, hst_err *err)
{
    dataset *d = to;
    (void)f;
    if (m->shared && (m->type == H5_DATATYPE || m->type == H5_DATASPACE))
        return h5_refuse(err, "a data set has a type that lies elsewhere");
    switch (m->type) {
    case H5_DATASPACE:
        d->has_space = 1;
        return h5_read_space(m->p, m->n, &d->space, err);
    case H5_DATATYPE:
        d->has_type = 1;
        return h5_read_type(m->p, m->n, &d->type, err);
    case H5_EXTERNAL:
        return h5_refuse(err, "a data set lies in another file");
    case H5_LAYOUT:
        return see_layout(d, m, err);
    case H5_FILTERS:
        return see_filters(d, m, err);
    default:
        return 0;
    }
}

/* ---- chunks ---- */

/* A chunked data set being put together. */
typedef struct puzzle {
    const dataset *d;
    uint8_t *out;
    uint8_t *work[2]; /* chunk_bytes each */
    uint64_t chunk_bytes;
    uint64_t chunks, seen; /* how many there must be */
} puzzle;

static int inflate_chunk(const uint8_t *in, uint64_t n, uint8_t *out, uint64_t *n_out)
{
    z_stream z = {0};
    if (n > UINT32_MAX || *n_out > UINT32_MAX || inflateInit(&z) != Z_OK)
        return 0;
    z.next_in = (uint8_t *)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)*n_out;
    int end = inflate(&z, Z_FINISH);
    *n_out -= z.avail_out;
    inflateEnd(&z);
    return end == Z_STREAM_END;
}

/* Shuffled: the first bytes of all elements, then the second ones... */
static void unshuffle(const uint8_t *in, uint64_t n, uint32_t size, uint8_t *out)
{
    uint64_t count = n / size;
    for (uint64_t i = 0; i < count; i++)
        for (uint32_t b = 0; b < size; b++)
            out[i * size + b] = in[b * count + i];
}

/* Undoes the filters, the last one first. NULL: the chunk is damaged. */
static const uint8_t *unpack_chunk(puzzle *z, const uint8_t *p, uint64_t n, uint64_t mask)
{
    int side = 0;
    for (int i = z->d->n_filters; i-- > 0;) {
        if (mask >> i & 1)
            continue; /* left out for this chunk */
        uint8_t *out = z->work[side];
        uint64_t got = z->chunk_bytes;
        if (z->d->filter[i] == FLETCHER) {
            n = n >= 4 ? n - 4 : 0;
            continue;
        }
        if (z->d->filter[i] == DEFLATE && !inflate_chunk(p, n, out, &got))
            return NULL;
        if (z->d->filter[i] == SHUFFLE) {
            if (n != z->chunk_bytes)
                return NULL;
            unshuffle(p, n, z->d->type.size, out);
        }
        p = out;
        n = got;
        side = !side;
    }
    return n == z->chunk_bytes ? p : NULL;
}

/* Copies a chunk, whose first element is at[], to its place; the part beyond the edge is cut. */
static void place_chunk(const puzzle *z, const uint8_t *p, const uint64_t at[H5_MAX_DIMS])
{
    const dataset *d = z->d;
    int n = d->space.n_dims, last = n - 1;
    uint64_t index[H5_MAX_DIMS] = {0}, size = d->type.size;
    uint64_t row = d->chunk[last], room = d->space.dim[last] - at[last];
    for (uint64_t done = 0; done < z->chunk_bytes; done += row * size) {
        uint64_t to = 0;
        int inside = 1;
        for (int i = 0; i < n; i++) {
            to = to * d->space.dim[i] + at[i] + index[i];
            inside &= at[i] + index[i] < d->space.dim[i];
        }
        if (inside)
            memcpy(z->out + to * size, p + done, (size_t)((row < room ? row : room) * size));
        for (int i = last; i-- > 0;) {
            if (++index[i] < d->chunk[i])
                break;
            index[i] = 0;
        }
    }
}

static int read_chunk(h5 *f, puzzle *z, const uint8_t *key, uint64_t at, hst_err *err)
{
    const dataset *d = z->d;
    uint64_t place[H5_MAX_DIMS] = {0}, n = h5_int(key, 4);
    const uint8_t *p = h5_at(f, at, n);
    for (int i = 0; i < d->space.n_dims; i++) {
        place[i] = h5_int(key + 8 + 8 * i, 8);
        if (place[i] >= d->space.dim[i] || place[i] % d->chunk[i])
            return h5_refuse(err, "a chunk lies outside its data set");
    }
    p = p ? unpack_chunk(z, p, n, h5_int(key + 4, 4)) : NULL;
    if (!p)
        return h5_refuse(err, "a chunk is damaged or too long");
    if (++z->seen > z->chunks)
        return h5_refuse(err, "a data set has chunks twice");
    place_chunk(z, p, place);
    return h5_step(f, 1 + z->chunk_bytes / 64, err);
}

/* III.A.1: the version 1 B-tree of a data set's chunks. */
static int read_chunks(h5 *f, puzzle *z, uint64_t at, int level, hst_err *err)
{
    enum { HEAD = 24, CHILD = 8, MAX_LEVEL = 16 };
    uint64_t key = 8 + 8 * ((uint64_t)z->d->space.n_dims + 1);
    const uint8_t *p = h5_at(f, at, HEAD);
    if (!p || memcmp(p, "TREE", 4) != 0 || p[4] != 1 || p[5] > MAX_LEVEL ||
        (level >= 0 && p[5] != level))
        return h5_refuse(err, "the tree of a data set is damaged, or its data was never written");
    uint64_t n = h5_int(p + 6, 2);
    const uint8_t *entry = h5_at(f, at + HEAD, n * (key + CHILD) + key);
    int rc = entry ? h5_step(f, 1 + n, err) : h5_refuse(err, "the tree of a data set is cut off");
    level = p[5];
    for (uint64_t i = 0; rc == 0 && i < n; i++, entry += key + CHILD) {
        uint64_t down = h5_int(entry + key, 8);
        rc = level ? read_chunks(f, z, down, level - 1, err) : read_chunk(f, z, entry, down, err);
    }
    return rc;
}

/* How many chunks cover the data set, and their size; 0: the numbers are wrong. */
static int measure_chunks(const dataset *d, puzzle *z)
{
    z->chunks = 1;
    z->chunk_bytes = d->type.size;
    if (d->n != (uint64_t)d->space.n_dims)
        return 0;
    for (int i = 0; i < d->space.n_dims; i++) {
        if (d->chunk[i] == 0 ||
            __builtin_mul_overflow(z->chunk_bytes, d->chunk[i], &z->chunk_bytes) ||
            __builtin_mul_overflow(
                z->chunks, d->space.dim[i] / d->chunk[i] + (d->space.dim[i] % d->chunk[i] != 0),
                &z->chunks))
            return 0;
    }
    return 1;
}

static int read_chunked(h5 *f, const dataset *d, uint64_t bytes, const void **data, hst_err *err)
{
    puzzle z = {.d = d};
    if (!measure_chunks(d, &z))
        return h5_refuse(err, "a data set's chunks are described wrongly");
    z.out = h5_alloc(f, bytes, err);
    for (int i = 0; i < 2 && z.out; i++)
        z.work[i] = h5_alloc(f, z.chunk_bytes, err);
    if (!z.out || !z.work[0] || !z.work[1])
        return err->code;
    int rc = z.chunks ? read_chunks(f, &z, d->at, -1, err) : 0;
    if (rc == 0 && z.seen != z.chunks)
        rc = h5_refuse(err, "a data set was never written");
    *data = z.out;
    return rc;
}

int h5_data(h5 *f, uint64_t object, hst_tensor *out, hst_err *err)
{
    dataset d = {0};
    uint64_t bytes;
    int rc = h5_visit(f, object, see_dataset, &d, err);
    if (rc)
        return rc;
    if (!d.has_space || !d.has_type || !d.has_layout)
        return h5_refuse(err, "something that should be a data set is none");
    if (d.type.dtype == HST_OTHER)
        return h5_refuse(err, "a data set holds no plain numbers");
    if (__builtin_mul_overflow(d.space.count, (uint64_t)d.type.size, &bytes) || bytes > SIZE_MAX)
        return h5_refuse(err, "a shape is larger than any file");
    out->dtype = d.type.dtype;
    out->n_dims = d.space.n_dims;
    for (int i = 0; i < d.space.n_dims; i++)
        out->dim[i] = (int64_t)d.space.dim[i];
    out->n_bytes = (size_t)bytes;
    if (d.layout == CHUNKED)
        return read_chunked(f, &d, bytes, &out->data, err);
    out->data = d.layout == COMPACT ? d.compact : bytes ? h5_at(f, d.at, bytes) : f->p;
    if (d.n_filters || !out->data || (bytes && d.n != bytes))
        return h5_refuse(err, "a data set was never written, or leads out of the file");
    return 0;
}
