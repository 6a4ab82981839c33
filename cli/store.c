/* store.c - headstart store: the features kept in the cache folder. */
#include "commands.h"
#include "json_result.h"
#include "text.h"

#include <inttypes.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The answer of info as one JSON object."},
    {0},
};

static int info(cli_job *job)
{
    const char *cache = hst_config_from_env().cache_dir;
    hst_store_info s = {.size = sizeof s};
    if (hst_store_describe(job->ctx, &s, &job->err))
        return cli_job_fail(job);
    if (job->v.json) {
        json_t *o = json_object();
        cli_json_set(&o, "folder", cli_json_text(cache));
        cli_json_set(&o, "vectors", json_integer((json_int_t)s.vectors));
        cli_json_set(&o, "files", json_integer((json_int_t)s.files));
        cli_json_set(&o, "bytes", json_integer((json_int_t)s.bytes));
        return cli_json_print(&job->out, o);
    }
    char folder[1024];
    cli_text_clean(folder, sizeof folder, cache);
    cli_out_printf(&job->out, "folder    %s\n", folder);
    cli_out_printf(&job->out, "features  of %" PRIu64 " photos\n", s.vectors);
    cli_out_printf(&job->out, "files     %" PRIu64 " known without reading them\n", s.files);
    cli_out_printf(&job->out, "size      %.1f MiB\n", (double)s.bytes / (1 << 20));
    return CLI_OK;
}

static int clear(cli_job *job)
{
    if (hst_store_clear(job->ctx, &job->err))
        return cli_job_fail(job);
    cli_display_say(&job->display, "the feature store is empty");
    return CLI_OK;
}

static const cli_action actions[] = {
    {"info", NULL, info},
    {"clear", NULL, clear},
    {0},
};

const cli_command cli_store = {
    .name = "store",
    .summary = "features kept from earlier work: show, clear",
    .usage = "info | clear",
    .text = "What a backbone saw on a photo is kept in the cache folder, so that no photo\n"
            "goes through the same backbone twice. info tells how much is kept, clear\n"
            "removes it. Every command that looks at photos uses it, unless told --no-store.",
    .examples = "headstart store info\n"
                "headstart store clear",
    .options = options,
    .actions = actions,
    .no_threads = 1,
    .no_downloads = 1,
    .missing = {"what to do is", NULL},
    .min_words = 1,
    .max_words = 2,
    .run = cli_job_act,
};
