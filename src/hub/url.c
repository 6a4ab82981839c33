#include "hub/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

static int is_in(char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static int is_plain(char c)
{
    return is_in(c, letters) || is_in(c, capitals) || is_in(c, digits) || is_in(c, "-._~");
}

int hst_url_is(const char *s)
{
    return strncasecmp(s, "https://", 8) == 0 || strncasecmp(s, "http://", 7) == 0;
}

int hst_url_is_plain(const char *url)
{
    return strncasecmp(url, "http:", 5) == 0;
}

/* The part between "//" and the path: "host:port". */
static const char *authority(const char *url, size_t *n)
{
    const char *at = strstr(url, "//") + 2;
    *n = strcspn(at, "/?#");
    return at;
}

/* Splits "host:port" or "[::1]:port"; port 0: none. 0 when it is neither. */
static int split(const char *at, size_t n, size_t *n_host, unsigned *port)
{
    const char *end = at + n, *close = NULL;
    *port = 0;
    *n_host = 0;
    if (n && at[0] == '[')
        close = memchr(at, ']', n);
    if (n && at[0] == '[' && !close)
        return 0;
    const char *s = close ? close + 1 : at;
    while (!close && s < end && *s != ':') {
        if (!is_plain(*s))
            return 0;
        s++;
    }
    for (const char *c = at + 1; close && c < close; c++)
        if (!is_in(*c, digits) && !is_in(*c, "abcdefABCDEF:."))
            return 0;
    *n_host = (size_t)(s - at);
    if (s == end)
        return *n_host > 0;
    if (*s++ != ':' || end - s < 1 || end - s > 5)
        return 0;
    for (; s < end; s++) {
        if (!is_in(*s, digits))
            return 0;
        *port = *port * 10 + (unsigned)(*s - '0');
    }
    return *n_host > 0 && *port >= 1 && *port <= 65535;
}

static int is_loopback(const char *host, size_t n)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == n && strncasecmp(names[i], host, n) == 0)
            return 1;
    return 0;
}

int hst_url_check(const char *url, hst_err *err)
{
    size_t n = strlen(url), n_authority, n_host;
    unsigned port;
    if (n >= HST_URL_MAX)
        return hst_fail(err, HST_EARG, "an address of %zu characters is too long", n);
    if (!hst_url_is(url))
        return hst_fail(err, HST_EARG, "%s: an address starts with https://", url);
    for (const char *s = url; *s; s++)
        if (!is_plain(*s) && !is_in(*s, ":/?#[]!$&'()*+,;=%@"))
            return hst_fail(err, HST_EARG, "%s: a character that no address may hold", url);
    const char *at = authority(url, &n_authority);
    if (memchr(at, '@', n_authority))
        return hst_fail(err, HST_EARG, "an address with a user name or password is not taken");
    if (!split(at, n_authority, &n_host, &port) || n_host > 255)
        return hst_fail(err, HST_EARG, "%s: no host", url);
    if (hst_url_is_plain(url) && !is_loopback(at, n_host))
        return hst_fail(err, HST_EARG, "%s: only https is taken from other machines", url);
    return 0;
}

void hst_url_origin(const char *url, char out[HST_ORIGIN_MAX])
{
    size_t n, n_host = 0;
    unsigned port = 0;
    const char *at = authority(url, &n);
    int plain = hst_url_is_plain(url);
    split(at, n, &n_host, &port);
    snprintf(out, HST_ORIGIN_MAX, "%s://%.*s:%u", plain ? "http" : "https", (int)n_host, at,
             port    ? port
             : plain ? 80
                     : 443);
    for (char *s = out; *s; s++)
        if (is_in(*s, capitals))
            *s = (char)(*s - 'A' + 'a');
}

int hst_url_same_origin(const char *a, const char *b)
{
    char x[HST_ORIGIN_MAX], y[HST_ORIGIN_MAX];
    hst_url_origin(a, x);
    hst_url_origin(b, y);
    return strcmp(x, y) == 0;
}

int hst_url_names_host(const char *location)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return strncmp(location, "//", 2) == 0 || (scheme > 0 && location[scheme] == ':');
}

int hst_url_join(const char *base, const char *location, char *out, hst_err *err)
{
    size_t n_authority;
    const char *at = authority(base, &n_authority);
    int n_scheme = (int)strcspn(base, ":") + 1;
    int n_origin = (int)(at - base) + (int)n_authority;
    int n_path = (int)strcspn(base, "?#"), n;
    while (n_path > n_origin && base[n_path - 1] != '/')
        n_path--;
    if (strncmp(location, "//", 2) == 0)
        n = snprintf(out, HST_URL_MAX, "%.*s%s", n_scheme, base, location);
    else if (hst_url_names_host(location))
        n = snprintf(out, HST_URL_MAX, "%s", location);
    else if (location[0] == '/')
        n = snprintf(out, HST_URL_MAX, "%.*s%s", n_origin, base, location);
    else
        n = snprintf(out, HST_URL_MAX, "%.*s%s%s", n_path, base, n_path > n_origin ? "" : "/",
                     location);
    if (n < 0 || n >= HST_URL_MAX)
        return hst_fail(err, HST_ENET, "a redirect to an address that is too long");
    return 0;
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
    size_t n_authority;
    const char *path = authority(url, &n_authority) + n_authority;
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
