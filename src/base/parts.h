/* parts.h - other libraries that a build may do without, and what it then cannot do.
 *
 * What calls such a library is a file of its own; where meson does not find the library, or is told
 * to leave it out, another file stands in, which fails with hst_part_missing(). */
#ifndef HST_BASE_PARTS_H
#define HST_BASE_PARTS_H
#include "base/err.h"

enum hst_part {
    HST_PART_CURL,
    HST_PART_LIBARCHIVE,
    HST_PART_SQLITE,
    HST_PART_CAIRO,
    HST_PART_WEBP,
    HST_PART_GIF,
    HST_PART_TIFF,
    HST_PART_HEIF,
    HST_PART_AVIF,
    HST_PART_JXL,
    HST_PART_OPENJPEG,
    HST_PART_MPI,
    HST_PARTS
};

int hst_part_is_here(enum hst_part part);
/* HST_EUNSUP: "this build cannot download: it was built without curl". */
int hst_part_missing(enum hst_part part, hst_err *err);
#endif
