/* zip.h - writing zip archives whose members are stored, dated 1 January 1980 (PKWARE's
 * APPNOTE.TXT, 4.3). The same members give the same bytes. */
#ifndef HST_EXPORTS_ZIP_H
#define HST_EXPORTS_ZIP_H
#include "base/buf.h"
#include "base/file.h"

#include <stdint.h>

/* The parts of an archive. What goes in front of a member, `extra` being what stands between its
 * name and its bytes; its entry in the directory, `at` bytes behind the archive's beginning; what
 * goes behind the directory. */
typedef struct hst_zip_member {
    const char *name;
    uint32_t crc;
    size_t n;
} hst_zip_member;
void hst_zip_front(hst_buf *b, const hst_zip_member *m, const hst_buf *extra);
void hst_zip_entry(hst_buf *b, const hst_zip_member *m, uint64_t at);
void hst_zip_back(hst_buf *b, int members, size_t directory_bytes, uint64_t directory_at);

/* A whole archive in a file, all of it zero at first. */
typedef struct hst_zip {
    hst_out *out;
    uint64_t at; /* bytes so far */
    hst_buf directory;
    int members;
    size_t align; /* a power of two that each member's bytes begin at a multiple of; 0: any place */
} hst_zip;

typedef struct hst_piece {
    const void *p;
    size_t n;
} hst_piece;

HST_CHECK int hst_zip_begin(hst_zip *z, const char *path, size_t align, hst_err *err);
/* A member of n pieces, one behind the other. HST_EUNSUP: more than 4 GiB, or 65535 members. */
HST_CHECK int hst_zip_add(hst_zip *z, const char *name, const hst_piece *piece, size_t n,
                          hst_err *err);
/* Puts the file to its place. */
HST_CHECK int hst_zip_commit(hst_zip *z, hst_err *err);
void hst_zip_end(hst_zip *z); /* always, also after commit */
#endif
