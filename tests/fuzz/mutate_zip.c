/* Zip archives. APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16; check sums are zip_repair.h's. */
#include "mutate.h"

#include "zip_repair.h"

enum { MAX_MEMBERS = 64 };

typedef struct member {
    size_t central, local, data, n, n_central;
} member;

/* The stored members that lie where the directory says. */
static size_t list(const mutant *m, member *out)
{
    size_t n = 0;
    if (m->n < ZIP_END || memcmp(m->p + m->n - ZIP_END, "PK\5\6", 4) != 0)
        return 0;
    uint64_t at = le32(m->p + m->n - 6);
    while (n < MAX_MEMBERS && at + ZIP_CENTRAL <= m->n && memcmp(m->p + at, "PK\1\2", 4) == 0) {
        const uint8_t *c = m->p + at;
        uint64_t local = le32(c + 42), size = le32(c + 20);
        size_t whole = (size_t)ZIP_CENTRAL + le16(c + 28) + le16(c + 30) + le16(c + 32);
        if (at + whole > m->n)
            break;
        if (within(local, ZIP_LOCAL, m->n) && le16(c + 10) == 0) {
            uint64_t data = local + ZIP_LOCAL + le16(m->p + local + 26) + le16(m->p + local + 28);
            if (within(data, size, m->n) && data + size <= at)
                out[n++] = (member){(size_t)at, (size_t)local, (size_t)data, (size_t)size, whole};
        }
        at += whole;
    }
    return n;
}

/* Bytes were put in (or taken out, modulo 2^64) at a place: offsets behind it move with them. */
static void move(mutant *m, size_t at, size_t delta)
{
    uint8_t *end = m->p + m->n - ZIP_END;
    uint64_t from = le32(end + 16);
    mutate_put(end + 16, 4, from = from >= at ? from + delta : from);
    while (from + ZIP_CENTRAL <= m->n && memcmp(m->p + from, "PK\1\2", 4) == 0) {
        uint8_t *c = m->p + from;
        if (le32(c + 42) >= at)
            mutate_put(c + 42, 4, le32(c + 42) + delta);
        from += (uint64_t)ZIP_CENTRAL + le16(c + 28) + le16(c + 30) + le16(c + 32);
    }
}

static mutator *kind(const mutant *m, const member *f)
{
    const uint8_t *p = m->p + f->data;
    if (f->n > 8 && memcmp(p, "\x89HDF", 4) == 0)
        return mutate_hdf5;
    if (f->n > 2 && p[0] == 0x80 && p[1] == 2)
        return mutate_pickle;
    return f->n && p[0] == '{' ? mutate_json : mutate_bytes;
}

static void change_member(mutant *m, const member *f)
{
    size_t n = mutate_part(m, f->data, f->n, kind(m, f)), delta = n - f->n;
    if (!delta)
        return;
    uint8_t *central = m->p + f->central + delta, *local = m->p + f->local;
    mutate_put(central + 20, 4, n);
    mutate_put(central + 24, 4, n);
    mutate_put(local + 18, 4, n);
    mutate_put(local + 22, 4, n);
    move(m, f->data + 1, delta);
}

static void change_field(mutant *m, size_t at, const uint8_t (*fields)[2], size_t n)
{
    const uint8_t *f = fields[mutate_below(m, n)];
    uint8_t *p = m->p + at + f[0];
    mutate_put(p, f[1], mutate_number(m, mutate_get(p, f[1])));
}

/* An entry of the directory twice, of which the second leads to another's data. */
static void twice(mutant *m, const member *f, const member *other)
{
    if (!mutate_splice(m, f->central, 0, m->p + f->central, f->n_central))
        return;
    uint8_t *end = m->p + m->n - ZIP_END;
    mutate_put(end + 8, 2, le16(end + 8) + 1u);
    mutate_put(end + 10, 2, le16(end + 10) + 1u);
    mutate_put(end + 12, 4, le32(end + 12) + f->n_central);
    if (mutate_below(m, 2))
        mutate_put(m->p + f->central + 42, 4, other->local);
    if (mutate_below(m, 2))
        m->p[f->central + ZIP_CENTRAL] ^= 1; /* another name */
}

/* The extra field of zip64, which stands for numbers that are all ones: sizes and offset. */
static void add_zip64(mutant *m, const member *f)
{
    uint8_t extra[28] = {1, 0, 24, 0};
    for (unsigned i = 4; i < sizeof extra; i += 8)
        mutate_put(extra + i, 8, mutate_number(m, i == 20 ? f->local : f->n));
    if (!mutate_splice(m, f->central + f->n_central, 0, extra, sizeof extra))
        return;
    uint8_t *c = m->p + f->central, *end = m->p + m->n - ZIP_END;
    mutate_put(c + 30, 2, le16(c + 30) + sizeof extra);
    mutate_put(c + (mutate_below(m, 2) ? 20 : 24), 4, UINT32_MAX);
    mutate_put(end + 12, 4, le32(end + 12) + sizeof extra);
}

void mutate_zip(mutant *m)
{
    static const uint8_t central[][2] = {{8, 2},  {10, 2}, {20, 4}, {24, 4},
                                         {28, 2}, {30, 2}, {32, 2}, {42, 4}};
    static const uint8_t local[][2] = {{6, 2}, {8, 2}, {18, 4}, {22, 4}, {26, 2}, {28, 2}};
    static const uint8_t end[][2] = {{4, 2}, {8, 2}, {10, 2}, {12, 4}, {16, 4}, {20, 2}};
    member f[MAX_MEMBERS];
    size_t n = list(m, f);
    if (n == 0)
        return;
    const member *one = &f[mutate_below(m, n)], *largest = one;
    for (size_t i = 0; i < n; i++)
        if (kind(m, &f[i]) != mutate_bytes && mutate_below(m, 2))
            largest = &f[i];
    switch (mutate_below(m, 16)) {
    case 0:
        change_field(m, one->central, central, 8);
        break;
    case 1:
        change_field(m, one->local, local, 6);
        break;
    case 2:
        change_field(m, m->n - ZIP_END, end, 6);
        break;
    case 3:
        twice(m, one, &f[mutate_below(m, n)]);
        break;
    case 4:
        add_zip64(m, one);
        break;
    default: /* mostly one whose content has a structure */
        change_member(m, largest);
    }
}
