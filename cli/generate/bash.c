/* bash.c - completion for bash 4 and later; it needs no other package. */
#include "generate.h"

static void put_action(cli_out *out, enum gen_kind kind, const char *words)
{
    switch (kind) {
    case GEN_NOTHING:
        cli_out_puts(out, ":");
        break;
    case GEN_WORDS:
        cli_out_puts(out, "_headstart_words '");
        gen_put_words(out, words);
        cli_out_puts(out, "'");
        break;
    case GEN_FOLDER:
        cli_out_puts(out, "_headstart_files -d");
        break;
    case GEN_FILE:
        cli_out_puts(out, "_headstart_files -f");
        break;
    case GEN_BACKBONE:
    case GEN_NAME:
        cli_out_puts(out, "_headstart_words '");
        gen_put_backbones(out);
        cli_out_puts(out, kind == GEN_NAME ? "'" : "'; _headstart_files -f");
        break;
    }
    cli_out_puts(out, "; return ;;\n");
}

static void put_values(cli_out *out, const cli_command *c)
{
    cli_option o;
    char arg[CLI_TEXT_MAX];
    for (size_t i = 0; cli_options_at(c, i, &o); i++) {
        if (o.kind == CLI_FLAG || o.hidden)
            continue;
        cli_out_printf(out, "    %s,--%s", c->name, o.name);
        if (o.letter)
            cli_out_printf(out, " | %s,-%c", c->name, o.letter);
        cli_out_puts(out, ") ");
        put_action(out, gen_option_kind(&o), cli_option_arg(&o, arg));
    }
    for (const cli_action *a = c->actions; a && a->name; a++) {
        cli_out_printf(out, "    %s,%s) ", c->name, a->name);
        put_action(out, gen_action_kind(a), NULL);
    }
}

static void put_options(cli_out *out, const cli_command *c)
{
    cli_option o;
    cli_out_printf(out, "    %s,-*) _headstart_words '", c->name);
    for (size_t i = 0; cli_options_at(c, i, &o); i++)
        if (!o.hidden)
            cli_out_printf(out, "%s--%s", i ? " " : "", o.name);
    cli_out_puts(out, "'; return ;;\n");
}

static void put_words(cli_out *out, const cli_command *c)
{
    cli_out_printf(out, "    %s,*) ", c->name);
    if (!c->actions) {
        put_action(out, gen_words_kind(c), NULL);
        return;
    }
    cli_out_puts(out, "[ $COMP_CWORD -gt 2 ] || _headstart_words '");
    for (const cli_action *a = c->actions; a->name; a++)
        cli_out_printf(out, "%s%s", a == c->actions ? "" : " ", a->name);
    cli_out_puts(out, "'; return ;;\n");
}

void gen_bash(cli_out *out)
{
    cli_out_puts(out, "# bash completion for headstart\n"
                      "_headstart_words() {\n"
                      "    local word\n"
                      "    while read -r word; do\n"
                      "        COMPREPLY+=(\"$word\")\n"
                      "    done < <(compgen -W \"$1\" -- \"$cur\")\n"
                      "}\n"
                      "_headstart_files() {\n"
                      "    local file\n"
                      "    compopt -o filenames 2>/dev/null\n"
                      "    while IFS= read -r file; do\n"
                      "        COMPREPLY+=(\"$file\")\n"
                      "    done < <(compgen \"$1\" -- \"$cur\")\n"
                      "}\n"
                      "_headstart() {\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                      "    COMPREPLY=()\n"
                      "    if [ \"$prev\" = = ]; then # --name=value comes in three words\n"
                      "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
                      "    elif [ \"$cur\" = = ]; then\n"
                      "        cur=\n"
                      "    fi\n"
                      "    if [ $COMP_CWORD -eq 1 ] || [ \"$COMP_CWORD,$prev\" = 2,help ]; then\n"
                      "        _headstart_words '");
    for (int i = 0; cli_commands[i]; i++)
        cli_out_printf(out, "%s ", cli_commands[i]->name);
    cli_out_puts(out, "help --help --version'\n"
                      "        return\n"
                      "    fi\n"
                      "    case ${COMP_WORDS[1]},$prev in\n");
    for (int i = 0; cli_commands[i]; i++)
        put_values(out, cli_commands[i]);
    cli_out_puts(out, "    esac\n    case ${COMP_WORDS[1]},$cur in\n");
    for (int i = 0; cli_commands[i]; i++) {
        put_options(out, cli_commands[i]);
        put_words(out, cli_commands[i]);
    }
    cli_out_puts(out, "    esac\n}\ncomplete -F _headstart headstart\n");
}
