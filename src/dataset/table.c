#include "dataset/table.h"
#include "base/str.h"
#include "dataset/names.h"
#include "dataset/table_build.h"

#include <stdlib.h>
#include <string.h>

/* ---- rows and cells ---- */

int hst_table_add_row(hst_table_builder *b, size_t line, hst_err *err)
{
    hst_table *t = b->t;
    size_t cap = b->rows_cap;
    void *first = t->first, *lines = t->line;
    int rc =
        hst_make_room(&first, t->n_rows + 1, &cap, sizeof *t->first, err); /* and the end of all */
    t->first = first;
    rc = rc ? rc : hst_make_room(&lines, t->n_rows + 1, &b->rows_cap, sizeof *t->line, err);
    t->line = lines;
    if (rc)
        return rc;
    t->line[t->n_rows] = line;
    t->first[t->n_rows++] = b->n_cells;
    t->first[t->n_rows] = b->n_cells;
    return 0;
}

int hst_table_add_cell(hst_table_builder *b, hst_cell cell, hst_err *err)
{
    hst_table *t = b->t;
    void *cells = t->cell;
    const int rc = hst_make_room(&cells, b->n_cells, &b->cells_cap, sizeof *t->cell, err);
    t->cell = cells;
    if (rc)
        return rc;
    t->cell[b->n_cells++] = cell;
    t->first[t->n_rows] = b->n_cells;
    const size_t n = b->n_cells - t->first[t->n_rows - 1];
    t->n_columns = n > t->n_columns ? n : t->n_columns;
    return 0;
}

hst_cell hst_table_at(const hst_table *t, size_t row, size_t column)
{
    static const hst_cell nothing = {NULL, 0};
    if (row >= t->n_rows || column >= t->first[row + 1] - t->first[row])
        return nothing;
    return t->cell[t->first[row] + column];
}

const char *hst_table_text(const hst_table *t, size_t row, size_t column)
{
    const hst_cell c = hst_table_at(t, row, column);
    return c.n == 1 ? c.text : NULL;
}

int hst_table_take_header(hst_table *t, hst_err *err)
{
    if (t->n_rows == 0 || t->column)
        return 0;
    const char **column = hst_arena_alloc(t->arena, t->n_columns, sizeof *column, err);
    if (!column)
        return HST_EMEM;
    for (size_t c = 0; c < t->n_columns; c++) {
        const char *name = hst_table_text(t, 0, c);
        column[c] = name ? name : "";
    }
    t->column = column;
    t->n_rows--;
    memmove(t->first, t->first + 1, (t->n_rows + 1) * sizeof *t->first);
    memmove(t->line, t->line + 1, t->n_rows * sizeof *t->line);
    return 0;
}

void hst_table_clear(hst_table *t)
{
    free(t->cell);
    free(t->first);
    free(t->line);
    *t = (hst_table){0};
}

/* ---- the text ---- */

/* The UTF-8 of a UTF-16 text with its mark; a broken pair becomes U+FFFD. At most 3 bytes of each
 * 2. */
static size_t from_utf16(const uint8_t *in, size_t n, char *out)
{
    const size_t high = in[0] == 0xfe ? 0 : 1;
    size_t to = 0;
    for (size_t i = 2; i + 1 < n; i += 2) {
        uint32_t c = (uint32_t)in[i + high] << 8 | in[i + 1 - high];
        const uint32_t next = i + 3 < n ? (uint32_t)in[i + 2 + high] << 8 | in[i + 3 - high] : 0;
        if (c >= 0xd800 && c < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10 | (next - 0xdc00));
            i += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd;
        }
        to += hst_utf8_put(c, out + to);
    }
    return to;
}

/* The text of the bytes in the arena, with a NUL behind it and without a mark. */
static char *make_text(hst_arena *arena, const uint8_t *bytes, size_t n, size_t *length,
                       hst_err *err)
{
    const int utf16 = n >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) ||
                                 (bytes[0] == 0xfe && bytes[1] == 0xff));
    const size_t mark = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    char *text = hst_arena_alloc(arena, utf16 ? n / 2 * 3 + 1 : n + 1, 1, err);
    if (!text)
        return NULL;
    if (utf16) {
        *length = from_utf16(bytes, n, text);
    } else {
        *length = n - mark;
        if (*length)
            memcpy(text, bytes + mark, *length);
    }
    text[*length] = 0;
    return text;
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* ---- which separator ---- */

static int ends_line(char c)
{
    return c == 0 || c == '\n' || c == '\r';
}

static const char *skip_line_end(const char *s)
{
    s += *s == '\r';
    return s + (*s == '\n');
}

/* Behind the field at s: the separator, or the end of the line or of the text. */
static const char *field_end(const char *s, char separator)
{
    while (*s == ' ')
        s++;
    if (*s == '"')
        for (s++; *s && (*s != '"' || s[1] == '"'); s++)
            s += *s == '"';
    while (*s != separator && !ends_line(*s))
        s++;
    return s;
}

/* Cells of the record at *s, which ends up at the next one. */
static size_t count_cells(const char **s, char separator)
{
    size_t n = 1;
    for (;;) {
        *s = field_end(*s, separator);
        if (**s != separator || **s == 0)
            break;
        n++;
        (*s)++;
    }
    *s = skip_line_end(*s);
    return n;
}

enum { SAMPLE = 100 }; /* records that tell the separator */

/* How many of the first records have as many cells as the very first, of all records looked at;
 * 0: a record is one cell. */
static double agreement(const char *s, char separator)
{
    size_t first = 0, same = 0, n = 0;
    while (*s && n < SAMPLE) {
        if (ends_line(*s)) {
            s = skip_line_end(s);
            continue;
        }
        const size_t cells = count_cells(&s, separator);
        first = n++ == 0 ? cells : first;
        same += cells == first;
    }
    return first > 1 ? (double)same / (double)n : 0;
}

static size_t line_length(const char *s)
{
    return strcspn(s, "\r\n");
}

/* The last of the line's words, where it has more than one; else NULL. */
static const char *last_word(const char *s, size_t n)
{
    size_t end = n;
    while (end > 0 && s[end - 1] == ' ')
        end--;
    size_t at = end;
    while (at > 0 && s[at - 1] != ' ')
        at--;
    size_t before = at;
    while (before > 0 && s[before - 1] == ' ')
        before--;
    return before > 0 ? s + at : NULL;
}

/* 1: every line is words of which the last is no photo's name. */
static int is_path_and_label(const char *s)
{
    size_t looked_at = 0;
    for (; *s && looked_at < SAMPLE; s = skip_line_end(s)) {
        const size_t n = line_length(s);
        const char *word = last_word(s, n);
        if (n > 0 && (!word || hst_names_photo(word, (size_t)(s + n - word))))
            return 0;
        looked_at += n > 0;
        s += n;
    }
    return looked_at > 0;
}

static char find_separator(const char *s)
{
    static const char separators[] = "\t,;|"; /* of equal ones the first */
    double most = 0;
    char found = 0;
    for (const char *c = separators; *c; c++) {
        const double score = agreement(s, *c);
        found = score > most ? *c : found;
        most = score > most ? score : most;
    }
    return found ? found : is_path_and_label(s) ? ' ' : ',';
}

/* ---- CSV ---- */

typedef struct reader {
    hst_table_builder *b;
    char *at;
    size_t line;
    char separator;
} reader;

static char *trim_end(char *begin, char *end)
{
    while (end > begin && end[-1] == ' ')
        end--;
    return end;
}

/* The quoted text at r->at, whose first quote it is, put together where it stands; r->at ends up
 * behind the last quote. */
static int take_quoted(reader *r, char **end, hst_err *err)
{
    const size_t began = r->line;
    char *to = r->at, *s = r->at + 1;
    for (; *s && (*s != '"' || s[1] == '"'); s++) {
        s += *s == '"';
        r->line += *s == '\n';
        *to++ = *s;
    }
    if (!*s)
        return hst_fail(err, HST_EDATA, "%s, line %zu: the quote that begins here is never closed",
                        r->b->name, began);
    r->at = s + 1;
    *end = to;
    return 0;
}

/* One cell, and *last: it was its line's. What follows a closed quote belongs to the text. */
static int take_cell(reader *r, int *last, hst_err *err)
{
    while (*r->at == ' ')
        r->at++;
    char *begin = r->at, *end = r->at;
    if (*begin == '"') {
        const int rc = take_quoted(r, &end, err);
        if (rc)
            return rc;
    }
    const int quoted = r->at != begin;
    while (*r->at != r->separator && !ends_line(*r->at))
        *end++ = *r->at++;
    end = quoted ? end : trim_end(begin, end);
    *last = *r->at != r->separator;
    char *next = *last ? (char *)skip_line_end(r->at) : r->at + 1;
    r->line += *last && next > r->at;
    *end = 0; /* nothing before next is needed any more */
    r->at = next;
    return hst_table_add_cell(r->b, (hst_cell){begin, 1}, err);
}

/* "some photo.jpg  3": the last word is the label. */
static int take_path_and_label(reader *r, hst_err *err)
{
    const size_t n = line_length(r->at);
    char *word = (char *)last_word(r->at, n), *end = r->at + n;
    char *next = (char *)skip_line_end(end);
    *trim_end(r->at, end) = 0;
    while (*r->at == ' ')
        r->at++;
    if (word)
        *trim_end(r->at, word) = 0;
    int rc = hst_table_add_cell(r->b, (hst_cell){r->at, 1}, err);
    if (rc == 0 && word)
        rc = hst_table_add_cell(r->b, (hst_cell){word, 1}, err);
    r->at = next;
    r->line++;
    return rc;
}

static int is_blank_line(const char *s)
{
    while (*s == ' ')
        s++;
    return ends_line(*s);
}

static int take_rows(reader *r, hst_err *err)
{
    int rc = 0;
    while (rc == 0 && *r->at) {
        if (is_blank_line(r->at)) {
            r->at += line_length(r->at);
            r->at = (char *)skip_line_end(r->at);
            r->line++;
            continue;
        }
        int last = 0;
        rc = hst_table_add_row(r->b, r->line, err);
        if (r->separator == ' ')
            rc = rc ? rc : take_path_and_label(r, err);
        else
            while (rc == 0 && !last)
                rc = take_cell(r, &last, err);
    }
    return rc;
}

/* "sep=;", which Excel writes and reads as a first line. */
static size_t named_separator(const char *s, char *separator)
{
    if (strncmp(s, "sep=", 4) != 0 || !s[4] || !strchr(",;|\t", s[4]) || !ends_line(s[5]))
        return 0;
    *separator = s[4];
    return (size_t)(skip_line_end(s + 5) - s);
}

static int add_csv(hst_table_builder *b, char *text, hst_err *err)
{
    reader r = {.b = b, .line = 1};
    const size_t skip = named_separator(text, &r.separator);
    r.at = text + skip;
    r.line += skip > 0;
    r.separator = skip ? r.separator : find_separator(r.at);
    b->t->separator = r.separator;
    return take_rows(&r, err);
}

/* ---- any ---- */

/* 1: JSON, 2: JSON Lines. A list of names may begin with a bracket, hence the endings. */
static int json_kind(const char *text, const char *name)
{
    const char first = text[strspn(text, " \t\r\n")];
    if (hst_ends_with_any_case(name, ".jsonl") || hst_ends_with_any_case(name, ".ndjson"))
        return 2;
    if (hst_ends_with_any_case(name, ".json"))
        return 1;
    return first == '{';
}

int hst_table_parse(hst_arena *arena, const hst_table_file *file, hst_table *t, hst_err *err)
{
    hst_table_builder b = {.t = t, .name = file->name};
    size_t length = 0;
    *t = (hst_table){.arena = arena};
    char *text = make_text(arena, file->bytes, file->n, &length, err);
    int rc = text ? 0 : HST_EMEM;
    const char *zero = text ? memchr(text, 0, length) : NULL;
    if (zero)
        rc = hst_fail(err, HST_EDATA, "%s, line %zu: holds a zero byte; it is no list", file->name,
                      line_of(text, zero));
    if (rc == 0 && text[strspn(text, " \t\r\n")] == 0)
        rc = hst_fail(err, HST_EDATA, "%s is empty; expected a list of photos", file->name);
    const int json = rc == 0 ? json_kind(text, file->name) : 0;
    if (rc == 0)
        rc = json ? hst_table_add_json(&b, text, length, json == 2, err) : add_csv(&b, text, err);
    if (rc)
        hst_table_clear(t);
    return rc;
}
