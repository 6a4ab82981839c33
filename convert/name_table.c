#include "name_table.h"

#include <string.h>

int names_init(names *t, size_t most, hst_arena *arena, hst_err *err)
{
    size_t slots = 16;
    while (slots < 2 * most)
        slots *= 2;
    *t = (names){.slot = hst_arena_alloc(arena, slots, sizeof *t->slot, err),
                 .most = most,
                 .mask = slots - 1};
    return t->slot ? 0 : HST_EMEM;
}

/* The slot that holds key, or the free one where it would go. A key of no bytes is a name, too, and
 * may have no address. */
static struct names_slot *probe(const names *t, bytes key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * UINT64_C(0x100000001b3);
    for (size_t i = (size_t)(h ^ h >> 32);; i++) {
        struct names_slot *s = &t->slot[i & t->mask];
        if (!s->key.p || (s->key.n == key.n && (!key.n || memcmp(s->key.p, key.p, key.n) == 0)))
            return s;
    }
}

int names_put(names *t, bytes key, int value, hst_err *err)
{
    struct names_slot *s = probe(t, key);
    int n = key.n < 200 ? (int)key.n : 200;
    if (s->key.p)
        return hst_fail(err, HST_EMODEL, "two things are called '%.*s'", n, (const char *)key.p);
    if (t->n == t->most)
        return hst_fail(err, HST_EMODEL, "it has more than %zu names", t->most);
    *s = (struct names_slot){{key.p ? key.p : (const uint8_t *)"", key.n}, value};
    t->n++;
    return 0;
}

int names_get(const names *t, bytes key)
{
    const struct names_slot *s = probe(t, key);
    return s->key.p ? s->value : -1;
}
