/* mem.h - memory that says no instead of overflowing. */
#ifndef HST_BASE_MEM_H
#define HST_BASE_MEM_H
#include "base/err.h"

#define HST_ALIGN 64 /* a cache line, and the widest vector (AVX-512) */

/* n * size bytes, zeroed, HST_ALIGN-aligned, at least one byte. NULL and HST_EMEM when the product
 * overflows or memory is short. End with free(). */
HST_CHECK void *hst_alloc(size_t n, size_t size, hst_err *err);

/* The same, not zeroed: for what is filled at once. */
HST_CHECK void *hst_alloc_raw(size_t n, size_t size, hst_err *err);
/* Asks the system to keep n bytes at p in few large pages, where it knows such (huge_*.c). */
void hst_huge_pages(void *p, size_t n);

/* realloc of an array to n elements of size; not aligned, the new part not zeroed. On failure the
 * old block stays. */
HST_CHECK void *hst_resize(void *old, size_t n, size_t size, hst_err *err);

/* Room for one more element of size bytes in a list of n, which has room for *cap: twice as much
 * where it is full. Errors: HST_EMEM; the list is then as it was. */
HST_CHECK int hst_make_room(void **list, size_t n, size_t *cap, size_t size, hst_err *err);

HST_CHECK char *hst_strdup(const char *s, hst_err *err);

/* *out = a * b; false when it does not fit. */
static inline int hst_mul_ok(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* n, or the next multiple of unit; the caller knows that it fits. */
static inline size_t hst_round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* An arena: many small pieces with one life time. Pieces are zeroed and, but for texts,
 * HST_ALIGN-aligned. */
typedef struct hst_arena hst_arena;
HST_CHECK hst_arena *hst_arena_new(hst_err *err);
HST_CHECK void *hst_arena_alloc(hst_arena *a, size_t n, size_t size, hst_err *err);
/* Room for a text of n bytes, its end among them. Texts lie close together. */
HST_CHECK char *hst_arena_text(hst_arena *a, size_t n, hst_err *err);
HST_CHECK char *hst_arena_strdup(hst_arena *a, const char *s, hst_err *err);
void hst_arena_free(hst_arena *a);
#endif
