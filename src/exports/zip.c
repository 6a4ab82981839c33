#include "exports/zip.h"

#include <string.h>
#include <zlib.h>

enum { MOST_DIRECTORY = 1 << 24, MOST_MEMBERS = UINT16_MAX - 1, VERSION = 20, UTF8 = 1 << 11 };

static void put_le(hst_buf *b, uint64_t v, int bytes)
{
    uint8_t p[8];
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
    hst_buf_add(b, p, (size_t)bytes);
}

/* What stands in front of a member and in its entry. */
static void put_member(hst_buf *b, const hst_zip_member *m, size_t extra)
{
    put_le(b, VERSION, 2);
    put_le(b, UTF8, 2);
    put_le(b, 0, 4); /* stored; 00:00 */
    put_le(b, 1 << 5 | 1, 2);
    put_le(b, m->crc, 4);
    put_le(b, m->n, 4);
    put_le(b, m->n, 4);
    put_le(b, strlen(m->name), 2);
    put_le(b, extra, 2);
}

void hst_zip_front(hst_buf *b, const hst_zip_member *m, const hst_buf *extra)
{
    hst_buf_puts(b, "PK\3\4");
    put_member(b, m, extra ? extra->n : 0);
    hst_buf_puts(b, m->name);
    if (extra && extra->n)
        hst_buf_add(b, extra->p, extra->n);
}

void hst_zip_entry(hst_buf *b, const hst_zip_member *m, uint64_t at)
{
    hst_buf_puts(b, "PK\1\2");
    put_le(b, VERSION, 2);
    put_member(b, m, 0);
    put_le(b, 0, 8); /* comment, disk, attributes */
    put_le(b, 0, 2);
    put_le(b, at, 4);
    hst_buf_puts(b, m->name);
}

void hst_zip_back(hst_buf *b, int members, size_t directory_bytes, uint64_t directory_at)
{
    hst_buf_puts(b, "PK\5\6");
    put_le(b, 0, 4);
    put_le(b, (uint64_t)members, 2);
    put_le(b, (uint64_t)members, 2);
    put_le(b, directory_bytes, 4);
    put_le(b, directory_at, 4);
    put_le(b, 0, 2);
}

/* ---- a file ---- */

int hst_zip_begin(hst_zip *z, const char *path, size_t align, hst_err *err)
{
    *z = (hst_zip){.directory = HST_BUF(MOST_DIRECTORY), .align = align};
    return hst_out_open(&z->out, path, err);
}

/* A field of zeros, named as torch names its own, so that what is behind it is aligned. */
static void put_padding(hst_buf *b, uint64_t begins, size_t align)
{
    static const uint8_t zero;
    const size_t n = (align - (begins + 4) % align) % align;
    hst_buf_puts(b, "FB");
    put_le(b, n, 2);
    for (size_t i = 0; i < n; i++)
        hst_buf_add(b, &zero, 1);
}

int hst_zip_add(hst_zip *z, const char *name, const hst_piece *piece, size_t n, hst_err *err)
{
    enum { LOCAL = 30 };
    hst_zip_member m = {name, (uint32_t)crc32_z(0, NULL, 0), 0};
    hst_buf extra = HST_BUF(4096), head = HST_BUF(4096);
    for (size_t i = 0; i < n; i++) {
        m.crc = (uint32_t)crc32_z(m.crc, piece[i].p, piece[i].n);
        m.n += piece[i].n;
    }
    if (z->at + m.n > UINT32_MAX - 2 * MOST_DIRECTORY || z->members == MOST_MEMBERS)
        return hst_fail(err, HST_EUNSUP, "the network is too large for such a file");
    if (z->align)
        put_padding(&extra, z->at + LOCAL + strlen(name), z->align);
    hst_zip_front(&head, &m, &extra);
    hst_zip_entry(&z->directory, &m, z->at);
    int rc = hst_buf_check(&head, err);
    rc = rc ? rc : hst_out_write(z->out, head.p, head.n, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = hst_out_write(z->out, piece[i].p, piece[i].n, err);
    z->at += head.n + m.n;
    z->members++;
    hst_buf_free(&extra);
    hst_buf_free(&head);
    return rc;
}

int hst_zip_commit(hst_zip *z, hst_err *err)
{
    hst_zip_back(&z->directory, z->members, z->directory.n, z->at);
    int rc = hst_buf_check(&z->directory, err);
    rc = rc ? rc : hst_out_write(z->out, z->directory.p, z->directory.n, err);
    return rc ? rc : hst_out_commit(z->out, err);
}

void hst_zip_end(hst_zip *z)
{
    hst_out_close(z->out);
    hst_buf_free(&z->directory);
}
