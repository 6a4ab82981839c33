/* json_members.c - checked reading of what a JSON object holds. */
#include "base/json.h"

#include <math.h>
#include <string.h>

static json_t *load(const char *text, json_type type, const char *what, hst_err *err)
{
    json_t *o = hst_json_parse(text, strlen(text), what, err);
    if (!o || json_typeof(o) == type)
        return o;
    hst_fail(err, HST_EMODEL, "%s: not a JSON %s", what, type == JSON_OBJECT ? "object" : "list");
    json_decref(o);
    return NULL;
}

json_t *hst_json_object(const char *text, const char *what, hst_err *err)
{
    return load(text, JSON_OBJECT, what, err);
}

json_t *hst_json_list(const char *text, const char *what, hst_err *err)
{
    return load(text, JSON_ARRAY, what, err);
}

int hst_json_has(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return v && !json_is_null(v);
}

static int number(const json_t *v, const char *key, double low, double high, double *out,
                  hst_err *err)
{
    if (!json_is_number(v))
        return hst_fail(err, HST_EMODEL, "\"%s\" is %s", key, v ? "not a number" : "missing");
    double x = json_number_value(v);
    if (!(x >= low && x <= high))
        return hst_fail(err, HST_EMODEL, "\"%s\" is %g, expected %g to %g", key, x, low, high);
    *out = x;
    return 0;
}

int hst_json_real(const json_t *o, const char *key, double low, double high, double *out,
                  hst_err *err)
{
    return number(json_object_get(o, key), key, low, high, out, err);
}

int hst_json_int(const json_t *o, const char *key, int low, int high, int *out, hst_err *err)
{
    double x = 0;
    int rc = hst_json_real(o, key, low, high, &x, err);
    if (rc)
        return rc;
    if (x != floor(x))
        return hst_fail(err, HST_EMODEL, "\"%s\" is %g, expected a whole number", key, x);
    *out = (int)x;
    return 0;
}

int hst_json_text(const json_t *o, const char *key, const char **out, hst_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v))
        return hst_fail(err, HST_EMODEL, "\"%s\" is %s", key, v ? "not a text" : "missing");
    *out = json_string_value(v);
    return 0;
}

int hst_json_reals3(const json_t *o, const char *key, double low, double high, double out[3],
                    hst_err *err)
{
    const json_t *v = json_object_get(o, key);
    double x[3];
    int rc = 0;
    if (!json_is_array(v) || json_array_size(v) != 3)
        return hst_fail(err, HST_EMODEL, "\"%s\" is %s", key,
                        v ? "not a list of three numbers" : "missing");
    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = number(json_array_get(v, i), key, low, high, &x[i], err);
    if (rc == 0)
        memcpy(out, x, sizeof x);
    return rc;
}

char *hst_json_dump(json_t *o, hst_err *err)
{
    char *text = hst_json_write(o, JSON_COMPACT | JSON_SORT_KEYS, err);
    json_decref(o);
    return text;
}
