#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at s (1..4), or 0 when it is broken or a control character. C1
 * controls (U+0080..U+009F) count as controls: terminals act on them. Overlong forms and surrogates
 * are broken (RFC 3629): the ranges of the second byte below keep them out. */
static size_t printable_bytes(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
               : s[0] >= 0xe0 && s[0] <= 0xef ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
    unsigned low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : s[0] == 0xc2 ? 0xa0 : 0x80;
    unsigned high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (n == 0 || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

void hst_printable(char *out, size_t cap, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (*s) {
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
