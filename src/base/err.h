/* err.h - how a function that can fail is written.
 *
 * Who detects an error explains it (what, where, expected, found, what to do); who passes it on
 * adds a name (file, class, layer) only where the reader needs one. */
#ifndef HST_BASE_ERR_H
#define HST_BASE_ERR_H
#include "headstart.h"

#define HST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fills *err (may be NULL) and returns code, so that "return hst_fail(...)" is one line. Control
 * characters and broken UTF-8 in the finished message become '?'. */
int hst_fail(hst_err *err, int code, const char *fmt, ...) HST_PRINTF(3, 4);

/* As hst_fail with ": " and the text of errno value e behind the message. */
int hst_fail_errno(hst_err *err, int code, int e, const char *fmt, ...) HST_PRINTF(4, 5);

/* Puts "what: " in front of the message of an error that came from below; NULL is fine. */
void hst_err_at(hst_err *err, const char *what);

/* The system's text for errno value e (errno_gnu.c, errno_posix.c). */
void hst_errno_text(int e, char *out, size_t cap);

/* Copies text into out[cap] with control characters and broken UTF-8 as '?'. */
void hst_printable(char *out, size_t cap, const char *text);
#endif
