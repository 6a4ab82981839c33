/* curl.c - the transport over libcurl.
 *
 * It does not follow redirects itself (CURLOPT_FOLLOWLOCATION): http.c does, since no redirect may
 * lead from https to http, credentials go to one origin only, a redirect may be the answer that was
 * asked for, and each step is asked of the mirror where there is one. */
#include "base/context.h"
#include "hub/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_BYTES_S = 16, CONNECT_MAX_S = 30 };

/* What the callbacks need; done: begin has been called for the answer that counts. */
typedef struct exchange {
    CURL *curl;
    const hst_request *rq;
    hst_response *r;
    hst_err *err;
    int begun, rc;  /* rc: what one of the request's functions returned */
    double heard_s; /* when the last byte came */
    int stalled;
} exchange;

static int begin(exchange *x)
{
    if (!x->begun)
        x->rc = x->rq->begin(x->rq->arg, x->r, x->err);
    x->begun = 1;
    return x->rc;
}

/* The empty line ends a head; that of a 1xx is only announced. */
static size_t on_line(char *line, size_t size, size_t n, void *arg)
{
    exchange *x = arg;
    x->heard_s = hst_now_s();
    if (size * n == 0 || (line[0] != '\r' && line[0] != '\n'))
        return size * n;
    hst_response_read(x->curl, x->r);
    return x->r->status >= 200 && begin(x) != HST_TAKE ? 0 : size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    exchange *x = arg;
    x->heard_s = hst_now_s();
    if (begin(x) == HST_TAKE)
        x->rc = x->rq->body(x->rq->arg, p, size * n, x->err);
    return x->rc ? CURL_WRITEFUNC_ERROR : size * n;
}

static int on_tick(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    exchange *x = arg;
    (void)a, (void)b, (void)c, (void)d;
    if (!x->rc)
        x->rc = x->rq->tick(x->rq->arg, x->err);
    x->stalled = hst_now_s() - x->heard_s > x->rq->stall_s;
    return x->rc != 0 || x->stalled;
}

/* Adds a line to *list; 0 when there is no memory. */
static int add_line(struct curl_slist **list, const char *name, const char *value)
{
    size_t n = strlen(name) + strlen(value) + 3;
    char *line = malloc(n);
    struct curl_slist *longer = NULL;
    if (line) {
        snprintf(line, n, "%s: %s", name, value);
        longer = curl_slist_append(*list, line);
    }
    free(line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static int add_lines(struct curl_slist **list, const hst_request *rq)
{
    char range[48];
    snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)rq->from);
    int ok = add_line(list, "Accept-Encoding", "identity");
    if (rq->authorization)
        ok = ok && add_line(list, "Authorization", rq->authorization);
    if (rq->from)
        ok = ok && add_line(list, "Range", range);
    if (rq->from && rq->if_range)
        ok = ok && add_line(list, "If-Range", rq->if_range);
    return ok;
}

/* The environment is not asked for a proxy: the empty text says so. */
static int set_up(CURL *c, exchange *x, struct curl_slist *lines, char text[CURL_ERROR_SIZE])
{
    const hst_request *rq = x->rq;
    long connect_s = rq->stall_s < CONNECT_MAX_S ? rq->stall_s : CONNECT_MAX_S;
    int bad = 0;
    bad |= curl_easy_setopt(c, CURLOPT_URL, rq->url);
    bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(c, CURLOPT_NOBODY, (long)rq->head);
    bad |= curl_easy_setopt(c, CURLOPT_HTTPHEADER, lines);
    bad |= curl_easy_setopt(c, CURLOPT_USERAGENT, "headstart/" HST_VERSION);
    bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect_s);
    bad |= curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)LEAST_BYTES_S);
    bad |= curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)rq->stall_s);
    bad |= curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    bad |= curl_easy_setopt(c, CURLOPT_PROXY, rq->proxy ? rq->proxy : "");
    bad |= curl_easy_setopt(c, CURLOPT_NOPROXY, rq->no_proxy ? rq->no_proxy : "");
    if (rq->ca_file)
        bad |= curl_easy_setopt(c, CURLOPT_CAINFO, rq->ca_file);
    bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_line);
    bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    bad |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
    bad |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
    bad |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    return bad == 0;
}

/* Not worth another try: a wrong address, no such host, a certificate that does not hold. */
static int is_transient(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY:
        return 1;
    default:
        return 0;
    }
}

static int verdict(exchange *x, CURLcode code, const char *text)
{
    if (x->rc < 0)
        return x->rc;
    if (x->rc == HST_ENOUGH)
        return 0;
    if (code == CURLE_OK)
        return begin(x) < 0 ? x->rc : 0; /* an answer without a body */
    x->r->transient = x->stalled || is_transient(code);
    if (x->stalled)
        return hst_fail(x->err, HST_ENET, "nothing came for %d s", x->rq->stall_s);
    if (code == CURLE_OUT_OF_MEMORY)
        return hst_fail(x->err, HST_EMEM, "out of memory");
    return hst_fail(x->err, HST_ENET, "%s", text[0] ? text : curl_easy_strerror(code));
}

int hst_curl_exchange(const hst_request *rq, hst_response *r, hst_err *err)
{
    char text[CURL_ERROR_SIZE] = "";
    struct curl_slist *lines = NULL;
    exchange x = {.rq = rq, .r = r, .err = err, .heard_s = hst_now_s()};
    *r = (hst_response){.retry_after_s = -1};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return hst_fail(err, HST_EMEM, "out of memory: the network cannot be set up");
    CURL *c = x.curl = curl_easy_init();
    int rc;
    if (c && add_lines(&lines, rq) && set_up(c, &x, lines, text))
        rc = verdict(&x, curl_easy_perform(c), text);
    else
        rc = hst_fail(err, HST_EMEM, "out of memory");
    curl_easy_cleanup(c);
    curl_slist_free_all(lines);
    curl_global_cleanup();
    return rc;
}
