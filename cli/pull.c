/* pull.c - headstart pull: a data set of the network as a folder of photos. */
#include "commands.h"
#include "json_result.h"
#include "text.h"

#include <stdio.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "DIR", NULL,
     "Put the photos there, in a new or empty folder (if not given, in the cache, where train "
     "finds them by NAME)."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static int list(cli_job *job)
{
    json_t *o = job->v.json ? json_object() : NULL;
    const char *name;
    uint64_t bytes;
    int here;
    for (int i = 0; (name = hst_data_name(job->ctx, i, &bytes, &here)); i++) {
        if (job->v.json)
            cli_json_set(&o, name,
                         json_pack("{sI sb}", "bytes", (json_int_t)bytes, "cached", here));
        else
            cli_out_printf(&job->out, "%-24s  %6.1f MiB  %s\n", name, (double)bytes / (1 << 20),
                           here ? "here" : "not fetched");
    }
    return job->v.json ? cli_json_print(&job->out, o) : CLI_OK;
}

static int run(cli_job *job)
{
    char path[4096], shown[4096];
    int status = cli_job_open(job);
    if (status)
        return status;
    if (!job->v.n_words)
        return list(job);
    if (hst_data_pull(job->ctx, job->v.words[0], job->v.output, path, sizeof path, &job->err))
        return cli_job_fail(job);
    cli_display_close(&job->display);
    if (job->v.json) {
        json_t *o = json_object();
        cli_json_set(&o, "path", cli_json_text(path));
        return cli_json_print(&job->out, o);
    }
    cli_text_clean(shown, sizeof shown, path);
    cli_out_printf(&job->out, "%s\n", shown);
    return CLI_OK;
}

const cli_command cli_pull = {
    .name = "pull",
    .summary = "fetch a data set of photos",
    .usage = "[NAME | https://... | FILE] [options]",
    .text = "Fetches an archive of photos, compares its hash and unpacks it into a folder\n"
            "with a sub-folder for each class, whose path is printed. NAME is a data set of\n"
            "the list that pull prints without one; an address leads to a .zip, a .tar, or a\n"
            ".tar.gz, .tar.zst, .tar.xz or .tar.bz2. Afterwards train, eval and features take\n"
            "the same name or address for a folder. FILE is such an archive that is here\n"
            "already (also file://...); train, eval, predict and features read it as it lies,\n"
            "so it need not be pulled. An archive whose names lead out of the folder, that\n"
            "holds links, or that unpacks to far more than its size is refused.",
    .examples = "headstart pull\n"
                "headstart pull flower_photos\n"
                "headstart pull https://example.com/birds.zip -o birds",
    .options = options,
    .goes_on = "what was fetched",
    .no_threads = 1,
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
