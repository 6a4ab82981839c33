/* flatbuffer.h - reading a FlatBuffer with every offset checked.
 *
 * The file begins with the offset of its root table. A table begins with the distance back to its
 * vtable: u16 bytes of the vtable, u16 bytes of the table, then per field the u16 offset in the
 * table, 0 where the field has its default. Vectors are a u32 length and the elements; vectors,
 * texts and tables are reached through u32 offsets counted from where the offset stands. Source:
 * https://flatbuffers.dev/internals
 *
 * The first violation sticks in fb.bad; reading goes on with empty values, so that a reader asks
 * once, before it believes anything. A generated reader and its verifier are longer than this, and
 * know all of TFLite's schema, of which a tenth is wanted. */
#ifndef CONVERT_FLATBUFFER_H
#define CONVERT_FLATBUFFER_H
#include "base/err.h"
#include "bytes.h"

typedef struct fb {
    bytes all;
    const char *bad; /* NULL, or what is wrong */
} fb;

typedef struct fb_table {
    size_t at, size;         /* 0: no table, every field has its default */
    size_t vtable, n_vtable; /* its position; bytes */
} fb_table;

typedef struct fb_vector {
    size_t at; /* of the first element */
    size_t n;  /* elements */
} fb_vector;

fb_table fb_root(fb *b);
/* Fields by their number in the schema. */
fb_table fb_child(fb *b, fb_table t, unsigned field);
int64_t fb_int(fb *b, fb_table t, unsigned field, size_t bytes_wide, int64_t absent);
/* element: bytes of one; NULL-like {0, 0} where absent. */
fb_vector fb_list(fb *b, fb_table t, unsigned field, size_t element);
bytes fb_text(fb *b, fb_table t, unsigned field);
/* The i-th table of a vector of tables. */
fb_table fb_item(fb *b, fb_vector v, size_t i);
/* The i-th element of a vector of int32 or float; 0 past the end. */
int32_t fb_i32(const fb *b, fb_vector v, size_t i);
float fb_f32(const fb *b, fb_vector v, size_t i);
/* 0, or HST_EMODEL with what was found wrong. */
HST_CHECK int fb_check(const fb *b, hst_err *err);
#endif
