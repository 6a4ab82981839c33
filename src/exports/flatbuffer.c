#include "exports/flatbuffer.h"

#include <string.h>

void hst_fb_pad(hst_fb *b, size_t behind, size_t align)
{
    static const char zeros[64];
    const size_t rest = (b->bytes.n + behind) % align;
    if (rest)
        hst_buf_add(&b->bytes, zeros, align - rest);
}

static void put(hst_fb *b, size_t at, const void *bytes, size_t n)
{
    if (!b->bytes.failed)
        memcpy(b->bytes.p + at, bytes, n);
}

static void add_u32(hst_fb *b, size_t v)
{
    const uint32_t u = (uint32_t)v;
    hst_buf_add(&b->bytes, &u, sizeof u);
}

void hst_fb_point(hst_fb *b, size_t ref, size_t to)
{
    const uint32_t offset = (uint32_t)(to - ref);
    put(b, ref, &offset, sizeof offset);
}

size_t hst_fb_begin(hst_fb *b, const char identifier[4])
{
    add_u32(b, 0);
    hst_buf_add(&b->bytes, identifier, 4);
    return 0;
}

static size_t width_of(enum hst_fb_type type)
{
    return type == HST_FB_BYTE ? 1 : type == HST_FB_LONG ? 8 : 4;
}

static void add_field(hst_fb *b, const hst_fb_field *f)
{
    const uint64_t whole = f->type == HST_FB_REF ? 0 : (uint64_t)f->whole;
    if (f->type == HST_FB_FLOAT)
        hst_buf_add(&b->bytes, &f->real, sizeof f->real);
    else
        hst_buf_add(&b->bytes, &whole, width_of(f->type));
}

static int is_left_out(const hst_fb_field *f)
{
    return f->type != HST_FB_REF && f->type != HST_FB_FLOAT && f->whole == 0;
}

/* Where these bytes lie already; 0: nowhere. */
static size_t find_vtable(const hst_fb *b, const uint16_t *vtable)
{
    for (int i = 0; !b->bytes.failed && i < b->n_vtables; i++)
        if (memcmp(b->bytes.p + b->vtable[i], vtable, 2) == 0 &&
            memcmp(b->bytes.p + b->vtable[i], vtable, vtable[0]) == 0)
            return b->vtable[i];
    return 0;
}

static size_t add_vtable(hst_fb *b, const uint16_t *vtable)
{
    const size_t at = b->bytes.n;
    hst_buf_add(&b->bytes, vtable, vtable[0]);
    if (b->n_vtables < HST_FB_VTABLES)
        b->vtable[b->n_vtables++] = at;
    return at;
}

/* The fields lie behind the distance to the vtable, the widest first, so that each is aligned. */
void hst_fb_table(hst_fb *b, size_t ref, const hst_fb_field *field, int n, size_t *refs)
{
    uint16_t vtable[2 + HST_FB_FIELDS] = {0};
    size_t at[HST_FB_FIELDS] = {0}, bytes = 4, n_vtable = 2, widest = 4;
    for (size_t width = 8; width; width /= 2)
        for (int i = 0; i < n; i++)
            if (width_of(field[i].type) == width && !is_left_out(&field[i])) {
                at[i] = bytes;
                bytes += width;
                widest = width > widest ? width : widest;
            }
    for (int i = 0; i < n; i++) {
        const size_t id = 2 + (size_t)field[i].id;
        if (!at[i])
            continue;
        vtable[id] = (uint16_t)at[i];
        n_vtable = id + 1 > n_vtable ? id + 1 : n_vtable;
    }
    vtable[0] = (uint16_t)(2 * n_vtable);
    vtable[1] = (uint16_t)bytes;
    size_t shared = find_vtable(b, vtable);
    hst_fb_pad(b, (shared ? 0 : 2 * n_vtable) + 4, widest);
    if (!shared)
        shared = add_vtable(b, vtable);
    const size_t table = b->bytes.n;
    add_u32(b, table - shared);
    for (size_t width = 8; width; width /= 2)
        for (int i = 0; i < n; i++)
            if (width_of(field[i].type) == width && at[i])
                add_field(b, &field[i]);
    for (int i = 0; i < n; i++)
        if (field[i].type == HST_FB_REF)
            refs[i] = table + at[i];
    hst_fb_point(b, ref, table);
}

static void begin_vector(hst_fb *b, size_t ref, size_t n, size_t align)
{
    hst_fb_pad(b, 4, align);
    hst_fb_point(b, ref, b->bytes.n);
    add_u32(b, n);
}

void hst_fb_vector(hst_fb *b, size_t ref, const void *elements, size_t n, size_t width,
                   size_t align)
{
    begin_vector(b, ref, n, align);
    hst_buf_add(&b->bytes, elements, n * width);
}

size_t hst_fb_refs(hst_fb *b, size_t ref, size_t n)
{
    begin_vector(b, ref, n, 4);
    const size_t first = b->bytes.n;
    for (size_t i = 0; i < n; i++)
        add_u32(b, 0);
    return first;
}

void hst_fb_text(hst_fb *b, size_t ref, const char *text)
{
    hst_fb_vector(b, ref, text, strlen(text), 1, 4);
    hst_buf_add(&b->bytes, "", 1);
}
