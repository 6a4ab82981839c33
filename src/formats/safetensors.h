/* safetensors.h - the one weight format the library reads, and the one it writes.
 *
 *   u64 LE header bytes N | N bytes JSON {"name": {"dtype", "shape", "data_offsets"},
 * "__metadata__": {..}} | data
 *
 * Limits of the reader: 4 GiB, a header of 100,000,000 bytes, 200,000 JSON values, 16 MiB a string.
 * Source of the rules: https://github.com/huggingface/safetensors (format section of the README).
 * Read with read() into one block, not mapped: a file truncated under a map is a signal. */
#ifndef HST_FORMATS_SAFETENSORS_H
#define HST_FORMATS_SAFETENSORS_H
#include "base/buf.h"
#include "base/file.h"

enum hst_dtype {
    HST_F32,
    HST_F16,
    HST_BF16,
    HST_F64,
    HST_I64,
    HST_I32,
    HST_I16,
    HST_I8,
    HST_U8,
    HST_BOOL,
    HST_OTHER /* one of the types of the format that nothing here works with */
};

typedef struct hst_tensor {
    const char *name;
    enum hst_dtype dtype;
    int n_dims; /* 0 .. 8 */
    int64_t dim[8];
    const void *data; /* as stored, little endian, aligned for its type */
    size_t n_bytes;
} hst_tensor;

typedef struct hst_tensors hst_tensors; /* a file in memory */

/* Messages name the file. Refuses, HST_EMODEL with the reason: a header past the end, over 100 MB
 * or not JSON; duplicate keys; holes, overlaps or bytes left over; shapes whose product overflows
 * or disagrees with the range; metadata that is not text. */
HST_CHECK hst_tensors *hst_tensors_read(const char *path, hst_err *err);
/* The same over bytes in memory, which are copied. Messages do not say where they came from. */
HST_CHECK hst_tensors *hst_tensors_parse(const uint8_t *bytes, size_t n, hst_err *err);
void hst_tensors_free(hst_tensors *t);
/* Frees the numbers, which are most of a file; names, shapes and metadata stay, data is NULL. */
void hst_tensors_drop_data(hst_tensors *t);
size_t hst_tensors_count(const hst_tensors *t);
const hst_tensor *hst_tensors_at(const hst_tensors *t, size_t i);           /* sorted by name */
const hst_tensor *hst_tensors_find(const hst_tensors *t, const char *name); /* NULL: not there */
const char *hst_tensors_meta(const hst_tensors *t, const char *key);        /* NULL: not there */
/* The metadata key behind the given one (NULL: the first), in file order; NULL at the end. */
const char *hst_tensors_meta_next(const hst_tensors *t, const char *key);
/* Bytes of one element; 0 for HST_OTHER. */
size_t hst_dtype_bytes(enum hst_dtype d);
/* "F32"; "OTHER". */
const char *hst_dtype_name(enum hst_dtype d);
/* Elements of a tensor (product of its dims). */
size_t hst_tensor_count(const hst_tensor *n);
/* Converts F32, F16, BF16 or F64 to out[hst_tensor_count(n)]. HST_EMODEL for other types. */
HST_CHECK int hst_tensor_floats(const hst_tensor *n, float *out, hst_err *err);

typedef struct hst_meta_pair {
    const char *key, *value;
} hst_meta_pair;

/* Writes path whole or not at all; tensors in the given order, metadata sorted by key, so equal
 * input gives equal bytes. HST_EARG: a name twice or not UTF-8, a type of HST_OTHER, more than a
 * reader accepts. */
HST_CHECK int hst_tensors_write(const char *path, const hst_tensor *t, size_t n,
                                const hst_meta_pair *meta, size_t n_meta, hst_err *err);

/* The part of such a file in front of the data: the caller writes head and then each tensor's bytes
 * (data may be NULL here). */
HST_CHECK int hst_tensors_head(const hst_tensor *t, size_t n, const hst_meta_pair *meta,
                               size_t n_meta, hst_buf *head, hst_err *err);

/* SHA-256 over names, types, shapes, data and metadata (but for the key `except`): says whether
 * anything that matters in a file changed. hex[65]. */
HST_CHECK int hst_tensors_digest(const hst_tensor *t, size_t n, const hst_meta_pair *meta,
                                 size_t n_meta, const char *except, char hex[65], hst_err *err);
/* The same digest of a file that was read. */
HST_CHECK int hst_tensors_digest_of(const hst_tensors *t, const char *except, char hex[65],
                                    hst_err *err);
/* And in the same pass that of its tensors without any metadata. */
HST_CHECK int hst_tensors_digests(const hst_tensors *t, const char *except, char hex[65],
                                  char tensors_hex[65], hst_err *err);

/* Writes the header of a file of one float32 tensor name[rows][cols] to o; the caller writes the
 * rows behind it. again: over the one that is there, where rows was not known before. name: letters
 * and '_', a few. Errors: HST_EIO. */
HST_CHECK int hst_tensors_rows(hst_out *o, const char *name, size_t rows, size_t cols, int again,
                               hst_err *err);
#endif
