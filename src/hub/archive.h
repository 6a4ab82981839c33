/* archive.h - an archive of photos -> a folder. What is in an archive comes from a stranger: names
 * that lead out of the folder, links, devices, two members of one name, and members that unpack to
 * far more than the archive holds are refused. */
#ifndef HST_HUB_ARCHIVE_H
#define HST_HUB_ARCHIVE_H
#include "base/context.h"

/* Unpacks a .zip, a .tar, or one that is compressed by gzip, zstd, xz or bzip2 into dir, which is
 * there and empty. what: for messages and progress. Errors: HST_EDATA (no such archive, damaged,
 * hostile), HST_EIO, HST_EMEM, HST_ESTOPPED; part of it may lie in dir then. */
HST_CHECK int hst_archive_unpack(const hst_ctx *ctx, const char *file, const char *what,
                                 const char *dir, hst_err *err);
#endif
