#include "hub/http.h"
#include "hub/endpoints.h"
#include "hub/url.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MAX_REDIRECTS = 10,
    MAX_TRIES = 5,       /* in a row without getting on */
    MAX_TRIES_ALL = 200, /* of a server that always gives a little */
    MAX_WAIT_MS = 60 * 1000,
    MAX_RETRY_AFTER_S = 300,
    GOT_ON_BYTES = 1 << 16
};

/* One attempt: the question, and what the answer's functions said. */
typedef struct attempt {
    const hst_ask *ask;
    hst_response *r;
    hst_meter *meter;
    int again; /* begin wants another attempt at once */
} attempt;

static int is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static int is_answer(const hst_ask *a, const hst_response *r)
{
    if (is_redirect(r->status))
        return a->head && hst_url_names_host(r->location);
    return r->status == 200 || r->status == 206 || r->status == 416;
}

static int on_begin(void *arg, const hst_response *r, hst_err *err)
{
    attempt *t = arg;
    if (!is_answer(t->ask, r))
        return HST_ENOUGH;
    int rc = t->ask->begin(t->ask->arg, r, err);
    t->again = rc == HST_AGAIN;
    return t->again ? HST_ENOUGH : rc;
}

static int on_body(void *arg, const void *p, size_t n, hst_err *err)
{
    attempt *t = arg;
    return t->ask->body ? t->ask->body(t->ask->arg, p, n, err) : HST_ENOUGH;
}

static int on_tick(void *arg, hst_err *err)
{
    attempt *t = arg;
    return hst_meter_at(t->meter, t->ask->progress ? t->ask->progress(t->ask->arg) : 0, err);
}

/* ---- one try, from redirect to redirect ---- */

/* The same place at the mirror, where there is one: https://host/path -> mirror/host/path. */
static int mirrored(const hst_hub *hub, const char *url, char out[HST_URL_MAX], hst_err *err)
{
    int away = hub->mirror && !hst_url_is_plain(url) &&
               strncmp(url, hub->mirror, strlen(hub->mirror)) != 0;
    int n = away ? snprintf(out, HST_URL_MAX, "%s/%s", hub->mirror, strstr(url, "//") + 2)
                 : snprintf(out, HST_URL_MAX, "%s", url);
    if (n < 0 || n >= HST_URL_MAX)
        return hst_fail(err, HST_ENET, "an address that is too long");
    return 0;
}

/* One request of an attempt. url becomes the address that was really asked. */
static int exchange(const hst_hub *hub, attempt *t, char url[HST_URL_MAX], hst_err *err)
{
    const hst_ask *a = t->ask;
    char real[HST_URL_MAX];
    int rc = mirrored(hub, url, real, err);
    rc = rc ? rc : hst_url_check(real, err);
    if (rc)
        return rc;
    int known = a->authorization && hst_url_same_origin(real, a->origin);
    hst_request rq = {.url = real,
                      .head = a->head,
                      .authorization = known ? a->authorization : NULL,
                      .proxy = hst_url_is_plain(real) ? hub->http_proxy : hub->https_proxy,
                      .no_proxy = hub->no_proxy,
                      .ca_file = hub->ca_file,
                      .stall_s = hub->stall_s,
                      .begin = on_begin,
                      .body = on_body,
                      .tick = on_tick,
                      .arg = t};
    if (a->prepare)
        a->prepare(a->arg, &rq);
    memcpy(url, real, strlen(real) + 1);
    return hub->transport(&rq, t->r, err);
}

/* Where the answer's Location leads, allowed or refused. */
static int follow(const hst_response *r, char url[HST_URL_MAX], hst_err *err)
{
    char next[HST_URL_MAX];
    hst_err why = {0};
    if (!r->location[0])
        return hst_fail(err, HST_ENET, "HTTP %d without a place to go to", r->status);
    int rc = hst_url_join(url, r->location, next, err);
    if (rc)
        return rc;
    rc = hst_url_check(next, &why);
    if (rc)
        return hst_fail(err, rc == HST_EMEM ? rc : HST_ENET, "a redirect that is not followed: %s",
                        why.msg);
    if (hst_url_is_plain(next) && !hst_url_is_plain(url))
        return hst_fail(err, HST_ENET, "a redirect from https to http, which is not followed");
    memcpy(url, next, strlen(next) + 1);
    return 0;
}

static int run_attempt(const hst_hub *hub, attempt *t, hst_err *err)
{
    char url[HST_URL_MAX];
    t->again = 0;
    snprintf(url, sizeof url, "%s", t->ask->url);
    for (int i = 0; i <= MAX_REDIRECTS; i++) {
        int rc = exchange(hub, t, url, err);
        if (rc || !is_redirect(t->r->status) || is_answer(t->ask, t->r))
            return rc;
        rc = follow(t->r, url, err);
        if (rc)
            return rc;
    }
    return hst_fail(err, HST_ENET, "more than %d redirects, one after the other", MAX_REDIRECTS);
}

/* ---- what an answer means ---- */

static int is_passing(int status)
{
    return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

static const char *reason(const hst_response *r, int named)
{
    if (strcmp(r->error_code, "GatedRepo") == 0)
        return "its terms have to be accepted on its page, and HF_TOKEN set to a token that has "
               "access";
    if (strcmp(r->error_code, "RepoNotFound") == 0)
        return "no such repository, or a private one (then set HF_TOKEN)";
    if (strcmp(r->error_code, "RevisionNotFound") == 0)
        return "the repository has no such revision";
    if (strcmp(r->error_code, "EntryNotFound") == 0)
        return "the repository has no such file";
    switch (r->status) {
    case 401:
        return named ? "the token is not accepted"
                     : "it wants to know who asks: set HF_TOKEN (or "
                       "KAGGLE_USERNAME and KAGGLE_KEY)";
    case 403:
        return "access is refused";
    case 404:
    case 410:
        return "it is not there";
    case 407:
        return "the proxy wants a password";
    case 429:
        return "too many requests: try again later";
    case 451:
        return "it may not be given out here";
    default:
        return r->status >= 500 ? "the server has a problem: try again later" : "refused";
    }
}

/* ---- tries ---- */

/* Sleeps, while the caller can still stop. */
static int wait_ms(const attempt *t, int ms, hst_err *err)
{
    enum { STEP_MS = 50 };
    while (ms > 0) {
        int step = ms < STEP_MS ? ms : STEP_MS;
        struct timespec s = {.tv_nsec = step * 1000000L};
        int rc = hst_meter_at(t->meter, t->ask->progress ? t->ask->progress(t->ask->arg) : 0, err);
        if (rc)
            return rc;
        nanosleep(&s, NULL);
        ms -= step;
    }
    return 0;
}

/* 1: the failed attempt is worth another. */
static int worth_another(const hst_response *r, int rc)
{
    return rc == HST_ENET ? r->transient : rc == 0 && is_passing(r->status);
}

static int pause_before(const hst_ctx *ctx, const attempt *t, int tries, const hst_err *why,
                        hst_err *err)
{
    const hst_hub *hub = ctx->hub;
    long ms = (long)hub->retry_ms << (tries - 1);
    if (ms > MAX_WAIT_MS)
        ms = MAX_WAIT_MS;
    if (t->r->retry_after_s * 1000 > ms)
        ms = t->r->retry_after_s * 1000;
    hst_log(ctx, HST_LOG_INFO, "%s: %s; trying again in %.1f s (%d of %d)", t->ask->what, why->msg,
            (double)ms / 1000, tries, MAX_TRIES - 1);
    return wait_ms(t, (int)ms, err);
}

/* What is to be said of an attempt that did not bring the answer. */
static int explain(const attempt *t, int rc, const hst_err *why, hst_err *err)
{
    if (rc == HST_ENET)
        return hst_fail(err, HST_ENET, "%s: %s", t->ask->what, why->msg);
    if (rc)
        return hst_fail(err, rc, "%s", why->msg);
    return hst_fail(err, HST_ENET, "%s: HTTP %d, %s", t->ask->what, t->r->status,
                    reason(t->r, t->ask->authorization != NULL));
}

int hst_http_ask(const hst_ctx *ctx, const hst_ask *a, hst_response *r, hst_err *err)
{
    attempt t = {.ask = a, .r = r, .meter = a->meter};
    int tries = 0;
    for (int all = 0; all < MAX_TRIES_ALL; all++) {
        hst_err why = {0};
        uint64_t before = a->progress ? a->progress(a->arg) : 0;
        int rc = run_attempt(ctx->hub, &t, &why);
        uint64_t after = a->progress ? a->progress(a->arg) : 0;
        if (rc == 0 && !t.again && is_answer(a, r))
            return 0;
        tries = after >= before + GOT_ON_BYTES ? 1 : tries + 1;
        if (tries < MAX_TRIES && t.again)
            continue;
        if (rc == 0)
            snprintf(why.msg, sizeof why.msg, "HTTP %d", r->status);
        if (tries >= MAX_TRIES || !worth_another(r, rc) || r->retry_after_s > MAX_RETRY_AFTER_S)
            return explain(&t, rc, &why, err);
        rc = pause_before(ctx, &t, tries, &why, err);
        if (rc)
            return rc;
    }
    return hst_fail(err, HST_ENET, "%s: the connection breaks again and again", a->what);
}
