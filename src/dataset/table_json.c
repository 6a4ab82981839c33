/* table_json.c - tables out of JSON.
 *
 *   {"file_name": "a.jpg", "label": "cat"}          a row a line (JSON Lines), or in a list
 *   ["a.jpg", "cat"]                                the same without names of columns
 *   {"a.jpg": "cat", "b.jpg": ["cat", "dog"]}       paths with what they show
 *   {"cat": ["a.jpg", "b.jpg"]}                     labels with their photos
 */
#include "base/buf.h"
#include "base/json.h"
#include "dataset/names.h"
#include "dataset/table_build.h"

#include <inttypes.h>
#include <string.h>

enum { COLUMNS_MAX = 1024 };

/* Columns come in as rows name them. */
typedef struct columns {
    json_t *number; /* of each name */
    const char *name[COLUMNS_MAX];
    size_t n;
    int named; /* entries are objects; known with the first */
} columns;

static int bad(hst_err *err, const char *name, size_t row, int lines, const char *what)
{
    return hst_fail(err, HST_EDATA, "%s, %s %zu: %s", name, lines ? "line" : "entry", row, what);
}

/* ---- cells ---- */

/* The text of a scalar at the end of b, with a NUL behind it; 0: it is none. */
static int put_scalar(const json_t *v, hst_buf *b)
{
    if (json_is_string(v))
        hst_buf_add(b, json_string_value(v), json_string_length(v));
    else if (json_is_integer(v))
        hst_buf_printf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        hst_buf_double(b, json_real_value(v));
    else if (json_is_boolean(v))
        hst_buf_puts(b, json_is_true(v) ? "true" : "false");
    else
        return 0;
    hst_buf_add(b, "", 1);
    return 1;
}

/* A scalar, or a list of scalars; anything else says nothing. */
static int make_cell(hst_arena *arena, const json_t *v, hst_cell *cell, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    size_t i, n = 0;
    json_t *each;
    int known = json_is_array(v);
    *cell = (hst_cell){NULL, 0};
    if (!known)
        n = (size_t)(known = put_scalar(v, &b));
    else
        json_array_foreach(v, i, each)
        {
            n += (size_t)put_scalar(each, &b);
        }
    int rc = hst_buf_check(&b, err);
    char *text = rc == 0 && known ? hst_arena_alloc(arena, b.n + 1, 1, err) : NULL;
    rc = rc == 0 && known && !text ? HST_EMEM : rc;
    if (text) {
        if (b.n)
            memcpy(text, b.p, b.n);
        *cell = (hst_cell){text, n};
    }
    hst_buf_free(&b);
    return rc;
}

static int add_value(hst_table_builder *b, const json_t *v, hst_err *err)
{
    hst_cell cell;
    const int rc = make_cell(b->t->arena, v, &cell, err);
    return rc ? rc : hst_table_add_cell(b, cell, err);
}

static int add_text(hst_table_builder *b, const char *text, hst_err *err)
{
    const char *copy = hst_arena_strdup(b->t->arena, text, err);
    return copy ? hst_table_add_cell(b, (hst_cell){copy, 1}, err) : HST_EMEM;
}

/* ---- rows ---- */

/* The number of a column, which may be new. */
static int find_column(columns *c, hst_arena *arena, const char *name, size_t *at, hst_err *err)
{
    const json_t *have = json_object_get(c->number, name);
    if (have) {
        *at = (size_t)json_integer_value(have);
        return 0;
    }
    if (c->n == COLUMNS_MAX)
        return hst_fail(err, HST_EDATA, "more than %d names in its objects", COLUMNS_MAX);
    const char *copy = hst_arena_strdup(arena, name, err);
    if (!copy)
        return HST_EMEM;
    if (json_object_set_new(c->number, name, json_integer((json_int_t)c->n)) != 0)
        return hst_fail(err, HST_EMEM, "out of memory: names of columns");
    c->name[c->n] = copy;
    *at = c->n++;
    return 0;
}

static int add_object(hst_table_builder *b, columns *c, json_t *o, hst_err *err)
{
    hst_cell row[COLUMNS_MAX];
    const char *key;
    json_t *v;
    size_t n = 0;
    int rc = 0;
    json_object_foreach(o, key, v)
    {
        size_t at = 0;
        rc = find_column(c, b->t->arena, key, &at, err);
        while (rc == 0 && n <= at)
            row[n++] = (hst_cell){NULL, 0};
        rc = rc ? rc : make_cell(b->t->arena, v, &row[at], err);
        if (rc)
            return rc;
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = hst_table_add_cell(b, row[i], err);
    return rc;
}

/* An object or a list as a row. */
static int add_entry(hst_table_builder *b, columns *c, json_t *v, size_t number, int lines,
                     hst_err *err)
{
    size_t i;
    json_t *each;
    if (!json_is_object(v) && !json_is_array(v))
        return bad(err, b->name, number, lines, "is neither an object nor a list");
    if (b->t->n_rows > 0 && json_is_object(v) != c->named)
        return bad(err, b->name, number, lines, "objects and lists are mixed");
    c->named = json_is_object(v);
    int rc = hst_table_add_row(b, number, err);
    if (rc == 0 && json_is_object(v))
        return add_object(b, c, v, err);
    json_array_foreach(v, i, each)
    {
        if (rc == 0)
            rc = add_value(b, each, err);
    }
    return rc;
}

static int add_list(hst_table_builder *b, columns *c, const json_t *list, hst_err *err)
{
    size_t i;
    json_t *v;
    int rc = 0;
    json_array_foreach(list, i, v)
    {
        if (rc == 0)
            rc = add_entry(b, c, v, i + 1, 0, err);
    }
    return rc;
}

static int add_lines(hst_table_builder *b, columns *c, const char *text, hst_err *err)
{
    int rc = 0;
    for (size_t line = 1; rc == 0 && *text; line++) {
        const size_t n = strcspn(text, "\n");
        if (strspn(text, " \t\r") < n) {
            hst_err why = {0};
            json_t *v = hst_json_parse(text, n, "it", &why);
            if (!v && why.code == HST_EMEM)
                rc = hst_fail(err, HST_EMEM, "%s", why.msg);
            else
                rc = v ? add_entry(b, c, v, line, 1, err)
                       : bad(err, b->name, line, 1, "is no JSON object");
            json_decref(v);
        }
        text += n + (text[n] == '\n');
    }
    return rc;
}

/* ---- objects whose names are data ---- */

static int add_pair(hst_table_builder *b, size_t number, const char *path, const json_t *label,
                    hst_err *err)
{
    int rc = hst_table_add_row(b, number, err);
    rc = rc ? rc : add_text(b, path, err);
    return rc ? rc : add_value(b, label, err);
}

/* "cat": ["a.jpg", "b.jpg"] */
static int add_photos_of(hst_table_builder *b, size_t *number, const char *label,
                         const json_t *paths, hst_err *err)
{
    size_t i;
    json_t *path;
    int rc = 0;
    json_array_foreach(paths, i, path)
    {
        if (rc == 0)
            rc = hst_table_add_row(b, ++*number, err);
        if (rc == 0)
            rc = add_value(b, path, err);
        if (rc == 0)
            rc = add_text(b, label, err);
    }
    return rc;
}

static int add_named(hst_table_builder *b, columns *c, json_t *o, hst_err *err)
{
    const char *key;
    json_t *v;
    size_t number = 0, photos = 0, lists = 0, at;
    int rc = 0;
    json_object_foreach(o, key, v)
    {
        photos += (size_t)hst_names_photo(key, strlen(key));
        lists += json_is_array(v);
    }
    if (photos == 0 && (lists == 0 || lists < json_object_size(o)))
        return hst_fail(err, HST_EDATA,
                        "%s: an object of neither photos with labels nor labels with lists of "
                        "photos",
                        b->name);
    rc = find_column(c, b->t->arena, "path", &at, err);
    rc = rc ? rc : find_column(c, b->t->arena, "label", &at, err);
    json_object_foreach(o, key, v)
    {
        if (rc == 0)
            rc = photos ? add_pair(b, ++number, key, v, err)
                        : add_photos_of(b, &number, key, v, err);
    }
    return rc;
}

int hst_table_add_json(hst_table_builder *b, const char *text, size_t n, int lines, hst_err *err)
{
    columns c = {.number = json_object()};
    json_t *v = NULL;
    hst_err why = {0};
    int rc = c.number ? 0 : hst_fail(err, HST_EMEM, "out of memory: names of columns");
    if (rc == 0 && lines)
        rc = add_lines(b, &c, text, err);
    if (rc == 0 && !lines) {
        v = hst_json_parse(text, n, b->name, &why);
        if (!v) /* an object a line, under another name */
            rc = why.code == HST_EMODEL ? add_lines(b, &c, text, NULL) : HST_EMEM;
        if (!v && rc)
            rc = hst_fail(err, why.code == HST_EMODEL ? HST_EDATA : HST_EMEM, "%s", why.msg);
    }
    if (json_is_array(v))
        rc = add_list(b, &c, v, err);
    else if (v)
        rc = add_named(b, &c, v, err);
    if (rc == 0 && c.n) {
        b->t->n_columns = c.n > b->t->n_columns ? c.n : b->t->n_columns;
        b->t->column = hst_arena_alloc(b->t->arena, b->t->n_columns, sizeof *c.name, err);
        rc = b->t->column ? 0 : HST_EMEM;
        if (rc == 0)
            memcpy(b->t->column, c.name, c.n * sizeof *c.name);
    }
    json_decref(v);
    json_decref(c.number);
    return rc;
}
