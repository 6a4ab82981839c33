#include "dataset/columns.h"
#include "dataset/names.h"
#include "dataset/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_CAP = 64,   /* longer names of columns are none that is known */
    SAMPLE = 200,    /* rows that tell what is in a column */
    PROBES = 20,     /* of these, rows whose photos are looked for */
    LISTED_CAP = 400 /* bytes of a list of columns in a message */
};

typedef struct chooser {
    hst_table *t;
    const hst_columns_query *q;
    hst_columns *c;
} chooser;

/* ---- names ---- */

static const char *const path_names[] = {
    "path",       "filepath",  "filename",  "file",      "filenames",     "files",
    "image",      "imagepath", "imagefile", "imagename", "imagefilename", "imageid",
    "imageindex", "images",    "img",       "imgpath",   "imgfile",       "imgname",
    "imgid",      "photo",     "photopath", "photoid",   "picture",       "relativepath",
    "fname",      "fullpath",  "filepaths", NULL};
static const char *const label_names[] = {
    "label",      "labels",     "class",        "classes", "category",  "categories",
    "species",    "target",     "targets",      "tag",     "tags",      "classname",
    "classlabel", "labelname",  "categoryname", "breed",   "diagnosis", "dx",
    "classid",    "labelid",    "categoryid",   "y",       "gt",        "groundtruth",
    "annotation", "classindex", "labelindex",   NULL};
static const char *const label_endings[] = {"label",    "labels",  "class",
                                            "category", "species", NULL};
static const char *const split_names[] = {"split",   "set",   "subset", "partition", "fold",
                                          "dataset", "phase", "usage",  "datasplit", NULL};
static const struct {
    const char *name;
    enum hst_split_words words;
} flag_names[] = {{"isvalid", HST_SPLIT_IS_VAL},      {"isval", HST_SPLIT_IS_VAL},
                  {"isvalidation", HST_SPLIT_IS_VAL}, {"valid", HST_SPLIT_IS_VAL},
                  {"istest", HST_SPLIT_IS_TEST},      {"istrain", HST_SPLIT_IS_TRAIN},
                  {"istraining", HST_SPLIT_IS_TRAIN}};

/* Letters and digits in small letters: "File Name" and "file_name" are the same. */
static void plain_name(const char *s, char out[NAME_CAP])
{
    size_t n = 0;
    for (; *s && n + 1 < NAME_CAP; s++) {
        const char c = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80))
            out[n++] = c;
    }
    out[*s ? 0 : n] = 0;
}

static int is_one_of(const char *plain, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(plain, *names) == 0)
            return 1;
    return 0;
}

static int ends_with_one_of(const char *plain, const char *const *endings)
{
    const size_t n = strlen(plain);
    for (; *endings; endings++) {
        const size_t m = strlen(*endings);
        if (n > m && strcmp(plain + n - m, *endings) == 0)
            return 1;
    }
    return 0;
}

int hst_column_is_label(const char *name)
{
    char plain[NAME_CAP];
    plain_name(name, plain);
    return is_one_of(plain, label_names) || ends_with_one_of(plain, label_endings);
}

/* flag_names' entry of that name; -1: none. */
static int flag_of(const char *plain)
{
    for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
        if (strcmp(plain, flag_names[i].name) == 0)
            return (int)i;
    return -1;
}

static int is_known(const char *name)
{
    char plain[NAME_CAP];
    plain_name(name, plain);
    return is_one_of(plain, path_names) || is_one_of(plain, label_names) ||
           is_one_of(plain, split_names) || flag_of(plain) >= 0;
}

/* ---- what is in a column ---- */

static int is_photo(const char *text)
{
    return text && hst_names_photo(text, strlen(text));
}

static int is_whole_number(const char *text)
{
    const char *digits = text + (*text == '-');
    return *digits && strspn(digits, "0123456789") == strlen(digits);
}

int hst_cell_flag(const char *text)
{
    static const char *const yes[] = {"1", "1.0", "true", "yes", "t", NULL};
    static const char *const no[] = {"0", "0.0", "-1", "false", "no", "f", "", NULL};
    for (int i = 0; yes[i]; i++)
        if (strcasecmp(text, yes[i]) == 0)
            return 1;
    for (int i = 0; no[i]; i++)
        if (strcasecmp(text, no[i]) == 0)
            return 0;
    return -1;
}

typedef int test_fn(const char *text);

static int is_flag(const char *text)
{
    return hst_cell_flag(text) >= 0;
}

static int is_part(const char *text)
{
    return hst_part_of(text) != HST_PART_NONE;
}

/* 1: some of the column's first cells hold a text, and all that do pass. first: row to begin at. */
static int all_are(const hst_table *t, int column, size_t first, test_fn *test)
{
    size_t n = 0;
    for (size_t r = first; r < t->n_rows && r < first + SAMPLE; r++) {
        const hst_cell cell = hst_table_at(t, r, (size_t)column);
        if (!cell.text || (cell.n == 1 && !*cell.text))
            continue;
        if (cell.n != 1 || !test(cell.text))
            return 0;
        n++;
    }
    return n > 0;
}

/* ---- the header ---- */

static int is_named(const char *cell, const char *asked)
{
    const size_t n = strlen(cell);
    for (const char *at = asked; at && n && (at = strstr(at, cell)); at++)
        if ((at == asked || at[-1] == ',') && (at[n] == 0 || at[n] == ','))
            return 1;
    return 0;
}

/* Whether a column's photos are there, but for that of the first row. */
static int is_first_missing(const hst_table *t, const hst_columns_query *q, size_t column)
{
    enum { LOOKED_FOR = 5 };
    for (size_t r = 0; r < t->n_rows && r < LOOKED_FOR; r++) {
        const char *text = hst_table_text(t, r, column);
        if (!text || !*text || q->found(q->arg, text) == (r == 0))
            return 0;
    }
    return 1;
}

/* Ids of photos: the first cell and the one below it. */
static int are_first_two_there(const hst_table *t, const hst_columns_query *q, size_t column)
{
    for (size_t r = 0; r < 2; r++) {
        const char *text = hst_table_text(t, r, column);
        if (!text || !*text || !q->found(q->arg, text) || is_photo(text))
            return 0;
    }
    return 1;
}

/* Whether the first row names columns: one that was asked for or that is known, or it is the only
 * one whose cell in some column is no photo, or no number. */
static int has_header(const hst_table *t, const hst_columns_query *q)
{
    int known = 0, other = 0;
    if (t->n_rows == 0 || t->separator == ' ')
        return 0;
    for (size_t c = 0; c < t->n_columns; c++) {
        const char *text = hst_table_text(t, 0, c);
        if (!text || !*text)
            continue;
        if (is_photo(text) || are_first_two_there(t, q, c))
            return 0;
        known |= is_named(text, q->path) || is_named(text, q->label) || is_named(text, q->split) ||
                 is_known(text);
        other |= all_are(t, (int)c, 1, is_photo) || is_first_missing(t, q, c) ||
                 (!is_whole_number(text) && all_are(t, (int)c, 1, is_whole_number));
    }
    return known || (other && t->n_rows > 1);
}

/* ---- messages ---- */

/* "id, breed and colour", or how many there are. */
static void list_columns(const hst_table *t, char out[LISTED_CAP])
{
    size_t n = 0;
    out[0] = 0;
    if (!t->column) {
        snprintf(out, LISTED_CAP, "no names, and columns 1 to %zu", t->n_columns);
        return;
    }
    for (size_t c = 0; c < t->n_columns && n < LISTED_CAP; c++)
        n += (size_t)snprintf(out + n, LISTED_CAP - n, "%s%s",
                              c == 0                 ? ""
                              : c + 1 < t->n_columns ? ", "
                                                     : " and ",
                              t->column[c]);
    if (n >= LISTED_CAP)
        memcpy(out + LISTED_CAP - 4, "...", 4);
}

/* what: "holds the paths of photos"; option: "--path-column". */
static int unclear(const chooser *k, const char *what, const char *option, hst_err *err)
{
    char columns[LISTED_CAP];
    list_columns(k->t, columns);
    return hst_fail(err, HST_EDATA,
                    "%s: which of its columns %s is not clear: %s NAME says it; it "
                    "has %s",
                    k->q->file, what, option, columns);
}

/* ---- the choice ---- */

/* A column that was asked for by name, in any spelling, or by number. */
static int find_asked(const chooser *k, const char *name, size_t n, int *column, hst_err *err)
{
    char asked[NAME_CAP], columns[LISTED_CAP], own[NAME_CAP], plain[NAME_CAP];
    const hst_table *t = k->t;
    for (size_t c = 0; t->column && c < t->n_columns; c++)
        if (strlen(t->column[c]) == n && memcmp(t->column[c], name, n) == 0) {
            *column = (int)c;
            return 0;
        }
    snprintf(asked, sizeof asked, "%.*s", (int)(n < NAME_CAP ? n : NAME_CAP - 1), name);
    plain_name(asked, plain);
    for (size_t c = 0; t->column && plain[0] && c < t->n_columns; c++) {
        plain_name(t->column[c], own);
        if (strcmp(own, plain) == 0) {
            *column = (int)c;
            return 0;
        }
    }
    const long number = is_whole_number(asked) ? strtol(asked, NULL, 10) : 0;
    if (number > 0 && (size_t)number <= t->n_columns) {
        *column = (int)number - 1;
        return 0;
    }
    list_columns(t, columns);
    return hst_fail(err, HST_EDATA, "%s has no column '%.*s'; it has %s%s", k->q->file, (int)n,
                    name, t->column ? "" : "no names, and columns ", columns);
}

/* How many of the first photos that the column names are there. */
static int probe(const chooser *k, int column)
{
    int found = 0;
    for (size_t r = 0, n = 0; r < k->t->n_rows && n < PROBES; r++) {
        const char *text = hst_table_text(k->t, r, (size_t)column);
        if (!text || !*text)
            continue;
        n++;
        found += k->q->found(k->q->arg, text);
    }
    return found;
}

/* Of candidate[n_columns] columns those whose photos are there; the only one, or -1. */
static int only_one_found(const chooser *k, const uint8_t *candidate)
{
    int only = -1, several = 0;
    for (int c = 0; c < (int)k->t->n_columns; c++)
        if (candidate[c] && probe(k, c) > 0) {
            several |= only >= 0;
            only = c;
        }
    return several ? -1 : only;
}

/* The only candidate, or -1; *n: how many there are. */
static int only_one(const uint8_t *candidate, size_t n_columns, int *n)
{
    int only = -1;
    *n = 0;
    for (size_t c = 0; c < n_columns; c++)
        if (candidate[c]) {
            only = (int)c;
            ++*n;
        }
    return *n == 1 ? only : -1;
}

/* By name, else by what looks like photos, else by which photos are there. */
static int choose_path(const chooser *k, uint8_t *candidate, hst_err *err)
{
    const hst_table *t = k->t;
    char plain[NAME_CAP];
    int n = 0;
    if (k->q->path)
        return find_asked(k, k->q->path, strlen(k->q->path), &k->c->path, err);
    for (int how = 0; how < 3; how++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            plain_name(t->column ? t->column[c] : "", plain);
            candidate[c] = (uint8_t)(how == 0   ? is_one_of(plain, path_names)
                                     : how == 1 ? all_are(t, (int)c, 0, is_photo)
                                                : 1);
        }
        k->c->path = only_one(candidate, t->n_columns, &n);
        if (k->c->path < 0 && n > 1)
            k->c->path = only_one_found(k, candidate);
        if (k->c->path >= 0)
            return 0;
    }
    return unclear(k, "holds the paths of the photos", "--path-column", err);
}

static int choose_split(const chooser *k, hst_err *err)
{
    const hst_table *t = k->t;
    char plain[NAME_CAP];
    int flag = -1, n = 0;
    k->c->split = HST_COLUMN_NONE;
    k->c->words = HST_SPLIT_NAMED;
    if (k->q->split) {
        const int rc = find_asked(k, k->q->split, strlen(k->q->split), &k->c->split, err);
        plain_name(rc == 0 && t->column ? t->column[k->c->split] : "", plain);
        flag = flag_of(plain);
        if (rc == 0 && flag >= 0 && all_are(t, k->c->split, 0, is_flag))
            k->c->words = flag_names[flag].words;
        return rc;
    }
    for (size_t c = 0; t->column && c < t->n_columns; c++) {
        plain_name(t->column[c], plain);
        flag = flag_of(plain);
        const int named = is_one_of(plain, split_names) && all_are(t, (int)c, 0, is_part);
        const int flagged = flag >= 0 && all_are(t, (int)c, 0, is_flag);
        if ((int)c == k->c->path || (!named && !flagged))
            continue;
        k->c->split = (int)c;
        k->c->words = flagged ? flag_names[flag].words : HST_SPLIT_NAMED;
        n++;
    }
    return n > 1 ? unclear(k, "holds the sides", "--split-column", err) : 0;
}

static int find_asked_labels(const chooser *k, hst_err *err)
{
    const char *name = k->q->label;
    int rc = 0;
    if (k->t->column)
        for (size_t c = 0; c < k->t->n_columns; c++)
            if (strcmp(k->t->column[c], name) == 0) { /* a comma may be a part of it */
                k->c->label[k->c->n_labels++] = (int)c;
                return 0;
            }
    while (rc == 0 && k->c->n_labels < (int)k->t->n_columns) {
        const size_t n = strcspn(name, ",");
        rc = find_asked(k, name, n, &k->c->label[k->c->n_labels], err);
        k->c->n_labels += rc == 0;
        name += n;
        if (!*name++)
            break;
    }
    return rc;
}

/* Where one candidate holds words, numbers are only their numbers. */
static void drop_numbers(const hst_table *t, uint8_t *candidate)
{
    int words = 0;
    for (size_t c = 0; c < t->n_columns; c++)
        words |= candidate[c] && !all_are(t, (int)c, 0, is_whole_number);
    for (size_t c = 0; words && c < t->n_columns; c++)
        candidate[c] &= (uint8_t)!all_are(t, (int)c, 0, is_whole_number);
}

/* All columns but path and split, if all of them are yes or no and there are several. */
static int take_marks(const chooser *k)
{
    hst_columns *c = k->c;
    for (int i = 0; k->t->column && i < (int)k->t->n_columns; i++) {
        if (i == c->path || i == c->split)
            continue;
        if (!all_are(k->t, i, 0, is_flag)) {
            c->n_marks = 0;
            break;
        }
        c->mark[c->n_marks++] = i;
    }
    c->n_marks = c->n_marks < 2 ? 0 : c->n_marks;
    return c->n_marks > 0;
}

static int choose_label(const chooser *k, uint8_t *candidate, hst_err *err)
{
    const hst_table *t = k->t;
    hst_columns *c = k->c;
    char plain[NAME_CAP];
    int n = 0, others = 0, other = -1;
    if (k->q->label)
        return find_asked_labels(k, err);
    if (k->q->without_label)
        return 0;
    for (int how = 0; how < 2 && n == 0; how++) {
        for (int i = 0; i < (int)t->n_columns; i++) {
            plain_name(t->column ? t->column[i] : "", plain);
            candidate[i] = (uint8_t)(i != c->path && i != c->split &&
                                     (how == 0 ? is_one_of(plain, label_names)
                                               : ends_with_one_of(plain, label_endings)));
        }
        drop_numbers(t, candidate);
        c->label[0] = only_one(candidate, t->n_columns, &n);
    }
    for (int i = 0; i < (int)t->n_columns; i++)
        if (i != c->path && i != c->split) {
            others++;
            other = i;
        }
    if (n == 0 && (others == 0 || take_marks(k))) /* none at all: folders may tell */
        return 0;
    if (n == 0 && others == 1)
        c->label[0] = other;
    c->n_labels = 1;
    return c->label[0] >= 0 ? 0 : unclear(k, "holds the labels", "--label-column", err);
}

int hst_columns_choose(hst_table *t, const hst_columns_query *q, hst_columns *c, hst_err *err)
{
    const chooser k = {t, q, c};
    int rc = has_header(t, q) ? hst_table_take_header(t, err) : 0;
    *c = (hst_columns){.path = HST_COLUMN_NONE, .split = HST_COLUMN_NONE};
    uint8_t *candidate = rc ? NULL : hst_alloc(t->n_columns, 1, err);
    c->label = candidate ? hst_arena_alloc(t->arena, t->n_columns, sizeof *c->label, err) : NULL;
    c->mark = c->label ? hst_arena_alloc(t->arena, t->n_columns, sizeof *c->mark, err) : NULL;
    rc = rc ? rc : c->mark ? 0 : HST_EMEM;
    rc = rc ? rc : choose_path(&k, candidate, err);
    rc = rc ? rc : choose_split(&k, err);
    rc = rc ? rc : choose_label(&k, candidate, err);
    free(candidate);
    return rc;
}
