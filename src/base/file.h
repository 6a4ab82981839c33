/* file.h - reading whole files, and writing files that appear whole or not at all. */
#ifndef HST_BASE_FILE_H
#define HST_BASE_FILE_H
#include "base/err.h"

/* Reads a regular file (or a pipe) of at most max bytes into one block with a NUL behind it.
 * code: what to report when it is missing, a folder, or larger than max (HST_EIMAGE,
 * HST_EMODEL...); a read error is HST_EIO. The caller frees *data. Messages do not hold the path:
 * hst_err_at() it. */
HST_CHECK int hst_file_read(const char *path, size_t max, int code, uint8_t **data, size_t *n,
                            hst_err *err);

/* A file being written: bytes go to a temporary name in the same folder; commit does fsync, rename
 * and fsync of the folder; close without commit removes the temporary file and leaves path as it
 * was. *o is to be closed also where it could not be opened. */
typedef struct hst_out hst_out;
HST_CHECK int hst_out_open(hst_out **o, const char *path, hst_err *err);
HST_CHECK int hst_out_write(hst_out *o, const void *p, size_t n, hst_err *err);
/* Overwrites n bytes that were written at offset `at`. */
HST_CHECK int hst_out_rewrite(hst_out *o, size_t at, const void *p, size_t n, hst_err *err);
HST_CHECK int hst_out_commit(hst_out *o, hst_err *err);
void hst_out_close(hst_out *o); /* always, also after commit; NULL is fine */

/* All n bytes to a descriptor: 1, or 0 with errno set. */
int hst_write_all(int fd, const void *p, size_t n);

/* Removes from a folder the temporary files of those names[n] that a process left when it was
 * killed while it wrote them. What cannot be removed stays. */
void hst_out_sweep(const char *dir, const char *const *names, size_t n);

/* open + write + commit + close of n bytes. */
HST_CHECK int hst_file_write(const char *path, const void *p, size_t n, hst_err *err);

/* Makes the new name of a file durable: fsync of the folder it lies in. */
HST_CHECK int hst_sync_folder(const char *path, hst_err *err);

/* mkdir -p. */
HST_CHECK int hst_mkdirs(const char *path, hst_err *err);

/* dir + "/" + name, to be freed; no second slash where dir ends with one. */
HST_CHECK char *hst_path_join(const char *dir, const char *name, hst_err *err);
/* The part behind the last slash; borrowed from path. */
const char *hst_path_base(const char *path);
/* 1 when path is a folder / a regular file. Follows links. */
int hst_is_dir(const char *path);
int hst_is_file(const char *path);
#endif
