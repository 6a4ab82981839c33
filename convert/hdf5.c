/* hdf5.c - superblock, object headers, groups. */
#include "hdf5.h"

#include <string.h>

enum {
    MAX_NAME = 1024,
    MAX_BLOCKS = 1000,       /* of one header */
    SYMBOL_BYTES = 40,       /* an entry of a symbol table */
    STEPS = 8 * 1000 * 1000, /* some tenths of a second */
    BYTES_RATIO = 3,         /* weights hardly shrink */
    BYTES_SLACK = 16 << 20
};

int h5_refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the HDF5 file is refused: %s", why);
}

const uint8_t *h5_at(const h5 *f, uint64_t at, uint64_t n)
{
    return at <= f->n && n <= f->n - at ? f->p + at : NULL;
}

uint64_t h5_int(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

int h5_step(h5 *f, uint64_t steps, hst_err *err)
{
    if (steps > f->steps)
        return h5_refuse(err, "it leads around in circles");
    f->steps -= steps;
    return 0;
}

void *h5_alloc(h5 *f, uint64_t n, hst_err *err)
{
    uint64_t whole = n / HST_ALIGN * HST_ALIGN + HST_ALIGN; /* what the arena takes */
    if (n > f->bytes || whole > f->bytes) {
        h5_refuse(err, "it says it holds far more than its size");
        return NULL;
    }
    f->bytes -= whole;
    return hst_arena_alloc(f->arena, (size_t)n, 1, err);
}

/* ---- superblock ---- */

/* II.A: format signature and superblock. */
int h5_open(h5 *f, const uint8_t *p, size_t n, hst_arena *arena, hst_err *err)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    *f = (h5){.p = p,
              .n = n,
              .arena = arena,
              .steps = STEPS + n / 8,
              .bytes = (uint64_t)n * BYTES_RATIO + BYTES_SLACK};
    if (n < 48 || memcmp(p, signature, 8) != 0)
        return h5_refuse(err, "it does not begin as one");
    unsigned version = p[8];
    int old = version < 2;
    size_t base = old ? 24 + (version ? 4 : 0) : 12, root = old ? base + 32 + 8 : base + 24;
    if (version > 3 || n < root + 8)
        return h5_refuse(err, "its superblock is of an unknown version or cut off");
    if (p[old ? 13 : 9] != 8 || p[old ? 14 : 10] != 8)
        return h5_refuse(err, "its offsets are not of 8 bytes");
    if (h5_int(p + base, 8) != 0)
        return h5_refuse(err, "its addresses do not begin at its first byte");
    if (h5_int(p + base + 16, 8) > n)
        return h5_refuse(err, "it is cut off");
    f->root = h5_int(p + root, 8);
    return 0;
}

/* ---- object headers ----
 * Version 1 (IV.A.1.a): a count of messages; version 2 (IV.A.1.b, "OHDR"): a size. Both go on in
 * further blocks, named by continuation messages (IV.A.2.q). */

typedef struct block {
    uint64_t at, n;
} block;

typedef struct header {
    int version;
    int ordered; /* version 2: each message has its number of creation */
    unsigned messages;
    block block[MAX_BLOCKS];
    int n_blocks;
} header;

static int add_block(const h5 *f, header *h, uint64_t at, uint64_t n, hst_err *err)
{
    if (!h5_at(f, at, n) || h->n_blocks == MAX_BLOCKS)
        return h5_refuse(err, "an object header leads out of the file");
    h->block[h->n_blocks++] = (block){at, n};
    return 0;
}

static int open_header(const h5 *f, uint64_t at, header *h, hst_err *err)
{
    const uint8_t *p = h5_at(f, at, 16);
    h->n_blocks = 0;
    if (!p)
        return h5_refuse(err, "an object lies outside the file");
    if (memcmp(p, "OHDR", 4) != 0) {
        if (p[0] != 1)
            return h5_refuse(err, "an object header is of an unknown version");
        h->version = 1;
        h->ordered = 0;
        h->messages = (unsigned)h5_int(p + 2, 2);
        return add_block(f, h, at + 16, h5_int(p + 8, 4), err);
    }
    unsigned flags = p[5], width = 1u << (flags & 3);
    uint64_t skip = 6 + (flags & 32 ? 16u : 0) + (flags & 16 ? 4u : 0);
    const uint8_t *size = h5_at(f, at + skip, width);
    if (p[4] != 2 || !size)
        return h5_refuse(err, "an object header is of an unknown version");
    h->version = 2;
    h->ordered = (flags & 4) != 0;
    return add_block(f, h, at + skip + width, h5_int(size, (int)width), err);
}

static int add_continuation(const h5 *f, header *h, const h5_message *m, hst_err *err)
{
    if (m->n < 16)
        return h5_refuse(err, "an object header leads out of the file");
    uint64_t at = h5_int(m->p, 8), n = h5_int(m->p + 8, 8);
    if (h->version == 1)
        return add_block(f, h, at, n, err);
    const uint8_t *p = h5_at(f, at, n);
    if (!p || n < 8 || memcmp(p, "OCHK", 4) != 0)
        return h5_refuse(err, "an object header leads out of the file");
    return add_block(f, h, at + 4, n - 8, err); /* a check sum is at the end */
}

/* The messages of one block. Bytes too few for a message are a gap. */
static int visit_block(h5 *f, header *h, block b, h5_visitor *see, void *to, hst_err *err)
{
    uint64_t head = h->version == 1 ? 8 : h->ordered ? 6 : 4, at = 0;
    while (b.n - at >= head && (h->version == 2 || h->messages)) {
        const uint8_t *p = f->p + b.at + at;
        int v1 = h->version == 1;
        h5_message m = {v1 ? (unsigned)h5_int(p, 2) : p[0], (p[v1 ? 4 : 3] & 2) != 0, p + head,
                        h5_int(p + (v1 ? 2 : 1), 2)};
        if (m.n > b.n - at - head)
            return h5_refuse(err, "a message leads out of its object header");
        int rc = h5_step(f, 1, err);
        if (rc == 0)
            rc = m.type == H5_CONTINUATION ? add_continuation(f, h, &m, err) : see(f, to, &m, err);
        if (rc)
            return rc;
        h->messages -= v1;
        at += head + m.n;
    }
    return 0;
}

int h5_visit(h5 *f, uint64_t object, h5_visitor *see, void *to, hst_err *err)
{
    header h;
    int rc = open_header(f, object, &h, err);
    for (int i = 0; rc == 0 && i < h.n_blocks; i++)
        rc = visit_block(f, &h, h.block[i], see, to, err);
    return rc;
}

/* ---- groups ----
 * Older: a B-tree of tables of symbols, whose names lie in a heap. Newer: link messages. */

typedef struct heap {
    const uint8_t *p;
    uint64_t n;
} heap;

/* III.D: a local heap. */
static int open_heap(const h5 *f, uint64_t at, heap *out, hst_err *err)
{
    const uint8_t *p = h5_at(f, at, 32);
    if (!p || memcmp(p, "HEAP", 4) != 0)
        return h5_refuse(err, "the names of a group are missing");
    out->n = h5_int(p + 8, 8);
    out->p = h5_at(f, h5_int(p + 24, 8), out->n);
    return out->p ? 0 : h5_refuse(err, "the names of a group lead out of the file");
}

/* What is done with each member of a group: listed, or compared with a name. */
typedef struct search {
    h5_links *list; /* NULL: compare */
    const char *name;
    size_t n_name;
    uint64_t found; /* 0: not yet */
} search;

static int add_link(h5 *f, h5_links *l, const uint8_t *name, uint64_t n, uint64_t at, hst_err *err)
{
    char *copy = h5_alloc(f, n + 1, err);
    if (!copy)
        return err->code;
    memcpy(copy, name, (size_t)n);
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        h5_link *more = h5_alloc(f, cap * sizeof *more, err);
        if (!more)
            return err->code;
        if (l->n)
            memcpy(more, l->link, l->n * sizeof *more);
        l->link = more;
        l->cap = cap;
    }
    l->link[l->n++] = (h5_link){copy, at};
    return 0;
}

static int see_link(h5 *f, search *s, const uint8_t *name, uint64_t n, uint64_t at, hst_err *err)
{
    if (n == 0 || n > MAX_NAME || memchr(name, 0, (size_t)n) || memchr(name, '/', (size_t)n))
        return h5_refuse(err, "a member of a group has no usable name");
    if (s->list)
        return add_link(f, s->list, name, n, at, err);
    if (n == s->n_name && memcmp(name, s->name, (size_t)n) == 0)
        s->found = at;
    return 0;
}

/* III.B: a group's symbol table node; III.C: its entries. */
static int list_table(h5 *f, const heap *names, uint64_t at, search *to, hst_err *err)
{
    enum { HARD = 1 }; /* kinds of entry: 0 and 1 lead to an object, 2 is a soft link */
    const uint8_t *p = h5_at(f, at, 8);
    if (!p || memcmp(p, "SNOD", 4) != 0)
        return h5_refuse(err, "a table of a group is missing");
    uint64_t n = h5_int(p + 6, 2);
    p = h5_at(f, at + 8, n * SYMBOL_BYTES);
    int rc = p ? h5_step(f, n, err) : h5_refuse(err, "a table of a group leads out of the file");
    for (uint64_t i = 0; rc == 0 && i < n; i++, p += SYMBOL_BYTES) {
        uint64_t name = h5_int(p, 8);
        const uint8_t *text = name < names->n ? names->p + name : NULL;
        const uint8_t *nul = text ? memchr(text, 0, (size_t)(names->n - name)) : NULL;
        if (!nul)
            return h5_refuse(err, "the name of a group's member leads out of the file");
        if (h5_int(p + 16, 4) > HARD)
            return h5_refuse(err, "it has a soft link");
        rc = see_link(f, to, text, (uint64_t)(nul - text), h5_int(p + 8, 8), err);
    }
    return rc;
}

/* III.A.1: a node of the version 1 B-tree and all below; level is one less with every step down, so
 * it ends. */
static int list_node(h5 *f, const heap *names, uint64_t at, int level, search *to, hst_err *err)
{
    enum { HEAD = 24, KEY = 8, CHILD = 8, MAX_LEVEL = 16 };
    const uint8_t *p = h5_at(f, at, HEAD);
    if (!p || memcmp(p, "TREE", 4) != 0 || p[4] != 0)
        return h5_refuse(err, "the tree of a group is damaged");
    if (p[5] > MAX_LEVEL || (level >= 0 && p[5] != level))
        return h5_refuse(err, "the tree of a group leads around in circles");
    uint64_t n = h5_int(p + 6, 2);
    const uint8_t *child = h5_at(f, at + HEAD, n * (KEY + CHILD) + KEY);
    int rc = child ? h5_step(f, 1 + n, err) : h5_refuse(err, "the tree of a group is cut off");
    level = p[5];
    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        uint64_t down = h5_int(child + i * (KEY + CHILD) + KEY, 8);
        rc = level ? list_node(f, names, down, level - 1, to, err)
                   : list_table(f, names, down, to, err);
    }
    return rc;
}

/* IV.A.2.g: a link message: version, flags, then as the flags say. */
static int list_message(h5 *f, const h5_message *m, search *to, hst_err *err)
{
    static const char damaged[] = "a link is damaged";
    if (m->n < 2 || m->p[0] != 1)
        return h5_refuse(err, damaged);
    unsigned flags = m->p[1], width = 1u << (flags & 3);
    uint64_t at = 2, type = 0;
    if (flags & 8)
        type = at < m->n ? m->p[at++] : 1;
    at += (flags & 4 ? 8u : 0) + (flags & 16 ? 1u : 0);
    if (type != 0)
        return h5_refuse(err, "it has a link that is no hard link");
    if (at > m->n || width > m->n - at)
        return h5_refuse(err, damaged);
    uint64_t n = h5_int(m->p + at, (int)width);
    at += width;
    if (m->n - at < 8 || n > m->n - at - 8)
        return h5_refuse(err, damaged);
    return see_link(f, to, m->p + at, n, h5_int(m->p + at + n, 8), err);
}

/* IV.A.2.c: link info; IV.A.2.r: symbol table. */
static int see_group(h5 *f, void *to, const h5_message *m, hst_err *err)
{
    heap names;
    if (m->type == H5_LINK)
        return list_message(f, m, to, err);
    if (m->type == H5_LINK_INFO && m->n >= 18) {
        uint64_t at = m->p[1] & 1 ? 10 : 2; /* of the fractal heap; all ones: there is none */
        if (h5_int(m->p + at, 8) != UINT64_MAX)
            return h5_refuse(err, "a group keeps its members in a fractal heap (save the file "
                                  "with h5py's default format)");
    }
    if (m->type != H5_SYMBOL_TABLE)
        return 0;
    if (m->shared || m->n < 16)
        return h5_refuse(err, "a group is described wrongly");
    int rc = open_heap(f, h5_int(m->p + 8, 8), &names, err);
    return rc ? rc : list_node(f, &names, h5_int(m->p, 8), -1, to, err);
}

int h5_list(h5 *f, uint64_t group, h5_links *out, hst_err *err)
{
    *out = (h5_links){0};
    return h5_visit(f, group, see_group, &(search){.list = out}, err);
}

int h5_find(h5 *f, uint64_t group, const char *path, uint64_t *at, hst_err *err)
{
    *at = group;
    while (*path && *at) {
        search s = {.name = path, .n_name = strcspn(path, "/")};
        int rc = h5_visit(f, *at, see_group, &s, err);
        if (rc)
            return rc;
        *at = s.found;
        path += s.n_name + (path[s.n_name] == '/');
    }
    return 0;
}
