/* url.h - addresses: which are allowed, whose they are, where a redirect leads.
 *
 * Allowed is https, and http to this machine alone. Nothing but the characters of RFC 3986 is, so
 * that no other reader of an address can understand it differently. libcurl takes addresses apart;
 * which of them may be asked is for the rules here. */
#ifndef HST_HUB_URL_H
#define HST_HUB_URL_H
#include "base/buf.h"

enum { HST_URL_MAX = 8192 };

/* HST_EARG: not an address that may be asked. */
HST_CHECK int hst_url_check(const char *url, hst_err *err);

/* The part of that which takes the address apart: who it belongs to. */
HST_CHECK int hst_url_check_host(const char *url, hst_err *err);

/* 1 when s starts with http:// or https://. */
int hst_url_is(const char *s);

/* The path that a file: address leads to on this machine (RFC 8089), with %XX as characters: 1; 0:
 * no such address. */
int hst_url_local(const char *s, char *path, size_t cap);

/* 1 when scheme, host and port are the same; both must have been checked. 0 also without memory. */
int hst_url_same_origin(const char *a, const char *b);

/* 1 when the address starts with http: */
int hst_url_is_plain(const char *url);

/* Where a Location header leads from base, which must have been checked. out[HST_URL_MAX] is not
 * yet checked. HST_ENET: too long, or no address. */
HST_CHECK int hst_url_join(const char *base, const char *location, char *out, hst_err *err);
/* 1 when a Location header names a host of its own. */
int hst_url_names_host(const char *location);

/* Adds text with everything but letters, digits and "-._~" as %XX; keep: characters left as they
 * are, besides those ("/"). */
void hst_url_escape(hst_buf *b, const char *text, const char *keep);

/* The last part of the path, without query, as a file name: letters, digits and "-._" only, others
 * as "_"; "download" where nothing is left. */
void hst_url_file(const char *url, char *out, size_t cap);
#endif
