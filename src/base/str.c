#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t hst_utf8_char(const char *text, uint32_t *code)
{
    const unsigned char *s = (const unsigned char *)text;
    const size_t n = s[0] < 0x80   ? 1
                     : s[0] < 0xc2 ? 0 /* a continuation, or two bytes for what needs one */
                     : s[0] < 0xe0 ? 2
                     : s[0] < 0xf0 ? 3
                     : s[0] < 0xf5 ? 4
                                   : 0;
    static const uint8_t bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07}; /* of the first byte */
    uint32_t c = s[0] & bits[n];
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    *code = c;
    const int overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    const int surrogate = c >= 0xd800 && c <= 0xdfff;
    return overlong || surrogate || c > 0x10ffff ? 0 : n;
}

int hst_is_utf8(const char *s)
{
    uint32_t code;
    while (*s) {
        size_t n = hst_utf8_char(s, &code);
        if (n == 0)
            return 0;
        s += n;
    }
    return 1;
}

size_t hst_utf8_put(uint32_t c, char out[4])
{
    const size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[n] | c);
    return n;
}

int hst_ends_with(const char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    return n >= m && memcmp(s + n - m, ending, m) == 0;
}

int hst_ends_with_any_case(const char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    if (n < m)
        return 0;
    for (size_t i = 0; i < m; i++) {
        char c = s[n - m + i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != ending[i])
            return 0;
    }
    return 1;
}

int hst_read_real(const char *text, const char *unit, double *out)
{
    char local[64], mark[8], *end;
    const size_t n = strspn(text, "0123456789.eE-+");
    if (n == 0 || n >= sizeof local || (text[n] && !(unit && strcmp(text + n, unit) == 0)))
        return 0;
    snprintf(mark, sizeof mark, "%.1f", 0.5);
    snprintf(local, sizeof local, "%.*s", (int)n, text);
    for (char *s = local; *s; s++)
        *s = *s == '.' ? mark[1] : *s;
    *out = strtod(local, &end);
    return *end == 0;
}
