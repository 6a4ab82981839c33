/* protobuf.h - reading Protocol Buffers' wire format, field by field, with every length checked.
 *
 * A message is a run of fields: varint key (number * 8 + wire type), then a varint (type 0), 8
 * bytes (1), a varint length and that many bytes (2), or 4 bytes (5). Groups (3, 4), long gone from
 * the format, are refused. Source: https://protobuf.dev/programming-guides/encoding
 *
 * Protobuf's own libraries unpack the whole message into a tree, whose size a hostile file decides;
 * this walks one level in the file's own bytes. */
#ifndef CONVERT_PROTOBUF_H
#define CONVERT_PROTOBUF_H
#include "base/err.h"
#include "bytes.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

typedef struct pb_field {
    uint32_t number;
    enum pb_wire wire;
    uint64_t v; /* PB_VARINT, PB_FIXED64, PB_FIXED32 */
    bytes b;    /* PB_BYTES: inside the message */
} pb_field;

/* Takes the next field off the front of *m: 1; 0 at the end; else HST_EMODEL. */
HST_CHECK int pb_next(bytes *m, pb_field *f, hst_err *err);
/* Takes a varint off the front of *m (the elements of a packed field): 1; 0 at the end; HST_EMODEL.
 */
HST_CHECK int pb_varint(bytes *m, uint64_t *v, hst_err *err);
/* An entry of a map: fields 1 and 2, of number 0 where they are no bytes. Errors: as pb_next. */
HST_CHECK int pb_entry(bytes m, pb_field *key, pb_field *value, hst_err *err);
/* Whether a field is bytes equal to text. */
int pb_is(const pb_field *f, const char *text);
#endif
