/* backbones.c - headstart backbones: the pretrained networks known by name, and own ones. */
#include "commands.h"
#include "import.h"
#include "json_result.h"

#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"all", 0, CLI_FLAG, AT(all), NULL, NULL,
     "list: every network known by name, with the places it may come from."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    CLI_BACKBONE_OPTIONS,
    {0},
};

/* What one row of the list needs. */
typedef struct rows {
    cli_job *job;
    json_t *o; /* NULL: text */
    int left;  /* rows that were not shown */
    char kind[16];
} rows;

/* A number that is known, with so many digits behind the point; else "-". */
static const char *number(char text[32], double x, int digits, const char *unit)
{
    if (x > 0)
        snprintf(text, 32, "%.*f%s", digits, x, unit);
    else
        snprintf(text, 32, "-");
    return text;
}

/* Above the first row of a kind. */
static void put_kind(rows *r, const char *kind)
{
    static const char *const titles[][2] = {{"convolutions", "networks of convolutions"},
                                            {"transformer", "transformers"}};
    const char *title = "fetched by other names";
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(kind, titles[i][0]) == 0)
            title = titles[i][1];
    cli_out_printf(&r->job->out, "%s%s\n", r->kind[0] ? "\n" : "", title);
    snprintf(r->kind, sizeof r->kind, "%s", kind[0] ? kind : "other");
    cli_out_printf(&r->job->out, "%-21s %7s %5s %8s %6s  %s\n", "name", "params", "GFLOP",
                   "features", "top-1", "licence");
}

static void put_row(cli_job *job, const hst_backbone_entry *e)
{
    char params[32], gflop[32], features[32], top1[32], here[32] = "not fetched";
    if (e->bytes || e->cached)
        snprintf(here, sizeof here, e->cached ? "here, %.0f MB" : "not whole",
                 (double)e->bytes * 1e-6);
    cli_out_printf(&job->out, "%-21s %7s %5s %8s %6s  %-14s  %s%s%s\n", e->name,
                   number(params, (double)e->n_params * 1e-6, 1, " M"),
                   number(gflop, e->gflop, e->gflop < 9.95 ? 1 : 0, ""),
                   number(features, e->n_features, 0, ""), number(top1, 100 * e->top1, 1, " %"),
                   e->licence ? e->licence : "-", here, job->v.all && e->sources[0] ? ": " : "",
                   job->v.all ? e->sources : "");
}

static int add_row(void *arg, const hst_backbone_entry *e)
{
    rows *r = arg;
    const int shown = r->job->v.all || e->usual || !e->known || e->cached || e->bytes;
    r->left += !shown;
    if (r->job->v.json)
        cli_json_set(&r->o, e->name,
                     json_pack("{sb sb sI ss ss* sI sf ss sf si}", "cached", e->cached, "known",
                               e->known, "bytes", (json_int_t)e->bytes, "sources", e->sources,
                               "licence", e->licence, "parameters", (json_int_t)e->n_params, "top1",
                               e->top1, "kind", e->kind, "gflop", e->gflop, "features",
                               e->n_features));
    else if (shown) {
        if (!r->kind[0] || strcmp(r->kind, e->kind[0] ? e->kind : "other") != 0)
            put_kind(r, e->kind);
        put_row(r->job, e);
    }
    return 0;
}

static int list(cli_job *job)
{
    rows r = {.job = job, .o = json_object()};
    if (hst_backbone_list(job->ctx, add_row, &r, &job->err)) {
        json_decref(r.o);
        return cli_job_fail(job);
    }
    if (job->v.json)
        return cli_json_print(&job->out, r.o);
    json_decref(r.o);
    if (r.left)
        cli_display_say(&job->display, "%d more, most of them other sizes: --all", r.left);
    return CLI_OK;
}

static int fail_of(cli_job *job, const char *name)
{
    cli_job_suggest(job, name);
    return cli_job_fail(job);
}

static int pull(cli_job *job)
{
    if (hst_backbone_pull(job->ctx, job->v.words[1], &job->err))
        return fail_of(job, job->v.words[1]);
    cli_display_say(&job->display, "%s is in the cache", job->v.words[1]);
    return CLI_OK;
}

static int verify_one(cli_job *job, const char *name)
{
    if (hst_backbone_verify(job->ctx, name, &job->err))
        return fail_of(job, name);
    cli_out_printf(&job->out, "%-24s  good\n", name);
    return CLI_OK;
}

/* What verify has seen. */
typedef struct verification {
    cli_job *job;
    int status, seen;
} verification;

/* Names of what is here are checked again one by one; a damaged one of them is no longer "here". */
static int verify_row(void *arg, const hst_backbone_entry *e)
{
    verification *v = arg;
    if (!e->cached && !e->bytes)
        return 0;
    v->seen++;
    int one = verify_one(v->job, e->name);
    v->status = v->status ? v->status : one;
    return 0;
}

/* One backbone, or all that are in the cache: every one is looked at, the first failure counts. */
static int verify(cli_job *job)
{
    verification v = {.job = job};
    if (job->v.n_words == 2)
        return verify_one(job, job->v.words[1]);
    if (hst_backbone_list(job->ctx, verify_row, &v, &job->err))
        return cli_job_fail(job);
    if (!v.seen)
        cli_display_say(&job->display, "no backbone is in the cache");
    return v.status;
}

static int say_freed(cli_job *job, uint64_t freed)
{
    cli_out_printf(&job->out, "%.1f MiB freed\n", (double)freed / (1 << 20));
    return CLI_OK;
}

static int remove_one(cli_job *job)
{
    uint64_t freed = 0;
    if (hst_backbone_remove(job->ctx, job->v.words[1], &freed, &job->err))
        return fail_of(job, job->v.words[1]);
    return say_freed(job, freed);
}

static int prune(cli_job *job)
{
    uint64_t freed = 0;
    if (hst_backbone_prune(job->ctx, &freed, &job->err))
        return cli_job_fail(job);
    return say_freed(job, freed);
}

static const cli_action actions[] = {
    {"list", NULL, list},
    {"pull", "NAME", pull},
    {"import", "FILE", cli_import},
    {"verify", "[NAME]", verify},
    {"remove", "NAME", remove_one},
    {"prune", NULL, prune},
    {0},
};

const cli_command cli_backbones = {
    .name = "backbones",
    .summary = "list, fetch, import, verify and remove pretrained networks",
    .usage = "list | pull | import | verify | remove | prune [NAME]",
    .text = "A network is named, here and for --backbone, by\n"
            "  a short name             of the list\n"
            "  hf:org/name[@revision]   Hugging Face (hf:org/name/FILE: one file of it)\n"
            "  timm/NAME                the same as hf:timm/NAME\n"
            "  keras:NAME               a file of Keras Applications\n"
            "  torchvision:NAME         a file of torchvision (NAME.V1, NAME.V2)\n"
            "  https://tfhub.dev/...    TF Hub, or its handle without the host\n"
            "  https://www.kaggle.com/models/...   Kaggle, or owner/model/framework/...\n"
            "  https://...              a weight file anywhere\n"
            "  a file or folder         of your own\n"
            "What is fetched is checked against the hash that the hub or this program knows;\n"
            "where none is known, against that of the first time.\n"
            "\n"
            "list shows what to choose from: parameters, operations a photo (GFLOP),\n"
            "features, accuracy on ImageNet as the publisher states it (top-1, of the whole\n"
            "network), licence; --all the rest. pull fetches a network. import reads a weight\n"
            "file or folder of your own once, says what it is, and keeps it, so that a later\n"
            "--backbone FILE starts at once.\n"
            "verify reads what is kept again and compares hashes. remove forgets a network,\n"
            "its hash too. prune removes unfinished downloads, what killed jobs left, and\n"
            "what is kept twice.\n"
            "\n"
            "What other programs have fetched is used where they keep it, and tokens are\n"
            "theirs: HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT,\n"
            "HF_HUB_OFFLINE, TFHUB_CACHE_DIR, KAGGLEHUB_CACHE, KAGGLE_USERNAME, KAGGLE_KEY,\n"
            "KERAS_HOME, TORCH_HOME. Proxies: https_proxy, all_proxy, no_proxy.",
    .examples = "headstart backbones list\n"
                "headstart backbones pull efficientnet_lite0\n"
                "headstart backbones pull hf:google/mobilenet_v2_1.0_224\n"
                "headstart backbones import mobilenet_v2/",
    .options = options,
    .actions = actions,
    .missing = {"what to do is", NULL},
    .min_words = 1,
    .max_words = 2,
    .run = cli_job_act,
};
