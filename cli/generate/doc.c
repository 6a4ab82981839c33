#include "doc.h"
#include "roff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOC_MAX = 1 << 20, LINE_CAP = 1024 };

static int lines_fit(const char *text)
{
    size_t n;
    while ((n = strcspn(text, "\n")) < LINE_CAP && text[n])
        text += n + 1;
    return n < LINE_CAP;
}

char *gen_doc_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(DOC_MAX) : NULL;
    const size_t n = text ? fread(text, 1, DOC_MAX, f) : 0;
    if (f)
        fclose(f);
    if (n > 0 && n < DOC_MAX) {
        text[n] = 0;
        if (lines_fit(text))
            return text;
    }
    cli_error("%s cannot be read, or has a line of %d bytes or more", path, LINE_CAP);
    free(text);
    return NULL;
}

/* The next line, without its end, into line; NULL behind the last. */
static const char *next_line(const char *doc, char line[LINE_CAP])
{
    const size_t n = strcspn(doc, "\n");
    if (!*doc)
        return NULL;
    snprintf(line, LINE_CAP, "%.*s", (int)n, doc);
    return doc + n + (doc[n] == '\n');
}

/* Code becomes bold, a link its text. n bytes of Markdown. */
static void plain_text(const char *md, size_t n, char text[LINE_CAP])
{
    const char *end = md + n;
    int bold = 0;
    for (; md < end; md++) {
        const char *close = *md == '[' && !bold ? strstr(md, "](") : NULL;
        if (*md == '`')
            *text++ = (bold = !bold) ? GEN_BOLD : GEN_PLAIN;
        else if (*md == ']' && md[1] == '(' && !bold)
            md += strcspn(md, ")");
        else if (!close || close >= end)
            *text++ = *md;
    }
    *text = 0;
}

static int heading_level(const char *line)
{
    const size_t n = strspn(line, "#");
    return line[n] == ' ' ? (int)n : 0;
}

/* Whether a heading names it, and as which part. */
static int is_of(const char *heading, const char *name, enum gen_doc_part part)
{
    const char *code = strchr(heading, '`');
    const size_t n = strlen(name);
    const int output = strstr(heading, "--json") || strstr(heading, "--format");
    return code && strncmp(code + 1, name, n) == 0 && strchr("` ", code[1 + n]) &&
           output == (part == GEN_DOC_OUTPUT);
}

typedef struct writer {
    cli_out *out;
    const char *title; /* NULL: written */
    int begun;         /* something stands under the last heading */
    int between;       /* a paragraph begins with the next line */
} writer;

/* "| name | text |" */
static void put_row(writer *w, const char *row)
{
    char name[LINE_CAP], text[LINE_CAP];
    const size_t n = strcspn(row + 1, "|");
    const char *second = row + 1 + n + (row[1 + n] == '|');
    plain_text(row + 1, n, name);
    plain_text(second, strcspn(second, "|"), text);
    gen_roff_item(w->out, name, text);
    w->begun = w->between = 1;
}

static void put_paragraph_line(writer *w, const char *line)
{
    char text[LINE_CAP];
    if (w->between)
        cli_out_puts(w->out, ".PP\n");
    plain_text(line, strlen(line), text);
    gen_roff_fill(w->out, text);
    w->begun = 1;
    w->between = 0;
}

static void put_heading(writer *w, const char *line)
{
    char text[LINE_CAP];
    if (w->title)
        cli_out_printf(w->out, ".SH %s\n", w->title);
    w->title = NULL;
    plain_text(line, strlen(line), text);
    cli_out_puts(w->out, ".SS ");
    gen_roff_put(w->out, text + strspn(text, "# "));
    cli_out_puts(w->out, "\n");
    w->begun = w->between = 0;
}

/* Rows of a table are those behind its second, the line of dashes. */
static void put_line(writer *w, const char *line, const char *rest)
{
    if (!*line)
        w->between = w->begun;
    else if (*line != '|')
        put_paragraph_line(w, line);
    else if (line[1] != '-' && strncmp(rest, "|-", 2) != 0)
        put_row(w, line);
}

void gen_doc_put(cli_out *out, const char *doc, const char *name, enum gen_doc_part part)
{
    writer w = {out, part == GEN_DOC_OUTPUT ? "OUTPUT" : "FILES", 0, 0};
    char line[LINE_CAP];
    int inside = 0; /* level of the heading that it is below */
    while ((doc = next_line(doc, line))) {
        const int level = heading_level(line);
        if (level && (!inside || level <= inside))
            inside = is_of(line, name, part) ? level : 0;
        if (inside && level)
            put_heading(&w, line);
        else if (inside)
            put_line(&w, line, doc);
    }
}
