/* list_table.c - a table of photos and what they show. */
#include "base/str.h"
#include "dataset/class_names.h"
#include "dataset/columns.h"
#include "dataset/list.h"
#include "dataset/pattern.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    hst_list *l;
    hst_table *t;
    hst_columns c;
    const char *separators;     /* of labels in one cell; NULL: a cell is one label */
    const hst_pattern *pattern; /* of paths, in place of a column; NULL: none */
    hst_class_names names;
    enum hst_part part;
    const char **free; /* room for labels[n_free] in the arena */
    size_t n_free;
    size_t no_match;
} reading;

static const hst_data_opts *opts(const reading *d)
{
    return d->l->rows->o;
}

static enum hst_target target(const reading *d)
{
    return d->l->rows->data->target;
}

/* ---- labels ---- */

/* Room for n labels, from blocks of many rows'. */
static const char **make_room(reading *d, size_t n, hst_err *err)
{
    enum { BLOCK = 4096 };
    if (n > d->n_free) {
        const size_t block = n > BLOCK ? n : BLOCK;
        d->free = hst_arena_alloc(d->l->rows->arena, block, sizeof *d->free, err);
        d->n_free = d->free ? block : 0;
        if (!d->free)
            return NULL;
    }
    const char **at = d->free;
    d->free += n;
    d->n_free -= n;
    return at;
}

/* Adds one label to the entry, for which there is room, unless it is empty or there. */
static void put_label(reading *d, hst_entry *e, const char *label)
{
    const char *name = hst_class_names_of(&d->names, label);
    if (!*name)
        return;
    for (size_t i = 0; i < e->n_labels; i++)
        if (strcmp(e->label[i], name) == 0)
            return;
    e->label[e->n_labels++] = name;
}

/* "cat; dog": cut where it stands. */
static int split_label(reading *d, hst_entry *e, char *text, hst_err *err)
{
    size_t n = 1;
    for (const char *s = text; *s; s++)
        n += strchr(d->separators, *s) != NULL;
    const char **room = make_room(d, n + e->n_labels, err);
    if (!room)
        return HST_EMEM;
    if (e->n_labels)
        memcpy(room, e->label, e->n_labels * sizeof *room);
    e->label = room;
    for (char *next; text; text = next) {
        const size_t length = strcspn(text, d->separators);
        next = text[length] ? text + length + 1 : NULL;
        text[length] = 0;
        while (*text == ' ')
            text++;
        for (size_t end = strlen(text); end && text[end - 1] == ' '; end--)
            text[end - 1] = 0;
        put_label(d, e, text);
    }
    return 0;
}

static int list_label(reading *d, hst_entry *e, const hst_cell *cell, hst_err *err)
{
    const char **room = make_room(d, cell->n + e->n_labels, err);
    const char *text = cell->text;
    if (!room)
        return HST_EMEM;
    if (e->n_labels)
        memcpy(room, e->label, e->n_labels * sizeof *room);
    e->label = room;
    for (size_t i = 0; i < cell->n; i++, text += strlen(text) + 1)
        put_label(d, e, text);
    return 0;
}

/* From all columns of labels. */
static int column_labels(reading *d, size_t row, hst_entry *e, hst_err *err)
{
    int rc = 0;
    for (int k = 0; rc == 0 && k < d->c.n_labels; k++) {
        const hst_cell cell = hst_table_at(d->t, row, (size_t)d->c.label[k]);
        if (cell.n == 1 && d->separators) /* the table is ours to cut */
            rc = split_label(d, e, (char *)cell.text, err);
        else if (cell.n)
            rc = list_label(d, e, &cell, err);
    }
    return rc;
}

/* From columns that each say yes or no. */
static int mark_labels(reading *d, size_t row, hst_entry *e, hst_err *err)
{
    e->label = make_room(d, (size_t)d->c.n_marks, err);
    for (int k = 0; e->label && k < d->c.n_marks; k++) {
        const char *text = hst_table_text(d->t, row, (size_t)d->c.mark[k]);
        if (text && hst_cell_flag(text) == 1)
            put_label(d, e, d->t->column[d->c.mark[k]]);
    }
    return e->label ? 0 : HST_EMEM;
}

/* Without a column: the folder that the path has the photo in. */
static int folder_label(reading *d, const char *path, hst_entry *e, hst_err *err)
{
    const char *end = strrchr(path, '/'), *back = strrchr(path, '\\');
    end = !end || (back && back > end) ? back : end;
    const char *begin = end;
    while (begin && begin > path && begin[-1] != '/' && begin[-1] != '\\')
        begin--;
    if (!end || begin == end)
        return 0;
    char *label = hst_arena_alloc(d->l->rows->arena, (size_t)(end - begin) + 1, 1, err);
    e->label = label ? make_room(d, 1, err) : NULL;
    if (!e->label)
        return HST_EMEM;
    memcpy(label, begin, (size_t)(end - begin));
    put_label(d, e, label);
    return 0;
}

static int pattern_label(reading *d, const char *path, hst_entry *e, hst_err *err)
{
    const char *label;
    int rc = hst_pattern_label(d->pattern, d->l->rows->arena, path, &label, err);
    if (rc == 0 && label) {
        e->label = make_room(d, 1, err);
        rc = e->label ? 0 : HST_EMEM;
    }
    if (rc == 0 && label)
        put_label(d, e, label);
    return rc;
}

/* ---- sides and numbers ---- */

/* 0: the row says no side that is known. */
static int read_part(const reading *d, size_t row, enum hst_part *part)
{
    const char *text = d->c.split < 0 ? NULL : hst_table_text(d->t, row, (size_t)d->c.split);
    const enum hst_part yes = d->c.words == HST_SPLIT_IS_VAL    ? HST_PART_VAL
                              : d->c.words == HST_SPLIT_IS_TEST ? HST_PART_TEST
                                                                : HST_PART_TRAIN;
    *part = d->part;
    if (d->c.split < 0)
        return 1;
    if (d->c.words == HST_SPLIT_NAMED) {
        *part = text ? hst_part_of(text) : HST_PART_NONE;
        return *part != HST_PART_NONE;
    }
    const int flag = text ? hst_cell_flag(text) : -1;
    *part = flag == 1 ? yes : yes == HST_PART_TRAIN ? HST_PART_VAL : HST_PART_TRAIN;
    return flag >= 0;
}

/* A comma stands for the point where commas are not what separates columns. */
static int read_number(const reading *d, const char *text, double *number)
{
    char local[64];
    const size_t n = strlen(text);
    if (n >= sizeof local)
        return 0;
    for (size_t i = 0; i <= n; i++)
        local[i] = text[i] == ',' && d->t->separator != ',' ? '.' : text[i];
    return hst_read_real(local, NULL, number) && isfinite(*number);
}

/* ---- rows ---- */

/* What e's row says its photo shows. */
static int read_what(reading *d, size_t row, const char *path, hst_entry *e, hst_err *err)
{
    if (target(d) == HST_TARGET_NUMBER) {
        const char *text = hst_table_text(d->t, row, (size_t)d->c.label[0]);
        e->wrong = !text || !*text                     ? "no number"
                   : !read_number(d, text, &e->number) ? "not a number"
                                                       : NULL;
        return 0;
    }
    int rc = d->pattern      ? pattern_label(d, path, e, err)
             : d->c.n_marks  ? mark_labels(d, row, e, err)
             : d->c.n_labels ? column_labels(d, row, e, err)
                             : folder_label(d, path, e, err);
    for (size_t i = 0; rc == 0 && i < e->n_labels; i++)
        if (!hst_is_utf8(e->label[i]))
            rc = hst_fail(err, HST_EDATA,
                          "%s, line %zu: the label '%s' is not UTF-8; save the list as UTF-8, or "
                          "iconv -f WINDOWS-1252 -t UTF-8 makes it so",
                          d->l->file, e->line, e->label[i]);
    if (e->n_labels == 0 && d->pattern)
        e->wrong = "a path that the pattern does not match";
    else if (e->n_labels == 0 &&
             (target(d) == HST_TARGET_CLASS || (d->c.n_labels == 0 && d->c.n_marks == 0)))
        e->wrong = "no label";
    d->no_match += d->pattern && e->n_labels == 0;
    return rc;
}

static int read_row(reading *d, size_t row, hst_err *err)
{
    hst_entry e = {.line = d->t->line[row], .number = NAN};
    const char *path = hst_table_text(d->t, row, (size_t)d->c.path);
    if (!path || !*path)
        return hst_list_refuse(d->l, e.line, "no path", err);
    const int rc = read_what(d, row, path, &e, err);
    if (!read_part(d, row, &e.part))
        e.wrong = "neither train, val nor test in the column of sides";
    return rc ? rc : hst_list_add(d->l, path, &e, err);
}

/* ---- what the table is like ---- */

static int is_there(void *arg, const char *cell)
{
    hst_list *l = arg;
    const char *path, *why;
    return hst_finder_find(&l->finder, cell, &path, &why, NULL) == 0 && path;
}

/* The one that cells of labels hold: of '|', ';' and ',' the first that any has; NULL: none does.
 */
static const char *find_separators(const reading *d)
{
    static const char *const known[] = {"|", ";", ","};
    for (size_t s = 0; s < sizeof known / sizeof *known; s++)
        for (size_t r = 0; r < d->t->n_rows; r++)
            for (int k = 0; k < d->c.n_labels; k++) {
                const char *text = hst_table_text(d->t, r, (size_t)d->c.label[k]);
                if (text && strchr(text, known[s][0]))
                    return known[s];
            }
    return NULL;
}

static const char *column_name(const reading *d, int column, char text[32])
{
    snprintf(text, 32, "%d", column + 1);
    return d->t->column ? d->t->column[column] : text;
}

/* "labels.csv: photos in column image_id, labels in breed, sides in split" */
static int tell_columns(const reading *d, hst_err *err)
{
    char path[32], label[32], split[32], labels[512];
    const int number = target(d) == HST_TARGET_NUMBER;
    const int named = strcmp(d->l->file, d->l->rows->data->dir) == 0; /* told in front */
    snprintf(labels, sizeof labels, "by their folders");
    if (d->pattern)
        snprintf(labels, sizeof labels, "by --label-from");
    else if (d->c.n_marks)
        snprintf(labels, sizeof labels, "in %d columns of yes and no", d->c.n_marks);
    for (int k = 0; k < d->c.n_labels; k++) {
        const size_t n = k ? strlen(labels) : 0;
        snprintf(labels + n, sizeof labels - n, "%s%s", k ? ", " : "in ",
                 column_name(d, d->c.label[k], label));
    }
    return hst_rows_understood(
        d->l->rows, err, "%s%sphotos in column %s, %s %s%s%s%s%s", named ? "" : d->l->file,
        named ? "" : ": ", column_name(d, d->c.path, path), number ? "numbers" : "labels", labels,
        d->c.split < 0 ? "" : ", sides in ",
        d->c.split < 0 ? "" : column_name(d, d->c.split, split), d->names.file ? ", named by " : "",
        d->names.file ? d->names.file : "");
}

int hst_list_is_labelled(hst_list *l, hst_table *t)
{
    hst_columns c;
    const hst_columns_query q = {.file = l->file, .found = is_there, .arg = l};
    return hst_columns_choose(t, &q, &c, NULL) == 0 && c.n_labels == 1 && t->column &&
           hst_column_is_label(t->column[c.label[0]]);
}

static int begin(reading *d, hst_err *err)
{
    const hst_data_opts *o = opts(d);
    const int number = target(d) == HST_TARGET_NUMBER;
    const hst_columns_query q = {.file = d->l->file,
                                 .path = o->path_column,
                                 .label = number ? o->target : o->label_column,
                                 .split = o->split_column,
                                 .without_label = o->label_from != NULL,
                                 .found = is_there,
                                 .arg = d->l};
    int rc = hst_columns_choose(d->t, &q, &d->c, err);
    d->l->finder.n_searched = 0; /* what was only tried */
    if (rc == 0 && number && d->c.n_labels != 1)
        rc = hst_fail(err, HST_EDATA, "%s: numbers are in one column, not '%s'", d->l->file,
                      o->target);
    if (rc == 0 && d->c.n_labels > 1 && target(d) == HST_TARGET_CLASS)
        rc = hst_fail(err, HST_EDATA,
                      "%s: labels in several columns are several labels a photo: --multi-label "
                      "learns them",
                      d->l->file);
    if (rc == 0 && target(d) == HST_TARGET_LABELS)
        d->separators = o->label_separator ? o->label_separator : find_separators(d);
    if (rc == 0 && !number && !d->pattern && d->c.n_labels == 1)
        rc = hst_class_names_find(&d->names, d->l, d->t, d->c.label[0], err);
    return rc;
}

/* Cells that look as if they held several labels, where each is taken for one. */
static int hint_at_several(const reading *d, hst_err *err)
{
    const char *found = target(d) == HST_TARGET_CLASS ? find_separators(d) : NULL;
    if (!found || *found == ',')
        return 0;
    return hst_rows_understood(
        d->l->rows, err, "some labels hold '%s': --multi-label takes them for several", found);
}

int hst_list_table(hst_list *l, hst_table *t, enum hst_part part, hst_err *err)
{
    hst_pattern pattern;
    reading d = {.l = l, .t = t, .part = part};
    const char *regex = l->rows->o->label_from;
    int rc = regex ? hst_pattern_make(&pattern, regex, err) : 0;
    d.pattern = regex && rc == 0 ? &pattern : NULL;
    rc = rc ? rc : begin(&d, err);
    rc = rc ? rc : tell_columns(&d, err);
    rc = rc ? rc : hint_at_several(&d, err);
    for (size_t r = 0; rc == 0 && r < t->n_rows; r++)
        rc = read_row(&d, r, err);
    if (rc == 0 && d.no_match && d.no_match == t->n_rows)
        rc = hst_fail(err, HST_EDATA, "%s: --label-from '%s' matches none of its %zu paths (%s)",
                      l->file, regex, t->n_rows, hst_table_text(t, 0, (size_t)d.c.path));
    hst_class_names_clear(&d.names);
    if (d.pattern)
        hst_pattern_clear(&pattern);
    return rc;
}
