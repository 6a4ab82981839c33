#include "job.h"

#include "signals.h"

#include <signal.h>

int cli_job_open(cli_job *job)
{
    hst_config c = hst_config_from_env();
    if (job->v.threads)
        c.threads = job->v.threads;
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

int cli_job_usage(const cli_job *job, const char *why)
{
    cli_error("%s (headstart %s --help)", why, job->command->name);
    return CLI_USAGE;
}
