/* sized.h - the one rule for structs that cross the border of the library, whose first field is a
 * size_t size: the program and the library may have been built with different versions of
 * headstart.h, of which the newer one has more fields at the end (docs/abi.md). */
#ifndef HST_BASE_SIZED_H
#define HST_BASE_SIZED_H
#include "base/err.h"

typedef struct hst_sized {
    const char *name;
    size_t size;  /* here */
    size_t least; /* of the first version that was published */
} hst_sized;

/* last: the last field of the first version. */
#define HST_SIZED(type, last)                                                                      \
    {                                                                                              \
#type, sizeof(type), offsetof(type, last) + sizeof((type){0}.last)                         \
    }

/* The largest size that is believed: beyond it the field was not set. */
#define HST_SIZED_MAX 4096

/* Fills the caller's struct of `size` bytes from defaults (a whole struct), never beyond; what it
 * has more than ours is 0. A size that none can have leaves what hst_sized_read refuses. */
void hst_sized_init(const hst_sized *s, const void *defaults, void *out, size_t size);

/* Puts what the caller gave (NULL: nothing) over full, which holds the defaults. HST_EARG: a size
 * that none can have; fields that we do not know and that are not 0. full is then as it was. */
HST_CHECK int hst_sized_read(const hst_sized *s, void *full, const void *given, hst_err *err);

/* For structs that we fill: HST_EARG where out->size is none; and the filling, by that size. */
HST_CHECK int hst_sized_check(const hst_sized *s, const void *out, hst_err *err);
void hst_sized_write(const hst_sized *s, const void *full, void *out);
#endif
