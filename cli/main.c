/* main.c - the program: finds the command, reads its options, runs it, sets the exit status. */
#include "job.h"
#include "signals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_command *const commands[] = {
    &cli_train, &cli_predict, &cli_eval, &cli_features, &cli_info, &cli_backbones,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char short_help[] =
    "headstart: a folder of photos in, a model that names what is on a new photo out.\n"
    "\n"
    "  headstart train photos/                      one sub-folder for each class\n"
    "  headstart predict runs/train/model.safetensors new.jpg\n"
    "  headstart --help                             all commands\n";

static void put_help(cli_out *out)
{
    cli_out_puts(out, "Usage: headstart COMMAND [options]\n"
                      "\n"
                      "A folder of photos in, a model that names what is on a new photo out.\n"
                      "\n"
                      "Commands (headstart COMMAND --help tells more):\n");
    for (int i = 0; i < N_COMMANDS; i++)
        cli_out_printf(out, "  %-12s%s\n", commands[i]->name, commands[i]->summary);
    cli_out_puts(out,
                 "\n"
                 "Examples:\n"
                 "  headstart train flower_photos/\n"
                 "  headstart predict runs/train/model.safetensors daisy.jpg more/\n"
                 "  headstart eval runs/train/model.safetensors holdout/\n"
                 "\n"
                 "Environment:\n"
                 "  HEADSTART_CACHE     where backbones are kept [~/.cache/headstart]\n"
                 "  HEADSTART_CPU       kernels to use (headstart info --devices lists them)\n"
                 "  HEADSTART_THREADS   threads to use, as --threads\n"
                 "  HEADSTART_OFFLINE   set to anything: never start a download\n"
                 "  HEADSTART_HELPER    path of headstart-convert, which reads foreign weights\n"
                 "\n"
                 "Exit status:\n"
                 "  0 done; 1 failed; 2 wrong use; 3 photos cannot be used; 4 model or weight\n"
                 "  file cannot be used; 5 download failed; 6 reading or writing failed, or no\n"
                 "  space left; 7 out of memory; 130 or 143 interrupted; 141 nobody read the\n"
                 "  output to its end\n");
}

static const cli_command *find_command(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i]->name;
    const char *near = cli_nearest(name, names, N_COMMANDS);
    if (near)
        cli_error("unknown command '%s'; did you mean '%s'?", name, near);
    else
        cli_error("unknown %s '%s' (headstart --help lists the commands)",
                  name[0] == '-' ? "option" : "command", name);
    return CLI_USAGE;
}

static int run_command(const cli_command *c, int argc, char **argv)
{
    cli_job job = {.command = c, .out = cli_out_open()};
    int status = cli_options_parse(c, argc, argv, &job.v);
    cli_display_open(&job.display, job.v.quiet);
    if (status == 0 && job.v.help)
        cli_options_help(c, &job.out);
    else if (status == 0)
        status = c->run(&job);
    cli_display_close(&job.display);
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
    if (strcmp(name, "--version") == 0) {
        cli_out_printf(&out, "headstart %s\n", hst_version());
        return cli_out_close(&out, CLI_OK);
    }
    const cli_command *c = find_command(help ? argv[2] : name);
    if (!c)
        return unknown_command(help ? argv[2] : name);
    if (help) {
        cli_options_help(c, &out);
        return cli_out_close(&out, CLI_OK);
    }
    return run_command(c, argc - 2, argv + 2);
}
