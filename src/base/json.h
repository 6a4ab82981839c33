/* json.h - JSON text to values, by jansson, without what jansson does when memory runs out. */
#ifndef HST_BASE_JSON_H
#define HST_BASE_JSON_H
#include "base/err.h"

#include <jansson.h>

/* The value that text[n] is, duplicate keys refused; to be ended by json_decref(). NULL: HST_EMODEL
 * with the reason and where (byte position), or HST_EMEM. what: its name in messages. */
HST_CHECK json_t *hst_json_parse(const char *text, size_t n, const char *what, hst_err *err);

/* The value as text, to be freed; flags are those of json_dumps(). value NULL, as a maker without
 * memory left it: HST_EMEM. */
HST_CHECK char *hst_json_write(const json_t *value, size_t flags, hst_err *err);

/* ---- checked reading ---- */

/* The object that text is, to be ended by json_decref(); NULL and HST_EMODEL for anything else,
 * duplicate keys included. what: its name in messages. */
HST_CHECK json_t *hst_json_object(const char *text, const char *what, hst_err *err);
/* The same for a list. */
HST_CHECK json_t *hst_json_list(const char *text, const char *what, hst_err *err);

/* A member's value. HST_EMODEL: absent, of another type, a number outside low .. high. */
HST_CHECK int hst_json_real(const json_t *o, const char *key, double low, double high, double *out,
                            hst_err *err);
HST_CHECK int hst_json_int(const json_t *o, const char *key, int low, int high, int *out,
                           hst_err *err);
/* Borrowed from o. */
HST_CHECK int hst_json_text(const json_t *o, const char *key, const char **out, hst_err *err);
/* A list of three numbers. */
HST_CHECK int hst_json_reals3(const json_t *o, const char *key, double low, double high,
                              double out[3], hst_err *err);
/* 1 when the member is there and not null. */
int hst_json_has(const json_t *o, const char *key);

/* Compact text with sorted keys, to be freed. Ends o. */
HST_CHECK char *hst_json_dump(json_t *o, hst_err *err);
#endif
