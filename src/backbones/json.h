/* json.h - checked reading of JSON that describes a network; jansson underneath. */
#ifndef HST_BACKBONES_JSON_H
#define HST_BACKBONES_JSON_H
#include "base/json.h"
#include "images/prepare.h"

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
/* The members "mean" and "std", checked. */
HST_CHECK int hst_norm_parse(const json_t *o, hst_norm *out, hst_err *err);
/* 1 when the member is there and not null. */
int hst_json_has(const json_t *o, const char *key);

/* Compact text with sorted keys, to be freed. Ends o. */
HST_CHECK char *hst_json_dump(json_t *o, hst_err *err);
#endif
