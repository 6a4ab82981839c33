#include "dataset/class_names.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 4096, FILE_MAX = 16 << 20, NUMBER_MAX = 1 << 20, FILES = 10 };

static const char *const files[FILES] = {
    "classes.txt",      "class_names.txt", "classnames.txt", "labels.txt",     "label_names.txt",
    "synset_words.txt", "synsets.txt",     "names.txt",      "categories.txt", "obj.names"};

/* A whole number from 0 at s, *end behind it; -1: none, or a large one. */
static long number_at(const char *s, const char **end)
{
    const size_t n = strspn(s, "0123456789");
    *end = s + n;
    if (n == 0 || n > 7)
        return -1;
    const long v = strtol(s, NULL, 10);
    return v < NUMBER_MAX ? v : -1;
}

static long whole_number(const char *s)
{
    const char *end;
    const long v = number_at(s, &end);
    return *end ? -1 : v;
}

/* The least and largest label; 0: not all are whole numbers. */
static int range_of(const hst_table *t, int column, long *least, long *most)
{
    *least = NUMBER_MAX;
    *most = -1;
    for (size_t r = 0; r < t->n_rows; r++) {
        const char *text = hst_table_text(t, r, (size_t)column);
        if (!text || !*text)
            continue;
        const long v = whole_number(text);
        if (v < 0)
            return 0;
        *least = v < *least ? v : *least;
        *most = v > *most ? v : *most;
    }
    return *most >= 0;
}

/* The lines of text, cut in it. */
static char **cut_lines(char *text, size_t *n, hst_err *err)
{
    size_t most = 1;
    for (const char *s = text; *s; s++)
        most += *s == '\n';
    char **line = hst_alloc(most, sizeof *line, err);
    *n = 0;
    for (char *next; line && text; text = next) {
        const size_t length = strcspn(text, "\n");
        next = text[length] ? text + length + 1 : NULL;
        text[length] = 0;
        for (size_t end = length; end && strchr(" \r\t", text[end - 1]); end--)
            text[end - 1] = 0;
        if (*text)
            line[(*n)++] = text;
    }
    return line;
}

/* Behind the number that a line begins with: "3 cat", "3: cat", "3,cat"; NULL: it does not. */
static char *behind_number(char *line, long *number)
{
    const char *end;
    *number = number_at(line, &end);
    const size_t gap = strspn(end, " \t,:");
    return *number >= 0 && gap && end[gap] ? (char *)end + gap : NULL;
}

/* name[number] of each line. first: the number of the first one; -1: lines have theirs. */
static int take_lines(hst_class_names *c, hst_arena *arena, char *const *line, size_t n, long first,
                      hst_err *err)
{
    long number;
    size_t size = first < 0 ? 0 : n + (size_t)first;
    for (size_t i = 0; first < 0 && i < n; i++) {
        (void)behind_number(line[i], &number);
        size = (size_t)number + 1 > size ? (size_t)number + 1 : size;
    }
    c->name = hst_alloc(size, sizeof *c->name, err);
    if (!c->name)
        return HST_EMEM;
    c->n = size;
    for (size_t i = 0; i < n; i++) {
        const char *text = line[i];
        number = first + (long)i;
        if (first < 0)
            text = behind_number(line[i], &number);
        c->name[number] = hst_arena_strdup(arena, text, err);
        if (!c->name[number])
            return HST_EMEM;
    }
    return 0;
}

static int take_text(hst_class_names *c, hst_arena *arena, char *text, long least, long most,
                     hst_err *err)
{
    size_t n = 0, numbered = 0;
    long number;
    char **line = cut_lines(text, &n, err);
    if (!line)
        return HST_EMEM;
    for (size_t i = 0; i < n; i++)
        numbered += behind_number(line[i], &number) != NULL;
    const long first = n && numbered == n ? -1 : least > 0 && (size_t)most == n ? 1 : 0;
    const int rc = take_lines(c, arena, line, n, first, err);
    free(line);
    return rc;
}

/* A number without a name. */
static int check_all(const hst_class_names *c, const hst_list *l, const hst_table *t, int column,
                     hst_err *err)
{
    for (size_t r = 0; r < t->n_rows; r++) {
        const char *text = hst_table_text(t, r, (size_t)column);
        if (text && *text && hst_class_names_of(c, text) == text)
            return hst_fail(err, HST_EDATA,
                            "%s, line %zu: %s has no line for label %s; mend it, or take it away "
                            "to keep the numbers",
                            l->file, t->line[r], c->file, text);
    }
    return 0;
}

int hst_class_names_find(hst_class_names *c, const hst_list *l, const hst_table *t, int column,
                         hst_err *err)
{
    char path[PATH_CAP];
    uint8_t *text = NULL;
    size_t n;
    long least, most;
    const char *base = hst_path_base(l->file);
    *c = (hst_class_names){0};
    if (!range_of(t, column, &least, &most))
        return 0;
    for (int i = 0; i < FILES && !text; i++) {
        snprintf(path, sizeof path, "%.*s%s", (int)(base - l->file), l->file, files[i]);
        if (strcmp(path, l->file) == 0 ||
            hst_file_read(path, FILE_MAX, HST_EDATA, &text, &n, NULL) != 0)
            text = NULL;
    }
    if (!text)
        return 0;
    c->file = hst_arena_strdup(l->rows->arena, path, err);
    int rc = c->file ? take_text(c, l->rows->arena, (char *)text, least, most, err) : HST_EMEM;
    free(text);
    return rc ? rc : check_all(c, l, t, column, err);
}

const char *hst_class_names_of(const hst_class_names *c, const char *label)
{
    const long v = c->name ? whole_number(label) : -1;
    return v >= 0 && (size_t)v < c->n && c->name[v] ? c->name[v] : label;
}

void hst_class_names_clear(hst_class_names *c)
{
    free(c->name);
    *c = (hst_class_names){0};
}
