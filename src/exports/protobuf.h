/* protobuf.h - writing Protocol Buffers' wire format: fields appended to a buffer, messages inside
 * messages built on their own first (https://protobuf.dev/programming-guides/encoding). */
#ifndef HST_EXPORTS_PROTOBUF_H
#define HST_EXPORTS_PROTOBUF_H
#include "base/buf.h"

#include <stdint.h>

void hst_pb_varint(hst_buf *b, uint64_t v);
void hst_pb_int(hst_buf *b, int field, int64_t v);
void hst_pb_float(hst_buf *b, int field, float v);
void hst_pb_bytes(hst_buf *b, int field, const void *p, size_t n);
void hst_pb_text(hst_buf *b, int field, const char *text);
/* Packed: the numbers behind each other, one length in front. */
void hst_pb_ints(hst_buf *b, int field, const int64_t *v, size_t n);
/* Appends what `inner` holds as a message and empties it; its failure becomes b's. */
void hst_pb_message(hst_buf *b, int field, hst_buf *inner);
/* What stands in front of n bytes that are written elsewhere. */
void hst_pb_begin(hst_buf *b, int field, uint64_t n);
#endif
