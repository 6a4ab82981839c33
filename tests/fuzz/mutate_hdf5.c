/* HDF5 by its signatures: every structure begins at a multiple of 8 bytes. What is found are
 * fields, which get other values, and the addresses of structures, which fields of addresses get:
 * their own (a cycle), another's, one out of the file. */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SPOTS = 16384, MAX_PLACES = 1024 };

typedef struct spot {
    size_t at;
    unsigned width;
    int address;
} spot;

typedef struct map {
    spot spot[MAX_SPOTS];
    size_t n;
    size_t place[MAX_PLACES], n_places;
    size_t message[MAX_PLACES], n_messages; /* of version 1 */
} map;

static void add(const mutant *m, map *o, size_t at, unsigned width, int address)
{
    if (o->n < MAX_SPOTS && at <= m->n && width <= m->n - at)
        o->spot[o->n++] = (spot){at, width, address};
}

/* Fields by their widths, as digits; 'a' is an address, '.' a byte to be left alone. */
static size_t add_all(const mutant *m, map *o, size_t at, const char *widths)
{
    for (; *widths; widths++) {
        unsigned width = *widths == 'a' ? 8 : *widths == '.' ? 1 : (unsigned)(*widths - '0');
        if (*widths != '.')
            add(m, o, at, width, *widths == 'a');
        at += width;
    }
    return at;
}

static void repeat(const mutant *m, map *o, size_t at, const char *widths, uint64_t times)
{
    for (uint64_t i = 0; i < times && i < 64 && at < m->n; i++)
        at = add_all(m, o, at, widths);
}

/* The body of a message: what it begins with, then what there is as often as there is room. */
static void add_message(const mutant *m, map *o, unsigned type, size_t at, size_t n)
{
    static const struct {
        unsigned type;
        const char *head, *rest;
    } known[] = {
        {1, "111.4", "8"}, {2, "11aa", ""},      {3, "11112222", "4"}, {5, "1111", "4"},
        {6, "111", "1"},   {8, "11122288", "4"}, {11, "112222", "22"}, {12, "11222", "1"},
        {16, "a8", ""},    {17, "aa", ""},       {18, "1..4", ""},     {21, "112aa", ""},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type) {
            size_t from = add_all(m, o, at, known[i].head);
            size_t step = known[i].rest[0] ? (size_t)(known[i].rest[0] - '0') : 1;
            if (known[i].rest[0] && from < at + n)
                repeat(m, o, from, known[i].rest, (at + n - from) / step);
        }
    if (type == 8 && n >= 18 && m->p[at] == 3) /* version 3, where its addresses are */
        add(m, o, at + (m->p[at + 1] == 1 ? 2 : 3), 8, 1);
}

/* A header of version 1: u8 version, 0, u16 messages, u32 links, u32 bytes, 0. */
static int add_header(const mutant *m, map *o, size_t at)
{
    const uint8_t *p = m->p + at;
    uint64_t n = m->n - at < 16 ? 0 : mutate_get(p + 8, 4);
    if (m->n - at < 16 || p[0] != 1 || p[1] || !mutate_get(p + 2, 2) || mutate_get(p + 4, 4) > 9 ||
        !mutate_get(p + 4, 4) || mutate_get(p + 12, 4) || n > m->n - at - 16)
        return 0;
    add_all(m, o, at, "112444");
    for (size_t i = at + 16, end = i + (size_t)n; end - i >= 8;) {
        size_t size = (size_t)mutate_get(m->p + i + 2, 2);
        if (size > end - i - 8)
            break;
        if (o->n_messages < MAX_PLACES)
            o->message[o->n_messages++] = i;
        add_all(m, o, i, "221");
        add_message(m, o, (unsigned)mutate_get(m->p + i, 2), i + 8, size);
        i += 8 + size;
    }
    return 1;
}

static int add_structure(const mutant *m, map *o, size_t at)
{
    const uint8_t *p = m->p + at;
    if (m->n - at < 8)
        return 0;
    if (memcmp(p, "TREE", 4) == 0) {
        size_t from = add_all(m, o, at + 4, "112aa");
        uint64_t n = mutate_get(p + 6, 2);
        repeat(m, o, from, p[4] ? "4488888a" : "8a", n ? n : 1);
    } else if (memcmp(p, "HEAP", 4) == 0) {
        add_all(m, o, at + 4, "1...88a");
    } else if (memcmp(p, "SNOD", 4) == 0) {
        add_all(m, o, at + 4, "112");
        repeat(m, o, at + 8, "8a4....aa", mutate_get(p + 6, 2));
    } else if (memcmp(p, "GCOL", 4) == 0) {
        add_all(m, o, at + 4, "1...8");
        for (size_t i = at + 16; i < m->n - 16 && m->n > 16;) {
            add_all(m, o, i, "22....8");
            uint64_t n = mutate_get(m->p + i + 8, 8);
            if (n > m->n - i - 16 || !mutate_get(m->p + i, 2))
                break;
            i += 16 + ((size_t)n + 7) / 8 * 8;
        }
    } else if (memcmp(p, "OHDR", 4) == 0 || memcmp(p, "OCHK", 4) == 0) {
        repeat(m, o, at + 4, "1", 48);
    } else {
        return add_header(m, o, at);
    }
    return 1;
}

static void scan(const mutant *m, map *o)
{
    o->n = o->n_places = o->n_messages = 0;
    add_all(m, o, 8, "11111111224aaaa8a4....aa"); /* superblock of version 0 */
    for (size_t at = 0; at < m->n; at += 8)
        if (add_structure(m, o, at) && o->n_places < MAX_PLACES)
            o->place[o->n_places++] = at;
}

static uint64_t address(mutant *m, const map *o, const spot *s, uint64_t was)
{
    size_t own = 0;
    for (size_t i = 0; i < o->n_places && o->place[i] <= s->at; i++)
        own = o->place[i];
    switch (mutate_below(m, 6)) {
    case 0:
        return own;
    case 1:
        return m->n - mutate_below(m, 32);
    case 2:
        return was + mutate_below(m, 17) - 8;
    case 3:
        return mutate_number(m, was);
    default:
        return o->n_places ? o->place[mutate_below(m, o->n_places)] : UINT64_MAX;
    }
}

/* A message in the place of another of its size or more, the rest of which stays. */
static void copy_message(mutant *m, const map *o)
{
    size_t from = o->message[mutate_below(m, o->n_messages)];
    size_t to = o->message[mutate_below(m, o->n_messages)];
    size_t n = (size_t)mutate_get(m->p + from + 2, 2), room = (size_t)mutate_get(m->p + to + 2, 2);
    memmove(m->p + to, m->p + from, 2);
    memmove(m->p + to + 8, m->p + from + 8, n < room ? n : room);
}

void mutate_hdf5(mutant *m)
{
    map *o = malloc(sizeof *o);
    if (!o)
        abort();
    scan(m, o);
    if (o->n_messages && mutate_below(m, 8) == 0) {
        copy_message(m, o);
    } else if (o->n) {
        const spot *s = &o->spot[mutate_below(m, o->n)];
        uint64_t was = mutate_get(m->p + s->at, s->width);
        uint64_t now = s->address ? address(m, o, s, was) : mutate_number(m, was);
        mutate_put(m->p + s->at, s->width, now);
    }
    free(o);
}
