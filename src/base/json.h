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
#endif
