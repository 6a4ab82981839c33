/* support.h - what tests share: reference files, temporary folders, comparing. */
#ifndef HST_TESTS_SUPPORT_H
#define HST_TESTS_SUPPORT_H
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h> /* after the headers above, which it needs */

/* Path of a reference file ("golden/head/X.npy"), to be freed: the repository's own, which are
 * small, or one of the shared reference data. NULL where neither has it: the test goes on with what
 * is there, or, where that is nothing, calls skip_shared(), which says so and skips. */
char *shared_path(const char *relative);
void skip_shared(const char *relative);

/* A new empty folder under the system's temporary folder, to be freed; remove_tree() ends it. */
char *temporary_folder(void);
void remove_tree(const char *path);

/* A .npy file of version 1.0. The shape is filled; the caller frees data. Fails the test when it
 * cannot be read. */
typedef struct npy {
    void *data;
    char type[8]; /* "<f4", "|u1", "<i4" */
    int n_dims;
    size_t dim[4], count;
} npy;
npy npy_read(const char *path);

/* The largest absolute value. Not by fmax(), at which GCC 12's vectoriser ends for 64-bit ARM. */
double largest_of(const float *v, size_t n);

/* Fails the test with the first difference over atol + rtol * |want|. */
void check_close(const float *got, const float *want, size_t n, double atol, double rtol,
                 const char *what);
void check_close_f64(const float *got, const double *want, size_t n, double atol, double rtol,
                     const char *what);

/* Says so and skips where this build lacks an optional library (hst_build_part). */
void need_part(const char *name);

/* posix_spawn() of a program that is not there fails, or makes a child that ends with 127: POSIX
 * leaves it open, and emulators do the latter. There it says so and skips. */
void skip_where_a_missing_program_starts(void);

/* For tests whose forked children start threads, which ThreadSanitizer cannot follow: under it,
 * says so and skips. */
void skip_where_threads_are_watched(void);

/* Fails the test with err's message unless rc is 0. */
#define check_ok(rc, err)                                                                          \
    do {                                                                                           \
        if ((rc) != 0)                                                                             \
            fail_msg("unexpected error %d: %s", (err)->code, (err)->msg);                          \
    } while (0)
#endif
