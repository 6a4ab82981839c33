/* man.c - manual pages: headstart(1) and one a command, in man(7) macros. */
#include "generate.h"
#include "headstart.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Characters that roff would turn into typographic ones, as their ASCII selves. */
static const char *roff_char(char c)
{
    static const struct {
        char c;
        const char *roff;
    } table[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                 {'`', "\\(ga"}, {'~', "\\(ti"}, {'^', "\\(ha"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].c == c)
            return table[i].roff;
    return NULL;
}

static void put_text(cli_out *out, const char *text)
{
    int fresh = 1; /* a line begins: a point there would be a request */
    for (; *text; text++) {
        const char *roff = roff_char(*text);
        cli_out_puts(out, fresh && *text == '.' ? "\\&" : "");
        if (roff)
            cli_out_puts(out, roff);
        else
            cli_out_printf(out, "%c", *text);
        fresh = *text == '\n';
    }
}

static void put_title(cli_out *out, const char *command)
{
    cli_out_puts(out, ".TH HEADSTART");
    cli_out_puts(out, command ? "\\-" : "");
    for (const char *s = command ? command : ""; *s; s++)
        cli_out_printf(out, "%c", toupper((unsigned char)*s));
    cli_out_printf(
        out, " 1 \"\" \"headstart %s\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\nheadstart%s%s \\- ",
        hst_version(), command ? "\\-" : "", command ? command : "");
}

static void put_item(cli_out *out, const char *name, const char *text)
{
    cli_out_puts(out, ".TP\n.B ");
    put_text(out, name);
    cli_out_puts(out, "\n");
    put_text(out, text);
    cli_out_puts(out, "\n");
}

static void put_examples(cli_out *out, const char *lines)
{
    cli_out_puts(out, ".SH EXAMPLES\n.nf\n");
    put_text(out, lines);
    cli_out_puts(out, "\n.fi\n");
}

static void put_option(cli_out *out, const cli_option *o)
{
    char text[CLI_TEXT_MAX];
    const char *arg = cli_option_arg(o, text);
    cli_out_puts(out, ".TP\n");
    if (o->letter)
        cli_out_printf(out, "\\fB\\-%c\\fR, ", o->letter);
    cli_out_puts(out, "\\fB\\-\\-");
    put_text(out, o->name);
    cli_out_puts(out, "\\fR");
    if (arg) {
        cli_out_puts(out, o->kind == CLI_CHOICE ? " \\fB" : " \\fI");
        put_text(out, arg);
        cli_out_puts(out, "\\fR");
    }
    cli_out_puts(out, "\n");
    put_text(out, o->help);
    const char *standard = cli_option_standard(o, text);
    if (standard) {
        cli_out_puts(out, " Default: ");
        put_text(out, standard);
        cli_out_puts(out, ".");
    }
    cli_out_puts(out, "\n");
}

/* *heading: of the option before; NULL: it is the first, under the page's own. */
static void put_in_group(cli_out *out, const cli_option *o, const char **heading)
{
    const char *now = cli_option_heading(o);
    if (*heading && strcmp(now, *heading) != 0) {
        char title[CLI_TEXT_MAX];
        snprintf(title, sizeof title, "%.*s", (int)strcspn(now, ":"), now);
        cli_out_puts(out, ".SS ");
        put_text(out, title);
        cli_out_puts(out, "\n");
    }
    *heading = now;
    put_option(out, o);
}

static void put_notes(cli_out *out, const char *title, const cli_note *notes)
{
    cli_out_printf(out, ".SH %s\n", title);
    for (; notes->name; notes++)
        put_item(out, notes->name, notes->text);
}

void gen_man_program(cli_out *out)
{
    put_title(out, NULL);
    put_text(out, "image transfer learning: name what is on photos");
    cli_out_puts(out, "\n.SH SYNOPSIS\n.B headstart\n.I COMMAND\n[options]\n.SH DESCRIPTION\n");
    put_text(out, cli_summary);
    cli_out_puts(out, ".\nA network that others trained on millions of photos, the backbone, looks "
                      "at each photo;\nwhat it sees trains a new last layer, the head.\n"
                      ".SH COMMANDS\nEach has a page of its own, for example headstart\\-train(1)"
                      ".\n");
    for (int i = 0; cli_commands[i]; i++)
        put_item(out, cli_commands[i]->name, cli_commands[i]->summary);
    put_notes(out, "ENVIRONMENT", cli_environment);
    put_notes(out, "EXIT STATUS", cli_statuses);
    cli_out_puts(out, ".SH EXAMPLES\n.nf\n");
    for (int i = 0; cli_examples[i]; i++) {
        put_text(out, cli_examples[i]);
        cli_out_puts(out, "\n");
    }
    cli_out_puts(out, ".fi\n.SH SEE ALSO\n");
    for (int i = 0; cli_commands[i]; i++)
        cli_out_printf(out, ".BR headstart\\-%s (1)%s\n", cli_commands[i]->name,
                       cli_commands[i + 1] ? "," : "");
}

void gen_man_command(cli_out *out, const cli_command *c)
{
    cli_option o;
    const char *heading = NULL;
    put_title(out, c->name);
    put_text(out, c->summary);
    cli_out_printf(out, "\n.SH SYNOPSIS\n.B headstart %s\n", c->name);
    put_text(out, c->usage);
    cli_out_puts(out, "\n.SH DESCRIPTION\n");
    put_text(out, c->text);
    cli_out_puts(out, "\n.SH OPTIONS\n");
    for (size_t i = 0; cli_options_grouped_at(c, i, &o); i++)
        put_in_group(out, &o, &heading);
    put_examples(out, c->examples);
    cli_out_puts(out, ".SH SEE ALSO\n.BR headstart (1),\nfor environment and exit status\n");
}
