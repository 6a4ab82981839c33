#include "exports/pth.h"
#include "exports/zip.h"

#include <stdio.h>
#include <string.h>

enum { MOST_PICKLE = 1 << 28, ALIGN = 64 };

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

static int add_member(hst_zip *z, const char *name, const void *p, size_t n, hst_err *err)
{
    return hst_zip_add(z, name, &(hst_piece){p, n}, 1, err);
}

static int write_members(hst_zip *z, const hst_buf *pickle, const hst_tensor *t, size_t n,
                         hst_err *err)
{
    char name[48];
    int rc = add_member(z, "archive/data.pkl", pickle->p, pickle->n, err);
    rc = rc ? rc : add_member(z, "archive/byteorder", "little", 6, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        snprintf(name, sizeof name, "archive/data/%zu", i);
        rc = add_member(z, name, t[i].data, t[i].n_bytes, err);
    }
    rc = rc ? rc : add_member(z, "archive/version", "3\n", 2, err);
    return rc ? rc : hst_zip_commit(z, err);
}

int hst_pth_write(const char *path, const hst_tensor *t, size_t n, const hst_meta_pair *about,
                  size_t n_about, hst_err *err)
{
    hst_zip z = {0};
    hst_buf pickle = HST_BUF(MOST_PICKLE);
    put_pickle(&pickle, t, n, about, n_about);
    int rc = hst_buf_check(&pickle, err);
    rc = rc ? rc : hst_zip_begin(&z, path, ALIGN, err);
    rc = rc ? rc : write_members(&z, &pickle, t, n, err);
    hst_zip_end(&z);
    hst_buf_free(&pickle);
    return rc;
}
