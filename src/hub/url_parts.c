/* url_parts.c - what is asked of an address is read by libcurl's own parser, which reads it again
 * for the transfer: no two readers that could differ. The rules on top of it are ours. */
#include "hub/url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

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

int hst_url_check_host(const char *url, hst_err *err)
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
