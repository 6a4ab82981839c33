/* response.c - the head of an HTTP answer. Every line comes from a stranger: what does not fit or
 * is no number is as if it had not come. */
#include "hub/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_WAIT_S = 1000000 };

static int read_number(const char *s, uint64_t *out)
{
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > 19)
        return 0;
    *out = strtoull(s, NULL, 10);
    return 1;
}

/* "bytes 100-199/200" */
static void take_range(hst_response *r, const char *value)
{
    if (strncasecmp(value, "bytes ", 6) != 0 || !read_number(value + 6, &r->from))
        return;
    const char *slash = strchr(value, '/');
    r->has_range = 1;
    if (!slash || !read_number(slash + 1, &r->total))
        r->total = 0;
}

static void take_status(hst_response *r, const char *line)
{
    uint64_t status = 0;
    const char *space = strchr(line, ' ');
    *r = (hst_response){.retry_after_s = -1};
    if (space && read_number(space + 1, &status) && status < 1000)
        r->status = (int)status;
}

static void take_number(hst_response *r, const char *name, const char *value)
{
    uint64_t v;
    if (!read_number(value, &v))
        return;
    if (strcasecmp(name, "content-length") == 0) {
        r->has_length = 1;
        r->length = v;
    } else if (strcasecmp(name, "x-linked-size") == 0) {
        r->linked_size = v;
    } else if (strcasecmp(name, "retry-after") == 0 && v <= MAX_WAIT_S) {
        r->retry_after_s = (long)v;
    }
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

/* Retry-After may also be the time from which on. */
static void take_date(hst_response *r, const char *name, const char *value)
{
    time_t then;
    if (strcasecmp(name, "retry-after") != 0 || !read_date(value, &then))
        return;
    const double wait = difftime(then, time(NULL));
    if (wait <= MAX_WAIT_S)
        r->retry_after_s = wait > 0 ? (long)wait + 1 : 0;
}

static void take_text(hst_response *r, const char *name, const char *value)
{
    const struct {
        const char *name;
        char *out;
        size_t cap;
    } texts[] = {{"etag", r->etag, sizeof r->etag},
                 {"x-linked-etag", r->linked_etag, sizeof r->linked_etag},
                 {"last-modified", r->last_modified, sizeof r->last_modified},
                 {"content-type", r->content_type, sizeof r->content_type},
                 {"x-repo-commit", r->commit, sizeof r->commit},
                 {"x-error-code", r->error_code, sizeof r->error_code},
                 {"location", r->location, sizeof r->location}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcasecmp(name, texts[i].name) == 0 && strlen(value) < texts[i].cap)
            snprintf(texts[i].out, texts[i].cap, "%s", value);
    size_t have = strlen(r->goog_hash); /* one line for all hashes, or one for each */
    if (strcasecmp(name, "x-goog-hash") == 0 && have + strlen(value) + 2 < sizeof r->goog_hash)
        snprintf(r->goog_hash + have, sizeof r->goog_hash - have, "%s%s", have ? "," : "", value);
}

void hst_response_line(hst_response *r, const char *line, size_t n)
{
    char text[sizeof r->location + 64];
    while (n && strchr(" \t\r\n", line[n - 1]))
        n--;
    if (n == 0 || n >= sizeof text || memchr(line, 0, n))
        return;
    memcpy(text, line, n);
    text[n] = 0;
    if (strncasecmp(text, "HTTP/", 5) == 0) {
        take_status(r, text);
        return;
    }
    char *value = strchr(text, ':');
    if (!value)
        return;
    *value++ = 0;
    value += strspn(value, " \t");
    take_number(r, text, value);
    take_date(r, text, value);
    if (strcasecmp(text, "content-range") == 0)
        take_range(r, value);
    take_text(r, text, value);
}
