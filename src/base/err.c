#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at s, or 0 when it is broken or a control character. C1 controls (U+0080
 * to U+009F) count as controls: terminals act on them. */
static size_t printable_bytes(const char *s)
{
    uint32_t c = 0;
    size_t n = hst_utf8_char(s, &c);
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ? 0 : n;
}

void hst_printable(char *out, size_t cap, const char *text)
{
    size_t at = 0;
    for (const char *s = text; *s;) {
        size_t n = printable_bytes(s);
        size_t take = n ? n : 1;
        if (at + take >= cap)
            break;
        if (n)
            memcpy(out + at, s, n);
        else
            out[at] = '?';
        at += take;
        s += take;
    }
    if (cap)
        out[at] = 0;
}

static void set(hst_err *err, int code, const char *text)
{
    if (!err)
        return;
    err->code = code;
    hst_printable(err->msg, sizeof err->msg, text);
}

int hst_fail(hst_err *err, int code, const char *fmt, ...)
{
    char text[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    set(err, code, text);
    return code;
}

int hst_fail_errno(hst_err *err, int code, int e, const char *fmt, ...)
{
    char text[sizeof err->msg], why[128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hst_errno_text(e, why, sizeof why);
    if (n >= 0 && (size_t)n < sizeof text)
        snprintf(text + n, sizeof text - (size_t)n, ": %s", why);
    set(err, code, text);
    return code;
}

void hst_err_at(hst_err *err, const char *what)
{
    if (!err)
        return;
    char text[sizeof err->msg + 1024];
    snprintf(text, sizeof text, "%s: %s", what, err->msg);
    set(err, err->code, text);
}

const char *hst_strcode(int code)
{
    switch (code) {
    case HST_OK:
        return "ok";
#define X(name, value, exit_code, text)                                                            \
    case name:                                                                                     \
        return text;
        HST_ERRORS(X)
#undef X
    default:
        return "unknown error";
    }
}
