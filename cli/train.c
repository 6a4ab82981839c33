/* train.c - headstart train: a folder of photos becomes a model. */
#include "commands.h"
#include "json_result.h"
#include "occasion.h"
#include "resume.h"
#include "tables.h"
#include "target.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "DIR", NULL,
     "Folder for the run's files (runs/train, runs/train2, ... if not given)."},
    {"backbone", 'b', CLI_TEXT, AT(backbone), "NAME|FILE|FOLDER", "efficientnet_lite0",
     "Pretrained network: a name of 'headstart backbones list', a weight file, or a folder with "
     "model.safetensors and config.json; several with '+' between (a+b) side by side. With "
     "--recipe "
     "tutorial: mobilenet_v2."},
    CLI_BACKBONE_OPTIONS,
    CLI_VIEWS_OPTION,
    CLI_PRECISION_OPTION("fp32|bf16|int8|auto",
                         " auto: the fastest that costs less than 0.1 points of accuracy on 200 "
                         "of the photos; with --fine-tune, which is done in fp32 or bf16: the "
                         "faster of these."),
    {"split", 0, CLI_CHOICE, AT(split), "stable|keras", "stable",
     "Which photos are set aside to measure accuracy. stable: by content, so that a photo stays on "
     "its side when others come or go; but one of each class always trains, which may move one "
     "photo of a very small class; keras: as image_dataset_from_directory does. With --recipe "
     "tutorial: keras, and seed 123.",
     .section = "expert"},
    {"val-split", 0, CLI_FRACTION, AT(val_split), "X", "0.2", "Part that is set aside."},
    {"val", 0, CLI_TEXT, AT(val), "DIR", NULL,
     "Folder of its own to measure accuracy on, with the same class folders."},
    {"part", 0, CLI_CHOICE, AT(part), "train|val|test|none", NULL,
     "Of photos in parts (train/, valid/, test/) this one alone; none: folders of these names are "
     "classes. Else train/ and the part for validation are the two sides, and test/ is kept for "
     "eval."},
    {"resume", 0, CLI_TEXT, AT(resume), "RUN", NULL,
     "Go on with an interrupted fine-tuning run, given its folder; DIR and options are "
     "remembered."},
    CLI_LIST_OPTIONS,
    CLI_TARGET_OPTIONS,
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

enum { RUNS_MAX = 100000, PATH_CAP = 4096 };

/* ---- the run folder ---- */

static int no_folder(const char *path, int e)
{
    cli_error("folder %s cannot be made: %s", path, strerror(e));
    return CLI_NO_SPACE;
}

/* mkdir says who was first, so two runs at once never share a folder. */
static int claim_next(char *path, size_t cap)
{
    if (mkdir("runs", 0777) != 0 && errno != EEXIST)
        return no_folder("runs", errno);
    for (int i = 1; i < RUNS_MAX; i++) {
        if (i == 1)
            snprintf(path, cap, "runs/train");
        else
            snprintf(path, cap, "runs/train%d", i);
        if (mkdir(path, 0777) == 0)
            return 0;
        if (errno != EEXIST)
            return no_folder(path, errno);
    }
    return no_folder(path, EEXIST);
}

/* One run at a time in a folder. The lock ends with the program, however it ends; file systems that
 * know none go without. *fd: to be closed, or -1. */
static int lock_folder(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return no_folder(path, errno);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return 0;
    cli_error("another run is at work in %s", path);
    return CLI_NO_SPACE;
}

/* Makes the folder before the work begins, so that a wrong place shows at once. *fresh: it was not
 * there before. */
static int claim_folder(const char *output, char *path, size_t cap, int *fresh)
{
    struct stat st;
    *fresh = 1;
    if (!output)
        return claim_next(path, cap);
    size_t n = strlen(output);
    while (n > 1 && output[n - 1] == '/')
        n--;
    if (n >= cap)
        return no_folder(output, ENAMETOOLONG);
    memcpy(path, output, n);
    path[n] = 0;
    for (char *s = path + 1; *s; s++) { /* its parents */
        if (*s != '/')
            continue;
        *s = 0;
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        *s = '/';
        if (failed)
            return no_folder(path, errno);
    }
    if (mkdir(path, 0777) == 0)
        return 0;
    *fresh = 0;
    if (errno != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return no_folder(path, errno);
    return access(path, W_OK | X_OK) == 0 ? 0 : no_folder(path, errno);
}

/* ---- the result ---- */

typedef struct training {
    hst_backbone *backbone;
    hst_data *data;
    hst_model *model;
    hst_run *run;
    char folder[PATH_CAP], file[PATH_CAP + 32];
    int fresh;      /* the folder was not there before */
    int remembered; /* the command line is in the folder */
} training;

static json_t *steps_json(const hst_run *r)
{
    const hst_effort_step *s;
    json_t *list = json_array();
    for (size_t i = 0; list && (s = hst_run_step(r, i)); i++) {
        json_t *o = json_object();
        cli_json_set(&o, "what", cli_json_text(s->what));
        cli_json_set(&o, "log_loss", json_real(s->log_loss));
        cli_json_set(&o, "accuracy", json_real(s->accuracy));
        cli_json_set(&o, "passes", json_real(s->cost));
        cli_json_set(&o, "seconds", json_real(s->seconds));
        cli_json_set(&o, "kept", json_boolean(s->kept));
        if (!o || json_array_append_new(list, o) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *curve_json(const training *t)
{
    const hst_learning_curve *c = hst_run_curve(t->run);
    json_t *o = json_object(), *points = json_array();
    for (int i = 0; i < HST_CURVE_POINTS; i++) {
        json_t *p = json_object();
        cli_json_set(&p, "part", json_real(c->part[i]));
        cli_json_set(&p, "photos", json_real(c->photos[i]));
        cli_json_set(&p, "accuracy", json_real(c->accuracy[i]));
        cli_json_set(&p, "ci_low", json_real(c->low[i]));
        cli_json_set(&p, "ci_high", json_real(c->high[i]));
        if (json_array_append_new(points, p) != 0) {
            json_decref(points);
            points = NULL;
        }
    }
    cli_json_set(&o, "points", points);
    cli_json_set(&o, "more_photos", json_integer((json_int_t)c->more));
    cli_json_set(&o, "gain", json_real(c->gain));
    cli_json_set(&o, "gain_low", json_real(c->gain_low));
    cli_json_set(&o, "gain_high", json_real(c->gain_high));
    cli_json_set(&o, "class", cli_json_text(hst_data_class(t->data, c->gaining)));
    cli_json_set(&o, "class_gain", json_real(c->class_gain));
    cli_json_set(&o, "words", cli_json_text(c->words));
    return o;
}

static int print_json(cli_job *job, const training *t)
{
    char report[PATH_CAP + 32];
    snprintf(report, sizeof report, "%s/report.html", t->folder);
    const hst_eval *e = hst_run_eval(t->run);
    json_t *o = json_object();
    cli_json_accuracy(&o, e);
    cli_json_estimate(&o, t->run);
    cli_json_set(&o, "model", cli_json_text(t->file));
    cli_json_set(&o, "report", cli_json_text(report));
    cli_json_set(&o, "photos", json_integer((json_int_t)hst_data_count(t->data)));
    cli_json_set(&o, "n_train", json_integer((json_int_t)hst_run_trained(t->run)));
    cli_json_set(&o, "skipped", json_integer((json_int_t)hst_run_skipped(t->run)));
    cli_json_set(&o, "stored", json_integer((json_int_t)hst_run_stored(t->run)));
    cli_json_data(&o, t->data);
    cli_json_set(&o, "backbone", cli_json_text(job->v.backbone));
    cli_json_set(&o, "precision", cli_json_text(hst_backbone_describe(t->backbone)->precision));
    cli_json_set(&o, "recipe", cli_json_text(job->v.train.recipe));
    cli_json_set(&o, "seed", json_integer((json_int_t)job->v.train.seed));
    cli_json_set(&o, "passes", json_real(hst_model_cost(t->model, NULL)));
    if (hst_run_step(t->run, 0))
        cli_json_set(&o, "effort", steps_json(t->run));
    if (hst_run_curve(t->run))
        cli_json_set(&o, "learning_curve", curve_json(t));
    cli_json_classes(&o, e);
    return cli_json_print(&job->out, o);
}

static int print_text(cli_job *job, const training *t)
{
    char program[PATH_CAP], views[1024];
    cli_out *out = &job->out;
    int passes;
    const double cost = hst_model_cost(t->model, &passes);
    hst_model_extractor(t->model, views, sizeof views);
    cli_table_estimate(out, t->run, job->v.quiet);
    if (!job->v.quiet)
        cli_table_caveats(out, hst_run_eval(t->run));
    cli_out_printf(out, "model    %s\n", t->file);
    if (job->v.quiet)
        return CLI_OK;
    cli_out_printf(out, "report   %s/report.html\n", t->folder);
    if (passes > 1)
        cli_out_printf(out, "views    %s: %d passes a photo, %.1f times the work of one\n", views,
                       passes, cost);
    if (hst_run_curve(t->run))
        cli_out_printf(out, "curve    %s\n", hst_run_curve(t->run)->words);
    const size_t skipped = hst_run_skipped(t->run);
    if (skipped)
        cli_out_printf(out, "skipped  %zu photo%s, listed in %s/skipped.csv\n", skipped,
                       skipped == 1 ? "" : "s", t->folder);
    if (hst_data_left_summary(t->data))
        cli_out_printf(out, "left out listed in %s/skipped.csv\n", t->folder);
    cli_text_clean(program, sizeof program, job->program);
    cli_out_printf(out, "next     %s predict %s PHOTO\n", program, t->file);
    return CLI_OK;
}

/* ---- the recipe ---- */

static int typed(const cli_job *job, const char *name)
{
    return cli_options_typed(job->command, &job->v, name);
}

/* The tutorial has defaults of its own. */
static int settle_recipe(cli_job *job)
{
    cli_values *v = &job->v;
    hst_train_opts *o = &v->train;
    if (o->fine_tune && !typed(job, "recipe"))
        o->recipe = "fine-tune";
    if (strcmp(o->recipe, "fine-tune") == 0)
        o->fine_tune = 1;
    if (strcmp(o->recipe, "tutorial") == 0) {
        v->split = typed(job, "split") ? v->split : "keras";
        v->backbone = typed(job, "backbone") ? v->backbone : "mobilenet_v2";
        o->seed = typed(job, "seed") ? o->seed : 123;
    }
    return hst_train_opts_check(o, &job->err) ? cli_job_fail(job) : CLI_OK;
}

/* ---- the work ---- */

static hst_data *open_photos(cli_job *job, const training *t)
{
    hst_data_opts o = cli_job_data_opts(job);
    o.split = job->v.split;
    o.val_part = job->v.val_split;
    o.seed = job->v.train.seed;
    o.val_dir = job->v.val;
    o.part = job->v.part;
    o.except = t->folder;
    hst_data *d = hst_data_open(job->ctx, job->v.words[0], &o, &job->err);
    if (d && hst_data_target(d) == HST_TARGET_NUMBER)
        cli_display_say(&job->display, "found %zu photos with their %s", hst_data_count(d),
                        hst_data_class(d, 0));
    else if (d)
        cli_display_say(&job->display, "found %zu photos %s %d %s", hst_data_count(d),
                        hst_data_target(d) == HST_TARGET_LABELS ? "with" : "in",
                        hst_data_classes(d),
                        hst_data_target(d) == HST_TARGET_LABELS ? "labels" : "classes");
    return d;
}

/* Recipes that go in epochs end with pictures, where the build has cairo. */
static void say_no_pictures(cli_job *job)
{
    const char *name;
    int is_here = 1;
    for (int i = 0; (name = hst_build_part(i, NULL, &is_here)) && strcmp(name, "cairo") != 0;)
        i++;
    if (name && !is_here && strcmp(job->v.train.recipe, "auto") != 0)
        cli_display_say(&job->display, "no pictures of the run: this build is without cairo");
}

static int save(cli_job *job, const training *t)
{
    cli_occasion occasion = cli_occasion_now(job);
    const hst_report_opts o = cli_occasion_opts(&occasion);
    int rc = hst_run_save_with(t->run, t->model, &o, t->folder, &job->err);
    cli_occasion_clear(&occasion);
    say_no_pictures(job);
    return rc;
}

/* Whether a precision is faster here than fp32. */
static int is_faster(const cli_job *job, const char *precision)
{
    const char *name;
    for (int i = 0, faster; (name = hst_precision(job->ctx, i, &faster)); i++)
        if (strcmp(name, precision) == 0)
            return faster;
    return 0;
}

/* A backbone learns in bf16 or fp32: auto takes the one that is faster here. */
static hst_backbone *open_backbone(cli_job *job, const hst_data *d)
{
    if (!job->v.train.fine_tune)
        return cli_job_backbone_for(job, job->v.backbone, d);
    if (cli_job_is_auto(job)) {
        const int low = is_faster(job, "bf16");
        job->v.precision = low ? "bf16" : "fp32";
        cli_display_say(&job->display,
                        "precision %s: a backbone learns %sfaster in bf16 on this processor",
                        job->v.precision, low ? "" : "no ");
    }
    return cli_job_backbone(job, job->v.backbone);
}

/* That there are faster precisions here than the one that nobody chose. */
static void say_faster(cli_job *job)
{
    char names[64] = "";
    const char *name;
    int n = 0;
    const int learns = job->v.train.fine_tune;
    for (int i = 0, faster; (name = hst_precision(job->ctx, i, &faster)); i++)
        if (faster && !(learns && strcmp(name, "int8") == 0)) {
            const size_t at = strlen(names);
            snprintf(names + at, sizeof names - at, "%s%s", n++ ? " and " : "", name);
        }
    if (!n || job->v.precision)
        return;
    if (learns)
        cli_display_say(&job->display,
                        "%s is faster on this processor: --precision auto learns in it", names);
    else
        cli_display_say(&job->display,
                        "%s %s faster on this processor: --precision auto takes %s where it costs "
                        "no accuracy",
                        names, n > 1 ? "are" : "is", n > 1 ? "the fastest" : "it");
}

/* What int8 costs on these photos is measured, unless auto has. */
static int say_cost(cli_job *job, const training *t)
{
    char prepare[32];
    hst_precision_choice c = {.size = sizeof c};
    const char *precision = hst_backbone_describe(t->backbone)->precision;
    if (cli_job_is_auto(job) || job->v.train.fine_tune || strcmp(precision, "int8") != 0)
        return 0;
    int rc = hst_precision_cost(job->ctx, t->backbone, t->data,
                                cli_job_preparation(job, prepare, sizeof prepare), &c, &job->err);
    if (rc == 0)
        cli_display_say(&job->display, "precision int8: %s", c.words);
    return rc;
}

/* Of several processes the first has the folder; the others do their share of the work. */
static int has_folder(const cli_job *job)
{
    return hst_process_rank(job->ctx) == 0;
}

/* 0, or non-zero with job->err. */
static int train(cli_job *job, training *t)
{
    hst_train_opts o = job->v.train;
    o.run_dir = o.fine_tune ? t->folder : NULL; /* for checkpoints */
    o.resume = job->v.resume != NULL;
    t->data = open_photos(job, t);
    t->backbone = t->data ? open_backbone(job, t->data) : NULL;
    if (!t->backbone || say_cost(job, t))
        return -1;
    if (job->v.train.fine_tune && !t->remembered && has_folder(job))
        t->remembered = cli_resume_remember(job, t->folder);
    t->model = hst_train(job->ctx, t->backbone, t->data, &o, &t->run, &job->err);
    if (!t->model)
        return -1;
    if (!has_folder(job))
        return 0;
    say_faster(job);
    snprintf(t->file, sizeof t->file, "%s/model.safetensors", t->folder);
    return save(job, t);
}

/* What remains of a run that did not end well. A checkpoint stays, and how to go on is told. */
static int give_up(cli_job *job, const training *t)
{
    const int resumable = job->v.train.fine_tune && cli_resume_possible(t->folder);
    job->keeps &= !resumable; /* how to go on is told below */
    int status = cli_job_fail(job);
    if (resumable) {
        if (job->err.code != HST_EARG && job->err.code != HST_EMODEL)
            cli_resume_tell(job, t->folder, t->remembered);
        return status;
    }
    cli_resume_forget(t->folder);
    if (t->fresh) {
        rmdir(t->folder); /* only when nothing is in it */
        if (!job->v.output)
            rmdir("runs");
    }
    return status;
}

static void close_training(training *t)
{
    hst_run_free(t->run);
    hst_model_free(t->model);
    hst_data_free(t->data);
    hst_backbone_free(t->backbone);
}

static int help_others(cli_job *job, training *t)
{
    const int status = train(job, t) == 0 ? CLI_OK : cli_job_fail(job);
    close_training(t);
    return status;
}

static int run_in_folder(cli_job *job, training *t)
{
    int lock, status = lock_folder(t->folder, &lock);
    if (status) {
        if (lock >= 0)
            close(lock);
        return cli_job_alone(job, status);
    }
    if (train(job, t) == 0) {
        cli_display_close(&job->display);
        cli_resume_forget(t->folder);
        cli_job_say_stored(job, hst_run_stored(t->run),
                           hst_data_count(t->data) - hst_run_skipped(t->run));
        status = job->v.json ? print_json(job, t) : print_text(job, t);
    } else {
        status = give_up(job, t);
    }
    close(lock);
    close_training(t);
    return status;
}

/* A folder that was named is empty, new, or of an earlier run. */
static int check_output(const cli_job *job)
{
    static const char *const marks[] = {"args.json", "command.json", "checkpoint.safetensors",
                                        NULL};
    const char *const data[] = {job->v.words[0], job->v.val, NULL};
    if (!job->v.output)
        return CLI_OK;
    return cli_target_folder(&(cli_target){.path = job->v.output, .marks = marks, .data = data});
}

static int run_new(cli_job *job)
{
    training t = {0};
    int status = settle_recipe(job);
    if (status == 0)
        status = cli_job_open(job);
    if (status == 0 && !has_folder(job))
        return help_others(job, &t);
    if (status == 0)
        status = cli_job_alone(job, check_output(job));
    if (status == 0)
        status =
            cli_job_alone(job, claim_folder(job->v.output, t.folder, sizeof t.folder, &t.fresh));
    return status ? status : run_in_folder(job, &t);
}

static int run_on(cli_job *job)
{
    training t = {0};
    json_t *texts;
    int complete, status = cli_resume_recall(job, &texts, &complete);
    if (status == 0 && complete) {
        cli_display_say(&job->display, "the run in %s is complete", job->v.resume);
        cli_resume_forget(job->v.resume); /* all that a kill at the very end leaves undone */
    }
    if (status == 0 && !complete)
        status = settle_recipe(job);
    if (status == 0 && !complete && !job->v.train.fine_tune && cli_resume_possible(job->v.resume)) {
        cli_error("%s holds the checkpoint of a run with --fine-tune: type that too, with what "
                  "else the run was begun with; for another run, give another folder",
                  job->v.resume);
        status = CLI_USAGE;
    }
    if (status == 0 && !complete)
        status = cli_job_open(job);
    if (status == 0 && !complete) {
        snprintf(t.folder, sizeof t.folder, "%s", job->v.resume);
        /* what a checkpoint was begun with stays, whatever is typed now */
        t.remembered = texts && cli_resume_possible(t.folder);
        status = has_folder(job) ? run_in_folder(job, &t) : help_others(job, &t);
    }
    json_decref(texts);
    return status;
}

static int run(cli_job *job)
{
    if (job->v.resume)
        return run_on(job);
    return job->v.n_words ? run_new(job) : cli_job_usage(job, "a folder of photos is missing");
}

const cli_command cli_train = {
    .name = "train",
    .summary = "a folder of photos becomes a model",
    .usage = "DIR [options]",
    .text = "Trains on DIR/class_name/photo.jpg and leaves a folder with model.safetensors,\n"
            "report.html, and lists of what was used and what was skipped. A photo that\n"
            "cannot be used is skipped with its reason. The accuracy is that of models that\n"
            "had not seen what they judged: each photo is judged by one that learned from\n"
            "others, and the model you get has learned from all (--final). Where DIR holds\n"
            "train/ and val/ (or validation/, test/), these are the two sides. DIR may also\n"
            "be the name of a data set that headstart pull has fetched. Files of an earlier\n"
            "run in the folder of -o are replaced. Fine-tuning saves where it stands after\n"
            "each epoch and when it is interrupted; --resume goes on from there, to the same\n"
            "model, byte for byte.",
    .examples = "headstart train photos/\n"
                "headstart train photos/ --val-split 0.3 -o runs/flowers\n"
                "headstart train photos/ --backbone my_mobilenet/ --json\n"
                "headstart train photos/ --fine-tune --epochs 8\n"
                "headstart train --resume runs/train3\n"
                "headstart train photos/ --recipe tutorial --backbone my_mobilenet/",
    .options = options,
    .goes_on = "what was seen on the photos",
    .colours = 1,
    .uses_settings = 1,
    .uses_store = 1,
    .shares = 1,
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
