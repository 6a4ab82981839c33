#include "exports/pth.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { MOST_PICKLE = 1 << 28, ALIGN = 64, STORED = 0, VERSION = 20 };

/* ---- the pickle ---- */

static void put_le(hst_buf *b, uint64_t v, int bytes)
{
    uint8_t p[8];
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    hst_buf_add(b, p, (size_t)bytes);
}

static void put_text(hst_buf *b, const char *text)
{
    hst_buf_add(b, "X", 1); /* BINUNICODE */
    put_le(b, strlen(text), 4);
    hst_buf_puts(b, text);
}

static void put_int(hst_buf *b, int64_t v)
{
    if (v < 1 << 8) {
        hst_buf_add(b, "K", 1); /* BININT1 */
        put_le(b, (uint64_t)v, 1);
    } else if (v <= INT32_MAX) {
        hst_buf_add(b, "J", 1); /* BININT */
        put_le(b, (uint64_t)v, 4);
    } else {
        hst_buf_add(b, "\x8a\x08", 2); /* LONG1 */
        put_le(b, (uint64_t)v, 8);
    }
}

static void put_ints(hst_buf *b, const int64_t *v, int n)
{
    hst_buf_add(b, "(", 1); /* MARK */
    for (int i = 0; i < n; i++)
        put_int(b, v[i]);
    hst_buf_add(b, "t", 1); /* TUPLE */
}

static void put_empty_dict(hst_buf *b)
{
    hst_buf_puts(b, "ccollections\nOrderedDict\n)R"); /* GLOBAL EMPTY_TUPLE REDUCE */
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), where storage is what
 * the reader makes of ("storage", class, member, "cpu", numbers). */
static void put_tensor(hst_buf *b, const hst_tensor *t, size_t number)
{
    char member[24];
    int64_t stride[8], at = 1;
    for (int i = t->n_dims; i-- > 0; at *= t->dim[i])
        stride[i] = at;
    snprintf(member, sizeof member, "%zu", number);
    hst_buf_puts(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    hst_buf_printf(b, "ctorch\n%s\n", t->dtype == HST_I64 ? "LongStorage" : "FloatStorage");
    put_text(b, member);
    put_text(b, "cpu");
    put_int(b, (int64_t)hst_tensor_count(t));
    hst_buf_puts(b, "tQ"); /* TUPLE BINPERSID */
    put_int(b, 0);
    put_ints(b, t->dim, t->n_dims);
    put_ints(b, stride, t->n_dims);
    hst_buf_add(b, "\x89", 1); /* NEWFALSE */
    put_empty_dict(b);
    hst_buf_puts(b, "tR");
}

static void put_pickle(hst_buf *b, const hst_tensor *t, size_t n, const hst_meta_pair *about,
                       size_t n_about)
{
    hst_buf_add(b, "\x80\x02", 2); /* PROTO */
    put_empty_dict(b);
    hst_buf_add(b, "(", 1);
    for (size_t i = 0; i < n; i++) {
        put_text(b, t[i].name);
        put_tensor(b, &t[i], i);
    }
    hst_buf_puts(b, "u}("); /* SETITEMS; its attributes: EMPTY_DICT */
    put_text(b, "headstart");
    hst_buf_puts(b, "}(");
    for (size_t i = 0; i < n_about; i++) {
        put_text(b, about[i].key);
        put_text(b, about[i].value);
    }
    hst_buf_puts(b, "uub."); /* BUILD STOP */
}

/* ---- the archive ---- */

typedef struct zip {
    hst_out *out;
    uint64_t at; /* bytes so far */
    hst_buf directory;
    int members;
} zip;

/* What local header and directory have alike; no date: 1980-01-01. */
static void put_member(hst_buf *b, uint32_t crc, size_t n, size_t name)
{
    put_le(b, VERSION, 2);
    put_le(b, 0, 2);
    put_le(b, STORED, 2);
    put_le(b, 0, 2);
    put_le(b, 0x21, 2);
    put_le(b, crc, 4);
    put_le(b, n, 4);
    put_le(b, n, 4);
    put_le(b, name, 2);
}

static int add_member(zip *z, const char *name, const void *p, size_t n, hst_err *err)
{
    enum { LOCAL = 30, FIELD = 4 };
    static const uint8_t zeros[2 * ALIGN];
    const size_t length = strlen(name);
    const uint32_t crc = (uint32_t)crc32_z(crc32_z(0, NULL, 0), p, n);
    const size_t begins = (size_t)z->at + LOCAL + length + FIELD;
    const size_t padding = (ALIGN - begins % ALIGN) % ALIGN;
    hst_buf head = HST_BUF(4096);
    if (z->at + n > UINT32_MAX - MOST_PICKLE)
        return hst_fail(err, HST_EUNSUP, "the network is too large for such a file");
    put_le(&head, 0x04034b50, 4);
    put_member(&head, crc, n, length);
    put_le(&head, FIELD + padding, 2);
    hst_buf_puts(&head, name);
    hst_buf_puts(&head, "FB"); /* as torch marks what only aligns */
    put_le(&head, padding, 2);
    hst_buf_add(&head, zeros, padding);
    put_le(&z->directory, 0x02014b50, 4);
    put_le(&z->directory, VERSION, 2);
    put_member(&z->directory, crc, n, length);
    hst_buf_add(&z->directory, zeros, 12); /* no extra field, comment, attributes */
    put_le(&z->directory, z->at, 4);
    hst_buf_puts(&z->directory, name);
    int rc = hst_buf_check(&head, err);
    rc = rc ? rc : hst_out_write(z->out, head.p, head.n, err);
    rc = rc ? rc : hst_out_write(z->out, p, n, err);
    z->at += head.n + n;
    z->members++;
    hst_buf_free(&head);
    return rc;
}

static int end_archive(zip *z, hst_err *err)
{
    const size_t n = z->directory.n;
    put_le(&z->directory, 0x06054b50, 4);
    put_le(&z->directory, 0, 4);
    put_le(&z->directory, (uint64_t)z->members, 2);
    put_le(&z->directory, (uint64_t)z->members, 2);
    put_le(&z->directory, n, 4);
    put_le(&z->directory, z->at, 4);
    put_le(&z->directory, 0, 2);
    const int rc = hst_buf_check(&z->directory, err);
    return rc ? rc : hst_out_write(z->out, z->directory.p, z->directory.n, err);
}

static int write_members(zip *z, const hst_buf *pickle, const hst_tensor *t, size_t n, hst_err *err)
{
    char name[48];
    int rc = add_member(z, "archive/data.pkl", pickle->p, pickle->n, err);
    rc = rc ? rc : add_member(z, "archive/byteorder", "little", 6, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        snprintf(name, sizeof name, "archive/data/%zu", i);
        rc = add_member(z, name, t[i].data, t[i].n_bytes, err);
    }
    rc = rc ? rc : add_member(z, "archive/version", "3\n", 2, err);
    return rc ? rc : end_archive(z, err);
}

int hst_pth_write(const char *path, const hst_tensor *t, size_t n, const hst_meta_pair *about,
                  size_t n_about, hst_err *err)
{
    enum { MOST_MEMBERS = UINT16_MAX - 8 };
    zip z = {.directory = HST_BUF(MOST_PICKLE)};
    hst_buf pickle = HST_BUF(MOST_PICKLE);
    if (n > MOST_MEMBERS)
        return hst_fail(err, HST_EUNSUP, "%zu tensors are too many for such a file", n);
    put_pickle(&pickle, t, n, about, n_about);
    int rc = hst_buf_check(&pickle, err);
    rc = rc ? rc : hst_out_open(&z.out, path, err);
    rc = rc ? rc : write_members(&z, &pickle, t, n, err);
    rc = rc ? rc : hst_out_commit(z.out, err);
    hst_out_close(z.out);
    hst_buf_free(&z.directory);
    hst_buf_free(&pickle);
    return rc;
}
