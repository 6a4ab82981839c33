/* buf.h - a growing byte buffer with a maximum, for text that is built piece by piece.
 *
 * The first failure sticks: later calls do nothing, and hst_buf_check() tells once at the end. */
#ifndef HST_BASE_BUF_H
#define HST_BASE_BUF_H
#include "base/err.h"

typedef struct hst_buf {
    char *p;    /* NUL-terminated once anything was added; free with hst_buf_free */
    size_t n;   /* bytes before the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* most bytes it may grow to */
    int failed; /* 0, or HST_EMEM (no memory or over max) */
} hst_buf;

#define HST_BUF(max_bytes) ((hst_buf){NULL, 0, 0, (max_bytes), 0})

void hst_buf_add(hst_buf *b, const void *bytes, size_t n);
void hst_buf_puts(hst_buf *b, const char *s);
void hst_buf_printf(hst_buf *b, const char *fmt, ...) HST_PRINTF(2, 3);
/* A CSV field: quoted when it holds a comma, quote or newline (RFC 4180). */
void hst_buf_csv(hst_buf *b, const char *field);
/* A double with enough digits to come back exactly, never with the locale's comma. */
void hst_buf_double(hst_buf *b, double v);
void hst_buf_float(hst_buf *b, float v); /* the same of a float */
/* 0, or HST_EMEM with a message. */
HST_CHECK int hst_buf_check(const hst_buf *b, hst_err *err);
void hst_buf_free(hst_buf *b);
#endif
