/* train.c - headstart train: a folder of photos becomes a model. */
#include "commands.h"
#include "json.h"
#include "resume.h"
#include "tables.h"

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
     "model.safetensors and config.json. With --recipe tutorial: mobilenet_v2."},
    CLI_BACKBONE_OPTIONS,
    {"recipe", 0, CLI_CHOICE, AT(recipe), "auto|fine-tune|tutorial", "auto",
     "How to train. auto: logistic regression on what the backbone sees; fine-tune: then the "
     "backbone learns too; tutorial: step for step what the TF Hub retraining tutorial does."},
    {"fine-tune", 0, CLI_FLAG, AT(fine_tune), NULL, NULL,
     "The same as --recipe fine-tune; with --recipe tutorial: its fine-tuning, all layers on batch "
     "statistics."},
    {"seed", 0, CLI_SEED, AT(seed), "N", "42",
     "Seed of everything random; the same seed gives the same model, byte for byte. With --recipe "
     "tutorial: 123."},
    {"split", 0, CLI_CHOICE, AT(split), "stable|keras", "stable",
     "Which photos are set aside to measure accuracy. stable: by content, so that a photo never "
     "changes sides; keras: as image_dataset_from_directory does. With --recipe tutorial: keras."},
    {"val-split", 0, CLI_FRACTION, AT(val_split), "X", "0.2", "Part that is set aside."},
    {"val", 0, CLI_TEXT, AT(val), "DIR", NULL,
     "Folder of its own to measure accuracy on, with the same class folders."},
    {"prepare", 0, CLI_CHOICE, AT(prepare), "pil|tf|fast|hub", "pil",
     "How photos are decoded and resized: as Pillow or as TensorFlow does; fast: as Pillow, but "
     "large JPEGs read at a half or a quarter of their size; hub: as Pillow, resized and cropped "
     "as the backbone's publisher does. With --recipe tutorial: tf."},
    {"class-weight", 0, CLI_CHOICE, AT(class_weight), "balanced", NULL,
     "Let every class count the same, however many photos it has."},
    {"epochs", 0, CLI_COUNT, AT(epochs), "N", NULL,
     "Passes over the photos (tutorial: short of the last batch). This and the next seven: not "
     "with "
     "--recipe auto. [5]"},
    {"batch", 0, CLI_COUNT, AT(batch), "N", NULL, "Photos in a step. [fine-tune 32, tutorial 16]"},
    {"optimizer", 0, CLI_CHOICE, AT(optimizer), "sgd|nesterov|adam|adamw|rmsprop", NULL,
     "How a step follows the gradient, each as in Keras. [fine-tune adamw, tutorial sgd]"},
    {"lr", 0, CLI_NUMBER, AT(learning_rate), "X", NULL,
     "Learning rate, its peak where it changes. [sgd, nesterov 0.005; else fine-tune 0.0003, "
     "tutorial 0.001]"},
    {"momentum", 0, CLI_NUMBER, AT(momentum), "X", NULL, "Momentum of sgd and nesterov. [0.9]"},
    {"l2", 0, CLI_NUMBER, AT(l2), "X", NULL,
     "L2 strength on the head's kernel. [fine-tune 0, tutorial 0.0001]"},
    {"label-smoothing", 0, CLI_NUMBER, AT(label_smoothing), "X", NULL,
     "Part of the target that is spread over all classes. [0.1]"},
    {"dropout", 0, CLI_NUMBER, AT(dropout), "X", NULL,
     "Part of the features left out in each step. [0.2]"},
    {"thaw", 0, CLI_TEXT, AT(thaw), "all|last:N|from:LAYER", NULL,
     "Which layers of the backbone learn. This and the next seven: fine-tuning only. [all]"},
    {"batch-norm", 0, CLI_CHOICE, AT(batch_norm), "frozen|batch", NULL,
     "frozen: statistics stay, weights learn; batch: statistics of each batch. [fine-tune frozen, "
     "tutorial batch]"},
    {"augment", 0, CLI_CHOICE, AT(augment), "auto|tutorial|none", NULL,
     "How a photo is changed each time it is learned from. [fine-tune auto, tutorial none]"},
    {"schedule", 0, CLI_CHOICE, AT(schedule), "constant|cosine|one-cycle", NULL,
     "How the learning rate changes. [fine-tune one-cycle, tutorial constant]"},
    {"layer-decay", 0, CLI_NUMBER, AT(layer_decay), "X", NULL,
     "Learning rate of a layer as a part of that of the layer behind it. [1]"},
    {"clip", 0, CLI_NUMBER, AT(clip), "X", NULL,
     "Shorten gradients to this length; 0: never. [fine-tune 1, tutorial 0]"},
    {"patience", 0, CLI_COUNT, AT(patience), "N", NULL,
     "End when N epochs did not lower the loss on the photos kept aside, and take the best epoch's "
     "weights; the accuracy is then a little too good."},
    {"checkpoint-steps", 0, CLI_COUNT, AT(checkpoint_steps), "N", NULL,
     "Save where training stands every N steps too, not after each epoch only."},
    {"resume", 0, CLI_TEXT, AT(resume), "RUN", NULL,
     "Go on with an interrupted fine-tuning run, given its folder; DIR and options are "
     "remembered."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

enum { RUNS_MAX = 100000, PATH_CAP = 4096 };

/* ---- the run folder ----------------------------------------------------------------------------
 */

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

/* ---- the result --------------------------------------------------------------------------------
 */

typedef struct training {
    hst_backbone *backbone;
    hst_data *data;
    hst_model *model;
    hst_run *run;
    char folder[PATH_CAP], file[PATH_CAP + 32];
    int fresh;      /* the folder was not there before */
    int remembered; /* the command line is in the folder */
} training;

static int print_json(cli_job *job, const training *t)
{
    char report[PATH_CAP + 32];
    snprintf(report, sizeof report, "%s/report.html", t->folder);
    const hst_eval *e = hst_run_eval(t->run);
    json_t *o = json_object();
    cli_json_accuracy(&o, e);
    cli_json_set(&o, "model", cli_json_text(t->file));
    cli_json_set(&o, "report", cli_json_text(report));
    cli_json_set(&o, "photos", json_integer((json_int_t)hst_data_count(t->data)));
    cli_json_set(&o, "n_train", json_integer((json_int_t)hst_run_trained(t->run)));
    cli_json_set(&o, "skipped", json_integer((json_int_t)hst_run_skipped(t->run)));
    cli_json_set(&o, "stored", json_integer((json_int_t)hst_run_stored(t->run)));
    cli_json_set(&o, "backbone", cli_json_text(job->v.backbone));
    cli_json_set(&o, "recipe", cli_json_text(job->v.recipe));
    cli_json_set(&o, "seed", json_integer((json_int_t)job->v.seed));
    cli_json_classes(&o, e);
    return cli_json_print(&job->out, o);
}

static int print_text(cli_job *job, const training *t)
{
    cli_out *out = &job->out;
    cli_table_headline(out, hst_run_eval(t->run), "validation photos");
    cli_out_printf(out, "model    %s\n", t->file);
    if (job->v.quiet)
        return CLI_OK;
    cli_out_printf(out, "report   %s/report.html\n", t->folder);
    if (hst_run_skipped(t->run))
        cli_out_printf(out, "skipped  %zu photos, listed in %s/skipped.csv\n",
                       hst_run_skipped(t->run), t->folder);
    cli_out_printf(out, "next     headstart predict %s PHOTO\n", t->file);
    return CLI_OK;
}

/* ---- the recipe --------------------------------------------------------------------------------
 */

static int typed(const cli_job *job, const char *name)
{
    return cli_options_typed(job->command, &job->v, name);
}

static int foreign(const cli_job *job, const char *const *names, const char *owner)
{
    for (; *names; names++) {
        if (!typed(job, *names))
            continue;
        cli_error("--%s belongs to %s; --recipe %s has no such setting", *names, owner,
                  job->v.recipe);
        return CLI_USAGE;
    }
    return CLI_OK;
}

/* The tutorial has defaults of its own; some settings mean nothing to other recipes. */
static int settle_recipe(cli_job *job)
{
    static const char *const steps[] = {"epochs", "batch",           "optimizer", "lr", "momentum",
                                        "l2",     "label-smoothing", "dropout",   NULL};
    static const char *const tuning[] = {"thaw",     "batch-norm",       "augment",
                                         "schedule", "layer-decay",      "clip",
                                         "patience", "checkpoint-steps", NULL};
    cli_values *v = &job->v;
    if (v->fine_tune && !typed(job, "recipe"))
        v->recipe = "fine-tune";
    int tutorial = strcmp(v->recipe, "tutorial") == 0;
    if (v->fine_tune && strcmp(v->recipe, "auto") == 0) {
        cli_error("--recipe auto trains the head only: leave it or --fine-tune out");
        return CLI_USAGE;
    }
    if (strcmp(v->recipe, "fine-tune") == 0)
        v->fine_tune = 1;
    if (tutorial) {
        v->split = typed(job, "split") ? v->split : "keras";
        v->seed = typed(job, "seed") ? v->seed : 123;
        v->backbone = typed(job, "backbone") ? v->backbone : "mobilenet_v2";
    }
    int status = v->fine_tune ? CLI_OK : foreign(job, tuning, "--fine-tune");
    if (status || tutorial || v->fine_tune)
        return status;
    return foreign(job, steps, "--recipe tutorial and --fine-tune");
}

/* folder: of the run, for checkpoints. */
static hst_train_opts train_opts(const cli_job *job, const char *folder)
{
    const cli_values *v = &job->v;
    hst_train_opts o = hst_train_opts_default();
    o.recipe = v->recipe;
    o.prepare = typed(job, "prepare") ? v->prepare : NULL;
    o.seed = v->seed;
    o.class_weight = v->class_weight;
    o.epochs = v->epochs;
    o.batch = v->batch;
    o.optimizer = v->optimizer;
    if (typed(job, "lr"))
        o.learning_rate = v->learning_rate;
    if (typed(job, "momentum"))
        o.momentum = v->momentum;
    if (typed(job, "l2"))
        o.l2 = v->l2;
    if (typed(job, "label-smoothing"))
        o.label_smoothing = v->label_smoothing;
    if (typed(job, "dropout"))
        o.dropout = v->dropout;
    if (!v->fine_tune)
        return o;
    o.fine_tune = 1;
    o.thaw = v->thaw;
    o.batch_norm = v->batch_norm;
    o.augment = v->augment;
    o.schedule = v->schedule;
    if (typed(job, "layer-decay"))
        o.layer_decay = v->layer_decay;
    if (typed(job, "clip"))
        o.clip = v->clip;
    o.patience = v->patience;
    o.run_dir = folder;
    o.checkpoint_steps = v->checkpoint_steps;
    o.resume = v->resume != NULL;
    return o;
}

/* ---- the work ----------------------------------------------------------------------------------
 */

static hst_data *open_photos(cli_job *job)
{
    hst_data_opts o = hst_data_opts_default();
    o.split = job->v.split;
    o.val_part = job->v.val_split;
    o.seed = job->v.seed;
    o.val_dir = job->v.val;
    hst_data *d = hst_data_open(job->ctx, job->v.words[0], &o, &job->err);
    if (d)
        cli_display_say(&job->display, "found %zu photos in %d classes", hst_data_count(d),
                        hst_data_classes(d));
    return d;
}

/* 0, or non-zero with job->err. */
static int train(cli_job *job, training *t)
{
    hst_train_opts o = train_opts(job, t->folder);
    t->data = open_photos(job);
    t->backbone = t->data ? cli_job_backbone(job, job->v.backbone) : NULL;
    if (!t->backbone)
        return -1;
    if (job->v.fine_tune && !t->remembered)
        t->remembered = cli_resume_remember(job, t->folder);
    t->model = hst_train(job->ctx, t->backbone, t->data, &o, &t->run, &job->err);
    if (!t->model)
        return -1;
    snprintf(t->file, sizeof t->file, "%s/model.safetensors", t->folder);
    return hst_run_save(t->run, t->model, t->folder, &job->err);
}

/* What remains of a run that did not end well. A checkpoint stays, and how to go on is told. */
static int give_up(cli_job *job, const training *t)
{
    int status = cli_job_fail(job);
    if (job->v.fine_tune && cli_resume_possible(t->folder)) {
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

static int run_in_folder(cli_job *job, training *t)
{
    int lock, status = lock_folder(t->folder, &lock);
    if (status) {
        if (lock >= 0)
            close(lock);
        return status;
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
    hst_run_free(t->run);
    hst_model_free(t->model);
    hst_data_free(t->data);
    hst_backbone_free(t->backbone);
    return status;
}

static int run_new(cli_job *job)
{
    training t = {0};
    int status = settle_recipe(job);
    if (status == 0)
        status = cli_job_open(job);
    if (status == 0)
        status = claim_folder(job->v.output, t.folder, sizeof t.folder, &t.fresh);
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
    if (status == 0 && !complete)
        status = cli_job_open(job);
    if (status == 0 && !complete) {
        snprintf(t.folder, sizeof t.folder, "%s", job->v.resume);
        /* what a checkpoint was begun with stays, whatever is typed now */
        t.remembered = texts && cli_resume_possible(t.folder);
        status = run_in_folder(job, &t);
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
            "cannot be used is skipped with its reason. The accuracy is measured on photos\n"
            "the training has not seen. Where DIR holds train/ and val/ (or validation/,\n"
            "test/), these are the two sides. Files of an earlier run in the folder of -o\n"
            "are replaced. Fine-tuning saves where it stands after each epoch and when it is\n"
            "interrupted; --resume goes on from there, to the same bytes.",
    .examples = "headstart train flower_photos/\n"
                "headstart train flower_photos/ --val-split 0.3 -o runs/flowers\n"
                "headstart train photos/ --backbone my_mobilenet/ --json\n"
                "headstart train photos/ --fine-tune --epochs 8\n"
                "headstart train --resume runs/train3\n"
                "headstart train photos/ --recipe tutorial --backbone my_mobilenet/",
    .options = options,
    .uses_store = 1,
    .min_words = 0,
    .max_words = 1,
    .run = run,
};
