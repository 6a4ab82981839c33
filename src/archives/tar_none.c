/* tar_none.c - in place of tar.c where there is no libarchive. */
#include "archives/index.h"
#include "base/parts.h"

int hst_tar_index(const hst_ctx *ctx, const hst_archive_file *f, hst_index *x, hst_err *err)
{
    (void)ctx;
    (void)f;
    (void)x;
    return hst_part_missing(HST_PART_LIBARCHIVE, err);
}

int hst_tar_read(const hst_archive_file *f, const hst_member *m, uint8_t *out, size_t n,
                 hst_err *err)
{
    (void)f;
    (void)m;
    (void)out;
    (void)n;
    return hst_part_missing(HST_PART_LIBARCHIVE, err);
}

int hst_tar_unpack(const hst_ctx *ctx, const hst_archive_file *f, enum hst_archive_kind kind,
                   int *fd, hst_err *err)
{
    (void)ctx;
    (void)f;
    (void)kind;
    (void)fd;
    return hst_part_missing(HST_PART_LIBARCHIVE, err);
}
