#include "formats/labels.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 65536 };

const char *const hst_labels_files[] = {
    "labels.txt",         "labels.json", "class_names.txt", "class_names.json",
    "class_indices.json", "classes.txt", "metadata.json",   NULL};

static json_t *refuse(const char *what, const char *why, hst_err *err)
{
    hst_fail(err, HST_EMODEL, "%s: %s", what, why);
    return NULL;
}

/* ---- JSON ---- */

/* A whole number of 0 .. n-1 as text; -1: it is none. */
static long index_of(const char *text, size_t n)
{
    char *end;
    const long i = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;
    return i >= 0 && !*end && (size_t)i < n ? i : -1;
}

/* The name and number of a member in either order; -1: it has not both. */
static long member(const char *key, const json_t *v, size_t n, const char **name)
{
    *name = json_is_string(v) ? json_string_value(v) : key;
    if (json_is_string(v))
        return index_of(key, n);
    const json_int_t i = json_integer_value(v);
    return json_is_integer(v) && i >= 0 && (size_t)i < n ? (long)i : -1;
}

static json_t *by_number(const json_t *o, const char *what, hst_err *err)
{
    const size_t n = json_object_size(o);
    const char **name = n && n <= MOST ? hst_alloc(n, sizeof *name, err) : NULL;
    json_t *list = name ? json_array() : NULL, *v;
    int all = list != NULL;
    const char *key, *text;
    if (n && n <= MOST && !name)
        return NULL;
    json_object_foreach((json_t *)(size_t)o, key, v)
    {
        const long i = all ? member(key, v, n, &text) : -1;
        all = i >= 0 && !name[i];
        if (all)
            name[i] = text;
    }
    for (size_t i = 0; all && i < n; i++)
        all = json_array_append_new(list, json_string(name[i])) == 0;
    free(name);
    if (all)
        return list;
    json_decref(list);
    return refuse(what, "it does not name every class once, by numbers from 0", err);
}

static json_t *of_list(const json_t *list, const char *what, hst_err *err)
{
    const size_t n = json_array_size(list);
    int all = n && n <= MOST;
    for (size_t i = 0; all && i < n; i++)
        all = json_is_string(json_array_get(list, i));
    return all ? json_deep_copy(list) : refuse(what, "its list of labels is not one of texts", err);
}

json_t *hst_labels_of(const json_t *value, const char *what, hst_err *err)
{
    static const char *const keys[] = {"labels", "names", "class_names", "id2label", "label_names"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *inner = json_object_get(value, keys[i]);
        if (json_is_array(inner) || json_is_object(inner))
            value = inner;
    }
    return json_is_array(value) ? of_list(value, what, err) : by_number(value, what, err);
}

/* ---- Python ---- */

/* What a reader of a short text stands on. */
typedef struct reader {
    const char *p, *end;
} reader;

static int skip(reader *r, char c)
{
    while (r->p < r->end && isspace((unsigned char)*r->p))
        r->p++;
    if (r->p == r->end || *r->p != c)
        return 0;
    r->p++;
    return 1;
}

/* 'it''s' in either quotes; \' \" and \\ are the only escapes that are taken. NULL: none. */
static char *quoted(reader *r, hst_err *err)
{
    const char quote = skip(r, '\'') ? '\'' : skip(r, '"') ? '"' : 0;
    char *text = quote ? hst_alloc((size_t)(r->end - r->p) + 1, 1, err) : NULL;
    size_t n = 0;
    while (text && r->p < r->end && *r->p != quote) {
        if (*r->p == '\\' && r->p + 1 < r->end && strchr("'\"\\", r->p[1]))
            r->p++;
        text[n++] = *r->p++;
    }
    if (text && skip(r, quote))
        return text;
    free(text);
    return NULL;
}

/* "0: 'daisy'" of that number; NULL: it is something else. */
static char *numbered(reader *r, size_t number, hst_err *err)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%zu", number);
    for (int i = 0; i < n; i++)
        if (!(i ? r->p < r->end && *r->p++ == digits[i] : skip(r, digits[i])))
            return NULL;
    return skip(r, ':') ? quoted(r, err) : NULL;
}

/* {0: 'daisy', 1: 'roses'} */
static json_t *of_python(const char *text, size_t n, const char *what, hst_err *err)
{
    reader r = {text, text + n};
    json_t *list = json_array();
    char *name = NULL;
    int more = list && skip(&r, '{'), whole = 0;
    while (more && (name = numbered(&r, json_array_size(list), err))) {
        more = json_array_append_new(list, json_string(name)) == 0;
        free(name);
        const int comma = more && skip(&r, ',');
        whole = more && skip(&r, '}');
        more = comma && !whole;
    }
    if (whole)
        return list;
    json_decref(list);
    return refuse(what, "it is no list of labels", err);
}

/* ---- lines ---- */

/* The length of a line without what is blank around it, which *at begins with. */
static size_t line(const char **at, const char *end)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    stop = stop ? stop : end;
    while (*at < stop && isspace((unsigned char)**at))
        ++*at;
    while (stop > *at && isspace((unsigned char)stop[-1]))
        stop--;
    return (size_t)(stop - *at);
}

/* The characters of "12 " in front of a line that has that number. 0: it has not. */
static size_t number_before(const char *text, size_t n, size_t number)
{
    char digits[24];
    const int k = snprintf(digits, sizeof digits, "%zu", number);
    size_t at = (size_t)k;
    if (n <= at || memcmp(text, digits, at) != 0 || (text[at] != ' ' && text[at] != '\t'))
        return 0;
    while (at < n && isspace((unsigned char)text[at]))
        at++;
    return at;
}

static const char *next_line(const char *at, const char *end)
{
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    return stop ? stop + 1 : end;
}

/* Whether every line begins with its number: 1, and how many lines there are. */
static int is_numbered(const char *text, const char *end, size_t *lines)
{
    int all = 1;
    *lines = 0;
    for (const char *at = text; at < end; ++*lines) {
        const char *begin = at;
        const size_t n = line(&begin, end);
        all = all && number_before(begin, n, *lines);
        at = next_line(at, end);
    }
    return all;
}

static json_t *of_lines(const char *text, size_t n, const char *what, hst_err *err)
{
    size_t lines;
    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    const char *end = text + n;
    const int numbered = is_numbered(text, end, &lines);
    if (lines < 1 || lines > MOST)
        return refuse(what, lines ? "it has more than 65536 lines" : "it is empty", err);
    json_t *list = json_array();
    for (const char *at = text; list && at < end; at = next_line(at, end)) {
        const char *begin = at;
        size_t length = line(&begin, end);
        const size_t front = numbered ? number_before(begin, length, json_array_size(list)) : 0;
        json_t *name = length > front ? json_stringn(begin + front, length - front) : NULL;
        if (name && json_array_append_new(list, name) == 0)
            continue;
        hst_fail(err, HST_EMODEL, "%s: line %zu is %s", what, json_array_size(list) + 1,
                 length > front ? "not valid UTF-8" : "empty");
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *hst_labels_parse(const char *text, size_t n, const char *what, hst_err *err)
{
    static const char bom[] = "\xef\xbb\xbf";
    hst_err why = {0};
    if (n >= 3 && memcmp(text, bom, 3) == 0) {
        text += 3;
        n -= 3;
    }
    while (n && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    if (n > HST_LABELS_MOST_BYTES)
        return refuse(what, "it is far too large for a list of labels", err);
    if (!n || (*text != '{' && *text != '['))
        return of_lines(text, n, what, err);
    json_t *value = hst_json_parse(text, n, what, &why);
    if (!value)
        return *text == '{' ? of_python(text, n, what, err)
                            : refuse(what, "it is no list of labels", err);
    json_t *list = hst_labels_of(value, what, err);
    json_decref(value);
    return list;
}
