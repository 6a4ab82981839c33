/* backbones.c - headstart backbones: the pretrained networks known by name, and own ones. */
#include "commands.h"
#include "json.h"

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The list as one JSON object."},
    {0},
};

static int list(cli_job *job)
{
    json_t *o = json_object();
    int cached = 0;
    for (int i = 0; hst_backbone_name(job->ctx, i, NULL); i++) {
        const char *name = hst_backbone_name(job->ctx, i, &cached);
        if (job->v.json)
            cli_json_set(&o, name, json_pack("{sb}", "cached", cached));
        else
            cli_out_printf(&job->out, "%-24s%s\n", name, cached ? "in the cache" : "not fetched");
    }
    if (job->v.json)
        return cli_json_print(&job->out, o);
    json_decref(o);
    return CLI_OK;
}

static int pull(cli_job *job)
{
    if (hst_backbone_pull(job->ctx, job->v.words[1], &job->err))
        return cli_job_fail(job);
    cli_display_say(&job->display, "%s is in the cache", job->v.words[1]);
    return CLI_OK;
}

static int import(cli_job *job)
{
    hst_backbone_info b = {.size = sizeof b};
    hst_backbone *backbone = hst_backbone_open(job->ctx, job->v.words[1], &job->err);
    if (!backbone)
        return cli_job_fail(job);
    cli_display_close(&job->display);
    hst_backbone_describe(backbone, &b);
    cli_out_printf(&job->out, "%s, width %g, %d x %d px, %d features, sha256 %s\n", b.family,
                   b.width, b.image_px, b.image_px, b.n_features, b.sha256);
    hst_backbone_free(backbone);
    return CLI_OK;
}

static int verify_one(cli_job *job, const char *name)
{
    if (hst_backbone_verify(job->ctx, name, &job->err))
        return cli_job_fail(job);
    cli_out_printf(&job->out, "%-24sgood\n", name);
    return CLI_OK;
}

/* One backbone, or all that are in the cache: every one is looked at, the first failure counts. */
static int verify(cli_job *job)
{
    int status = CLI_OK, cached = 0, seen = 0;
    if (job->v.n_words == 2)
        return verify_one(job, job->v.words[1]);
    for (int i = 0; hst_backbone_name(job->ctx, i, NULL); i++) {
        const char *name = hst_backbone_name(job->ctx, i, &cached);
        int one = cached ? verify_one(job, name) : CLI_OK;
        status = status ? status : one;
        seen += cached;
    }
    if (!seen)
        cli_display_say(&job->display, "no backbone is in the cache");
    return status;
}

static const cli_action actions[] = {
    {"list", NULL, list},
    {"pull", "NAME", pull},
    {"import", "FILE", import},
    {"verify", "[NAME]", verify},
    {0},
};

const cli_command cli_backbones = {
    .name = "backbones",
    .summary = "list, fetch, import and verify pretrained networks",
    .usage = "list | pull NAME | import FILE | verify [NAME]",
    .text = "list shows the backbones known by name. pull fetches one into the cache. import\n"
            "reads a weight file or folder of your own once, so that a later --backbone FILE\n"
            "starts at once. verify reads cached files again and compares their hashes.",
    .examples = "headstart backbones list\n"
                "headstart backbones pull efficientnet_lite0\n"
                "headstart backbones import mobilenet_v2/",
    .options = options,
    .actions = actions,
    .min_words = 1,
    .max_words = 2,
    .run = cli_job_act,
};
