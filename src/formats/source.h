/* source.h - what weights are read from: one file, or the files of a folder.
 *
 * All of them are opened at once, by whoever may open files; a parser that may not then works with
 * names and descriptors alone. Links are passed over, so nothing outside the folder is opened. */
#ifndef HST_FORMATS_SOURCE_H
#define HST_FORMATS_SOURCE_H
#include "base/err.h"

typedef struct hst_source_file {
    char *name; /* below the folder, "variables/variables.index"; of a single file its last part */
    int fd;     /* -1: only data */
    uint64_t n_bytes;
    uint8_t *data; /* [n_bytes], and a NUL behind; NULL until hst_source_load */
} hst_source_file;

typedef struct hst_source {
    hst_source_file *file; /* sorted by name; where one file was named, that one comes first */
    size_t n, cap;
    int is_folder;
} hst_source;

/* Opens path: a folder's regular files (three levels, at most 256, hidden ones and links left out
 * but those of a Hugging Face cache), or a file and, where its format keeps weights beside it
 * (.json, .onnx), the files of those kinds next to it. HST_EMODEL: no such file, no regular file,
 * too many or more than 4 GiB. */
HST_CHECK int hst_source_open(hst_source *s, const char *path, hst_err *err);
void hst_source_close(hst_source *s);

/* SHA-256 of the file; of several, over their names and hashes. hex[65]. */
HST_CHECK int hst_source_hash(const hst_source *s, char hex[65], hst_err *err);
uint64_t hst_source_bytes(const hst_source *s); /* of all files */

/* NULL: not there. */
hst_source_file *hst_source_find(const hst_source *s, const char *name);
/* Appends a file that lies in memory; takes data, also on failure. */
HST_CHECK int hst_source_add(hst_source *s, const char *name, uint8_t *data, uint64_t n_bytes,
                             hst_err *err);
/* Reads the file into memory, once. */
HST_CHECK int hst_source_load(hst_source_file *f, hst_err *err);
#endif
