/* info.c - headstart info: what is in a model file, and what this machine offers. */
#include "commands.h"
#include "graphics.h"
#include "json_result.h"
#include "model.h"
#include "settings.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"devices", 0, CLI_FLAG, AT(devices), NULL, NULL,
     "Show version, kernels, threads and cache folder instead of a model."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    CLI_FOREIGN_OPTIONS,
    {0},
};

/* What the training record may hold besides the settings, which come first. */
static const char *const other_keys[] = {"split",
                                         "n_train",
                                         "final",
                                         "views",
                                         "precision",
                                         "robust_n",
                                         "unknown_n",
                                         "learning_rate_from",
                                         "best_epoch",
                                         "head_l2",
                                         "kept",
                                         "kept_aside_n",
                                         "kept_aside_loss_frozen",
                                         "kept_aside_loss_halfway",
                                         "kept_aside_loss_tuned",
                                         "val_n",
                                         "val_accuracy",
                                         "val_map",
                                         "val_mae",
                                         "val_ci_low",
                                         "val_ci_high",
                                         "oof_n",
                                         "oof_accuracy",
                                         "oof_map",
                                         "oof_mae",
                                         "oof_ci_low",
                                         "oof_ci_high",
                                         "temperature",
                                         "log_loss_uncalibrated",
                                         "log_loss_calibrated",
                                         "content_sha256"};
enum { N_OTHER = sizeof other_keys / sizeof *other_keys };

/* The i-th that is shown; NULL: no more. */
static const char *record_key(int i)
{
    int settings = (int)cli_settings_count();
    if (i < settings)
        return hst_train_setting(i)->field;
    return i - settings < N_OTHER ? other_keys[i - settings] : NULL;
}

/* ---- --devices ---- */

static json_t *variants_json(void)
{
    json_t *o = json_object();
    int usable = 0;
    for (int i = 0; o && hst_cpu_variant(i, NULL); i++) {
        const char *name = hst_cpu_variant(i, &usable);
        cli_json_set(&o, name, json_boolean(usable));
    }
    return o;
}

static json_t *precisions_json(const hst_ctx *ctx)
{
    json_t *o = json_object();
    const char *name;
    for (int i = 0, is_faster; o && (name = hst_precision(ctx, i, &is_faster)); i++)
        cli_json_set(&o, name, cli_json_text(i == 0 ? "usual" : is_faster ? "faster" : "slower"));
    return o;
}

static void put_precisions(const hst_ctx *ctx, cli_out *out)
{
    const char *name;
    cli_out_puts(out, "precision");
    for (int i = 0, is_faster; (name = hst_precision(ctx, i, &is_faster)); i++)
        cli_out_printf(out, "%s %s%s", i ? "," : "", name,
                       i == 0      ? ""
                       : is_faster ? " (faster)"
                                   : " (slower: these kernels have no instructions for it)");
    cli_out_puts(out, "\n");
}

static json_t *formats_json(void)
{
    json_t *o = json_object();
    const char *name, *needs;
    for (int i = 0; o && (name = hst_photo_format(i, &needs)); i++)
        cli_json_set(&o, name, json_boolean(!needs));
    return o;
}

/* "JPEG, PNG"; behind it what other builds read: "HEIC (needs libheif)". */
static void print_formats(cli_out *out)
{
    const char *name, *needs, *gap = "";
    cli_out_printf(out, "photos    ");
    for (int i = 0; (name = hst_photo_format(i, &needs)); i++) {
        if (needs)
            continue;
        cli_out_printf(out, "%s%s", gap, name);
        gap = ", ";
    }
    gap = "; not in this build: ";
    for (int i = 0; (name = hst_photo_format(i, &needs)); i++) {
        if (!needs || !*needs)
            continue;
        cli_out_printf(out, "%s%s (needs %s)", gap, name, needs);
        gap = ", ";
    }
    cli_out_printf(out, "\n");
}

static json_t *graphics_json(void)
{
    json_t *list = json_array();
    char card[256];
    for (int i = 0; list && cli_graphics("", i, card, sizeof card); i++)
        cli_json_add(&list, cli_json_text(card));
    return list;
}

static void put_graphics(cli_out *out)
{
    char card[256];
    int n = 0;
    for (; cli_graphics("", n, card, sizeof card); n++)
        cli_out_printf(out, "%-10s%s\n", n ? "" : "graphics", card);
    if (n)
        cli_out_printf(out, "%-10s%s: the processor does all the work\n", "",
                       n == 1 ? "it is not used" : "they are not used");
    else
        cli_out_puts(out, "graphics  none found; none would be used\n");
}

static json_t *parts_json(void)
{
    json_t *o = json_object();
    int is_here = 0;
    const char *name;
    for (int i = 0; o && (name = hst_build_part(i, NULL, &is_here)); i++)
        cli_json_set(&o, name, json_boolean(is_here));
    return o;
}

/* Formats of photos have a line of their own. */
static void put_missing_parts(cli_out *out)
{
    const char *name, *does, *head = "without";
    for (int i = 0, is_here; (name = hst_build_part(i, &does, &is_here)); i++) {
        if (is_here || strncmp(does, "read ", 5) == 0)
            continue;
        cli_out_printf(out, "%-10s%s: cannot %s\n", head, name, does);
        head = "";
    }
}

/* Those of mpirun. */
static void put_processes(const hst_ctx *ctx, cli_out *out)
{
    const char *host;
    if (hst_process_count(ctx) == 1)
        return;
    cli_out_printf(out, "processes %d, on", hst_process_count(ctx));
    for (int i = 0; (host = hst_process_host(ctx, i)); i++)
        cli_out_printf(out, " %s", host);
    cli_out_puts(out, "\n");
}

static int devices(cli_job *job)
{
    char sandbox[256] = "no import helper here (it reads foreign weights)";
    char decode[256] = "no decoding helper here (it reads TIFF, HEIC, AVIF, JPEG XL, JPEG 2000)";
    hst_err err;
    int held = hst_sandbox_status(job->ctx, sandbox, sizeof sandbox, &err) == 0;
    int decode_held = hst_decode_status(job->ctx, decode, sizeof decode, &err) == 0;
    const char *cache = hst_config_from_env().cache_dir;
    cli_out *out = &job->out;
    int usable = 0;
    if (job->v.json) {
        json_t *o = json_object();
        cli_json_set(&o, "version", cli_json_text(hst_version()));
        cli_json_set(&o, "kernels", cli_json_text(hst_cpu(job->ctx)));
        cli_json_set(&o, "usable", variants_json());
        cli_json_set(&o, "precisions", precisions_json(job->ctx));
        cli_json_set(&o, "threads", json_integer(hst_threads(job->ctx)));
        cli_json_set(&o, "graphics", graphics_json());
        cli_json_set(&o, "cache", cli_json_text(cache));
        cli_json_set(&o, "import_sandbox", cli_json_text(held ? sandbox : NULL));
        cli_json_set(&o, "photo_formats", formats_json());
        cli_json_set(&o, "decode_sandbox", cli_json_text(decode_held ? decode : NULL));
        cli_json_set(&o, "parts", parts_json());
        return cli_json_print(out, o);
    }
    cli_out_printf(out, "version   %s\nkernels  ", hst_version());
    for (int i = 0; hst_cpu_variant(i, NULL); i++) {
        const char *name = hst_cpu_variant(i, &usable);
        cli_out_printf(out, " %s%s", name, usable ? "" : " (not on this machine)");
    }
    cli_out_printf(out, "; %s in use\n", hst_cpu(job->ctx));
    put_precisions(job->ctx, out);
    cli_out_printf(out, "threads   %d\ncache     %s\n", hst_threads(job->ctx),
                   cache ? cache : "none");
    put_processes(job->ctx, out);
    put_graphics(out);
    print_formats(out);
    cli_out_printf(out, "sandbox   %s; decoding: %s\n", held && !sandbox[0] ? "none" : sandbox,
                   decode_held && !decode[0] ? "none" : decode);
    put_missing_parts(out);
    return CLI_OK;
}

/* ---- a model ---- */

typedef struct counts {
    uint64_t total, trainable;
} counts;

/* The head is a dense layer [n_features][classes] with a bias. Where the backbone learned too, the
 * record says how many of its parameters. */
static counts count_parameters(const hst_model *m)
{
    const char *text = hst_model_record(m, "thawed_params");
    uint64_t thawed = text ? strtoull(text, NULL, 10) : 0, all = 0, weights = 0;
    const hst_backbone *each;
    for (int i = 0; (each = hst_model_backbone_at(m, i)); i++) {
        const hst_backbone_info *b = hst_backbone_describe(each);
        all += b->n_params;
        weights += b->n_params - b->n_statistics;
    }
    const uint64_t head = hst_model_head_params(m);
    thawed = thawed > weights ? 0 : thawed;
    return (counts){all + head, thawed + head};
}

static json_t *labels_json(const hst_model *m)
{
    json_t *list = json_array();
    for (int i = 0; i < hst_model_classes(m); i++) {
        json_t *label = cli_json_text(hst_model_label(m, i));
        if (!list || !label || json_array_append_new(list, label) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *triple_json(const double v[3])
{
    return json_pack("[fff]", v[0], v[1], v[2]);
}

/* What the model says of a photo, where it is not one class. */
static json_t *target_json(const hst_model *m)
{
    double least, most;
    json_t *o = json_object(), *list = json_array();
    if (hst_model_target(m) == HST_TARGET_NUMBER) {
        const int known = hst_model_range(m, &least, &most);
        cli_json_set(&o, "kind", json_string("number"));
        cli_json_add(&list, known ? json_real(least) : json_null());
        cli_json_add(&list, known ? json_real(most) : json_null());
        cli_json_set(&o, "range", list);
        return o;
    }
    for (int i = 0; i < hst_model_classes(m); i++)
        cli_json_add(&list, json_real(hst_model_threshold(m, i)));
    cli_json_set(&o, "kind", json_string("labels"));
    cli_json_set(&o, "thresholds", list);
    return o;
}

static int print_json(cli_job *job, const hst_model *m, const hst_backbone_info *b)
{
    counts n = count_parameters(m);
    json_t *o = json_object(), *record = json_object();
    cli_json_set(&o, "backbone", cli_json_text(b->family));
    cli_json_set(&o, "width", json_real(b->width));
    cli_json_image_size(&o, b);
    cli_json_set(&o, "padding", cli_json_text(b->padding));
    cli_json_set(&o, "bn_epsilon", json_real(b->bn_epsilon));
    cli_json_set(&o, "source", cli_json_text(b->source));
    cli_json_set(&o, "source_sha256", cli_json_text(b->sha256));
    cli_json_set(&o, "n_features", json_integer(b->n_features));
    cli_json_set(&o, "pool", cli_json_text(b->pool));
    cli_json_set(&o, "precision", cli_json_text(b->precision));
    cli_json_set(&o, "parameters", json_integer((json_int_t)n.total));
    cli_json_set(&o, "trainable", json_integer((json_int_t)n.trainable));
    cli_json_set(&o, "non_trainable", json_integer((json_int_t)(n.total - n.trainable)));
    cli_json_set(&o, "mean", triple_json(b->mean));
    cli_json_set(&o, "std", triple_json(b->std));
    cli_json_set(&o, "labels", labels_json(m));
    if (hst_model_target(m) != HST_TARGET_CLASS)
        cli_json_set(&o, "target", target_json(m));
    const char *key, *text;
    for (int i = 0; (key = record_key(i)); i++)
        if ((text = hst_model_record(m, key)))
            cli_json_set(&record, key, cli_json_text(text));
    cli_json_set(&o, "record", record);
    return cli_json_print(&job->out, o);
}

static void put_clean(cli_out *out, const char *name, const char *text)
{
    char clean[1024];
    cli_text_clean(clean, sizeof clean, text);
    cli_out_printf(out, "%-15s %s\n", name, clean); /* some names are longer */
}

/* The labels, comma-separated, broken before 80 columns. */
static void put_labels(cli_out *out, const hst_model *m)
{
    int n = hst_model_classes(m), at = 16;
    cli_out_printf(out, "%-16s", "labels");
    for (int i = 0; i < n; i++) {
        char label[1024];
        cli_text_clean(label, sizeof label, hst_model_label(m, i));
        int width = cli_text_width(label) + (i + 1 < n);
        if (at > 16 && at + 1 + width > 79) {
            cli_out_printf(out, "\n%16s", "");
            at = 16;
        } else if (at > 16) {
            cli_out_puts(out, " ");
            at++;
        }
        cli_out_printf(out, "%s%s", label, i + 1 < n ? "," : "");
        at += width;
    }
    cli_out_puts(out, "\n");
}

/* What the model says of a photo. */
static void put_target(cli_out *out, const hst_model *m)
{
    double least, most;
    if (hst_model_target(m) == HST_TARGET_NUMBER) {
        put_clean(out, "number", hst_model_label(m, 0));
        if (hst_model_range(m, &least, &most))
            cli_out_printf(out, "%-16s%g to %g in training\n", "range", least, most);
        return;
    }
    const int several = hst_model_target(m) == HST_TARGET_LABELS;
    cli_out_printf(out, "%-16s%d%s\n", "classes", hst_model_classes(m),
                   several ? ", any number of them a photo" : "");
    put_labels(out, m);
}

static void put_normalisation(cli_out *out, const hst_backbone_info *b)
{
    int same = b->mean[0] == b->mean[1] && b->mean[0] == b->mean[2] && b->std[0] == b->std[1] &&
               b->std[0] == b->std[2];
    if (same)
        cli_out_printf(out, "%-16s(pixel - %g) / %g\n", "input", b->mean[0], b->std[0]);
    else
        cli_out_printf(out, "%-16s(pixel - [%g %g %g]) / [%g %g %g]\n", "input", b->mean[0],
                       b->mean[1], b->mean[2], b->std[0], b->std[1], b->std[2]);
}

/* Of a model with more than one backbone or view. */
static void put_views(cli_out *out, const hst_model *m)
{
    char what[1024];
    int passes;
    const double cost = hst_model_cost(m, &passes);
    hst_model_extractor(m, what, sizeof what);
    if (passes > 1)
        cli_out_printf(out, "%-16s%s: %d passes a photo, %.1f times the work of the first\n",
                       "views", what, passes, cost);
}

/* What training has measured: of all photos out of fold, else of those kept aside. */
static void put_accuracy(cli_out *out, const hst_model *m)
{
    static const char *const keys[][5] = {
        {"oof_accuracy", "oof_ci_low", "oof_ci_high", "oof_n", "out of fold"},
        {"val_accuracy", "val_ci_low", "val_ci_high", "val_n", "kept aside"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text[4];
        int all = 1;
        for (size_t k = 0; k < 4; k++) {
            text[k] = hst_model_record(m, keys[i][k]);
            all &= text[k] != NULL;
        }
        if (!all)
            continue;
        cli_out_printf(out, "%-16s%.3f (95 %% interval %.3f-%.3f, %s photos %s)\n", "accuracy",
                       strtod(text[0], NULL), strtod(text[1], NULL), strtod(text[2], NULL), text[3],
                       keys[i][4]);
        return;
    }
}

/* Of a model of another program. */
static void put_origin(cli_out *out, const hst_backbone_info *b)
{
    char text[160];
    snprintf(text, sizeof text, "%s%s%s", b->format, *b->producer ? ", " : "", b->producer);
    if (*b->format)
        put_clean(out, "read from", text);
}

static int print_text(cli_job *job, const hst_model *m, const hst_backbone_info *b)
{
    cli_out *out = &job->out;
    char size[CLI_SIZE_TEXT];
    counts n = count_parameters(m);
    put_accuracy(out, m);
    cli_text_size(b->image_width_px, b->image_height_px, size);
    if (b->n_blocks)
        cli_out_printf(out, "%-16s%s, %d block%s of %d, %s, patches of %d\n", "backbone", b->family,
                       b->n_blocks, b->n_blocks == 1 ? "" : "s", b->n_token, size, b->patch_px);
    else
        cli_out_printf(out, "%-16s%s, width %g, %s, padding %s\n", "backbone", b->family, b->width,
                       size, b->padding);
    put_clean(out, "source", b->source);
    put_clean(out, "source sha256", b->sha256);
    put_origin(out, b);
    cli_out_printf(out, "%-16s%d per photo, %s%s%s\n", "features", b->n_features, b->precision,
                   b->n_blocks ? ", pool " : "", b->n_blocks ? b->pool : "");
    put_views(out, m);
    cli_out_printf(out,
                   "%-16s%" PRIu64 " total, %" PRIu64 " trainable, %" PRIu64 " non-trainable\n",
                   "parameters", n.total, n.trainable, n.total - n.trainable);
    put_normalisation(out, b);
    put_target(out, m);
    const char *key, *text;
    for (int i = 0; (key = record_key(i)); i++)
        if ((text = hst_model_record(m, key)))
            put_clean(out, key, text);
    char table[2048]; /* longer than any summary */
    const char *recipe = hst_model_record(m, "recipe");
    if (*b->format == 0 &&
        (!recipe || strcmp(recipe, "tutorial") == 0)) { /* whose layers these are */
        hst_model_summary(m, table, sizeof table);
        cli_out_printf(out, "\n%s", table);
    }
    return CLI_OK;
}

static int describe_model(cli_job *job)
{
    hst_model *m = cli_model_load(job, 0);
    if (!m)
        return cli_job_fail(job);
    const hst_backbone_info *b = hst_backbone_describe(hst_model_backbone(m));
    int status = job->v.json ? print_json(job, m, b) : print_text(job, m, b);
    hst_model_free(m);
    return status;
}

static int run(cli_job *job)
{
    if (job->v.devices == (job->v.n_words == 1))
        return cli_job_usage(job, "give either a model or --devices");
    int status = cli_job_open(job);
    if (status)
        return status;
    return job->v.devices ? devices(job) : describe_model(job);
}

const cli_command cli_info = {
    .name = "info",
    .summary = "what is in a model file; what this machine offers",
    .usage = "MODEL | --devices",
    .text = "Shows a model's backbone, sizes, parameters as Keras counts them, labels,\n"
            "preparation, what accuracy was measured and how it was trained, of recipe\n"
            "tutorial its layers; or, with --devices, what will be used here.\n"
            "MODEL is a model file or the folder of a run, or a model of another program.",
    .examples = "headstart info runs/train/model.safetensors\n"
                "headstart info --devices",
    .options = options,
    .no_downloads = 1,
    .shares = 1,
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
