#include "options.h"

#include "settings.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HELP_COLUMN = 26, NARROW_COLUMN = 8, WIDTH = 79, NARROWEST = 40, NARROW = 64 };

/* Columns that a page fills. */
static int page_width(void)
{
    const int columns = cli_text_columns(STDOUT_FILENO) - 1;
    return columns > WIDTH ? WIDTH : columns < NARROWEST ? NARROWEST : columns;
}

/* Writes text from a column on, broken at spaces. */
static void put_wrapped(cli_out *out, int column, const char *text)
{
    int at = column;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (at > column && at + 1 + n > page_width()) {
            cli_out_printf(out, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            cli_out_puts(out, " ");
            at++;
        }
        cli_out_printf(out, "%.*s", n, text);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
    cli_out_puts(out, "\n");
}

void cli_options_put_row(cli_out *out, int column, const char *name, const char *text)
{
    int n = (int)strlen(name);
    if (page_width() < NARROW && column > NARROW_COLUMN)
        column = NARROW_COLUMN;
    if (n + 3 < column)
        cli_out_printf(out, "  %-*s", column - 2, name);
    else
        cli_out_printf(out, "  %s\n%*s", name, column, "");
    put_wrapped(out, column, text);
}

const char *cli_option_arg(const cli_option *o, char text[CLI_TEXT_MAX])
{
    int n = 0;
    if (o->arg || o->kind == CLI_FLAG)
        return o->arg;
    text[0] = 0;
    for (const char *const *word = o->setting->words; *word && n < CLI_TEXT_MAX; word++)
        n += snprintf(text + n, (size_t)(CLI_TEXT_MAX - n), "%s%s", n ? "|" : "", *word);
    return text;
}

const char *cli_option_standard(const cli_option *o, char text[CLI_TEXT_MAX])
{
    return o->setting ? cli_settings_standard(o, text) : o->standard;
}

static void put_option(cli_out *out, const cli_option *o)
{
    char head[96], help[768], letter[4] = "   ", text[CLI_TEXT_MAX];
    const char *arg = cli_option_arg(o, text);
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c,", o->letter);
    snprintf(head, sizeof head, "%s --%s%s%s", letter, o->name, arg ? " " : "", arg ? arg : "");
    const char *standard = cli_option_standard(o, text);
    snprintf(help, sizeof help, "%s%s%s%s", o->help, standard ? " [" : "", standard ? standard : "",
             standard ? "]" : "");
    cli_options_put_row(out, HELP_COLUMN, head, help);
}

/* Every line of text, indented by two. */
static void put_indented(cli_out *out, const char *text)
{
    while (*text) {
        int n = (int)strcspn(text, "\n");
        cli_out_printf(out, "  %.*s\n", n, text);
        text += n;
        text += *text == '\n';
    }
}

/* The same of words that stand in lines of 80 columns: where these fit as they are, else broken
 * anew. A line that begins with a space, or is empty, stays one. */
static void put_text(cli_out *out, const char *text)
{
    char line[2048];
    int at = 0;
    if (page_width() == WIDTH) {
        cli_out_printf(out, "%s\n", text);
        return;
    }
    while (*text) {
        const int n = (int)strcspn(text, "\n");
        const int alone =
            text[0] == ' ' || n == 0 || text[n] == 0 || text[n + 1] == ' ' || text[n + 1] == '\n';
        at += snprintf(line + at, sizeof line - (size_t)at, "%s%.*s", at ? " " : "", n, text);
        text += n + (text[n] != 0);
        if (!alone && at < (int)sizeof line / 2)
            continue;
        const int indent = (int)strspn(line, " ");
        cli_out_printf(out, "%*s", indent, "");
        put_wrapped(out, indent, line + indent);
        at = 0;
    }
}

/* 1: the options of this section are to be told in full. */
static int is_told(const cli_command *c, const char *section, const cli_option *o)
{
    const char *own = o->section ? o->section : "everyday";
    if (!section)
        return !c->uses_settings || strcmp(own, "everyday") == 0;
    return strcmp(section, "all") == 0 || strcmp(section, own) == 0;
}

const char *cli_options_section(const cli_command *c, const char *const *words, int n)
{
    cli_option o;
    for (int i = 0; i < n; i++) {
        if (strcmp(words[i], "all") == 0 || strcmp(words[i], "everyday") == 0)
            return words[i];
        for (size_t k = 0; cli_options_at(c, k, &o); k++)
            if (o.section && strcmp(o.section, words[i]) == 0)
                return words[i];
    }
    return NULL;
}

/* The names of the options that are not told, a section on some lines. */
static void put_others(const cli_command *c, cli_out *out)
{
    cli_option o;
    char names[2048];
    size_t at = 0;
    const char *section = NULL;
    for (size_t i = 0;; i++) {
        const int more = cli_options_grouped_at(c, i, &o);
        if (more && is_told(c, NULL, &o))
            continue;
        if (section && (!more || strcmp(section, o.section) != 0)) {
            cli_options_put_row(out, HELP_COLUMN - 8, section, names);
            at = 0;
        }
        if (!more)
            break;
        section = o.section;
        if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s--%s", at ? " " : "", o.name);
    }
}

static void put_heading(cli_out *out, const char *heading)
{
    cli_out_puts(out, "\n");
    put_wrapped(out, 0, heading);
}

void cli_options_help(const cli_command *c, const char *section, cli_out *out)
{
    cli_option o;
    const char *heading = NULL;
    int left = 0;
    cli_out_printf(out, "Usage: headstart %s %s\n\n", c->name, c->usage);
    put_text(out, c->text);
    for (size_t i = 0; cli_options_grouped_at(c, i, &o); i++) {
        const char *now = cli_option_heading(&o);
        if (!is_told(c, section, &o)) {
            left++;
            continue;
        }
        if (!heading || strcmp(now, heading) != 0)
            put_heading(out, now);
        heading = now;
        put_option(out, &o);
    }
    if (left && !section) {
        cli_out_printf(out, "\nMore options (headstart %s --help SECTION, or all):\n", c->name);
        put_others(c, out);
    }
    cli_out_puts(out, "\nExamples:\n");
    put_indented(out, c->examples);
}
