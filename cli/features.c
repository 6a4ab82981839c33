/* features.c - headstart features: what a backbone sees, as a table of numbers. */
#include "commands.h"
#include "json_result.h"
#include "shard.h"
#include "target.h"

#include <string.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "FILE.npy", "features.npy",
     "NumPy file to write, float32, a row per photo, or x.safetensors with a tensor \"features\"; "
     "beside it a .csv with path and label. x.csv: one table of path, label and numbers."},
    {"backbone", 'b', CLI_TEXT, AT(backbone), "NAME|FILE|FOLDER", "efficientnet_lite0",
     "Pretrained network (see headstart train --help)."},
    CLI_BACKBONE_OPTIONS,
    CLI_VIEWS_OPTION,
    CLI_PRECISION_OPTION("fp32|bf16|int8|auto",
                         " auto: the fastest that costs less than 0.1 points of accuracy on 200 "
                         "of the photos."),
    {"prepare", 0, CLI_CHOICE, AT(prepare), "pil|tf|fast|scaled|hub", NULL,
     "How photos are decoded and resized: as Pillow (the default) or as TensorFlow does; fast: as "
     "Pillow, but large JPEGs read at a half or a quarter of their size; scaled: as Pillow, but "
     "16-bit gray stretched over 8 bits (the default where there are such photos); hub: as Pillow, "
     "resized and cropped "
     "as the backbone's publisher does."},
    CLI_LIST_OPTIONS,
    {"part", 0, CLI_CHOICE, AT(part), "train|val|test|none", NULL,
     "Of photos in parts (train/, valid/, test/) this one alone, not all; none: folders of these "
     "names are classes."},
    CLI_FIT_OPTION(""),
    CLI_SHARD_OPTION,
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static int print_result(cli_job *job, const hst_backbone *b, const hst_data *d,
                        const hst_features *f)
{
    size_t used = hst_features_used(f), skipped = hst_features_count(f) - used;
    int dim = hst_features_dim(f);
    if (job->v.json) {
        json_t *o = json_object();
        cli_json_set(&o, "features", cli_json_text(job->v.output));
        cli_json_set(&o, "n", json_integer((json_int_t)used));
        cli_json_set(&o, "dim", json_integer(dim));
        cli_json_set(&o, "precision", cli_json_text(hst_backbone_describe(b)->precision));
        cli_json_set(&o, "pool", cli_json_text(hst_backbone_describe(b)->pool));
        cli_json_set(&o, "skipped", json_integer((json_int_t)skipped));
        cli_json_set(&o, "stored", json_integer((json_int_t)hst_features_stored(f)));
        cli_json_data(&o, d);
        return cli_json_print(&job->out, o);
    }
    cli_out_printf(&job->out, "features %s: %zu photo%s x %d numbers\n", job->v.output, used,
                   used == 1 ? "" : "s", dim);
    if (skipped)
        cli_out_printf(&job->out, "skipped  %zu photo%s\n", skipped, skipped == 1 ? "" : "s");
    return CLI_OK;
}

static int run(cli_job *job)
{
    hst_data_opts o = cli_job_data_opts(job);
    hst_backbone *b = NULL;
    hst_features *f = NULL;
    char prepare[32];
    const cli_part part = job->v.shard;
    int status = cli_job_open(job);
    if (status == 0 && part.count &&
        !cli_shard_name(job->v.output, part, job->shard_file, sizeof job->shard_file))
        status = cli_job_usage(job, "the name of the .npy file is too long");
    if (part.count)
        job->v.output = job->shard_file;
    if (status == 0 && hst_process_rank(job->ctx) == 0)
        status = cli_job_alone(job, cli_target_file(job->v.output));
    if (status)
        return status;
    o.split = "none";
    o.part = job->v.part;
    hst_data *d = hst_data_open(job->ctx, job->v.words[0], &o, &job->err);
    if (d)
        b = cli_job_backbone_for(job, job->v.backbone, d);
    if (b && (!part.count || hst_data_shard(d, part.index, part.count, &job->err) == 0))
        f = hst_features_stream(job->ctx, b, d, cli_job_preparation(job, prepare, sizeof prepare),
                                job->v.output, &job->err);
    if (f) {
        cli_display_close(&job->display);
        cli_job_say_stored(job, hst_features_stored(f), hst_features_used(f));
        status = print_result(job, b, d, f);
    } else {
        status = cli_job_fail(job);
    }
    hst_features_free(f);
    hst_backbone_free(b);
    hst_data_free(d);
    return status;
}

const cli_command cli_features = {
    .name = "features",
    .summary = "what a backbone sees on photos, as NumPy file",
    .usage = "DIR [options]",
    .text = "Runs every photo of DIR/class_name/ through the backbone and writes its feature\n"
            "vectors, for example to train something else on them. With --shard I/N it does\n"
            "so for a part of them, into photos-I-of-N.npy where -o is photos.npy.",
    .examples = "headstart features photos/ -o photos.npy\n"
                "headstart features photos/ -o photos.npy --shard $SLURM_ARRAY_TASK_ID/20",
    .options = options,
    .goes_on = "what was seen on the photos",
    .uses_store = 1,
    .shares = 1,
    .missing = {"a folder of photos is", NULL},
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
