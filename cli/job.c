#include "job.h"

#include "signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int cli_job_open(cli_job *job)
{
    hst_config c = hst_config_from_env();
    if (job->v.threads)
        c.threads = job->v.threads;
    c.offline |= job->v.offline;
    c.no_store |= job->v.no_store;
    c.rehash = job->v.rehash;
    if (job->v.store_max)
        c.store_max_bytes = job->v.store_max;
    c.log = cli_display_log;
    c.log_arg = &job->display;
    c.progress = cli_display_progress;
    c.progress_arg = &job->display;
    job->ctx = hst_open(&c, &job->err);
    return job->ctx ? 0 : cli_job_fail(job);
}

int cli_job_fail(cli_job *job)
{
    cli_display_close(&job->display);
    if (job->err.code != HST_ESTOPPED) {
        cli_error("%s", job->err.msg);
        return cli_exit_status(job->err.code);
    }
    if (job->out.error) /* it was us who stopped; cli_out_close says why */
        return CLI_OK;
    cli_error("interrupted");
    return 128 + (cli_signals_caught() ? cli_signals_caught() : SIGINT);
}

hst_backbone *cli_job_backbone(cli_job *job, const char *name)
{
    hst_backbone_opts o = hst_backbone_opts_default();
    o.scaling = job->v.scaling;
    o.image_px = job->v.image_px;
    o.views = job->v.views;
    return hst_backbone_open_with(job->ctx, name, &o, &job->err);
}

int cli_job_usage(const cli_job *job, const char *why)
{
    cli_error("%s (headstart %s --help)", why, job->command->name);
    return CLI_USAGE;
}

static int unknown_action(const cli_job *job)
{
    enum { MOST = 16 };
    const char *names[MOST];
    char list[256] = "";
    size_t n = 0, at = 0;
    for (const cli_action *a = job->command->actions; a->name && n < MOST; a++) {
        const char *comma = n == 0 ? "" : a[1].name ? ", " : " and ";
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", comma, a->name);
        names[n++] = a->name;
    }
    const char *near = cli_nearest(job->v.words[0], names, n);
    if (near)
        cli_error("unknown action '%s'; did you mean '%s'?", job->v.words[0], near);
    else
        cli_error("%s knows %s, not '%s' (headstart %s --help)", job->command->name, list,
                  job->v.words[0], job->command->name);
    return CLI_USAGE;
}

int cli_job_act(cli_job *job)
{
    const cli_action *a = job->command->actions;
    int n = job->v.n_words - 1;
    while (a->name && strcmp(a->name, job->v.words[0]) != 0)
        a++;
    if (!a->name)
        return unknown_action(job);
    if (n > (a->arg != NULL) || n < (a->arg && a->arg[0] != '[')) {
        cli_error("too %s was given: headstart %s %s%s%s", n ? "much" : "little",
                  job->command->name, a->name, a->arg ? " " : "", a->arg ? a->arg : "");
        return CLI_USAGE;
    }
    int status = cli_job_open(job);
    return status ? status : a->run(job);
}

void cli_job_say_stored(cli_job *job, size_t stored, size_t n)
{
    if (stored)
        cli_display_say(&job->display, "features of %zu of %zu photos were in the store", stored,
                        n);
}
