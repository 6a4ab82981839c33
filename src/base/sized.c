#include "base/sized.h"

#include <string.h>

static size_t size_of(const void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int plausible(const hst_sized *s, size_t size)
{
    return size >= s->least && size <= HST_SIZED_MAX;
}

/* The first bytes of full, then zeros; the size stays what it is. */
static void fill(const hst_sized *s, const void *full, void *out, size_t size)
{
    const size_t from = sizeof size, n = smaller(size, s->size);
    memcpy((char *)out + from, (const char *)full + from, n - from);
    memset((char *)out + n, 0, size - n);
}

void hst_sized_init(const hst_sized *s, const void *defaults, void *out, size_t size)
{
    const size_t kept = plausible(s, size) ? size : 0;
    if (size < sizeof size)
        return;
    memcpy(out, &kept, sizeof kept);
    if (kept)
        fill(s, defaults, out, size);
}

int hst_sized_read(const hst_sized *s, void *full, const void *given, hst_err *err)
{
    if (!given)
        return 0;
    const size_t size = size_of(given);
    if (!plausible(s, size))
        return hst_fail(err, HST_EARG,
                        "%s: a size of %zu bytes, expected %zu to %d: start from %s_default()",
                        s->name, size, s->least, HST_SIZED_MAX, s->name);
    for (size_t i = s->size; i < size; i++)
        if (((const char *)given)[i])
            return hst_fail(err, HST_EARG,
                            "%s: the program uses what a newer version of the library has; this "
                            "is %s",
                            s->name, hst_version());
    memcpy(full, given, smaller(size, s->size));
    memcpy(full, &s->size, sizeof s->size);
    return 0;
}

int hst_sized_check(const hst_sized *s, const void *out, hst_err *err)
{
    if (plausible(s, size_of(out)))
        return 0;
    return hst_fail(err, HST_EARG,
                    "%s: a size of %zu bytes, expected %zu to %d: set it to sizeof(%s)", s->name,
                    size_of(out), s->least, HST_SIZED_MAX, s->name);
}

void hst_sized_write(const hst_sized *s, const void *full, void *out)
{
    fill(s, full, out, size_of(out));
}
