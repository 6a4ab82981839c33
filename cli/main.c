/* main.c - the program: finds the command, reads its options, runs it, sets the exit status. */
#include "commands.h"
#include "job.h"
#include "signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char short_help[] =
    "headstart: a folder of photos in, a model that names what is on a new photo out.\n"
    "\n"
    "  headstart train photos/                      one sub-folder for each class\n"
    "  headstart predict runs/train/model.safetensors new.jpg\n"
    "  headstart --help                             all commands\n";

enum { ENVIRONMENT_COLUMN = 23, STATUS_COLUMN = 19 }; /* of the text beside a name */

static void put_help(cli_out *out)
{
    cli_out_printf(out,
                   "Usage: headstart COMMAND [options]\n"
                   "\n"
                   "%s.\n"
                   "\n"
                   "Commands (headstart COMMAND --help tells more):\n",
                   cli_summary);
    for (int i = 0; cli_commands[i]; i++)
        cli_out_printf(out, "  %-12s%s\n", cli_commands[i]->name, cli_commands[i]->summary);
    cli_out_puts(out, "\nExamples:\n");
    for (int i = 0; cli_examples[i]; i++)
        cli_out_printf(out, "  %s\n", cli_examples[i]);
    cli_out_puts(out, "\nEnvironment:\n");
    for (const cli_note *n = cli_environment; n->name; n++)
        cli_options_put_row(out, ENVIRONMENT_COLUMN, n->name, n->text);
    cli_out_puts(out, "\nExit status:\n");
    for (const cli_note *n = cli_statuses; n->name; n++)
        cli_options_put_row(out, STATUS_COLUMN, n->name, n->text);
}

static const cli_command *find_command(const char *name)
{
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    enum { MOST = 32 };
    const char *names[MOST];
    size_t n = 0;
    for (; n < MOST && cli_commands[n]; n++)
        names[n] = cli_commands[n]->name;
    const char *near = cli_nearest(name, names, n);
    if (near)
        cli_error("unknown command '%s'; did you mean '%s'?", name, near);
    else
        cli_error("unknown %s '%s' (headstart --help lists the commands)",
                  name[0] == '-' ? "option" : "command", name);
    return CLI_USAGE;
}

/* argv: of the whole program. */
static int run_command(const cli_command *c, int argc, char **argv)
{
    cli_job job = {.command = c, .program = argv[0], .argc = argc, .argv = argv, .shown = -1};
    if (hst_config_from_env().rank > 0)
        cli_hide(&job.shown);
    job.out = cli_out_open();
    int status = cli_options_parse(c, argc - 2, argv + 2, &job.v);
    cli_display_open(&job.display, job.v.quiet);
    job.out.colour = status == 0 && cli_wants_colour(job.v.color);
    if (status == 0 && job.v.help)
        cli_options_help(c, cli_options_section(c, job.v.words, job.v.n_words), &job.out);
    else if (status == 0)
        status = c->run(&job);
    cli_display_close(&job.display);
    if (status && !job.ctx && job.shown >= 0)
        cli_job_tell_late(&job);
    hst_close(job.ctx);
    free(job.v.words);
    return cli_out_close(&job.out, status);
}

int main(int argc, char **argv)
{
    cli_signals_install();
    if (argc < 2) {
        fputs(short_help, stderr);
        return CLI_USAGE;
    }
    cli_out out = cli_out_open();
    const char *name = argv[1];
    int help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (help && argc == 2)) {
        put_help(&out);
        return cli_out_close(&out, CLI_OK);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0 || strcmp(name, "version") == 0) {
        cli_out_printf(&out, "headstart %s\n", hst_version());
        return cli_out_close(&out, CLI_OK);
    }
    const cli_command *c = find_command(help ? argv[2] : name);
    if (!c)
        return unknown_command(help ? argv[2] : name);
    if (help) {
        cli_options_help(c, cli_options_section(c, (const char *const *)argv + 3, argc - 3), &out);
        return cli_out_close(&out, CLI_OK);
    }
    return run_command(c, argc, argv);
}
