/* fish.c - completion for fish. */
#include "generate.h"

#include <stdint.h>

static void put_quoted(cli_out *out, const char *text, size_t n)
{
    cli_out_puts(out, "'");
    gen_put_escaped(out, text, n, "'\\", "\\");
    cli_out_puts(out, "'");
}

/* What to offer; required: the option wants a value. */
static void put_kind(cli_out *out, enum gen_kind kind, const char *words, int required)
{
    const char *alone = required ? " -x" : "", *with_files = required ? " -r -F" : " -F";
    switch (kind) {
    case GEN_NOTHING:
        cli_out_puts(out, alone);
        break;
    case GEN_WORDS:
        cli_out_printf(out, "%s -a '", alone);
        gen_put_words(out, words);
        cli_out_puts(out, "'");
        break;
    case GEN_FOLDER:
        cli_out_printf(out, "%s -a '(__fish_complete_directories)'", alone);
        break;
    case GEN_FILE:
        cli_out_puts(out, with_files);
        break;
    case GEN_BACKBONE:
    case GEN_NAME:
        cli_out_printf(out, "%s -a '", kind == GEN_NAME ? alone : with_files);
        gen_put_backbones(out);
        cli_out_puts(out, "'");
        break;
    }
}

static void put_condition(cli_out *out, const cli_command *c)
{
    cli_out_printf(out, "complete -c headstart -n '__fish_seen_subcommand_from %s", c->name);
}

static void put_option(cli_out *out, const cli_command *c, const cli_option *o)
{
    char arg[CLI_TEXT_MAX];
    put_condition(out, c);
    cli_out_printf(out, "' -l %s", o->name);
    if (o->letter)
        cli_out_printf(out, " -s %c", o->letter);
    if (o->kind != CLI_FLAG)
        put_kind(out, gen_option_kind(o), cli_option_arg(o, arg), 1);
    cli_out_puts(out, " -d ");
    put_quoted(out, o->help, gen_brief(o->help));
    cli_out_puts(out, "\n");
}

static void put_actions(cli_out *out, const cli_command *c)
{
    put_condition(out, c);
    cli_out_puts(out, "; and not __fish_seen_subcommand_from");
    for (const cli_action *a = c->actions; a->name; a++)
        cli_out_printf(out, " %s", a->name);
    cli_out_puts(out, "' -a '");
    for (const cli_action *a = c->actions; a->name; a++)
        cli_out_printf(out, "%s%s", a == c->actions ? "" : " ", a->name);
    cli_out_puts(out, "'\n");
    for (const cli_action *a = c->actions; a->name; a++) {
        if (!a->arg)
            continue;
        put_condition(out, c);
        cli_out_printf(out, "; and __fish_seen_subcommand_from %s'", a->name);
        put_kind(out, gen_action_kind(a), NULL, 0);
        cli_out_puts(out, "\n");
    }
}

void gen_fish(cli_out *out)
{
    cli_option o;
    cli_out_puts(out, "complete -c headstart -f\n"
                      "complete -c headstart -n __fish_use_subcommand -l help -s h\n"
                      "complete -c headstart -n __fish_use_subcommand -l version\n");
    for (int i = 0; cli_commands[i]; i++) {
        const cli_command *c = cli_commands[i];
        cli_out_printf(out, "complete -c headstart -n __fish_use_subcommand -a %s -d ", c->name);
        put_quoted(out, c->summary, SIZE_MAX);
        cli_out_puts(out, "\n");
        for (size_t n = 0; cli_options_at(c, n, &o); n++)
            if (!o.hidden)
                put_option(out, c, &o);
        if (c->actions) {
            put_actions(out, c);
            continue;
        }
        put_condition(out, c);
        cli_out_puts(out, "'");
        put_kind(out, gen_words_kind(c), NULL, 0);
        cli_out_puts(out, "\n");
    }
}
