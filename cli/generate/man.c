/* man.c - manual pages: headstart(1) and one a command, in man(7) macros. */
#include "doc.h"
#include "generate.h"
#include "headstart.h"
#include "roff.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void put_title(cli_out *out, const char *command)
{
    cli_out_puts(out, ".TH HEADSTART");
    cli_out_puts(out, command ? "\\-" : "");
    for (const char *s = command ? command : ""; *s; s++)
        cli_out_printf(out, "%c", toupper((unsigned char)*s));
    cli_out_printf(out,
                   " 1 \"\" \"headstart %s\" \"User Commands\"\n.nh\n.ad l\n.SH NAME\n"
                   "headstart%s%s \\-\n",
                   hst_version(), command ? "\\-" : "", command ? command : "");
}

static void put_examples(cli_out *out, const char *lines)
{
    cli_out_puts(out, ".SH EXAMPLES\n.nf\n");
    gen_roff_put(out, lines);
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
    gen_roff_put(out, o->name);
    cli_out_puts(out, "\\fR");
    if (arg) {
        cli_out_puts(out, o->kind == CLI_CHOICE ? " \\fB" : " \\fI");
        gen_roff_put(out, arg);
        cli_out_puts(out, "\\fR");
    }
    cli_out_puts(out, "\n");
    gen_roff_fill(out, o->help);
    const char *standard = cli_option_standard(o, text);
    if (standard) {
        cli_out_puts(out, "Default: ");
        gen_roff_put(out, standard);
        cli_out_puts(out, ".\n");
    }
}

/* *heading: of the option before; NULL: it is the first, under the page's own. */
static void put_in_group(cli_out *out, const cli_option *o, const char **heading)
{
    const char *now = cli_option_heading(o);
    if (*heading && strcmp(now, *heading) != 0) {
        char title[CLI_TEXT_MAX];
        snprintf(title, sizeof title, "%.*s", (int)strcspn(now, ":"), now);
        cli_out_puts(out, ".SS ");
        gen_roff_put(out, title);
        cli_out_puts(out, "\n");
    }
    *heading = now;
    put_option(out, o);
}

static void put_bold_item(cli_out *out, const char *name, const char *text)
{
    char bold[CLI_TEXT_MAX];
    snprintf(bold, sizeof bold, "%c%s%c", GEN_BOLD, name, GEN_PLAIN);
    gen_roff_item(out, bold, text);
}

static void put_notes(cli_out *out, const char *title, const cli_note *notes)
{
    cli_out_printf(out, ".SH %s\n", title);
    for (; notes->name; notes++)
        put_bold_item(out, notes->name, notes->text);
}

static void put_where_documents_are(cli_out *out)
{
    cli_out_puts(out, ".PP\n");
    gen_roff_fill(out, "Documents whose names end in .md are in share/doc/headstart/docs of the "
                       "installation.");
}

void gen_man_program(cli_out *out, const char *doc)
{
    put_title(out, NULL);
    gen_roff_fill(out, "image transfer learning: name what is on photos");
    cli_out_puts(out, ".SH SYNOPSIS\n.B headstart\n.I COMMAND\n[options]\n.SH DESCRIPTION\n");
    gen_roff_put(out, cli_summary);
    cli_out_puts(out, ".\nA network that others trained on millions of photos, the backbone,\n"
                      "looks at each photo;\nwhat it sees trains a new last layer, the head.\n"
                      ".SH COMMANDS\nEach has a page of its own, for example headstart\\-train(1)"
                      ".\n");
    for (int i = 0; cli_commands[i]; i++)
        put_bold_item(out, cli_commands[i]->name, cli_commands[i]->summary);
    put_notes(out, "EXIT STATUS", cli_statuses);
    put_notes(out, "ENVIRONMENT", cli_environment);
    gen_doc_put(out, doc, "HEADSTART_CACHE", GEN_DOC_FILES);
    cli_out_puts(out, ".SH EXAMPLES\n.nf\n");
    for (int i = 0; cli_examples[i]; i++) {
        gen_roff_put(out, cli_examples[i]);
        cli_out_puts(out, "\n");
    }
    cli_out_puts(out, ".fi\n.SH SEE ALSO\n");
    for (int i = 0; cli_commands[i]; i++)
        cli_out_printf(out, ".BR headstart\\-%s (1)%s\n", cli_commands[i]->name,
                       cli_commands[i + 1] ? "," : "");
    put_where_documents_are(out);
}

void gen_man_command(cli_out *out, const cli_command *c, const char *doc)
{
    cli_option o;
    const char *heading = NULL;
    put_title(out, c->name);
    gen_roff_fill(out, c->summary);
    cli_out_printf(out, ".SH SYNOPSIS\n.B headstart %s\n", c->name);
    gen_roff_put(out, c->usage);
    cli_out_puts(out, "\n.SH DESCRIPTION\n");
    gen_roff_fill(out, c->text);
    cli_out_puts(out, ".SH OPTIONS\n");
    for (size_t i = 0; cli_options_grouped_at(c, i, &o); i++)
        put_in_group(out, &o, &heading);
    gen_doc_put(out, doc, c->name, GEN_DOC_OUTPUT);
    put_notes(out, "EXIT STATUS", cli_statuses);
    put_notes(out, "ENVIRONMENT", cli_environment);
    gen_doc_put(out, doc, c->name, GEN_DOC_FILES);
    put_examples(out, c->examples);
    cli_out_puts(out, ".SH SEE ALSO\n.BR headstart (1)\n");
    put_where_documents_are(out);
}
