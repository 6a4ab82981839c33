/* export.c - headstart export: a model as a file that other programs run. */
#include "commands.h"
#include "json_result.h"
#include "model.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"to", 't', CLI_TEXT, AT(to), "FORMAT", NULL,
     "The format (headstart export --to list names them, and what reads them)."},
    {"output", 'o', CLI_TEXT, AT(output), "PATH", NULL,
     "Write there (if not given, beside the model: model.onnx)."},
    {"input", 0, CLI_CHOICE, AT(input), "uint8|int8|float", NULL,
     "Numbers that the exported network takes, 0 to 255, of int8 less 128; their scaling is part "
     "of "
     "the network (if not given, uint8 where the format can). int8: of TFLite with --weights int8 "
     "and --data, and so is what it gives."},
    {"layout", 0, CLI_CHOICE, AT(layout), "nhwc|nchw", NULL,
     "Order of the input: batch, height, width, channels, or channels first (if not given, what is "
     "usual for the format)."},
    {"batch", 0, CLI_COUNT, AT(batch), "N", NULL,
     "Pictures at a time (if not given, any number, where the format can)."},
    {"logits", 0, CLI_FLAG, AT(logits), NULL, NULL,
     "The network ends before the softmax, with logits in place of probabilities."},
    {"weights", 0, CLI_CHOICE, AT(weights), "float32|float16|int8", NULL,
     "What the weights are kept in, where the format can (if not given, float32). float16 halves "
     "the file; int8 makes it a quarter, and only --check can tell what it gives."},
    {"data", 0, CLI_TEXT, AT(data), "DIR", NULL,
     "Labelled photos, as for train, to check with in the place of made-up pictures. Of a run's "
     "folder its split.csv says which trained. By those that trained int8 is made nearer to the "
     "model, and that of tflite computes in whole numbers throughout; narrow weights are measured "
     "on the others."},
    {"max-drop", 0, CLI_POINTS, AT(max_drop), "POINTS", "1",
     "Narrow weights may cost so many points (per cent of the photos) of accuracy, else nothing is "
     "kept and the exit status is 1."},
    {"check", 0, CLI_FLAG, AT(check), NULL, NULL,
     "Ask the format's own runtime as well, where Python has it (python3 is started); of c: "
     "compile all of the file."},
    CLI_FOREIGN_OPTIONS,
    CLI_LIST_OPTIONS,
    CLI_SEPARATOR_OPTION,
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static int list(cli_job *job)
{
    const char *name, *summary;
    for (int i = 0; (name = hst_export_format(i, &summary, NULL)); i++)
        cli_out_printf(&job->out, "%-12s %s\n", name, summary);
    return CLI_OK;
}

/* How the names of the format's files end; NULL: there is no such format. */
static const char *ending_of(const char *format)
{
    const char *name, *ending;
    for (int i = 0; (name = hst_export_format(i, NULL, &ending)); i++)
        if (strcmp(name, format) == 0)
            return ending;
    return NULL;
}

/* runs/train and runs/train/model.safetensors become runs/train/model.onnx. */
static int place_of(const char *model, const char *format, char *out, size_t cap)
{
    static const char file[] = ".safetensors";
    const char *ending = ending_of(format);
    size_t n = strlen(model), e = sizeof file - 1;
    const int is_file = n > e && strcmp(model + n - e, file) == 0;
    n -= is_file ? e : 0;
    while (!is_file && n > 1 && model[n - 1] == '/')
        n--;
    const int wrote = snprintf(out, cap, "%.*s%s%s", (int)n, model, is_file ? "" : "/model",
                               ending ? ending : "");
    return wrote >= 0 && (size_t)wrote < cap;
}

/* The split.csv of the run that a model is of, in the folder that was given or that of the file;
 * NULL: there is none. */
static const char *split_of(const char *model, char *out, size_t cap)
{
    struct stat st;
    const char *slash = strrchr(model, '/');
    const int is_folder = stat(model, &st) == 0 && S_ISDIR(st.st_mode);
    const int n = is_folder ? (int)strlen(model) : slash ? (int)(slash - model) : 0;
    const int wrote = snprintf(out, cap, "%.*s%ssplit.csv", n, model, n ? "/" : "");
    return wrote >= 0 && (size_t)wrote < cap && stat(out, &st) == 0 ? out : NULL;
}

static int print_json(cli_job *job, const char *path, const hst_exported *e)
{
    json_t *o = json_object();
    cli_json_set(&o, "path", cli_json_text(path));
    cli_json_set(&o, "format", cli_json_text(job->v.to));
    cli_json_set(&o, "bytes", json_integer((json_int_t)e->bytes));
    cli_json_set(&o, "pictures", json_integer(e->pictures));
    cli_json_set(&o, "tolerance", json_real(e->tolerance));
    cli_json_set(&o, "checked", e->checked[0] ? cli_json_text(e->checked) : json_null());
    cli_json_set(&o, "difference", cli_json_measured(e->difference));
    cli_json_set(&o, "runtime", e->runtime[0] ? cli_json_text(e->runtime) : json_null());
    cli_json_set(&o, "runtime_difference", cli_json_measured(e->runtime_difference));
    cli_json_set(&o, "photos", json_integer(e->photos));
    cli_json_set(&o, "accuracy", cli_json_measured(e->accuracy));
    cli_json_set(&o, "export_accuracy", cli_json_measured(e->export_accuracy));
    cli_json_set(&o, "change_low", cli_json_measured(e->change_low));
    cli_json_set(&o, "change_high", cli_json_measured(e->change_high));
    cli_json_set(&o, "loader", e->loader[0] ? json_string(e->loader) : json_null());
    return cli_json_print(&job->out, o);
}

static void put_check(cli_out *out, const char *how, double difference, const hst_exported *e)
{
    cli_out_printf(out, "%-10s %s: %d pictures, probabilities differ by at most %.1g\n", "checked",
                   how, e->pictures, difference);
}

static void put_accuracy(cli_out *out, const hst_exported *e)
{
    cli_out_printf(out,
                   "%-10s %.1f %% as a model, %.1f %% exported, on %d photos of the validation "
                   "part: %+.1f points (95 %% interval %+.1f to %+.1f)\n",
                   "accuracy", 100 * e->accuracy, 100 * e->export_accuracy, e->photos,
                   100 * (e->export_accuracy - e->accuracy), 100 * e->change_low,
                   100 * e->change_high);
}

static int print_text(cli_job *job, const char *path, const hst_exported *e)
{
    char shown[4096];
    cli_out *out = &job->out;
    cli_text_clean(shown, sizeof shown, path);
    cli_out_printf(out, "%-10s %s (%s, %.1f MB)\n", "exported", shown, job->v.to,
                   (double)e->bytes / 1e6);
    if (e->checked[0])
        put_check(out, e->checked, e->difference, e);
    if (e->runtime[0])
        put_check(out, e->runtime, e->runtime_difference, e);
    else if (job->v.check)
        cli_out_printf(out, "%-10s not by the format's own runtime: Python does not have it\n",
                       "checked");
    if (e->photos)
        put_accuracy(out, e);
    if (e->loader[0])
        cli_out_printf(out, "\nIt is loaded so:\n\n%s", e->loader);
    return CLI_OK;
}

static int run(cli_job *job)
{
    const cli_values *v = &job->v;
    char path[4096], split[4096];
    hst_exported made = {.size = sizeof made};
    hst_export_opts o = hst_export_opts_default();
    if (v->to && strcmp(v->to, "list") == 0)
        return list(job);
    if (!v->to)
        return cli_job_usage(job, "--to is missing: the format, such as onnx");
    if (!v->n_words)
        return cli_job_usage(job, "a model is missing");
    if (!v->output && !place_of(v->words[0], v->to, path, sizeof path))
        return cli_job_usage(job, "the model's path is too long: say where to with -o");
    if (v->output && (size_t)snprintf(path, sizeof path, "%s", v->output) >= sizeof path)
        return cli_job_usage(job, "the path behind -o is too long");
    int status = cli_job_open(job);
    hst_model *m = status ? NULL : cli_model_load(job, 0);
    if (status || !m)
        return status ? status : cli_job_fail(job);
    hst_data *d = NULL;
    if (v->data) {
        const hst_data_opts how = cli_job_data_opts(job);
        d = hst_data_open(job->ctx, v->data, &how, &job->err);
        o.split = split_of(v->words[0], split, sizeof split);
        if (d && !o.split)
            cli_display_say(&job->display,
                            "no split.csv beside the model: photos are split as train does by "
                            "itself");
    }
    o.data = d;
    o.max_drop = v->max_drop;
    o.format = v->to;
    o.input = v->input;
    o.layout = v->layout;
    o.output = v->logits ? "logits" : NULL;
    o.batch = v->batch;
    o.weights = v->weights;
    o.check = v->check;
    status = (v->data && !d) || hst_export(job->ctx, m, path, &o, &made, &job->err)
                 ? cli_job_fail(job)
                 : CLI_OK;
    hst_data_free(d);
    hst_model_free(m);
    if (status)
        return status;
    cli_display_close(&job->display);
    return v->json ? print_json(job, path, &made) : print_text(job, path, &made);
}

const cli_command cli_export = {
    .name = "export",
    .summary = "write a model as other programs run it",
    .usage = "MODEL --to FORMAT [options]",
    .text = "Writes the model as a file or folder of another format. Labels, preparation and\n"
            "a model card are in it; scaling of pixels and softmax are part of the network,\n"
            "so that it takes pixels and gives probabilities. What was written is read back\n"
            "and asked about made-up pictures: where its answers are not the model's it is\n"
            "not kept. MODEL is a file that train wrote, the folder of a run, or a model of\n"
            "another program.",
    .examples = "headstart export runs/train/model.safetensors --to onnx\n"
                "headstart export runs/train --to onnx -o flowers.onnx --check\n"
                "headstart export teachable_machine.zip --to tflite -o phone.tflite\n"
                "headstart export --to list",
    .options = options,
    .no_downloads = 1,
    .missing = {"a model is", NULL},
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
