/* index.h - inside this folder: a table of members being made, and the formats it is made from. */
#ifndef HST_ARCHIVES_INDEX_H
#define HST_ARCHIVES_INDEX_H
#include "archives/archives.h"
#include "base/mem.h"

enum hst_archive_kind {
    HST_ARCHIVE_NONE,
    HST_ARCHIVE_ZIP,
    HST_ARCHIVE_TAR,
    HST_ARCHIVE_GZIP, /* from here on compressed files */
    HST_ARCHIVE_BZIP2,
    HST_ARCHIVE_XZ,
    HST_ARCHIVE_ZSTD
};
enum { HST_ARCHIVE_HEAD = 512 }; /* first bytes that tell: a block of tar */
enum hst_archive_kind hst_archive_kind_of(const uint8_t *head, size_t n);

/* A file that is read: messages name it by what. */
typedef struct hst_archive_file {
    int fd;
    uint64_t size;
    const char *what;
} hst_archive_file;
/* n bytes at a place of the file; HST_EDATA where it ends before. */
HST_CHECK int hst_archive_pread(const hst_archive_file *f, uint64_t at, void *p, size_t n,
                                hst_err *err);

typedef struct hst_index {
    hst_arena *arena; /* of names */
    hst_member *member;
    size_t n, cap;
} hst_index;
HST_CHECK int hst_index_begin(hst_index *x, hst_err *err);
/* name as it stands in the archive: parts "." and ".." are resolved, a root left away; what has no
 * name then is passed over. Errors: HST_EDATA (name or number of members out of bounds),
 * HST_EMEM. */
HST_CHECK int hst_index_add(hst_index *x, const char *name, const hst_member *m, hst_err *err);
void hst_index_end(hst_index *x); /* sorts; of one name the last stays */
void hst_index_clear(hst_index *x);

/* ---- formats ---- */

HST_CHECK int hst_zip_index(const hst_archive_file *f, hst_index *x, hst_err *err);
/* out[n], n at most m->size: the first n bytes of the content; all of it is compared with its check
 * sum. Errors: HST_EDATA, HST_EMEM. */
HST_CHECK int hst_zip_read(const hst_archive_file *f, const hst_member *m, uint8_t *out, size_t n,
                           hst_err *err);

HST_CHECK int hst_tar_index(const hst_ctx *ctx, const hst_archive_file *f, hst_index *x,
                            hst_err *err);
HST_CHECK int hst_tar_read(const hst_archive_file *f, const hst_member *m, uint8_t *out, size_t n,
                           hst_err *err);

/* The tar in a compressed file as an open file without a name, *fd. Errors: HST_EDATA, HST_EIO,
 * HST_EMEM, HST_ESTOPPED. */
HST_CHECK int hst_tar_unpack(const hst_ctx *ctx, const hst_archive_file *f,
                             enum hst_archive_kind kind, int *fd, hst_err *err);
#endif
