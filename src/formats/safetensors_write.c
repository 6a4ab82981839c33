/* safetensors_write.c - the writer, and the digest of what matters in a file. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "formats/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER_BYTES = 100 * 1000 * 1000, MAX_DIMS = 8, HEADER_ALIGN = 8 };

static int by_key(const void *a, const void *b)
{
    return strcmp(((const hst_meta_pair *)a)->key, ((const hst_meta_pair *)b)->key);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hst_tensor *)a)->name, ((const hst_tensor *)b)->name);
}

/* A sorted copy of n things of a size; NULL when memory is short. */
static void *sorted(const void *items, size_t n, size_t size,
                    int (*order)(const void *, const void *), hst_err *err)
{
    void *copy = hst_alloc(n, size, err);
    if (!copy || !n)
        return copy;
    memcpy(copy, items, n * size);
    qsort(copy, n, size, order);
    return copy;
}

/* Puts value, which it takes, under a name that is new. */
static int put(json_t *object, const char *name, json_t *value, hst_err *err)
{
    if (!value || json_object_get(object, name)) {
        json_decref(value);
        return hst_fail(err, HST_EARG, "'%.100s' cannot be written: it is there twice", name);
    }
    if (json_object_set_new(object, name, value) == 0)
        return 0;
    return hst_fail(err, HST_EARG, "'%.100s' cannot be written: the name is not UTF-8", name);
}

static int put_meta(json_t *root, const hst_meta_pair *meta, size_t n, hst_err *err)
{
    if (!n)
        return 0;
    hst_meta_pair *pairs = sorted(meta, n, sizeof *pairs, by_key, err);
    json_t *object = json_object();
    int rc = pairs && object ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (size_t i = 0; i < n && rc == 0; i++) {
        json_t *value = json_string(pairs[i].value);
        rc = value ? put(object, pairs[i].key, value, err)
                   : hst_fail(err, HST_EARG, "metadata '%.100s' is not UTF-8", pairs[i].key);
    }
    free(pairs);
    if (rc == 0)
        return put(root, "__metadata__", object, err);
    json_decref(object);
    return rc;
}

/* Checks that what the caller gives agrees with itself. */
static int check_tensor(const hst_tensor *t, hst_err *err)
{
    size_t bytes = hst_dtype_bytes(t->dtype);
    int ok = bytes > 0 && t->n_dims >= 0 && t->n_dims <= MAX_DIMS;
    ok = ok && strcmp(t->name, "__metadata__") != 0;
    for (int i = 0; i < t->n_dims && ok; i++)
        ok = t->dim[i] >= 0 && hst_mul_ok(bytes, (size_t)t->dim[i], &bytes);
    if (ok && bytes == t->n_bytes)
        return 0;
    return hst_fail(err, HST_EARG, "tensor '%.100s' cannot be written: wrong name, type or shape",
                    t->name);
}

static int put_tensor(json_t *root, const hst_tensor *t, size_t *at, hst_err *err)
{
    size_t begin = *at;
    int rc = check_tensor(t, err);
    if (rc)
        return rc;
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dims && shape; i++)
        if (json_array_append_new(shape, json_integer(t->dim[i])) != 0) {
            json_decref(shape);
            shape = NULL;
        }
    if (!shape || __builtin_add_overflow(begin, t->n_bytes, at)) {
        json_decref(shape);
        return hst_fail(err, HST_EMEM, "out of memory: the header of tensor '%.100s'", t->name);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", hst_dtype_name(t->dtype), "shape",
                              shape, "data_offsets", (json_int_t)begin, (json_int_t)*at);
    if (!entry)
        return hst_fail(err, HST_EMEM, "out of memory: the header of tensor '%.100s'", t->name);
    return put(root, t->name, entry, err);
}

/* The header's JSON, as compact text to be freed. */
static char *header_text(const hst_tensor *t, size_t n, const hst_meta_pair *meta, size_t n_meta,
                         hst_err *err)
{
    char *text = NULL;
    size_t at = 0;
    json_t *root = json_object();
    int rc = root ? put_meta(root, meta, n_meta, err) : hst_fail(err, HST_EMEM, "out of memory");
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_tensor(root, &t[i], &at, err);
    if (rc == 0)
        text = hst_json_write(root, JSON_COMPACT, err);
    json_decref(root);
    return text;
}

int hst_tensors_head(const hst_tensor *t, size_t n, const hst_meta_pair *meta, size_t n_meta,
                     hst_buf *head, hst_err *err)
{
    char *text = header_text(t, n, meta, n_meta, err);
    if (!text)
        return err ? err->code : HST_EMEM;
    size_t length = strlen(text);
    size_t padded = hst_round_up(length, HEADER_ALIGN);
    uint64_t stored = padded;
    int rc = 0;
    if (padded > MAX_HEADER_BYTES)
        rc = hst_fail(err, HST_EARG, "cannot be written: the header would have %zu bytes", padded);
    hst_buf_add(head, &stored, sizeof stored);
    hst_buf_add(head, text, length);
    hst_buf_add(head, "        ", padded - length);
    free(text);
    return rc ? rc : hst_buf_check(head, err);
}

int hst_tensors_write(const char *path, const hst_tensor *t, size_t n, const hst_meta_pair *meta,
                      size_t n_meta, hst_err *err)
{
    hst_buf head = HST_BUF(MAX_HEADER_BYTES + 64);
    hst_out *out = NULL;
    int rc = hst_tensors_head(t, n, meta, n_meta, &head, err);
    rc = rc ? rc : hst_out_open(&out, path, err);
    rc = rc ? rc : hst_out_write(out, head.p, head.n, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = hst_out_write(out, t[i].data, t[i].n_bytes, err);
    rc = rc ? rc : hst_out_commit(out, err);
    hst_out_close(out);
    hst_buf_free(&head);
    return rc;
}

/* What a digest is over. */
typedef struct content {
    const hst_tensor *t;
    size_t n;
    const hst_meta_pair *meta;
    size_t n_meta;
    const char *except; /* a key that is left out; NULL: none */
} content;

static int add_number(hst_sha256 *h, uint64_t v, hst_err *err)
{
    return hst_sha256_add(h, &v, sizeof v, err);
}

static int add_tensor(hst_sha256 *h, const hst_tensor *t, hst_err *err)
{
    int rc = hst_sha256_adds(h, t->name, err);
    rc = rc ? rc : hst_sha256_adds(h, hst_dtype_name(t->dtype), err);
    rc = rc ? rc : add_number(h, (uint64_t)t->n_dims, err);
    for (int i = 0; i < t->n_dims && rc == 0; i++)
        rc = add_number(h, (uint64_t)t->dim[i], err);
    rc = rc ? rc : add_number(h, t->n_bytes, err);
    return rc || !t->n_bytes ? rc : hst_sha256_add(h, t->data, t->n_bytes, err);
}

/* Tensors sorted by name, then metadata sorted by key; numbers as u64 LE, strings with their NUL.
 * *bare: a hash that has seen the tensors only, to be freed; NULL: not wanted. */
static int add_all(hst_sha256 *h, const content *c, hst_sha256 **bare, hst_err *err)
{
    int rc = add_number(h, c->n, err);
    for (size_t i = 0; i < c->n && rc == 0; i++)
        rc = add_tensor(h, &c->t[i], err);
    if (rc == 0 && bare) {
        *bare = hst_sha256_copy(h, err);
        rc = *bare ? 0 : HST_EMEM;
    }
    for (size_t i = 0; i < c->n_meta && rc == 0; i++) {
        if (c->except && strcmp(c->meta[i].key, c->except) == 0)
            continue;
        rc = hst_sha256_adds(h, c->meta[i].key, err);
        rc = rc ? rc : hst_sha256_adds(h, c->meta[i].value, err);
    }
    return rc;
}

static int end_hex(hst_sha256 *h, char hex[65], hst_err *err)
{
    uint8_t digest[32];
    int rc = hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    return rc;
}

/* tensors_hex: NULL, or the digest of the tensors alone. */
static int digest(const content *c, char hex[65], char *tensors_hex, hst_err *err)
{
    int rc = HST_EMEM;
    hst_sha256 *bare = NULL;
    hst_tensor *t = sorted(c->t, c->n, sizeof *t, by_name, err);
    hst_meta_pair *meta = t ? sorted(c->meta, c->n_meta, sizeof *meta, by_key, err) : NULL;
    hst_sha256 *h = meta ? hst_sha256_new(err) : NULL;
    const content ordered = {t, c->n, meta, c->n_meta, c->except};
    if (h)
        rc = add_all(h, &ordered, tensors_hex ? &bare : NULL, err);
    rc = rc ? rc : end_hex(h, hex, err);
    if (rc == 0 && bare)
        rc = end_hex(bare, tensors_hex, err);
    hst_sha256_free(bare);
    hst_sha256_free(h);
    free(meta);
    free(t);
    return rc;
}

int hst_tensors_digest(const hst_tensor *t, size_t n, const hst_meta_pair *meta, size_t n_meta,
                       const char *except, char hex[65], hst_err *err)
{
    return digest(&(content){t, n, meta, n_meta, except}, hex, NULL, err);
}

static int digest_of(const hst_tensors *t, const char *except, char hex[65], char *tensors_hex,
                     hst_err *err)
{
    size_t n = 0, i = 0;
    for (const char *key = NULL; (key = hst_tensors_meta_next(t, key));)
        n++;
    hst_meta_pair *meta = hst_alloc(n, sizeof *meta, err);
    if (!meta)
        return HST_EMEM;
    for (const char *key = NULL; (key = hst_tensors_meta_next(t, key)); i++)
        meta[i] = (hst_meta_pair){key, hst_tensors_meta(t, key)};
    int rc = digest(&(content){hst_tensors_at(t, 0), hst_tensors_count(t), meta, n, except}, hex,
                    tensors_hex, err);
    free(meta);
    return rc;
}

int hst_tensors_digest_of(const hst_tensors *t, const char *except, char hex[65], hst_err *err)
{
    return digest_of(t, except, hex, NULL, err);
}

int hst_tensors_digests(const hst_tensors *t, const char *except, char hex[65],
                        char tensors_hex[65], hst_err *err)
{
    return digest_of(t, except, hex, tensors_hex, err);
}

int hst_tensors_rows(hst_out *o, const char *name, size_t rows, size_t cols, int again,
                     hst_err *err)
{
    enum { HEADER = 256, LENGTH = 8 }; /* spaces behind the JSON are part of the header */
    char head[HEADER + 1] = {(char)(uint8_t)(HEADER - LENGTH)};
    const int n =
        snprintf(head + LENGTH, sizeof head - LENGTH,
                 "{\"%.32s\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],\"data_offsets\":[0,%zu]}}",
                 name, rows, cols, rows * cols * sizeof(float));
    memset(head + LENGTH + n, ' ', (size_t)(HEADER - LENGTH - n));
    return again ? hst_out_rewrite(o, 0, head, HEADER, err) : hst_out_write(o, head, HEADER, err);
}
