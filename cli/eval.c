/* eval.c - headstart eval: how good a model is on labelled photos. */
#include "commands.h"
#include "json_result.h"
#include "model.h"
#include "tables.h"

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static double metric(const hst_eval *e, const char *name)
{
    double v = 0;
    hst_err err;
    return hst_eval_metric(e, name, &v, NULL, NULL, &err) ? 0 : v;
}

static int print_json(cli_job *job, const hst_eval *e)
{
    json_t *o = json_object(), *seen = json_object();
    cli_json_accuracy(&o, e);
    cli_json_set(&seen, "n", json_integer((json_int_t)metric(e, "seen")));
    cli_json_set(&seen, "accuracy", cli_json_measured(metric(e, "seen_accuracy")));
    cli_json_set(&o, "seen", seen);
    cli_json_set(&o, "copies", json_integer((json_int_t)metric(e, "copies")));
    cli_json_set(&o, "model", cli_json_text(job->v.words[0]));
    cli_json_set(&o, "skipped", json_integer((json_int_t)metric(e, "skipped")));
    cli_json_set(&o, "stored", json_integer((json_int_t)metric(e, "stored")));
    cli_json_classes(&o, e);
    return cli_json_print(&job->out, o);
}

static int print_text(cli_job *job, const hst_eval *e)
{
    cli_out *out = &job->out;
    cli_table_headline(out, e, "photos");
    if (!job->v.quiet)
        cli_table_caveats(out, e);
    if (metric(e, "n") > 0)
        cli_out_printf(out, "log loss %.4f\n", metric(e, "log_loss"));
    if (metric(e, "seen") > 0)
        cli_out_printf(out, "seen     %.3f of %.0f photos that the model has learned from\n",
                       metric(e, "seen_accuracy"), metric(e, "seen"));
    if (metric(e, "copies") > 0)
        cli_out_printf(out, "copies   %.0f, each picture counts once\n", metric(e, "copies"));
    if (metric(e, "skipped") > 0)
        cli_out_printf(out, "skipped  %.0f photos\n", metric(e, "skipped"));
    cli_out_puts(out, "\n");
    cli_table_classes(out, e);
    cli_out_puts(out, "\n");
    cli_table_confusion(out, e);
    return CLI_OK;
}

static int run(cli_job *job)
{
    hst_data *d = NULL;
    hst_eval *e = NULL;
    int status = cli_job_open(job);
    if (status)
        return status;
    hst_model *m = cli_model_load(job, 0);
    if (m)
        d = cli_model_photos(job, 1);
    if (d)
        e = hst_evaluate(job->ctx, m, d, &job->err);
    if (e) {
        cli_display_close(&job->display);
        cli_job_say_stored(job, (size_t)metric(e, "stored"), (size_t)metric(e, "n"));
        status = job->v.json ? print_json(job, e) : print_text(job, e);
    } else {
        status = cli_job_fail(job);
    }
    hst_eval_free(e);
    hst_data_free(d);
    hst_model_free(m);
    return status;
}

const cli_command cli_eval = {
    .name = "eval",
    .summary = "how good a model is on labelled photos",
    .usage = "MODEL DIR [options]",
    .text = "Predicts every photo of DIR/class_name/ and compares: accuracy with its 95 %\n"
            "interval, log loss, precision and recall of each class, confusion matrix.\n"
            "Classes are matched by name.",
    .examples = "headstart eval runs/train/model.safetensors holdout/\n"
                "headstart eval runs/train/model.safetensors holdout/ --json",
    .options = options,
    .uses_store = 1,
    .min_words = 2,
    .max_words = 2,
    .run = run,
};
