#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Reads one character: its bytes (1..4) with *c set, or 0 when it is broken or a control. */
static size_t read_char(const unsigned char *s, uint32_t *c)
{
    *c = s[0];
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
               : s[0] >= 0xe0 && s[0] <= 0xef ? 3
               : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                              : 0;
    *c = n == 2 ? s[0] & 0x1fu : n == 3 ? s[0] & 0x0fu : s[0] & 0x07u;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (s[i] & 0x3fu);
    }
    int overlong = (n == 3 && *c < 0x800) || (n == 4 && *c < 0x10000);
    int surrogate = *c >= 0xd800 && *c <= 0xdfff;
    return overlong || surrogate || *c < 0xa0 || *c > 0x10ffff ? 0 : n;
}

void cli_text_clean(char *out, size_t cap, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t at = 0;
    uint32_t c;
    while (*p) {
        size_t n = read_char(p, &c), take = n ? n : 1;
        if (at + take >= cap)
            break;
        if (n)
            memcpy(out + at, p, n);
        else
            out[at] = '?';
        at += take;
        p += take;
    }
    out[at] = 0;
}

void cli_text_quote(FILE *to, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./,:=@%+";
    size_t broken = 0;
    uint32_t c;
    if (*s && s[strspn(s, plain)] == 0) {
        fputs(s, to);
        return;
    }
    for (const char *p = s; *p && !broken;) {
        size_t n = read_char((const unsigned char *)p, &c);
        broken = n == 0;
        p += n;
    }
    fputs(broken ? "$'" : "'", to);
    for (; *s; s++) {
        unsigned char b = (unsigned char)*s;
        if (broken && (b < 0x20 || b >= 0x7f || b == '\'' || b == '\\'))
            fprintf(to, "\\%03o", b);
        else if (b == '\'')
            fputs("'\\''", to);
        else
            putc(b, to);
    }
    putc('\'', to);
}

typedef struct range {
    uint32_t first, last;
} range;

static int in_ranges(uint32_t c, const range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= r[i].first && c <= r[i].last)
            return 1;
    return 0;
}

static int char_width(uint32_t c)
{
    static const range zero[] = {{0x300, 0x36f},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                 {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
                                 {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};
    static const range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},
                                 {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
                                 {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                 {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
                                 {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (c < 0x300)
        return 1;
    if (in_ranges(c, zero, sizeof zero / sizeof *zero))
        return 0;
    return in_ranges(c, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

int cli_text_width(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    int columns = 0;
    uint32_t c;
    while (*p) {
        size_t n = read_char(p, &c);
        columns += n ? char_width(c) : 1;
        p += n ? n : 1;
    }
    return columns;
}

/* Bytes of clean s that fill at most `columns`. */
static size_t bytes_within(const char *s, int columns)
{
    const unsigned char *p = (const unsigned char *)s;
    uint32_t c;
    while (*p) {
        size_t n = read_char(p, &c);
        columns -= char_width(c);
        if (columns < 0)
            break;
        p += n;
    }
    return (size_t)(p - (const unsigned char *)s);
}

void cli_text_shorten(char *out, size_t cap, const char *s, int columns)
{
    char clean[1024];
    cli_text_clean(clean, sizeof clean, s);
    int width = cli_text_width(clean);
    if (width <= columns) {
        cli_text_clean(out, cap, clean);
        return;
    }
    int keep = columns - 2, front = keep - keep / 2, back = keep / 2;
    size_t head = bytes_within(clean, front);
    const char *tail = clean + head;
    while (*tail && cli_text_width(tail) > back) { /* one character further */
        uint32_t c;
        tail += read_char((const unsigned char *)tail, &c);
    }
    char both[sizeof clean + 3];
    memcpy(both, clean, head);
    memcpy(both + head, "..", 2);
    memcpy(both + head + 2, tail, strlen(tail) + 1);
    cli_text_clean(out, cap, both);
}

const char *cli_text_size(int width, int height, char text[CLI_SIZE_TEXT])
{
    snprintf(text, CLI_SIZE_TEXT, "%d x %d px%s", width, height,
             width == height ? "" : " (width x height)");
    return text;
}

int cli_text_columns(int fd)
{
    enum { USUAL = 80, MOST = 10000 };
    struct winsize size;
    const char *text = getenv("COLUMNS");
    long columns = text ? strtol(text, NULL, 10) : 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    return columns < 1 || columns > MOST ? USUAL : (int)columns;
}

int cli_text_is_terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}
