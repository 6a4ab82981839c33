#include "exports/protobuf.h"

#include <string.h>

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

void hst_pb_varint(hst_buf *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    do {
        out[n] = (uint8_t)(v & 0x7f);
        v >>= 7;
        out[n++] |= v ? 0x80 : 0;
    } while (v);
    hst_buf_add(b, out, n);
}

static void key(hst_buf *b, int field, int wire)
{
    hst_pb_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

void hst_pb_int(hst_buf *b, int field, int64_t v)
{
    key(b, field, VARINT);
    hst_pb_varint(b, (uint64_t)v);
}

void hst_pb_float(hst_buf *b, int field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    const uint8_t out[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                            (uint8_t)(bits >> 24)};
    key(b, field, FIXED32);
    hst_buf_add(b, out, sizeof out);
}

void hst_pb_begin(hst_buf *b, int field, uint64_t n)
{
    key(b, field, BYTES);
    hst_pb_varint(b, n);
}

void hst_pb_bytes(hst_buf *b, int field, const void *p, size_t n)
{
    hst_pb_begin(b, field, n);
    hst_buf_add(b, p, n);
}

void hst_pb_text(hst_buf *b, int field, const char *text)
{
    hst_pb_bytes(b, field, text, strlen(text));
}

void hst_pb_ints(hst_buf *b, int field, const int64_t *v, size_t n)
{
    hst_buf inner = HST_BUF(b->max);
    for (size_t i = 0; i < n; i++)
        hst_pb_varint(&inner, (uint64_t)v[i]);
    hst_pb_message(b, field, &inner);
}

void hst_pb_message(hst_buf *b, int field, hst_buf *inner)
{
    const size_t max = inner->max;
    hst_pb_bytes(b, field, inner->n ? inner->p : "", inner->n);
    b->failed = b->failed ? b->failed : inner->failed;
    hst_buf_free(inner);
    *inner = HST_BUF(max);
}
