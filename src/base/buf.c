#include "base/buf.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and a NUL. */
static int grow(hst_buf *b, size_t n)
{
    if (b->failed)
        return 0;
    if (n > b->max || b->n > b->max - n) {
        b->failed = HST_EMEM;
        return 0;
    }
    size_t need = b->n + n + 1;
    if (need <= b->cap)
        return 1;
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < need)
        cap = need;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = HST_EMEM;
        return 0;
    }
    b->p = p;
    b->cap = cap;
    return 1;
}

void hst_buf_add(hst_buf *b, const void *bytes, size_t n)
{
    if (!grow(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, bytes, n);
    b->n += n;
    b->p[b->n] = 0;
}

void hst_buf_puts(hst_buf *b, const char *s)
{
    hst_buf_add(b, s, strlen(s));
}

void hst_buf_printf(hst_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = HST_EMEM;
    else if (grow(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void hst_buf_csv(hst_buf *b, const char *field)
{
    if (!strpbrk(field, ",\"\r\n")) {
        hst_buf_puts(b, field);
        return;
    }
    hst_buf_puts(b, "\"");
    for (const char *s = field; *s; s++)
        hst_buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    hst_buf_puts(b, "\"");
}

/* v with as few digits, first or more, as read back the same: as a double, or as a float. */
static void put_real(hst_buf *b, double v, int first, int is_float)
{
    char text[40];
    if (!isfinite(v)) {
        hst_buf_puts(b, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    int whole = fabs(v) < 1e15 && v == floor(v); /* 100, not 1e+02 */
    if (whole)
        snprintf(text, sizeof text, "%.0f", v);
    for (int digits = first; !whole && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if ((is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) == v)
            break;
    }
    for (char *s = text; *s; s++) /* a locale may write its own decimal mark */
        if (!strchr("0123456789+-e", *s))
            *s = '.';
    hst_buf_puts(b, text);
}

void hst_buf_double(hst_buf *b, double v)
{
    put_real(b, v, 1, 0);
}

void hst_buf_float(hst_buf *b, float v)
{
    put_real(b, (double)v, FLT_DIG, 1); /* fewer seldom do, and are what they print anyway */
}

int hst_buf_check(const hst_buf *b, hst_err *err)
{
    if (!b->failed)
        return 0;
    return hst_fail(err, HST_EMEM, "out of memory, or a text over %zu bytes", b->max);
}

void hst_buf_free(hst_buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = b->cap = 0;
}
