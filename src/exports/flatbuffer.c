#include "exports/flatbuffer.h"

#include <string.h>

void hst_fb_pad(hst_buf *b, size_t behind, size_t align)
{
    static const char zeros[64];
    const size_t rest = (b->n + behind) % align;
    if (rest)
        hst_buf_add(b, zeros, align - rest);
}

static void put(hst_buf *b, size_t at, const void *bytes, size_t n)
{
    if (!b->failed)
        memcpy(b->p + at, bytes, n);
}

static void add_u32(hst_buf *b, size_t v)
{
    const uint32_t u = (uint32_t)v;
    hst_buf_add(b, &u, sizeof u);
}

void hst_fb_point(hst_buf *b, size_t ref, size_t to)
{
    const uint32_t offset = (uint32_t)(to - ref);
    put(b, ref, &offset, sizeof offset);
}

size_t hst_fb_begin(hst_buf *b, const char identifier[4])
{
    add_u32(b, 0);
    hst_buf_add(b, identifier, 4);
    return 0;
}

static size_t width_of(enum hst_fb_type type)
{
    return type == HST_FB_BYTE ? 1 : type == HST_FB_LONG ? 8 : 4;
}

static void add_field(hst_buf *b, const hst_fb_field *f)
{
    const uint64_t whole = f->type == HST_FB_REF ? 0 : (uint64_t)f->whole;
    if (f->type == HST_FB_FLOAT)
        hst_buf_add(b, &f->real, sizeof f->real);
    else
        hst_buf_add(b, &whole, width_of(f->type));
}

/* The fields lie behind the distance to the vtable, the widest first, so that each is aligned. */
void hst_fb_table(hst_buf *b, size_t ref, const hst_fb_field *field, int n, size_t *refs)
{
    uint16_t vtable[2 + HST_FB_FIELDS] = {0};
    size_t at[HST_FB_FIELDS] = {0}, bytes = 4, n_vtable = 2, widest = 4;
    for (size_t width = 8; width; width /= 2)
        for (int i = 0; i < n; i++)
            if (width_of(field[i].type) == width) {
                at[i] = bytes;
                bytes += width;
                widest = width > widest ? width : widest;
            }
    for (int i = 0; i < n; i++) {
        const size_t id = 2 + (size_t)field[i].id;
        vtable[id] = (uint16_t)at[i];
        n_vtable = id + 1 > n_vtable ? id + 1 : n_vtable;
    }
    vtable[0] = (uint16_t)(2 * n_vtable);
    vtable[1] = (uint16_t)bytes;
    hst_fb_pad(b, 2 * n_vtable + 4, widest);
    hst_buf_add(b, vtable, 2 * n_vtable);
    const size_t table = b->n;
    add_u32(b, 2 * n_vtable);
    for (size_t width = 8; width; width /= 2)
        for (int i = 0; i < n; i++)
            if (width_of(field[i].type) == width)
                add_field(b, &field[i]);
    for (int i = 0; i < n; i++)
        if (field[i].type == HST_FB_REF)
            refs[i] = table + at[i];
    hst_fb_point(b, ref, table);
}

static void begin_vector(hst_buf *b, size_t ref, size_t n, size_t align)
{
    hst_fb_pad(b, 4, align);
    hst_fb_point(b, ref, b->n);
    add_u32(b, n);
}

void hst_fb_vector(hst_buf *b, size_t ref, const void *elements, size_t n, size_t width,
                   size_t align)
{
    begin_vector(b, ref, n, align);
    hst_buf_add(b, elements, n * width);
}

size_t hst_fb_refs(hst_buf *b, size_t ref, size_t n)
{
    begin_vector(b, ref, n, 4);
    const size_t first = b->n;
    for (size_t i = 0; i < n; i++)
        add_u32(b, 0);
    return first;
}

void hst_fb_text(hst_buf *b, size_t ref, const char *text)
{
    hst_fb_vector(b, ref, text, strlen(text), 1, 4);
    hst_buf_add(b, "", 1);
}
