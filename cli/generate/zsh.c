/* zsh.c - completion for zsh. */
#include "generate.h"

#include <stdint.h>

/* Inside single quotes, in a specification of _arguments or _describe. */
static void put_quoted(cli_out *out, const char *text, size_t n)
{
    for (; n > 0 && *text; n--, text++)
        if (*text == '\'')
            cli_out_puts(out, "'\\''");
        else
            gen_put_escaped(out, text, 1, "[]:\\", "\\");
}

static void put_kind(cli_out *out, enum gen_kind kind, const char *words)
{
    switch (kind) {
    case GEN_NOTHING:
        cli_out_puts(out, " ");
        break;
    case GEN_WORDS:
        cli_out_puts(out, "(");
        gen_put_words(out, words);
        cli_out_puts(out, ")");
        break;
    case GEN_FOLDER:
        cli_out_puts(out, "_files -/");
        break;
    case GEN_FILE:
        cli_out_puts(out, "_files");
        break;
    case GEN_BACKBONE:
        cli_out_puts(out, "_headstart_backbone");
        break;
    case GEN_NAME:
        cli_out_puts(out, "(");
        gen_put_backbones(out);
        cli_out_puts(out, ")");
        break;
    }
}

static void put_option(cli_out *out, const cli_option *o)
{
    char text[CLI_TEXT_MAX];
    const char *equals = o->kind == CLI_FLAG ? "" : "=", *arg = cli_option_arg(o, text);
    if (o->letter)
        cli_out_printf(out, "            '(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name,
                       o->letter, o->kind == CLI_FLAG ? "" : "+", o->name, equals);
    else
        cli_out_printf(out, "            '--%s%s[", o->name, equals);
    put_quoted(out, o->help, gen_brief(o->help));
    cli_out_puts(out, "]");
    if (arg) {
        cli_out_puts(out, ":");
        put_quoted(out, arg, SIZE_MAX);
        cli_out_puts(out, ":");
        put_kind(out, gen_option_kind(o), arg);
    }
    cli_out_puts(out, "' \\\n");
}

/* The second word depends on the first, the action. */
static void put_actions(cli_out *out, const cli_command *c)
{
    cli_out_puts(out, "            '1:action:(");
    for (const cli_action *a = c->actions; a->name; a++)
        cli_out_printf(out, "%s%s", a == c->actions ? "" : " ", a->name);
    cli_out_printf(out, ")' \\\n            '2:what:_headstart_%s'\n", c->name);
}

static void put_action_function(cli_out *out, const cli_command *c)
{
    cli_out_printf(out, "_headstart_%s() {\n    case $line[1] in\n", c->name);
    for (const cli_action *a = c->actions; a->name; a++) {
        enum gen_kind kind = gen_action_kind(a);
        if (kind == GEN_NOTHING)
            continue;
        cli_out_printf(out, "    %s) %s", a->name, kind == GEN_NAME ? "compadd " : "_files");
        if (kind == GEN_NAME)
            gen_put_backbones(out);
        cli_out_puts(out, " ;;\n");
    }
    cli_out_puts(out, "    esac\n}\n");
}

static void put_command(cli_out *out, const cli_command *c)
{
    cli_option o;
    cli_out_printf(out, "    %s)\n        _arguments -s -S \\\n", c->name);
    for (size_t i = 0; cli_options_at(c, i, &o); i++)
        if (!o.hidden)
            put_option(out, &o);
    if (c->actions) {
        put_actions(out, c);
    } else {
        cli_out_puts(out, "            '*:what:");
        put_kind(out, gen_words_kind(c), NULL);
        cli_out_puts(out, "'\n");
    }
    cli_out_puts(out, "        ;;\n");
}

void gen_zsh(cli_out *out)
{
    cli_out_puts(out, "#compdef headstart\n_headstart_backbone() {\n    compadd ");
    gen_put_backbones(out);
    cli_out_puts(out, "\n    _files\n}\n");
    for (int i = 0; cli_commands[i]; i++)
        if (cli_commands[i]->actions)
            put_action_function(out, cli_commands[i]);
    cli_out_puts(out, "_headstart() {\n"
                      "    local -a line commands=(\n");
    for (int i = 0; cli_commands[i]; i++) {
        cli_out_printf(out, "        '%s:", cli_commands[i]->name);
        put_quoted(out, cli_commands[i]->summary, SIZE_MAX);
        cli_out_puts(out, "'\n");
    }
    cli_out_puts(out, "    )\n"
                      "    if (( CURRENT == 2 )); then\n"
                      "        _describe command commands\n"
                      "        return\n"
                      "    fi\n"
                      "    shift words\n"
                      "    (( CURRENT-- ))\n"
                      "    case $words[1] in\n");
    for (int i = 0; cli_commands[i]; i++)
        put_command(out, cli_commands[i]);
    cli_out_puts(out, "    esac\n}\n_headstart \"$@\"\n");
}
