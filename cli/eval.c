/* eval.c - headstart eval: how good a model is on labelled photos, and which of several is best. */
#include "eval.h"

#include "commands.h"
#include "json_result.h"
#include "measured.h"
#include "model.h"
#include "unknown.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "DIR", "runs/eval",
     "Folder for report.html and predictions.csv, of several models DIR/A, DIR/B, ...; those of an "
     "earlier evaluation in it are replaced."},
    {"min-accuracy", 0, CLI_FRACTION, AT(min_accuracy), "X", NULL,
     "Exit status 1 where the lower end of the accuracy's interval is below X, or nothing could be "
     "measured; of several models, of any of them."},
    CLI_LIST_OPTIONS,
    CLI_SEPARATOR_OPTION,
    {"part", 0, CLI_CHOICE, AT(part), "train|val|test|held|none", "held",
     "Which photos, where they are in parts (train/, valid/, test/). held: test where there is "
     "such, else val, else all; none: folders of these names are classes."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL,
     "The result as one JSON object (docs/evaluation.md has its keys)."},
    {"unknown", 0, CLI_TEXT, AT(unknown), "DIR2", NULL,
     "Measure how well photos of no class are told, by those in DIR2 and its sub-folders: how many "
     "are called unknown, AUROC, FPR at 95 % TPR. Of one model."},
    CLI_FOREIGN_OPTIONS,
    {0},
};

double cli_eval_number(const hst_eval *e, const char *name)
{
    double v = NAN;
    hst_err err;
    return hst_eval_metric(e, name, &v, NULL, NULL, &err) ? NAN : v;
}

double cli_eval_photos(const hst_eval *e)
{
    return cli_eval_number(e, "n") + cli_eval_number(e, "seen") + cli_eval_number(e, "copies");
}

/* One run of the command. */
typedef struct evaluating {
    cli_job *job;
    hst_data *data;
    int n; /* models */
    hst_model *model[CLI_EVAL_MODELS];
    hst_eval *eval[CLI_EVAL_MODELS];
    cli_evaluated *shown;    /* [n] of these */
    hst_detection detection; /* where it is wanted, of the one model */
} evaluating;

/* Whether the accuracy is as good as --min-accuracy asks; what: of which model. */
static int check(const cli_job *job, const char *what, double accuracy, double low)
{
    double least = job->v.min_accuracy;
    if (!(least > 0) || low >= least)
        return CLI_OK;
    if (isnan(low))
        cli_error("%s: no accuracy could be measured, so it is not at least %g", what, least);
    else
        cli_error("%s: accuracy %.3f, but its interval begins at %.3f, below %g", what, accuracy,
                  low, least);
    return CLI_BELOW;
}

static json_t *with_data(json_t *o, const hst_data *d)
{
    cli_json_data(&o, d);
    return o;
}

static int show_one(evaluating *r)
{
    cli_job *job = r->job;
    const cli_evaluated *m = r->shown;
    double accuracy = NAN, low = NAN;
    if (!cli_measured_is(m->eval) &&
        hst_eval_metric(m->eval, "accuracy", &accuracy, &low, NULL, &job->err))
        return cli_job_fail(job);
    int status = CLI_OK;
    if (job->v.json)
        status = cli_json_print(&job->out, with_data(cli_eval_json(m), r->data));
    else
        cli_eval_text(job, m);
    return status ? status : check(job, m->name, accuracy, low);
}

static int show_comparison(evaluating *r)
{
    cli_job *job = r->job;
    const cli_evaluated *m = r->shown;
    int status = CLI_OK;
    hst_comparison *c = hst_compare((const hst_eval *const *)r->eval, r->n, &job->err);
    if (!c)
        return cli_job_fail(job);
    if (job->v.json)
        status = cli_json_print(&job->out, with_data(cli_eval_compare_json(m, r->n, c), r->data));
    else
        cli_eval_compare_text(job, m, r->n, c);
    for (int i = 0; i < r->n && status == CLI_OK; i++) {
        const hst_compared *v = hst_comparison_at(c, i);
        status = check(job, m[i].name, v->accuracy, v->low);
    }
    hst_comparison_free(c);
    return status;
}

/* Model i could not be evaluated: of several, which. */
static int fail(evaluating *r, int i)
{
    hst_err why = r->job->err;
    if (r->n > 1)
        snprintf(r->job->err.msg, sizeof why.msg, "%.300s: %.700s", r->job->v.words[i], why.msg);
    return cli_job_fail(r->job);
}

/* Reports are written before results are told, which say where they are. */
static int show(evaluating *r)
{
    cli_job *job = r->job;
    for (int i = 0; i < r->n; i++)
        r->shown[i] = (cli_evaluated){.name = job->v.words[i],
                                      .model = r->model[i],
                                      .eval = r->eval[i],
                                      .detection = job->v.unknown ? &r->detection : NULL};
    cli_display_close(&job->display);
    int status = cli_eval_pages(job, r->shown, r->n);
    if (status)
        return status;
    if (r->n == 1)
        cli_job_say_stored(job, (size_t)cli_eval_number(r->eval[0], "stored"),
                           (size_t)cli_eval_photos(r->eval[0]));
    return r->n == 1 ? show_one(r) : show_comparison(r);
}

static int evaluate(evaluating *r)
{
    cli_job *job = r->job;
    const int writes = hst_process_rank(job->ctx) == 0;
    const int refused = writes ? cli_job_alone(job, cli_eval_check_pages(job, r->n)) : 0;
    if (refused)
        return refused;
    for (int i = 0; i < r->n; i++) /* before the first photo is computed */
        if (!(r->model[i] = cli_model_load(job, i)))
            return cli_job_fail(job);
    for (int i = 0; i < r->n; i++) {
        const int of_class = hst_model_target(r->model[i]) == HST_TARGET_CLASS;
        if (!of_class && (r->n > 1 || job->v.min_accuracy > 0)) {
            cli_error("%s says %s; %s for models that say one class", job->v.words[i],
                      hst_model_target(r->model[i]) == HST_TARGET_LABELS ? "several labels"
                                                                         : "a number",
                      r->n > 1 ? "comparing is" : "--min-accuracy is");
            return CLI_USAGE;
        }
    }
    if (job->v.unknown) {
        const int status = cli_unknown_check(r->model[0], job->v.words[0]);
        if (status)
            return status;
    }
    if (!(r->data = cli_model_photos(job, r->n)))
        return cli_job_fail(job);
    for (int i = 0; i < r->n; i++) {
        r->eval[i] = hst_evaluate(job->ctx, r->model[i], r->data, &job->err);
        if (!r->eval[i])
            return fail(r, i);
    }
    if (job->v.unknown) {
        const int status = cli_unknown_measure(job, r->model[0], r->eval[0], &r->detection);
        if (status)
            return status;
    }
    return writes ? show(r) : CLI_OK;
}

static int run(cli_job *job)
{
    evaluating r = {.job = job, .n = job->v.n_words - 1};
    if (r.n > CLI_EVAL_MODELS)
        return cli_job_usage(job, "at most 26 models can be compared");
    if (r.n > 1 && job->v.unknown)
        return cli_job_usage(job, "--unknown is for one model");
    int status = cli_job_open(job);
    r.shown = calloc((size_t)r.n, sizeof *r.shown);
    if (status == 0 && !r.shown) {
        cli_error("out of memory");
        status = cli_exit_status(HST_EMEM);
    }
    if (status == 0)
        status = evaluate(&r);
    free(r.shown);
    for (int i = 0; i < r.n; i++) {
        hst_eval_free(r.eval[i]);
        hst_model_free(r.model[i]);
    }
    hst_data_free(r.data);
    return status;
}

const cli_command cli_eval = {
    .name = "eval",
    .summary = "how good a model is on labelled photos; which of several is best",
    .usage = "MODEL [MODEL...] DIR [options]",
    .text = "Predicts every photo of DIR/class_name/ and compares: accuracy, log loss,\n"
            "calibration and more, each with its 95 % interval, the most confused pairs,\n"
            "scores of each class, confusion matrix. Classes are matched by name. Photos\n"
            "that the model was trained on and copies of others are told apart and do not\n"
            "count. Several models are compared on the photos that none was trained on,\n"
            "each with the first, by McNemar's exact test.\n"
            "MODEL is a model file or the folder of a run. A page, report.html, shows it all\n"
            "with the photos.",
    .examples = "headstart eval runs/train holdout/\n"
                "headstart eval runs/train runs/train2 holdout/\n"
                "headstart eval runs/train holdout/ --json --min-accuracy 0.9\n"
                "headstart eval runs/train holdout/ --unknown other-photos/",
    .options = options,
    .goes_on = "what was seen on the photos",
    .colours = 1,
    .uses_store = 1,
    .shares = 1,
    .no_downloads = 1,
    .missing = {"a model and a folder of photos are", "the model, or the folder of photos, is"},
    .min_words = 2,
    .max_words = -1,
    .run = run,
};
