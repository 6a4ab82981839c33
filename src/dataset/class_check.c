#include "dataset/class_check.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void hst_class_key(const char *name, char key[HST_CLASS_KEY])
{
    /* U+00C0 .. U+017F without their accents; '?': stays as it is */
    static const char plain[] = "aaaaaa?ceeeeiiii?nooooo??uuuuy??aaaaaa?ceeeeiiii?nooooo??uuuuy?y"
                                "aaaaaaccccccccdd??eeeeeeeeeegggggggghh??iiiiiiiii???jjkk?llllll?"
                                "???nnnnnn???oooooo??rrrrrrsssssssstttt??uuuuuuuuuuuuwwyyyzzzzzz?";
    size_t n = 0;
    for (size_t bytes; *name && n + 5 < HST_CLASS_KEY; name += bytes) {
        uint32_t c = 0;
        bytes = hst_utf8_char(name, &c);
        if (bytes == 0) {
            key[n++] = *name;
            bytes = 1;
        } else if (c == ' ' || c == '_' || c == '-' || (c >= 9 && c <= 13) || c == 0xa0 ||
                   (c >= 0x300 && c <= 0x36f) || (c >= 0x2000 && c <= 0x200f) || c == 0x3000 ||
                   c == 0xfeff) {
            continue; /* spaces of all kinds, accents that stand by themselves */
        } else if (c >= 'A' && c <= 'Z') {
            key[n++] = (char)(c - 'A' + 'a');
        } else if (c >= 0xc0 && c <= 0x17f && plain[c - 0xc0] != '?') {
            key[n++] = plain[c - 0xc0];
        } else {
            memcpy(key + n, name, bytes);
            n += bytes;
        }
    }
    key[n] = 0;
}

static int check_one(const hst_data *d, const char *name, hst_err *err)
{
    if (!hst_is_utf8(name))
        return hst_fail(err, HST_EDATA,
                        "%s: the name of class %s is not UTF-8, as in archives made elsewhere; "
                        "rename it",
                        d->dir, name);
    for (const char *c = name; *c; c++)
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            return hst_fail(err, HST_EDATA,
                            "%s: the name of class %s has a line break or another control "
                            "character in it; rename it",
                            d->dir, name);
    return 0;
}

typedef struct keyed {
    char key[HST_CLASS_KEY];
    const char *name;
} keyed;

static int by_key(const void *a, const void *b)
{
    return strcmp(((const keyed *)a)->key, ((const keyed *)b)->key);
}

/* Whether accents that stand by themselves are in it (U+0300 .. U+036F). */
static int is_decomposed(const char *name)
{
    for (; *name; name++)
        if ((uint8_t)name[0] == 0xcc ||
            ((uint8_t)name[0] == 0xcd && (uint8_t)name[1] >= 0x80 && (uint8_t)name[1] < 0xb0))
            return 1;
    return 0;
}

/* Of two names with one key: what tells them apart, where nobody sees it; else NULL. */
static const char *difference(const char *a, const char *b)
{
    if (strcasecmp(a, b) == 0)
        return "in case";
    return is_decomposed(a) != is_decomposed(b) ? "in the Unicode form of their accents" : NULL;
}

static void tell_twins(const hst_ctx *ctx, const hst_data *d, const keyed *k)
{
    int told = 0;
    for (int i = 1; i < d->n_classes && told < 3; i++) {
        const char *how =
            strcmp(k[i - 1].key, k[i].key) ? NULL : difference(k[i - 1].name, k[i].name);
        if (how && ++told)
            hst_log(ctx, HST_LOG_WARN, "%s: classes %s and %s differ %s only: are they one class?",
                    d->dir, k[i - 1].name, k[i].name, how);
    }
}

int hst_class_names_check(const hst_ctx *ctx, const hst_data *d, hst_err *err)
{
    const size_t n = (size_t)d->n_classes;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_one(d, d->classes[i], err);
    keyed *k = rc ? NULL : hst_alloc(n, sizeof *k, err);
    if (!k)
        return rc ? rc : HST_EMEM;
    for (size_t i = 0; i < n; i++) {
        k[i].name = d->classes[i];
        hst_class_key(k[i].name, k[i].key);
    }
    if (n)
        qsort(k, n, sizeof *k, by_key);
    tell_twins(ctx, d, k);
    free(k);
    return 0;
}
