/* eval_pages.c - the report of an evaluation, as a folder of files. */
#include "eval.h"

#include "json_result.h"
#include "occasion.h"
#include "target.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* "DIR", or of several models "DIR/A", "DIR/B". 0: too long. */
static int name_folder(const char *dir, int i, int n, char path[CLI_EVAL_PATH])
{
    size_t length = strlen(dir);
    while (length > 1 && dir[length - 1] == '/')
        length--;
    if (length + sizeof "/A/report.html" > CLI_EVAL_PATH)
        return 0;
    memcpy(path, dir, length);
    path[length] = 0;
    if (n > 1)
        snprintf(path + length, 3, "/%c", 'A' + i);
    return 1;
}

int cli_eval_check_pages(cli_job *job, int n)
{
    char folder[CLI_EVAL_PATH];
    const char *const data[] = {job->v.words[n], NULL};
    int status = CLI_OK;
    if (!cli_options_typed(job->command, &job->v, "output"))
        return CLI_OK;
    for (int i = 0; i < n && status == CLI_OK; i++)
        status =
            name_folder(job->v.output, i, n, folder)
                ? cli_target_folder(&(cli_target){
                      .path = folder, .page = "report.html", .other = "args.json", .data = data})
                : cli_job_usage(job, "the folder of --output has too long a name");
    return status;
}

/* Where nobody asked for a folder, one that cannot be written is no failure. */
static int complain(cli_job *job)
{
    if (cli_options_typed(job->command, &job->v, "output"))
        return cli_job_fail(job);
    cli_error("warning: no report was written: %s", job->err.msg);
    return CLI_OK;
}

int cli_eval_pages(cli_job *job, cli_evaluated *m, int n)
{
    cli_occasion occasion = cli_occasion_now(job);
    hst_report_opts o = cli_occasion_opts(&occasion);
    int status = CLI_OK;
    o.photos = job->v.words[n];
    for (int i = 0; i < n && status == CLI_OK; i++) {
        char *folder = m[i].folder;
        o.model = m[i].name;
        m[i].saved = 0;
        if (!name_folder(job->v.output, i, n, folder)) {
            status = cli_job_usage(job, "the folder of --output has too long a name");
            break;
        }
        m[i].saved = hst_eval_save(job->ctx, m[i].eval, m[i].model, &o, folder, &job->err) == 0;
        if (!m[i].saved)
            status = complain(job);
    }
    cli_occasion_clear(&occasion);
    return status;
}

void cli_eval_tell_page(cli_job *job, const cli_evaluated *m)
{
    char clean[CLI_EVAL_PATH];
    if (!m->saved || job->v.quiet)
        return;
    cli_text_clean(clean, sizeof clean, m->folder);
    cli_out_printf(&job->out, "report   %s/report.html\n", clean);
}

json_t *cli_eval_page_json(const cli_evaluated *m)
{
    char path[CLI_EVAL_PATH + 16];
    snprintf(path, sizeof path, "%s/report.html", m->folder);
    return m->saved ? cli_json_text(path) : json_null();
}
