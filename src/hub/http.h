/* http.h - a question to a hub: redirects are followed, what may pass is tried again.
 *
 * A redirect may lead to https only (or, from this machine, to this machine); ten of them are
 * enough. Who the user is (authorization) is told to one origin and to nobody else. 408, 429, 5xx
 * and broken connections are tried again after a wait that doubles, or as long as Retry-After says.
 */
#ifndef HST_HUB_HTTP_H
#define HST_HUB_HTTP_H
#include "base/context.h"
#include "hub/transport.h"

typedef struct hst_ask {
    const char *url;
    const char *what;          /* in messages and progress */
    const char *authorization; /* or NULL */
    const char *origin;        /* an address of the origin that may see it */
    int head;                  /* 1: HEAD; an answer that redirects to a named host is the answer */
    /* Before each try: sets from and if_range. May be NULL. */
    void (*prepare)(void *arg, hst_request *rq);
    /* Of the answer with status 200, 206 or 416 (HEAD: or a redirect). HST_AGAIN: not this one,
     * try again at once. */
    int (*begin)(void *arg, const hst_response *r, hst_err *err);
    int (*body)(void *arg, const void *p, size_t n, hst_err *err); /* NULL with head */
    uint64_t (*progress)(void *arg); /* bytes so far; NULL: none. A try that got on is none lost */
    void *arg;
    hst_meter *meter;
} hst_ask;
enum { HST_AGAIN = 2 };

/* Errors: HST_ENET (what, status, reason; r->status says which), HST_ESTOPPED, or of begin and
 * body. */
HST_CHECK int hst_http_ask(const hst_ctx *ctx, const hst_ask *a, hst_response *r, hst_err *err);
#endif
