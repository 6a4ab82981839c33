/* zip.h - members of a zip archive, through libarchive, with limits. */
#ifndef CONVERT_ZIP_H
#define CONVERT_ZIP_H
#include "base/file.h"
#include "formats/source.h"

typedef struct zip_member {
    char *name;
    uint64_t size;
    uint8_t *data; /* [size]; NULL until zip_load */
} zip_member;

typedef struct zip {
    const hst_source_file *file;
    zip_member *member; /* regular files, sorted by name */
    size_t n, cap;
} zip;

/* Reads the table of members; nothing is unpacked. Refuses, HST_EMODEL: links and devices, a name
 * twice, sizes that are unknown or, in all, over max_ratio times the archive (and 1 MiB). The file
 * stays the caller's. zip_free() in every case. */
HST_CHECK int zip_open(zip *z, const hst_source_file *file, unsigned max_ratio, hst_err *err);
void zip_free(zip *z);
/* NULL: not there. */
const zip_member *zip_find(const zip *z, const char *name);

/* Unpacks every member into memory. HST_EMODEL also where a member is not as long as it says. */
HST_CHECK int zip_load(zip *z, hst_err *err);
/* Unpacks one member into a file. */
HST_CHECK int zip_copy(const zip *z, const zip_member *m, hst_out *out, hst_err *err);
#endif
