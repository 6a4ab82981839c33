/* FlatBuffers without a schema. A table begins with the distance back to its vtable, which holds
 * two sizes and where each field is; a field that leads to what looks like a table or a vector is
 * taken for its offset. Fields found get other values, offsets also lead to another's target. */
#include "mutate.h"

#include <stdlib.h>

enum { MAX_SPOTS = 16384, MAX_PLACES = 4096, MAX_DEPTH = 12, MAX_ELEMENTS = 256 };

typedef struct spot {
    size_t at;
    unsigned width;
    int offset; /* 1: from here on to a place */
} spot;

typedef struct map {
    spot spot[MAX_SPOTS];
    size_t n;
    size_t place[MAX_PLACES], n_places;
} map;

static void add(map *o, size_t at, unsigned width, int offset)
{
    if (o->n < MAX_SPOTS)
        o->spot[o->n++] = (spot){at, width, offset};
}

/* 1 when nobody was there before. */
static int arrive(map *o, size_t at)
{
    for (size_t i = 0; i < o->n_places; i++)
        if (o->place[i] == at)
            return 0;
    if (o->n_places == MAX_PLACES)
        return 0;
    o->place[o->n_places++] = at;
    return 1;
}

/* The vtable of what may be a table at `at`; 0: it is none. */
static size_t vtable(const mutant *m, size_t at)
{
    if (at % 4 || at + 4 > m->n)
        return 0;
    const size_t v = at - (size_t)(int64_t)(int32_t)mutate_get(m->p + at, 4);
    if (v % 2 || v == at || v > m->n || m->n - v < 4)
        return 0;
    const uint64_t own = mutate_get(m->p + v, 2), table = mutate_get(m->p + v + 2, 2);
    return own >= 4 && own % 2 == 0 && own <= 128 && own <= m->n - v && table >= 4 &&
                   table <= 512 && table <= m->n - at
               ? v
               : 0;
}

static void table(const mutant *m, map *o, size_t at, int depth);

/* What the u32 at `at` leads to, if it looks like something. */
static void follow(const mutant *m, map *o, size_t at, int depth)
{
    const uint64_t by = at + 4 <= m->n ? mutate_get(m->p + at, 4) : 0;
    if (by < 4 || by > m->n - at || m->n - at - by < 4) {
        add(o, at, 4, 0);
        return;
    }
    const size_t to = at + (size_t)by;
    add(o, at, 4, 1);
    if (depth == MAX_DEPTH || !arrive(o, to))
        return;
    if (vtable(m, to)) {
        table(m, o, to, depth + 1);
        return;
    }
    const uint64_t n = mutate_get(m->p + to, 4); /* a vector, or a text */
    add(o, to, 4, 0);
    for (uint64_t i = 0; i < n && i < MAX_ELEMENTS && to + 8 + 4 * i <= m->n; i++) {
        const size_t element = to + 4 + 4 * (size_t)i;
        const uint64_t next = mutate_get(m->p + element, 4);
        if (next < m->n - element && vtable(m, element + (size_t)next))
            follow(m, o, element, depth + 1);
        else
            add(o, element, 4, 0);
    }
}

static void table(const mutant *m, map *o, size_t at, int depth)
{
    const size_t v = vtable(m, at);
    const uint64_t own = mutate_get(m->p + v, 2), size = mutate_get(m->p + v + 2, 2);
    add(o, at, 4, 0);
    for (size_t i = 0; i < own; i += 2)
        add(o, v + i, 2, 0);
    for (size_t i = 4; i < own; i += 2) {
        const uint64_t field = mutate_get(m->p + v + i, 2);
        if (field >= 4 && field + 4 <= size)
            follow(m, o, at + (size_t)field, depth);
        else if (field >= 4 && field < size)
            add(o, at + (size_t)field, 1, 0);
    }
}

void mutate_flatbuffer(mutant *m)
{
    map *o = malloc(sizeof *o);
    if (!o)
        abort();
    o->n = o->n_places = 0;
    if (m->n >= 8)
        follow(m, o, 0, 0);
    if (o->n) {
        const spot *s = &o->spot[mutate_below(m, o->n)];
        uint64_t now = mutate_number(m, mutate_get(m->p + s->at, s->width));
        if (s->offset && mutate_below(m, 2))
            now = o->place[mutate_below(m, o->n_places)] - s->at;
        mutate_put(m->p + s->at, s->width, now);
    }
    free(o);
}
