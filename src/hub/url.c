/* url.c - what is asked of an address is read by libcurl's own parser, which reads it again for the
 * transfer: no two readers that could differ. The rules on top of it are ours. */
#include "hub/url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* What url is, seen from base (NULL: by itself); to be freed with curl_url_cleanup. NULL: *why. */
static CURLU *parse(const char *base, const char *url, CURLUcode *why)
{
    CURLU *u = curl_url();
    *why = u ? CURLUE_OK : CURLUE_OUT_OF_MEMORY;
    if (*why == CURLUE_OK && base)
        *why = curl_url_set(u, CURLUPART_URL, base, 0);
    if (*why == CURLUE_OK)
        *why = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (*why == CURLUE_OK)
        return u;
    curl_url_cleanup(u);
    return NULL;
}

/* To be freed with curl_free; NULL: there is none, or no memory. */
static char *part(CURLU *u, CURLUPart which)
{
    char *text = NULL;
    unsigned flags = which == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    return curl_url_get(u, which, &text, flags) == CURLUE_OK ? text : NULL;
}

static int is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i], host) == 0)
            return 1;
    return 0;
}

static int check_host(const char *url, hst_err *err)
{
    CURLUcode why;
    int rc = 0;
    CURLU *u = parse(NULL, url, &why);
    if (why == CURLUE_USER_NOT_ALLOWED)
        return hst_fail(err, HST_EARG, "an address with a user name or password is not taken");
    if (!u && why != CURLUE_OUT_OF_MEMORY)
        return hst_fail(err, HST_EARG, "%s: %s", url, curl_url_strerror(why));
    char *host = u ? part(u, CURLUPART_HOST) : NULL;
    if (!host)
        rc = hst_fail(err, HST_EMEM, "out of memory");
    else if (hst_url_is_plain(url) && !is_loopback(host))
        rc = hst_fail(err, HST_EARG, "%s: only https is taken from other machines", url);
    curl_free(host);
    curl_url_cleanup(u);
    return rc;
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
    return check_host(url, err);
}

int hst_url_same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    CURLUcode why;
    CURLU *x = parse(NULL, a, &why), *y = parse(NULL, b, &why);
    int same = x && y;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && same; i++) {
        char *of_x = part(x, parts[i]), *of_y = part(y, parts[i]);
        same = of_x && of_y && strcasecmp(of_x, of_y) == 0;
        curl_free(of_x);
        curl_free(of_y);
    }
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

int hst_url_names_host(const char *location)
{
    size_t scheme = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return strncmp(location, "//", 2) == 0 || (scheme > 0 && location[scheme] == ':');
}

int hst_url_join(const char *base, const char *location, char *out, hst_err *err)
{
    CURLUcode why;
    CURLU *u = parse(base, location, &why);
    char *whole = u ? part(u, CURLUPART_URL) : NULL;
    int rc = 0;
    if (!u && why != CURLUE_OUT_OF_MEMORY)
        rc = hst_fail(err, HST_ENET, "a redirect that is not followed: %s", curl_url_strerror(why));
    else if (!whole)
        rc = hst_fail(err, HST_EMEM, "out of memory");
    else if (strlen(whole) >= HST_URL_MAX)
        rc = hst_fail(err, HST_ENET, "a redirect to an address that is too long");
    else
        memcpy(out, whole, strlen(whole) + 1);
    curl_free(whole);
    curl_url_cleanup(u);
    return rc;
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
