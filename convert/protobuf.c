#include "protobuf.h"

#include <string.h>

static int damaged(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the Protocol Buffers message is damaged: %s", why);
}

int pb_varint(bytes *m, uint64_t *v, hst_err *err)
{
    if (m->n == 0)
        return 0;
    *v = 0;
    for (size_t i = 0; i < 10; i++) {
        if (i == m->n)
            return damaged(err, "it ends inside a number");
        uint64_t part = m->p[i] & 0x7f;
        if (i == 9 && part > 1)
            break;
        *v |= part << (7 * i);
        if (m->p[i] < 0x80) {
            m->p += i + 1;
            m->n -= i + 1;
            return 1;
        }
    }
    return damaged(err, "a number has more than 64 bits");
}

static int take(bytes *m, size_t n, bytes *out, hst_err *err)
{
    if (n > m->n)
        return damaged(err, "a field is longer than what holds it (is the file cut off?)");
    *out = (bytes){m->p, n};
    m->p += n;
    m->n -= n;
    return 1;
}

int pb_next(bytes *m, pb_field *f, hst_err *err)
{
    uint64_t key, n;
    *f = (pb_field){0};
    int rc = pb_varint(m, &key, err);
    if (rc != 1)
        return rc;
    if (key >> 3 == 0 || key >> 3 > (1u << 29) - 1)
        return damaged(err, "a field has an impossible number");
    f->number = (uint32_t)(key >> 3);
    f->wire = (enum pb_wire)(key & 7);
    switch (f->wire) {
    case PB_VARINT:
        rc = pb_varint(m, &f->v, err);
        return rc ? rc : damaged(err, "it ends inside a field");
    case PB_FIXED64:
        rc = take(m, 8, &f->b, err);
        f->v = rc == 1 ? le64(f->b.p) : 0;
        return rc;
    case PB_FIXED32:
        rc = take(m, 4, &f->b, err);
        f->v = rc == 1 ? le32(f->b.p) : 0;
        return rc;
    case PB_BYTES:
        rc = pb_varint(m, &n, err);
        if (rc == 0)
            return damaged(err, "it ends inside a field");
        if (rc != 1)
            return rc;
        return take(m, n > SIZE_MAX ? SIZE_MAX : (size_t)n, &f->b, err);
    default:
        return damaged(err, "a field has an unknown wire type");
    }
}

int pb_entry(bytes m, pb_field *key, pb_field *value, hst_err *err)
{
    enum { KEY = 1, VALUE = 2 };
    pb_field f;
    int rc;
    *key = *value = (pb_field){0};
    while ((rc = pb_next(&m, &f, err)) == 1)
        if (f.number == KEY && f.wire == PB_BYTES)
            *key = f;
        else if (f.number == VALUE && f.wire == PB_BYTES)
            *value = f;
    return rc;
}

int pb_is(const pb_field *f, const char *text)
{
    return f->wire == PB_BYTES && f->b.n == strlen(text) && memcmp(f->b.p, text, f->b.n) == 0;
}
