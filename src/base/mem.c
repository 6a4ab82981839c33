#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A large block is touched page by page: at 4 KB each, the system spends longer on giving pages
 * than reading a file into them takes. */
enum { HUGE_PAGE = 2 << 20 };

void *hst_alloc_raw(size_t n, size_t size, hst_err *err)
{
    size_t bytes, padded;
    if (!hst_mul_ok(n, size, &bytes) || __builtin_add_overflow(bytes, HUGE_PAGE, &padded)) {
        hst_fail(err, HST_EMEM, "out of memory: %zu x %zu bytes do not fit", n, size);
        return NULL;
    }
    const size_t align = bytes < HUGE_PAGE ? HST_ALIGN : HUGE_PAGE;
    padded = hst_round_up(bytes, align); /* as aligned_alloc wants it */
    void *p = aligned_alloc(align, padded ? padded : align);
    if (!p)
        hst_fail(err, HST_EMEM, "out of memory: %zu bytes", bytes);
    else if (align == HUGE_PAGE)
        hst_huge_pages(p, bytes);
    return p;
}

void *hst_alloc(size_t n, size_t size, hst_err *err)
{
    void *p = hst_alloc_raw(n, size, err);
    return p ? memset(p, 0, n * size) : NULL;
}

void *hst_resize(void *old, size_t n, size_t size, hst_err *err)
{
    size_t bytes;
    if (!hst_mul_ok(n, size, &bytes)) {
        hst_fail(err, HST_EMEM, "out of memory: %zu x %zu bytes do not fit", n, size);
        return NULL;
    }
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p)
        hst_fail(err, HST_EMEM, "out of memory: %zu bytes", bytes);
    return p;
}

int hst_make_room(void **list, size_t n, size_t *cap, size_t size, hst_err *err)
{
    enum { FIRST = 64 };
    if (n < *cap)
        return 0;
    const size_t more = *cap ? *cap * 2 : FIRST;
    void *p = hst_resize(*list, more, size, err);
    if (!p)
        return HST_EMEM;
    *list = p;
    *cap = more;
    return 0;
}

char *hst_strdup(const char *s, hst_err *err)
{
    size_t n = strlen(s) + 1;
    char *p = malloc(n);
    if (!p) {
        hst_fail(err, HST_EMEM, "out of memory: %zu bytes", n);
        return NULL;
    }
    return memcpy(p, s, n);
}

/* A chunk is one hst_alloc block: this header padded to HST_ALIGN, then pieces. */
typedef struct chunk {
    struct chunk *next;
    size_t used, cap; /* bytes behind the header */
} chunk;
enum { CHUNK_HEAD = HST_ALIGN, CHUNK_BYTES = 64 * 1024 };
_Static_assert(sizeof(chunk) <= CHUNK_HEAD, "the header fits its place");

struct hst_arena {
    chunk *first; /* the chunk being filled; full ones behind it */
};

hst_arena *hst_arena_new(hst_err *err)
{
    return hst_alloc(1, sizeof(hst_arena), err);
}

/* bytes at a multiple of align (HST_ALIGN or 1) in the chunk being filled, or in a new one. */
static void *take(hst_arena *a, size_t bytes, size_t align, hst_err *err)
{
    size_t at = a->first ? hst_round_up(a->first->used, align) : 0;
    if (!a->first || at > a->first->cap || a->first->cap - at < bytes) {
        const size_t cap = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk *c = hst_alloc(1, CHUNK_HEAD + cap, err);
        if (!c)
            return NULL;
        c->cap = cap;
        c->next = a->first;
        a->first = c;
        at = 0;
    }
    a->first->used = at + bytes;
    return (char *)a->first + CHUNK_HEAD + at;
}

void *hst_arena_alloc(hst_arena *a, size_t n, size_t size, hst_err *err)
{
    size_t bytes;
    if (!hst_mul_ok(n, size, &bytes) || bytes > SIZE_MAX / 2) {
        hst_fail(err, HST_EMEM, "out of memory: %zu x %zu bytes do not fit", n, size);
        return NULL;
    }
    return take(a, bytes, HST_ALIGN, err);
}

/* Paths of a million photos: close together. */
char *hst_arena_text(hst_arena *a, size_t n, hst_err *err)
{
    return take(a, n, 1, err);
}

char *hst_arena_strdup(hst_arena *a, const char *s, hst_err *err)
{
    size_t n = strlen(s) + 1;
    char *p = hst_arena_text(a, n, err);
    return p ? memcpy(p, s, n) : NULL;
}

void hst_arena_free(hst_arena *a)
{
    if (!a)
        return;
    for (chunk *c = a->first; c;) {
        chunk *next = c->next;
        free(c);
        c = next;
    }
    free(a);
}
