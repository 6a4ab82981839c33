/* flatbuffer.h - writing a FlatBuffer front to back (https://flatbuffers.dev/internals): what is
 * referred to stands behind what refers to it, and fills in the offset when it is written.
 *
 * A `ref` is the place of such an offset, from the buffer's beginning; the same thing may be
 * pointed to from several places. All numbers are little endian, as those of the machine are. */
#ifndef HST_EXPORTS_FLATBUFFER_H
#define HST_EXPORTS_FLATBUFFER_H
#include "base/buf.h"

#include <stdint.h>

enum hst_fb_type { HST_FB_BYTE, HST_FB_INT, HST_FB_LONG, HST_FB_FLOAT, HST_FB_REF };

/* A field of a table: its number in the schema and its value. */
typedef struct hst_fb_field {
    int id;
    enum hst_fb_type type;
    int64_t whole;
    float real; /* of HST_FB_FLOAT */
} hst_fb_field;

static inline hst_fb_field hst_fb_ref(int id)
{
    return (hst_fb_field){.id = id, .type = HST_FB_REF};
}
static inline hst_fb_field hst_fb_byte(int id, int64_t v)
{
    return (hst_fb_field){.id = id, .type = HST_FB_BYTE, .whole = v};
}
static inline hst_fb_field hst_fb_int(int id, int64_t v)
{
    return (hst_fb_field){.id = id, .type = HST_FB_INT, .whole = v};
}

enum { HST_FB_FIELDS = 16 }; /* a table has at most, and their numbers are below */

/* A buffer that is written. Tables whose fields lie alike share what says where (their vtable). */
enum { HST_FB_VTABLES = 64 };
typedef struct hst_fb {
    hst_buf bytes;
    size_t vtable[HST_FB_VTABLES]; /* places of those to be shared; more are not */
    int n_vtables;
} hst_fb;
#define HST_FB(max_bytes) ((hst_fb){.bytes = HST_BUF(max_bytes)})

/* Begins an empty buffer; returns the ref of its root table. */
size_t hst_fb_begin(hst_fb *b, const char identifier[4]);
/* A table with n fields; refs[i] becomes the place of field i, where that is a HST_FB_REF. Whole
 * numbers that are 0 are left out: readers take 0 for what is not there. */
void hst_fb_table(hst_fb *b, size_t ref, const hst_fb_field *field, int n, size_t *refs);
/* The same with the fields behind refs. */
#define HST_FB_TABLE(b, ref, refs, ...)                                                            \
    hst_fb_table(b, ref, (const hst_fb_field[]){__VA_ARGS__},                                      \
                 (int)(sizeof((const hst_fb_field[]){__VA_ARGS__}) / sizeof(hst_fb_field)), refs)
/* A vector of n elements, `width` bytes each, which begin at a multiple of `align` (4 or more). */
void hst_fb_vector(hst_fb *b, size_t ref, const void *elements, size_t n, size_t width,
                   size_t align);
/* A vector of n offsets; returns the place of the first, 4 bytes before the next. */
size_t hst_fb_refs(hst_fb *b, size_t ref, size_t n);
void hst_fb_text(hst_fb *b, size_t ref, const char *text);
/* Zeros until `behind` more bytes end at a multiple of align. */
void hst_fb_pad(hst_fb *b, size_t behind, size_t align);
/* The offset at ref is to lead to that place, which lies behind it. */
void hst_fb_point(hst_fb *b, size_t ref, size_t to);
#endif
