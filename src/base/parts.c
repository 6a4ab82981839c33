#include "base/parts.h"

#include <stddef.h>

/* HST_WITH_...: 1 where meson found the library. */
static const struct {
    const char *name, *does;
    int is_here;
} parts[HST_PARTS] = {
    [HST_PART_CURL] = {"curl", "download", HST_WITH_CURL},
    [HST_PART_LIBARCHIVE] = {"libarchive", "unpack archives and import weights",
                             HST_WITH_LIBARCHIVE},
    [HST_PART_SQLITE] = {"SQLite", "keep features", HST_WITH_SQLITE},
    [HST_PART_CAIRO] = {"cairo", "draw pictures", HST_WITH_CAIRO},
    [HST_PART_WEBP] = {"libwebp", "read WebP", HST_WITH_WEBP},
    [HST_PART_GIF] = {"giflib", "read GIF", HST_WITH_GIF},
    [HST_PART_TIFF] = {"libtiff", "read TIFF", HST_WITH_TIFF},
    [HST_PART_HEIF] = {"libheif", "read HEIC", HST_WITH_HEIF},
    [HST_PART_AVIF] = {"libavif", "read AVIF", HST_WITH_AVIF},
    [HST_PART_JXL] = {"libjxl", "read JPEG XL", HST_WITH_JXL},
    [HST_PART_OPENJPEG] = {"openjpeg", "read JPEG 2000", HST_WITH_JP2},
    [HST_PART_MPI] = {"MPI", "share work among processes", HST_WITH_MPI},
};

int hst_part_is_here(enum hst_part part)
{
    return parts[part].is_here;
}

int hst_part_missing(enum hst_part part, hst_err *err)
{
    return hst_fail(err, HST_EUNSUP, "this build cannot %s: it was built without %s",
                    parts[part].does, parts[part].name);
}

const char *hst_build_part(int i, const char **does, int *is_here)
{
    if (i < 0 || i >= HST_PARTS)
        return NULL;
    if (does)
        *does = parts[i].does;
    if (is_here)
        *is_here = parts[i].is_here;
    return parts[i].name;
}
