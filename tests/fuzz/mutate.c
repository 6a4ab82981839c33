#include "mutate.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t nasty[] = {0,          1,          2,          4,          0x7f,
                                 0x80,       0xff,       0x7fff,     0x8000,     0xffff,
                                 65536,      0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff,
                                 1ull << 32, 1ull << 62, 1ull << 63, UINT64_MAX, INT64_MAX};
enum { N_NASTY = sizeof nasty / sizeof *nasty };

uint32_t mutate_below(mutant *m, size_t n)
{
    return n ? hst_rng_below(m->r, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX) : 0;
}

uint64_t mutate_number(mutant *m, uint64_t was)
{
    switch (mutate_below(m, 4)) {
    case 0:
        return was + mutate_below(m, 9) - 4;
    case 1:
        return mutate_below(m, 16);
    case 2:
        return was << mutate_below(m, 33);
    default:
        return nasty[mutate_below(m, N_NASTY)];
    }
}

void mutate_put(uint8_t *p, unsigned width, uint64_t v)
{
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

uint64_t mutate_get(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = width; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

int mutate_splice(mutant *m, size_t at, size_t cut, const uint8_t *add, size_t n_add)
{
    if (n_add > m->room - (m->n - cut))
        return 0;
    uint8_t *copy = malloc(n_add + 1);
    if (!copy)
        abort();
    if (n_add)
        memcpy(copy, add, n_add);
    memmove(m->p + at + n_add, m->p + at + cut, m->n - at - cut);
    memcpy(m->p + at, copy, n_add);
    m->n += n_add - cut;
    free(copy);
    return 1;
}

size_t mutate_part(mutant *m, size_t at, size_t n, mutator *change)
{
    mutant part = {.n = n, .room = n + (m->room - m->n), .r = m->r};
    part.p = malloc(part.room + 1);
    if (!part.p)
        abort();
    memcpy(part.p, m->p + at, n);
    change(&part);
    if (mutate_splice(m, at, n, part.p, part.n))
        n = part.n;
    free(part.p);
    return n;
}

void mutate_file(mutant *m, unsigned file, unsigned n_files, mutator *change)
{
    size_t at = 4 * ((size_t)n_files - 1), n = 0;
    if (m->n < at)
        return;
    for (unsigned i = 0; i <= file; i++) {
        uint64_t want = i + 1 < n_files ? mutate_get(m->p + 4 * i, 4) : m->n - at;
        at += n;
        n = want < m->n - at ? (size_t)want : m->n - at;
    }
    n = mutate_part(m, at, n, change);
    if (file + 1 < n_files)
        mutate_put(m->p + 4 * file, 4, n);
}

void mutate_bytes(mutant *m)
{
    if (m->n == 0)
        return;
    size_t at = mutate_below(m, m->n), from = mutate_below(m, m->n);
    size_t most = m->n - (at > from ? at : from);
    size_t len = 1 + mutate_below(m, most < 64 ? most : 64);
    unsigned width = 2u << mutate_below(m, 2);
    switch (mutate_below(m, 7)) {
    case 0:
        m->p[at] = (uint8_t)hst_rng_u32(m->r);
        break;
    case 1:
        m->p[at] ^= (uint8_t)(1u << mutate_below(m, 8));
        break;
    case 2:
        width = m->n - at < width ? (unsigned)(m->n - at) : width;
        mutate_put(m->p + at, width, nasty[mutate_below(m, N_NASTY)]);
        break;
    case 3:
        m->p[at] = (uint8_t)(m->p[at] + (int)mutate_below(m, 9) - 4);
        break;
    case 4:
        memmove(m->p + at, m->p + from, len);
        break;
    case 5: /* cut out */
        (void)mutate_splice(m, at, len < m->n - at ? len : m->n - at, NULL, 0);
        break;
    default: /* twice */
        (void)mutate_splice(m, at, 0, m->p + at, len < m->n - at ? len : m->n - at);
    }
}
