#include "flatbuffer.h"

static void damaged(fb *b, const char *why)
{
    if (!b->bad)
        b->bad = why;
}

int fb_check(const fb *b, hst_err *err)
{
    return b->bad ? hst_fail(err, HST_EMODEL, "the FlatBuffer is damaged: %s", b->bad) : 0;
}

static const fb_table no_table = {0};
static const fb_vector no_vector = {0};

static fb_table table_at(fb *b, size_t at)
{
    fb_table t = {.at = at};
    if (!within(at, 4, b->all.n) || at == 0) {
        damaged(b, "a table lies outside the file");
        return no_table;
    }
    /* The distance is signed: most writers put the vtable in front, some behind. */
    int64_t vtable = (int64_t)at - (int32_t)le32(b->all.p + at);
    if (vtable < 0 || !within((uint64_t)vtable, 4, b->all.n)) {
        damaged(b, "a vtable lies outside the file");
        return no_table;
    }
    t.vtable = (size_t)vtable;
    t.n_vtable = le16(b->all.p + t.vtable);
    t.size = le16(b->all.p + t.vtable + 2);
    if (t.n_vtable < 4 || t.n_vtable % 2 || !within(t.vtable, t.n_vtable, b->all.n)) {
        damaged(b, "a vtable has an impossible length");
        return no_table;
    }
    if (t.size < 4 || !within(at, t.size, b->all.n)) {
        damaged(b, "a table reaches past the end of the file");
        return no_table;
    }
    return t;
}

/* The position of a field of n bytes; 0: absent. */
static size_t field_at(fb *b, fb_table t, unsigned field, size_t n)
{
    size_t slot = 4 + 2 * (size_t)field;
    if (t.at == 0 || slot + 2 > t.n_vtable)
        return 0;
    size_t off = le16(b->all.p + t.vtable + slot);
    if (off == 0)
        return 0;
    if (off >= 4 && within(off, n, t.size))
        return t.at + off;
    damaged(b, "a field lies outside its table");
    return 0;
}

/* Where the offset at position at leads; 0: out of the file. at: checked. */
static size_t follow(fb *b, size_t at)
{
    size_t off = le32(b->all.p + at);
    if (off >= 4 && within(at, off, b->all.n) && within(at + off, 4, b->all.n))
        return at + off;
    damaged(b, "an offset leads out of the file");
    return 0;
}

fb_table fb_root(fb *b)
{
    if (b->all.n < 8) {
        damaged(b, "it is cut off");
        return no_table;
    }
    size_t at = follow(b, 0);
    return at ? table_at(b, at) : no_table;
}

fb_table fb_child(fb *b, fb_table t, unsigned field)
{
    size_t at = field_at(b, t, field, 4);
    at = at ? follow(b, at) : 0;
    return at ? table_at(b, at) : no_table;
}

int64_t fb_int(fb *b, fb_table t, unsigned field, size_t bytes_wide, int64_t absent)
{
    size_t at = field_at(b, t, field, bytes_wide);
    const uint8_t *p = b->all.p + at;
    if (!at)
        return absent;
    switch (bytes_wide) {
    case 1:
        return (int8_t)*p;
    case 4:
        return (int32_t)le32(p);
    default:
        return (int64_t)le64(p);
    }
}

fb_vector fb_list(fb *b, fb_table t, unsigned field, size_t element)
{
    size_t at = field_at(b, t, field, 4);
    at = at ? follow(b, at) : 0;
    if (!at)
        return no_vector;
    size_t n = le32(b->all.p + at);
    if (n > (b->all.n - at - 4) / element) {
        damaged(b, "a vector reaches past the end of the file");
        return no_vector;
    }
    return (fb_vector){at + 4, n};
}

bytes fb_text(fb *b, fb_table t, unsigned field)
{
    fb_vector v = fb_list(b, t, field, 1);
    return (bytes){v.at ? b->all.p + v.at : (const uint8_t *)"", v.n};
}

fb_table fb_item(fb *b, fb_vector v, size_t i)
{
    if (i >= v.n) {
        damaged(b, "a number names nothing");
        return no_table;
    }
    size_t at = follow(b, v.at + 4 * i);
    return at ? table_at(b, at) : no_table;
}

int32_t fb_i32(const fb *b, fb_vector v, size_t i)
{
    return i < v.n ? (int32_t)le32(b->all.p + v.at + 4 * i) : 0;
}

float fb_f32(const fb *b, fb_vector v, size_t i)
{
    return i < v.n ? le_float(b->all.p + v.at + 4 * i) : 0;
}
