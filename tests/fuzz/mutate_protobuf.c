/* Protocol Buffers without a schema: a field of bytes that reads as fields is a message. */
#include "mutate.h"

#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 1024, MAX_DEPTH = 16 };

typedef struct field {
    size_t at, value, body, end; /* of the key, of the number or length, of what is behind that */
    int parent;                  /* -1: the file */
    unsigned wire;
} field;

typedef struct tree {
    field f[MAX_FIELDS];
    int n;
} tree;

/* The fields of a stretch; 0: it is no message. */
static int parse(const mutant *m, tree *t, bytes in, int parent, int depth)
{
    int first = t->n;
    while (in.n && t->n < MAX_FIELDS) {
        field f = {.at = (size_t)(in.p - m->p), .parent = parent};
        uint64_t key;
        pb_field v;
        bytes rest = in;
        if (pb_varint(&rest, &key, NULL) != 1 || pb_next(&in, &v, NULL) != 1) {
            if (parent >= 0)
                t->n = first;
            return 0;
        }
        f.wire = v.wire;
        f.value = (size_t)(rest.p - m->p);
        f.end = (size_t)(in.p - m->p);
        f.body = v.wire == PB_BYTES ? f.end - v.b.n : f.value;
        int me = t->n++;
        t->f[me] = f;
        if (v.wire == PB_BYTES && v.b.n && depth < MAX_DEPTH)
            (void)parse(m, t, v.b, me, depth + 1);
    }
    return 1;
}

static size_t put_varint(uint8_t out[10], uint64_t v)
{
    size_t n = 0;
    for (; v > 127; v >>= 7)
        out[n++] = (uint8_t)(v & 127) | 128;
    out[n++] = (uint8_t)v;
    return n;
}

/* Replaces bytes inside field `in`, and mends the lengths around them from the inside out. */
static void replace(mutant *m, const tree *t, int in, size_t at, size_t cut, bytes add)
{
    uint8_t length[10];
    if (!mutate_splice(m, at, cut, add.p, add.n) || mutate_below(m, 8) == 0)
        return;
    size_t delta = add.n - cut; /* modulo 2^64, as all of these sums */
    for (; in >= 0; in = t->f[in].parent) {
        const field *f = &t->f[in];
        size_t width = f->body - f->value, n = put_varint(length, f->end - f->body + delta);
        if (!mutate_splice(m, f->value, width, length, n))
            return;
        delta += n - width;
    }
}

static void change_value(mutant *m, const tree *t, const field *f)
{
    uint8_t v[10];
    bytes old = {m->p + f->value, f->end - f->value};
    uint64_t was = 0;
    if (f->wire == PB_FIXED32 || f->wire == PB_FIXED64) {
        unsigned width = (unsigned)(f->end - f->value);
        mutate_put(m->p + f->value, width, mutate_number(m, mutate_get(m->p + f->value, width)));
        return;
    }
    if (pb_varint(&old, &was, NULL) != 1)
        return;
    size_t cut = f->wire == PB_BYTES ? f->body - f->value : f->end - f->value;
    replace(m, t, f->parent, f->value, cut, (bytes){v, put_varint(v, mutate_number(m, was))});
}

static void change_key(mutant *m, const tree *t, const field *f)
{
    uint8_t v[10];
    uint64_t key = 0;
    bytes old = {m->p + f->at, f->value - f->at};
    if (pb_varint(&old, &key, NULL) != 1)
        return;
    if (mutate_below(m, 2))
        key = (key & ~7ull) | mutate_below(m, 8);
    else
        key = (uint64_t)(1 + mutate_below(m, 20)) << 3 | (key & 7);
    replace(m, t, f->parent, f->at, f->value - f->at, (bytes){v, put_varint(v, key)});
}

/* Cuts what a field of bytes holds, or lets it hold some of what is behind it, or of itself. */
static void change_length(mutant *m, const tree *t, int i)
{
    const field *f = &t->f[i];
    size_t n = f->end - f->body, part = mutate_below(m, n + 1);
    if (f->wire != PB_BYTES)
        return;
    if (mutate_below(m, 2))
        replace(m, t, i, f->end - part, part, (bytes){0});
    else
        replace(m, t, i, f->end, 0, (bytes){m->p + f->body, part});
}

void mutate_protobuf(mutant *m)
{
    tree *t = malloc(sizeof *t);
    if (!t)
        abort();
    t->n = 0;
    (void)parse(m, t, (bytes){m->p, m->n}, -1, 0);
    if (t->n == 0) {
        free(t);
        return;
    }
    int i = (int)mutate_below(m, (size_t)t->n);
    const field *f = &t->f[i], *to = &t->f[mutate_below(m, (size_t)t->n)];
    bytes whole = {m->p + f->at, f->end - f->at};
    switch (mutate_below(m, 9)) {
    case 0:
        change_key(m, t, f);
        break;
    case 1:
        replace(m, t, f->parent, f->at, whole.n, (bytes){0});
        break;
    case 2: /* twice, in another message too */
        replace(m, t, to->parent, to->at, 0, whole);
        break;
    case 3: /* in the place of another */
        replace(m, t, to->parent, to->at, to->end - to->at, whole);
        break;
    case 4: /* a message in itself */
        if (f->parent >= 0)
            replace(m, t, i, f->body, 0,
                    (bytes){m->p + t->f[f->parent].at, t->f[f->parent].end - t->f[f->parent].at});
        break;
    case 5:
        change_length(m, t, i);
        break;
    default:
        change_value(m, t, f);
    }
    free(t);
}
