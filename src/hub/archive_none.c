/* archive_none.c - in place of archive.c where there is no libarchive. */
#include "base/parts.h"
#include "hub/archive.h"

int hst_archive_unpack(const hst_ctx *ctx, const char *file, const char *what, const char *dir,
                       hst_err *err)
{
    (void)ctx;
    (void)file;
    (void)what;
    (void)dir;
    return hst_part_missing(HST_PART_LIBARCHIVE, err);
}
