/* main.c - headstart-generate docs/files.md man|bash|zsh|fish, or the name of a command: its manual
 * page. */
#include "doc.h"
#include "generate.h"
#include "headstart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum gen_kind gen_option_kind(const cli_option *o)
{
    if (o->kind == CLI_CHOICE)
        return GEN_WORDS;
    if (o->kind != CLI_TEXT)
        return GEN_NOTHING;
    if (strstr(o->arg, "NAME") && strstr(o->arg, "FILE"))
        return GEN_BACKBONE;
    if (strstr(o->arg, "FILE"))
        return GEN_FILE;
    return strstr(o->arg, "DIR") ? GEN_FOLDER : GEN_NOTHING;
}

enum gen_kind gen_words_kind(const cli_command *c)
{
    return strncmp(c->usage, "DIR", 3) == 0 ? GEN_FOLDER : GEN_FILE;
}

enum gen_kind gen_action_kind(const cli_action *a)
{
    if (!a->arg)
        return GEN_NOTHING;
    return strstr(a->arg, "NAME") ? GEN_NAME : GEN_FILE;
}

void gen_put_words(cli_out *out, const char *words)
{
    for (; *words; words++)
        cli_out_printf(out, "%c", *words == '|' ? ' ' : *words);
}

void gen_put_backbones(cli_out *out)
{
    const hst_config cfg = hst_config_default();
    hst_ctx *ctx = hst_open(&cfg, NULL);
    for (int i = 0; ctx && hst_backbone_name(ctx, i, NULL); i++)
        cli_out_printf(out, "%s%s", i ? " " : "", hst_backbone_name(ctx, i, NULL));
    hst_close(ctx);
}

void gen_put_escaped(cli_out *out, const char *text, size_t n, const char *special,
                     const char *escape)
{
    for (; n > 0 && *text; n--, text++)
        cli_out_printf(out, "%s%c", strchr(special, *text) ? escape : "", *text);
}

size_t gen_brief(const char *help)
{
    size_t n = strcspn(help, ".;:(");
    while (help[n] && help[n + 1] && help[n + 1] != ' ' && help[n] != '(')
        n += 1 + strcspn(help + n + 1, ".;:(");
    while (n > 0 && help[n - 1] == ' ')
        n--;
    return n;
}

static int generate_page(cli_out *out, const char *command, const char *doc)
{
    if (strcmp(command, "man") == 0)
        return gen_man_program(out, doc), CLI_OK;
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, command) == 0)
            return gen_man_command(out, cli_commands[i], doc), CLI_OK;
    cli_error("'%s' is neither man, bash, zsh, fish nor a command", command);
    return CLI_USAGE;
}

static int generate(cli_out *out, const char *what, const char *path)
{
    static const struct {
        const char *name;
        void (*write)(cli_out *out);
    } kinds[] = {{"bash", gen_bash}, {"zsh", gen_zsh}, {"fish", gen_fish}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, what) == 0)
            return kinds[i].write(out), CLI_OK;
    char *doc = gen_doc_read(path);
    const int status = doc ? generate_page(out, what, doc) : CLI_BAD_INPUT;
    free(doc);
    return status;
}

int main(int argc, char **argv)
{
    cli_out out = cli_out_open();
    int status = CLI_USAGE;
    if (argc == 3)
        status = generate(&out, argv[2], argv[1]);
    else
        cli_error("usage: headstart-generate docs/files.md man|bash|zsh|fish|COMMAND");
    return cli_out_close(&out, status);
}
