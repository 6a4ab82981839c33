/* merge.c - headstart merge: what the tasks of a job array have written, as one file. */
#include "commands.h"
#include "json_result.h"
#include "target.h"

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static int run(cli_job *job)
{
    const char *const *words = job->v.words;
    const size_t n = (size_t)job->v.n_words - 1;
    int status = cli_target_file(words[0]);
    if (status)
        return status;
    if (hst_shards_merge(words + 1, n, words[0], &job->err))
        return cli_job_fail(job);
    if (job->v.json) {
        json_t *o = json_object();
        cli_json_set(&o, "merged", cli_json_text(words[0]));
        cli_json_set(&o, "shards", json_integer((json_int_t)n));
        return cli_json_print(&job->out, o);
    }
    cli_display_say(&job->display, "merged %zu shard%s into %s", n, n == 1 ? "" : "s", words[0]);
    return CLI_OK;
}

const cli_command cli_merge = {
    .name = "merge",
    .summary = "join what the tasks of a job array have written",
    .usage = "OUT SHARD... [options]",
    .text = "Joins the shards that features or predict with --shard I/N have written, in any\n"
            "order, to the bytes that one run without --shard writes. OUT and SHARD are rows\n"
            "of predict, or features: .npy or .safetensors, whose .csv is beside them. One\n"
            "that is missing, there twice, damaged, or of another job is refused, and OUT\n"
            "stays as it was.",
    .examples = "headstart merge photos.npy photos-*-of-20.npy\n"
                "headstart merge rows.csv rows-*.csv",
    .options = options,
    .no_threads = 1,
    .no_downloads = 1,
    .missing = {"a file to write and shards are", "a shard is"},
    .min_words = 2,
    .max_words = -1,
    .run = run,
};
