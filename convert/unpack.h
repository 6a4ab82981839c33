/* unpack.h - an archive as the folder it holds, in memory. */
#ifndef CONVERT_UNPACK_H
#define CONVERT_UNPACK_H
#include "weights.h"

/* An empty folder that lives until weights_end(). */
HST_CHECK hst_source *unpack_begin(weights *w, hst_err *err);

/* Unpacks an archive into the folder. HST_EMODEL: links, names that are absolute or hold "..", a
 * name twice, more than 256 files, more bytes than weights can pack into the archive's size. */
typedef int unpacker(const hst_source_file *file, hst_source *out, hst_err *err);
HST_CHECK unpacker unpack_zip, unpack_tar;

/* Where the file has the given name in some folder of the archive, makes that folder the root: all
 * else is dropped. 0: it is nowhere, or in several. */
int unpack_enter(hst_source *s, const char *file);
#endif
