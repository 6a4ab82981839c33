#include "sstable.h"
#include "protobuf.h"

#include <stdlib.h>
#include <string.h>

enum {
    FOOTER = 48,
    HANDLES = 40,
    TRAILER = 5,
    MAX_KEY = 4096,
    MAX_ENTRIES = 100000,
    MAX_KEY_BYTES = 16 << 20
};
static const uint64_t magic = UINT64_C(0xdb4775248b80fb57);

static int damaged(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the checkpoint's index is damaged: %s", why);
}

typedef struct reader {
    sstable *t;
    bytes file;
    const hst_crc32c *crc;
    hst_arena *arena;
    size_t cap, key_bytes;
    size_t left; /* bytes of blocks: no block is there twice */
} reader;

/* A handle off the front of *m. */
static int read_handle(bytes *m, uint64_t *offset, uint64_t *size, hst_err *err)
{
    if (pb_varint(m, offset, NULL) == 1 && pb_varint(m, size, NULL) == 1)
        return 0;
    return damaged(err, "a block handle is cut off");
}

/* The entries' bytes of the block that a handle names, its check sum compared. */
static int open_block(reader *r, bytes handle, bytes *out, hst_err *err)
{
    uint64_t offset, size;
    int rc = read_handle(&handle, &offset, &size, err);
    if (rc)
        return rc;
    if (!within(offset, size, r->file.n) || r->file.n - offset - size < TRAILER)
        return damaged(err, "a block lies past the end of the file");
    if (size > r->left)
        return damaged(err, "its blocks overlap");
    r->left -= (size_t)size;
    bytes b = {r->file.p + offset, (size_t)size};
    if (hst_crc32c_masked(r->crc, b.p, b.n + 1) != le32(b.p + b.n + 1))
        return damaged(err, "the check sum of a block differs");
    if (b.p[b.n] != 0)
        return damaged(err, "a block is compressed, which TensorFlow never does");
    if (b.n < 4)
        return damaged(err, "a block is too short");
    uint64_t restarts = (uint64_t)le32(b.p + b.n - 4) * 4 + 4;
    if (restarts > b.n)
        return damaged(err, "a block has more restarts than bytes");
    *out = (bytes){b.p, b.n - (size_t)restarts};
    return 0;
}

/* The next entry of a block: its key over the one before (key, *n_key), its value. */
static int next_entry(bytes *block, uint8_t key[MAX_KEY], size_t *n_key, bytes *value, hst_err *err)
{
    uint64_t shared, rest, n_value;
    if (pb_varint(block, &shared, NULL) != 1 || pb_varint(block, &rest, NULL) != 1 ||
        pb_varint(block, &n_value, NULL) != 1)
        return damaged(err, "an entry is cut off");
    if (shared > *n_key)
        return damaged(err, "a key shares more bytes than the one before it has");
    if (rest >= MAX_KEY - shared)
        return damaged(err, "a key is too long");
    if (!within(rest, n_value, block->n))
        return damaged(err, "an entry reaches past its block");
    if (memchr(block->p, 0, (size_t)rest))
        return damaged(err, "a key is no text");
    memcpy(key + shared, block->p, (size_t)rest);
    *n_key = (size_t)(shared + rest);
    *value = (bytes){block->p + rest, (size_t)n_value};
    block->p += rest + n_value;
    block->n -= (size_t)(rest + n_value);
    return 0;
}

static int grow(reader *r, hst_err *err)
{
    size_t cap = r->cap ? 2 * r->cap : 256;
    sst_entry *more = hst_arena_alloc(r->arena, cap, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    if (r->t->n)
        memcpy(more, r->t->entry, r->t->n * sizeof *more);
    r->t->entry = more;
    r->cap = cap;
    return 0;
}

static int add_entry(reader *r, const uint8_t *key, size_t n_key, bytes value, hst_err *err)
{
    sstable *t = r->t;
    r->key_bytes += n_key + 1;
    if (t->n == MAX_ENTRIES || r->key_bytes > MAX_KEY_BYTES)
        return damaged(err, "it has too many keys");
    if (t->n == r->cap && grow(r, err))
        return HST_EMEM;
    char *copy = hst_arena_alloc(r->arena, n_key + 1, 1, err);
    if (!copy)
        return HST_EMEM;
    memcpy(copy, key, n_key);
    if (t->n && strcmp(t->entry[t->n - 1].key, copy) >= 0)
        return damaged(err, "its keys do not ascend");
    t->entry[t->n++] = (sst_entry){copy, value};
    return 0;
}

static int read_data(reader *r, bytes handle, hst_err *err)
{
    uint8_t key[MAX_KEY];
    size_t n_key = 0;
    bytes block = {0}, value = {0};
    int rc = open_block(r, handle, &block, err);
    while (rc == 0 && block.n) {
        rc = next_entry(&block, key, &n_key, &value, err);
        rc = rc ? rc : add_entry(r, key, n_key, value, err);
    }
    return rc;
}

int sst_read(sstable *t, bytes file, const hst_crc32c *crc, hst_arena *arena, hst_err *err)
{
    uint8_t key[MAX_KEY];
    size_t n_key = 0;
    uint64_t offset, size;
    reader r = {.t = t, .file = file, .crc = crc, .arena = arena, .left = file.n};
    bytes index = {0}, handle;
    *t = (sstable){0};
    if (file.n < FOOTER || le64(file.p + file.n - 8) != magic)
        return damaged(err, "it does not end as one does (is it cut off?)");
    handle = (bytes){file.p + file.n - FOOTER, HANDLES};
    int rc = read_handle(&handle, &offset, &size, err); /* the metaindex: empty in every file */
    rc = rc ? rc : open_block(&r, handle, &index, err);
    while (rc == 0 && index.n) {
        rc = next_entry(&index, key, &n_key, &handle, err);
        rc = rc ? rc : read_data(&r, handle, err);
    }
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const sst_entry *)a)->key, ((const sst_entry *)b)->key);
}

const sst_entry *sst_find(const sstable *t, const char *key)
{
    sst_entry want = {.key = key};
    return t->n ? bsearch(&want, t->entry, t->n, sizeof want, by_key) : NULL;
}
