/* url.c - the rules for addresses that need no parser. */
#include "hub/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int is_in(char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static int is_plain(char c)
{
    return is_in(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");
}

int hst_url_is(const char *s)
{
    return strncasecmp(s, "https://", 8) == 0 || strncasecmp(s, "http://", 7) == 0;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

int hst_url_local(const char *s, char *path, size_t cap)
{
    size_t n = 0;
    if (strncasecmp(s, "file:", 5) != 0)
        return 0;
    s += 5;
    if (strncmp(s, "//", 2) == 0)
        s += strncasecmp(s, "//localhost/", 12) == 0 ? 11 : 2;
    if (*s != '/')
        return 0;
    for (; *s && n + 1 < cap; s++) {
        const int high = *s == '%' ? hex_digit(s[1]) : -1;
        const int low = high >= 0 ? hex_digit(s[2]) : -1;
        path[n++] = low >= 0 ? (char)(high * 16 + low) : *s;
        s += low >= 0 ? 2 : 0;
    }
    path[n] = 0;
    return *s == 0 && strlen(path) == n;
}

int hst_url_is_plain(const char *url)
{
    return strncasecmp(url, "http:", 5) == 0;
}

int hst_url_check(const char *url, hst_err *err)
{
    size_t n = strlen(url);
    if (n >= HST_URL_MAX)
        return hst_fail(err, HST_EARG, "an address of %zu characters is too long", n);
    if (!hst_url_is(url))
        return hst_fail(err, HST_EARG, "%s: an address starts with https://", url);
    for (const char *s = url; *s; s++)
        if (!is_plain(*s) && !is_in(*s, ":/?#[]!$&'()*+,;=%@"))
            return hst_fail(err, HST_EARG, "%s: a character that no address may hold", url);
    if (strstr(url, "//")[2] == '/') /* libcurl takes any number of slashes */
        return hst_fail(err, HST_EARG, "%s: no host", url);
    return hst_url_check_host(url, err);
}

int hst_url_names_host(const char *location)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return strncmp(location, "//", 2) == 0 || (scheme > 0 && location[scheme] == ':');
}

void hst_url_escape(hst_buf *b, const char *text, const char *keep)
{
    for (const char *s = text; *s; s++) {
        if (is_plain(*s) || is_in(*s, keep))
            hst_buf_add(b, s, 1);
        else
            hst_buf_printf(b, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

void hst_url_file(const char *url, char *out, size_t cap)
{
    const char *host = strstr(url, "//") + 2, *path = host + strcspn(host, "/?#");
    size_t n = strcspn(path, "?#"), at = n;
    while (at > 0 && path[at - 1] != '/')
        at--;
    while (at < n && path[at] == '.') /* neither hidden nor "..": */
        at++;
    size_t i = 0;
    for (; at < n && i + 1 < cap; at++)
        out[i++] = is_plain(path[at]) && path[at] != '~' ? path[at] : '_';
    out[i] = 0;
    if (i == 0)
        snprintf(out, cap, "download");
}
