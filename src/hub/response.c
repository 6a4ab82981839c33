/* response.c - the head of an HTTP answer, whose lines libcurl has taken apart. Every one comes
 * from a stranger: what does not fit or is no number is as if it had not come. */
#include "hub/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_WAIT_S = 1000000 };

/* The value of line `index` of those of that name; "" where there is none that fits. */
static void read_text(CURL *c, const char *name, size_t index, char *out, size_t cap)
{
    struct curl_header *h;
    out[0] = 0;
    if (curl_easy_header(c, name, index, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return;
    size_t n = strcspn(h->value, "\r\n"); /* some versions leave an empty value its line's end */
    if (n < cap)
        snprintf(out, cap, "%.*s", (int)n, h->value);
}

static int read_number(const char *s, uint64_t *out)
{
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > 19)
        return 0;
    *out = strtoull(s, NULL, 10);
    return 1;
}

/* "bytes 100-199/200": 1. *total: 0 where it is not said. */
static int read_range(const char *value, uint64_t *from, uint64_t *total)
{
    const char *slash = strchr(value, '/');
    if (strncasecmp(value, "bytes ", 6) != 0 || !read_number(value + 6, from))
        return 0;
    if (!slash || !read_number(slash + 1, total))
        *total = 0;
    return 1;
}

/* "Fri, 31 Dec 1999 23:59:59 GMT" (RFC 9110, 5.6.7), in whatever locale. */
static int read_date(const char *s, time_t *out)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t = {0};
    char month[4];
    if (sscanf(s, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT", &t.tm_mday, month, &t.tm_year,
               &t.tm_hour, &t.tm_min, &t.tm_sec) != 6)
        return 0;
    const char *at = strstr(months, month);
    if (!at || (at - months) % 3)
        return 0;
    t.tm_mon = (int)(at - months) / 3;
    t.tm_year -= 1900;
    *out = timegm(&t);
    return *out != (time_t)-1;
}

/* Retry-After: seconds, or the time from which on. -1: not said. */
static long read_wait(const char *value)
{
    uint64_t seconds;
    time_t then;
    if (read_number(value, &seconds))
        return seconds <= MAX_WAIT_S ? (long)seconds : -1;
    if (!read_date(value, &then))
        return -1;
    const double wait = difftime(then, time(NULL));
    if (wait > MAX_WAIT_S)
        return -1;
    return wait > 0 ? (long)wait + 1 : 0;
}

/* One line for all hashes, or one for each. */
static void read_goog_hash(CURL *c, hst_response *r)
{
    char value[sizeof r->goog_hash];
    for (size_t i = 0; read_text(c, "x-goog-hash", i, value, sizeof value), value[0]; i++) {
        size_t have = strlen(r->goog_hash), n = strlen(value);
        if (have + n + 2 > sizeof r->goog_hash)
            continue;
        if (have > 0)
            r->goog_hash[have++] = ',';
        memcpy(r->goog_hash + have, value, n + 1);
    }
}

static void read_numbers(CURL *c, hst_response *r)
{
    char value[64];
    read_text(c, "content-length", 0, value, sizeof value);
    r->has_length = read_number(value, &r->length);
    read_text(c, "content-range", 0, value, sizeof value);
    r->has_range = read_range(value, &r->from, &r->total);
    read_text(c, "x-linked-size", 0, value, sizeof value);
    if (!read_number(value, &r->linked_size))
        r->linked_size = 0;
    read_text(c, "retry-after", 0, value, sizeof value);
    r->retry_after_s = read_wait(value);
}

void hst_response_read(CURL *c, hst_response *r)
{
    long status = 0;
    *r = (hst_response){0};
    if (curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        r->status = (int)status;
    read_numbers(c, r);
    read_text(c, "etag", 0, r->etag, sizeof r->etag);
    read_text(c, "x-linked-etag", 0, r->linked_etag, sizeof r->linked_etag);
    read_text(c, "last-modified", 0, r->last_modified, sizeof r->last_modified);
    read_text(c, "content-type", 0, r->content_type, sizeof r->content_type);
    read_text(c, "x-repo-commit", 0, r->commit, sizeof r->commit);
    read_text(c, "x-error-code", 0, r->error_code, sizeof r->error_code);
    read_text(c, "location", 0, r->location, sizeof r->location);
    read_goog_hash(c, r);
}
