#include "exports/bundle.h"

#include "base/crc32c.h"
#include "base/file.h"
#include "exports/protobuf.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_INDEX = 1 << 26, FOOTER_BYTES = 48, MAGIC_BYTES = 8 };
static const uint64_t magic = UINT64_C(0xdb4775248b80fb57);

/* tensor_bundle.proto */
enum { HEADER_SHARDS = 1, HEADER_VERSION = 3, VERSION_PRODUCER = 1 };
enum { ENTRY_DTYPE = 1, ENTRY_SHAPE = 2, ENTRY_OFFSET = 4, ENTRY_SIZE = 5, ENTRY_CRC = 6 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };

/* A table being made, whose data are one block. */
typedef struct table {
    hst_crc32c crc;
    hst_buf file, block, restarts;
    uint32_t n; /* entries of the block */
} table;

static void fixed(hst_buf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        hst_buf_add(b, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

/* Every entry begins anew: nothing of its key is shared with the one in front. Keys come sorted. */
static void entry(table *t, const char *key, const void *value, size_t n)
{
    fixed(&t->restarts, t->block.n, 4);
    t->n++;
    hst_pb_varint(&t->block, 0);
    hst_pb_varint(&t->block, strlen(key));
    hst_pb_varint(&t->block, n);
    hst_buf_puts(&t->block, key);
    hst_buf_add(&t->block, value, n);
}

/* Ends the block; its handle in *handle. */
static void end_block(table *t, hst_buf *handle)
{
    if (!t->n)
        fixed(&t->restarts, 0, 4); /* also of no entry there is one */
    hst_buf_add(&t->block, t->restarts.p, t->restarts.n);
    fixed(&t->block, t->n ? t->n : 1, 4);
    hst_pb_varint(handle, t->file.n);
    hst_pb_varint(handle, t->block.n);
    fixed(&t->block, 0, 1); /* not compressed */
    t->block.failed |= t->restarts.failed;
    if (!t->block.failed)
        fixed(&t->block, hst_crc32c_masked(&t->crc, t->block.p, t->block.n), 4);
    hst_buf_add(&t->file, t->block.p, t->block.n);
    t->file.failed |= t->block.failed;
    hst_buf_free(&t->block);
    hst_buf_free(&t->restarts);
    t->block = t->restarts = HST_BUF(MOST_INDEX);
    t->n = 0;
}

/* The data are in t->block. The index needs a key that is none of theirs smaller. */
static void end_table(table *t, const char *last_key)
{
    hst_buf data = HST_BUF(64), meta = HST_BUF(64), index = HST_BUF(64);
    end_block(t, &data);
    end_block(t, &meta);
    entry(t, last_key, data.p, data.n);
    end_block(t, &index);
    const size_t from = t->file.n;
    hst_buf_add(&t->file, meta.p, meta.n);
    hst_buf_add(&t->file, index.p, index.n);
    while (!t->file.failed && t->file.n - from < FOOTER_BYTES - MAGIC_BYTES)
        fixed(&t->file, 0, 1);
    fixed(&t->file, magic, MAGIC_BYTES);
    hst_buf_free(&data);
    hst_buf_free(&meta);
    hst_buf_free(&index);
}

/* BundleHeaderProto. */
static void header(table *t)
{
    hst_buf b = HST_BUF(64), version = HST_BUF(64);
    hst_pb_int(&b, HEADER_SHARDS, 1);
    hst_pb_int(&version, VERSION_PRODUCER, 1);
    hst_pb_message(&b, HEADER_VERSION, &version);
    entry(t, "", b.p, b.n);
    hst_buf_free(&b);
}

/* BundleEntryProto of a tensor that begins at `offset`. */
static void describe(table *t, const hst_tf_tensor *of, uint64_t offset)
{
    hst_buf b = HST_BUF(1024), shape = HST_BUF(1024), dim = HST_BUF(64);
    const size_t bytes = hst_tf_count(of) * sizeof *of->data;
    for (int i = 0; i < of->n_dims; i++) {
        hst_pb_int(&dim, DIM_SIZE, of->dim[i]);
        hst_pb_message(&shape, SHAPE_DIM, &dim);
    }
    hst_pb_int(&b, ENTRY_DTYPE, HST_TF_FLOAT);
    hst_pb_message(&b, ENTRY_SHAPE, &shape);
    hst_pb_int(&b, ENTRY_OFFSET, (int64_t)offset);
    hst_pb_int(&b, ENTRY_SIZE, (int64_t)bytes);
    hst_pb_varint(&b, ENTRY_CRC << 3 | 5); /* four bytes */
    fixed(&b, hst_crc32c_masked(&t->crc, of->data, bytes), 4);
    entry(t, of->name, b.p, b.n);
    t->block.failed |= b.failed;
    hst_buf_free(&b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const hst_tf_tensor *const *)a)->name,
                  (*(const hst_tf_tensor *const *)b)->name);
}

/* Both files, in the order of the names. */
static int write_sorted(const hst_tf_tensor **sorted, size_t n, hst_out *data, hst_out *index,
                        hst_err *err)
{
    table t = {
        .file = HST_BUF(MOST_INDEX), .block = HST_BUF(MOST_INDEX), .restarts = HST_BUF(MOST_INDEX)};
    uint64_t at = 0;
    int rc = 0;
    hst_crc32c_init(&t.crc);
    header(&t);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const size_t bytes = hst_tf_count(sorted[i]) * sizeof *sorted[i]->data;
        describe(&t, sorted[i], at);
        at += bytes;
        rc = hst_out_write(data, sorted[i]->data, bytes, err);
    }
    end_table(&t, n ? sorted[n - 1]->name : "");
    rc = rc ? rc : hst_buf_check(&t.file, err);
    rc = rc ? rc : hst_out_write(index, t.file.p, t.file.n, err);
    rc = rc ? rc : hst_out_commit(data, err);
    rc = rc ? rc : hst_out_commit(index, err);
    hst_buf_free(&t.file);
    return rc;
}

int hst_bundle_write(const hst_tf *g, const char *folder, hst_err *err)
{
    size_t n = 0;
    hst_out *data = NULL, *index = NULL;
    const hst_tf_tensor **sorted = hst_alloc(g->n_tensors, sizeof *sorted, err);
    for (size_t i = 0; sorted && i < g->n_tensors; i++)
        if (g->tensor[i].is_kernel)
            sorted[n++] = &g->tensor[i];
    if (n)
        qsort(sorted, n, sizeof *sorted, by_name);
    char *d = hst_path_join(folder, "variables.data-00000-of-00001", err);
    char *i = hst_path_join(folder, "variables.index", err);
    int rc = sorted && d && i ? hst_out_open(&data, d, err) : HST_EMEM;
    rc = rc ? rc : hst_out_open(&index, i, err);
    rc = rc ? rc : write_sorted(sorted, n, data, index, err);
    hst_out_close(data);
    hst_out_close(index);
    free(d);
    free(i);
    free(sorted);
    return rc;
}
