/* transport.h - what the hub asks of whatever speaks HTTP: one request, one answer, no redirect
 * followed, nothing tried again. Those are decided in http.c, the same for every transport. */
#ifndef HST_HUB_TRANSPORT_H
#define HST_HUB_TRANSPORT_H
#include "base/err.h"

/* The lines of an answer's head that are looked at; "" where one is not there. */
typedef struct hst_response {
    int status;    /* 200; 0: no answer came */
    int transient; /* with HST_ENET: may be over soon, worth another try */
    int has_length, has_range;
    uint64_t length;      /* of the body */
    uint64_t from, total; /* Content-Range; total 0: unknown */
    uint64_t linked_size; /* Hugging Face: of the file behind a redirect; 0: not said */
    long retry_after_s;   /* -1: not said, or a date */
    char etag[256], linked_etag[256];
    char last_modified[64], content_type[128];
    char commit[64], error_code[64];
    char goog_hash[256]; /* "crc32c=...,md5=<base64>" */
    char location[8192];
} hst_response;

/* What begin may answer besides an error. */
enum { HST_TAKE = 0, HST_ENOUGH = 1 };

typedef struct hst_request {
    const char *url;           /* checked: https, or http to this machine */
    int head;                  /* 1: HEAD */
    const char *authorization; /* value of that line, or NULL */
    uint64_t from;             /* first byte wanted */
    const char *if_range;      /* with from: whole body if it is no longer this; or NULL */
    const char *proxy, *no_proxy, *ca_file; /* NULL: none, none, the system's */
    int stall_s;                            /* so long without a byte is a failure */
    /* When the head is complete: HST_TAKE, HST_ENOUGH (no body wanted), or a negative error. */
    int (*begin)(void *arg, const hst_response *r, hst_err *err);
    int (*body)(void *arg, const void *p, size_t n, hst_err *err);
    int (*tick)(void *arg, hst_err *err); /* several times a second; non-zero: give up */
    void *arg;
} hst_request;

/* 0: an answer came to its end, or begin had enough. HST_ENET: look at r->transient. Else what one
 * of the functions returned. */
typedef int hst_transport_fn(const hst_request *rq, hst_response *r, hst_err *err);

/* The one there is (curl.c). */
int hst_curl_exchange(const hst_request *rq, hst_response *r, hst_err *err);
#endif
