/* process.h - running another program: an argument vector, never a shell, with a time limit. */
#ifndef HST_BASE_PROCESS_H
#define HST_BASE_PROCESS_H
#include "base/context.h"

typedef struct hst_process_result {
    int exit_code;   /* 0..255, or -1 when a signal ended it */
    int signal;      /* that signal, or 0 */
    int timed_out;   /* it was killed at the time limit */
    char tail[1024]; /* the last line it wrote to stdout or stderr, printable */
} hst_process_result;

/* Starts argv[0] (found in PATH unless it has a slash) with no standard input and waits. A program
 * that ran and failed is no error here: look at *r. what: the phase told to the context's progress
 * function, which may stop it. Errors: HST_EPROC (cannot be started), HST_ESTOPPED. */
HST_CHECK int hst_process_run(const hst_ctx *ctx, const char *what, const char *const argv[],
                              int limit_s, hst_process_result *r, hst_err *err);

/* The file that this code was loaded from: the shared library, or the program where the library is
 * part of it. To be freed; NULL when the system does not say. */
char *hst_own_file(void);

/* Path of a helper program that belongs to this library: found from the library's own place, so
 * that an installation can be moved and a build needs none; where none is there, the place that
 * `make install` was told. in_build: its folder seen from that of a program in a build. To be
 * freed. NULL: HST_EMEM. */
HST_CHECK char *hst_helper_find(const char *name, const char *in_build, hst_err *err);
#endif
