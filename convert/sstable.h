/* sstable.h - the index of a TensorFlow checkpoint: a table of sorted keys in LevelDB's format.
 *
 *   data block ... | metaindex block | index block | footer of 48 bytes
 *   block:  entry ... | u32 restart[n] | u32 n | u8 type (0: not compressed) | u32 masked CRC-32C
 *   entry:  varint shared, unshared, value bytes | rest of the key | value
 *   footer: handle of the metaindex, handle of the index (varint offset, size), zeros, u64 magic
 *
 * A key shares its first bytes with the key in front of it. The values of the index block are
 * handles of the data blocks. Source: tensorflow/core/lib/io/format.cc, table_format.txt
 *
 * LevelDB's library opens folders with logs and locks, and repairs them; here one table is read, in
 * memory and never written, with every offset checked. */
#ifndef CONVERT_SSTABLE_H
#define CONVERT_SSTABLE_H
#include "base/crc32c.h"
#include "base/mem.h"
#include "bytes.h"

typedef struct sst_entry {
    const char *key; /* NUL-terminated; no NUL inside */
    bytes value;     /* inside the file */
} sst_entry;

typedef struct sstable {
    sst_entry *entry; /* in the arena; keys ascend strictly */
    size_t n;
} sstable;

/* The table that is the whole of file, which must outlive it. HST_EMODEL: damaged, compressed, over
 * 100,000 keys, or 16 MiB of keys. */
HST_CHECK int sst_read(sstable *t, bytes file, const hst_crc32c *crc, hst_arena *arena,
                       hst_err *err);
const sst_entry *sst_find(const sstable *t, const char *key); /* NULL: not there */
#endif
