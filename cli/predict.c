/* predict.c - headstart predict: photos in, labels with probabilities out. */
#include "cam.h"
#include "commands.h"
#include "eval.h"
#include "model.h"
#include "photos.h"
#include "rows.h"
#include "shard.h"
#include "signals.h"
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"top", 'k', CLI_COUNT, AT(top), "N", "5", "Labels to show for each photo."},
    {"format", 'f', CLI_CHOICE, AT(format), "text|json|csv", "text",
     "text: a line for each photo; json: a JSON object on each line; csv: a table with a header."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The same as --format json."},
    {"no-unknown", 0, CLI_FLAG, AT(no_unknown), NULL, NULL,
     "Name a class for every photo, also for those that the model takes to be of none."},
    {"threshold", 0, CLI_FRACTION, AT(threshold), "X", NULL,
     "Of a model of several labels: the probability from which on a photo has a label, in place of "
     "each label's own, which training has chosen."},
    {"labelled", 0, CLI_FLAG, AT(labelled), NULL, NULL,
     "The folder has a sub-folder for each class: mark right and wrong, and draw a sheet."},
    {"output", 'o', CLI_TEXT, AT(output), "FILE.png", NULL,
     "With --labelled: the sheet of photos (predictions.png beside the model if not given)."},
    {"null", '0', CLI_FLAG, AT(by_nul), NULL, NULL,
     "The list that '-' reads has NUL between its names, as of find -print0."},
    {"cam", 0, CLI_TEXT, AT(cam), "DIR", NULL,
     "A picture of each photo that shows where the label was seen (a class-activation map), "
     "NAME.cam.png in this folder."},
    CLI_SHARD_OPTION,
    CLI_FOREIGN_OPTIONS,
    {0},
};

enum { SHEET_PHOTOS = 48, STDIN_MAX = 256 << 20, PATH_BYTES = 4096 };

/* One run of the command: what next(), picture() and deliver() below share. The first two use
 * photos, part, cam, photo and at only, deliver() the rest, so that it may run at the same time. */
typedef struct prediction_run {
    cli_job *job;
    const hst_model *model;
    cli_photos photos;
    cli_shard_photos part; /* of --shard */
    cli_cam cam;           /* dir NULL: none */
    char *photo;           /* [PATH_BYTES] what next() gave last; NULL: no pictures */
    const hst_eval *eval;  /* of labelled photos */
    size_t at;             /* among them */
    cli_rows rows;
    size_t n, bad, stored;
    size_t total;    /* photos there are, as far as is known */
    int shows;       /* rows do not show how far it is */
    size_t not_used; /* folders and names that could not be used, each was told */
} prediction_run;

static int next(void *arg, char *path, size_t cap)
{
    prediction_run *r = arg;
    int rc = cli_photos_next(&r->photos, path, cap), takes = 1;
    while (rc > 0 && (takes = cli_shard_takes(&r->part)) == 0)
        rc = cli_photos_next(&r->photos, path, cap);
    rc = rc > 0 && takes < 0 ? 0 : rc;
    if (rc > 0 && r->photo)
        snprintf(r->photo, PATH_BYTES, "%s", path);
    return rc;
}

static int picture(void *arg, char *path, size_t cap)
{
    prediction_run *r = arg;
    return cli_cam_path(&r->cam, r->photo, path, cap);
}

static int deliver(void *arg, const hst_prediction *p)
{
    prediction_run *r = arg;
    const cli_row row = {.path = p->path,
                         .prob = p->prob,
                         .why = p->code ? p->why : NULL,
                         .truth = -1,
                         .cam = p->picture,
                         .unknown_score = p->unknown_score};
    r->n++;
    r->bad += p->code != 0;
    r->stored += p->stored != 0;
    if (r->shows)
        cli_display_count(&r->job->display, "predict", r->n, r->total);
    return cli_rows_put(&r->rows, &row) || cli_signals_caught();
}

/* Every photo that next_photo() gives; with --cam a picture each. */
static int predict(prediction_run *r, hst_next_fn *next_photo, hst_deliver_fn *deliver_row)
{
    cli_job *job = r->job;
    if (!r->cam.dir)
        return hst_predict_stream(job->ctx, r->model, next_photo, deliver_row, r, &job->err);
    hst_explain_calls calls = hst_explain_calls_default();
    calls.next = next_photo;
    calls.picture = picture;
    calls.deliver = deliver_row;
    calls.arg = r;
    return hst_explain_stream(job->ctx, r->model, &calls, &job->err);
}

/* ---- files, folders, lists ---- */

static int predict_words(prediction_run *r, const char *const *words, int n, cli_stdin *list)
{
    if (cli_photos_open(&r->photos, words, n, list)) {
        cli_photos_close(&r->photos);
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    r->photos.ctx = r->job->ctx;
    r->photos.except = r->cam.dir;
    r->photos.display = &r->job->display;
    r->photos.by_nul = r->job->v.by_nul;
    int rc = predict(r, next, deliver);
    const int told = r->photos.status;
    r->not_used += r->photos.bad;
    if (rc == 0)
        cli_photos_tell_others(&r->photos);
    cli_photos_close(&r->photos);
    return told ? told : rc ? cli_job_fail(r->job) : CLI_OK;
}

/* Standard input's image, with --cam a picture of it too. */
static int predict_bytes(prediction_run *r, const void *bytes, size_t n, float *prob)
{
    char path[PATH_BYTES];
    hst_err *err = &r->job->err;
    hst_session *s = NULL;
    hst_explainer *x = NULL;
    const hst_cam *cam = NULL;
    const size_t k = (size_t)hst_model_classes(r->model);
    int rc = 0;
    if (r->cam.dir)
        x = hst_explainer_open(r->job->ctx, r->model, err);
    else
        s = hst_session_open(r->job->ctx, r->model, err);
    if (!x && !s)
        return cli_job_fail(r->job);
    if (s)
        rc = hst_predict_bytes(s, bytes, n, prob, k, err);
    else if (!(cam = hst_explain_bytes(x, bytes, n, -1, err)))
        rc = err->code;
    hst_prediction p = {.path = "-",
                        .code = rc,
                        .why = err->msg,
                        .prob = cam ? cam->prob : prob,
                        .unknown_score = cam ? cam->unknown_score
                                         : s ? hst_session_unknown(s)
                                             : 0};
    if (cam && cli_cam_path(&r->cam, "-", path, sizeof path) > 0)
        p.picture = hst_explain_draw(x, path, err) == 0 ? path : NULL;
    int status = cam && !p.picture ? cli_job_fail(r->job) : CLI_OK;
    if (status == CLI_OK && deliver(r, &p) && cli_signals_caught())
        status = 128 + cli_signals_caught();
    hst_explainer_free(x);
    hst_session_free(s);
    return status;
}

static int predict_image(prediction_run *r, const cli_stdin *in)
{
    size_t n = 0;
    void *bytes = cli_stdin_read(in, STDIN_MAX, &n);
    float *prob = bytes ? calloc((size_t)hst_model_classes(r->model), sizeof *prob) : NULL;
    int status = prob ? predict_bytes(r, bytes, n, prob) : CLI_BAD_INPUT;
    free(prob);
    free(bytes);
    return status;
}

/* "-": one image or a list of paths. */
static int predict_stdin(prediction_run *r, const char *const *words, int n)
{
    cli_stdin in = {0};
    if (hst_process_rank(r->job->ctx) > 0) /* the first process has standard input */
        return predict_words(r, words, n, NULL);
    int image = r->job->v.by_nul ? 0 : cli_stdin_peek(&in);
    if (image < 0 && !cli_signals_caught())
        return cli_job_alone(r->job, cli_stdin_fail());
    if (image < 0) {
        r->job->err.code = HST_ESTOPPED;
        return cli_job_fail(r->job);
    }
    if (!image)
        return predict_words(r, words, n, &in);
    if (hst_process_count(r->job->ctx) > 1)
        return cli_job_alone(r->job, cli_job_usage(r->job, "several processes share a list of "
                                                           "paths, but no picture, on standard "
                                                           "input"));
    int status = n ? predict_words(r, words, n, NULL) : CLI_OK;
    return status ? status : predict_image(r, &in);
}

/* Rows on a terminal show how far it is; elsewhere that is told. */
static void look_ahead(prediction_run *r)
{
    const cli_values *v = &r->job->v;
    int from_stdin = 0;
    for (int i = 1; i < v->n_words; i++)
        from_stdin |= strcmp(v->words[i], "-") == 0;
    r->shows = !v->quiet && !isatty(STDOUT_FILENO);
    if (r->part.shard)
        r->total = r->part.end - r->part.first;
    else if (r->shows && !from_stdin)
        r->total = cli_photos_count(r->job->ctx, v->words + 1, v->n_words - 1, r->cam.dir);
}

static int predict_all(prediction_run *r)
{
    const char *const *words = r->job->v.words + 1;
    int n = r->job->v.n_words - 1, first = 0, status = cli_rows_begin(&r->rows);
    if (hst_process_rank(r->job->ctx) == 0)
        look_ahead(r);
    for (int i = 0; i < n && status == CLI_OK; i++) {
        if (strcmp(words[i], "-") != 0)
            continue;
        status = predict_stdin(r, words + first, i - first);
        first = i + 1;
    }
    if (status == CLI_OK && first < n)
        status = predict_words(r, words + first, n - first, NULL);
    cli_display_close(&r->job->display);
    if (status == CLI_OK && !r->job->out.error)
        cli_job_say_stored(r->job, r->stored, r->n - r->bad);
    return status;
}

/* ---- labelled photos ---- */

static int put_row(prediction_run *r, const hst_eval_photo *p, const char *cam)
{
    const cli_row row = {.path = p->path,
                         .prob = p->prob,
                         .truth = p->truth,
                         .cam = cam,
                         .unknown_score = p->unknown_score};
    r->n++;
    return cli_rows_put(&r->rows, &row);
}

static int next_labelled(void *arg, char *path, size_t cap)
{
    prediction_run *r = arg;
    const hst_eval_photo *p = hst_eval_at(r->eval, r->at);
    if (!p || cli_signals_caught())
        return p ? -1 : 0;
    r->at++;
    snprintf(path, cap, "%s", p->path);
    snprintf(r->photo, PATH_BYTES, "%s", p->path);
    return 1;
}

static int deliver_labelled(void *arg, const hst_prediction *p)
{
    prediction_run *r = arg;
    return put_row(r, hst_eval_at(r->eval, p->index), p->picture) || cli_signals_caught();
}

static int put_labelled(prediction_run *r, const hst_eval *e)
{
    const hst_eval_photo *p;
    int status = cli_rows_begin(&r->rows);
    r->eval = e;
    if (status == CLI_OK && r->cam.dir && predict(r, next_labelled, deliver_labelled))
        return cli_job_fail(r->job);
    for (size_t i = 0; status == CLI_OK && !r->cam.dir && (p = hst_eval_at(e, i)); i++)
        if (put_row(r, p, NULL))
            break;
    return status;
}

/* Where nothing else was said: beside the model, or here where nothing can be put there. 0: too
 * long. */
static int name_sheet(const cli_job *job, char sheet[PATH_BYTES])
{
    const char *model = job->v.words[0], *slash = strrchr(model, '/');
    struct stat st;
    const int folder = stat(model, &st) == 0 && S_ISDIR(st.st_mode);
    const int n = folder ? (int)strlen(model) : slash ? (int)(slash - model) : 0;
    if (job->v.output)
        return snprintf(sheet, PATH_BYTES, "%s", job->v.output) < PATH_BYTES;
    if (snprintf(sheet, PATH_BYTES, "%.*s", n, n ? model : ".") >= PATH_BYTES)
        return 0;
    if (n == 0 || access(sheet, W_OK | X_OK) != 0)
        return snprintf(sheet, PATH_BYTES, "predictions.png") > 0;
    return snprintf(sheet, PATH_BYTES, "%.*s/predictions.png", n, model) < PATH_BYTES;
}

/* The sheet, unless it was not asked for and this build cannot draw. *drawn: it is there. */
static int draw_sheet(cli_job *job, const hst_eval *e, const char *path, int *drawn)
{
    int rc = hst_contact_sheet(e, SHEET_PHOTOS, path, &job->err);
    *drawn = rc == 0;
    if (rc != HST_EUNSUP || job->v.output)
        return rc;
    cli_display_say(&job->display, "no sheet: %s", job->err.msg);
    return 0;
}

static int predict_labelled(prediction_run *r)
{
    cli_job *job = r->job;
    char sheet[PATH_BYTES];
    double skipped = 0;
    const int draws = hst_process_rank(job->ctx) == 0;
    if (!name_sheet(job, sheet))
        return cli_job_usage(job, "the name of the sheet is too long");
    int status = draws ? cli_job_alone(job, cli_target_file(sheet)) : 0, drawn = 0;
    hst_eval *e = NULL;
    if (status)
        return status;
    hst_data *d = cli_model_photos(job, 1);
    if (d)
        e = hst_evaluate(job->ctx, r->model, d, &job->err);
    if (!e || hst_eval_metric(e, "skipped", &skipped, NULL, NULL, &job->err) ||
        (draws && draw_sheet(job, e, sheet, &drawn))) {
        status = cli_job_fail(job);
    } else {
        cli_display_close(&job->display);
        status = put_labelled(r, e);
        if (status == CLI_OK && strcmp(job->v.format, "text") == 0)
            cli_eval_headline(job, e);
        if (drawn)
            cli_display_say(&job->display, "sheet    %s", sheet);
        r->bad += (size_t)skipped;
        r->n += (size_t)skipped;
    }
    hst_eval_free(e);
    hst_data_free(d);
    return status;
}

/* ---- the command ---- */

/* A few photos are computed in the time that it takes to find out what the store calls them. */
static int are_few(const cli_values *v)
{
    enum { FEW = 16 };
    for (int i = 1; i < v->n_words; i++)
        if (strcmp(v->words[i], "-") == 0 || cli_photos_are_in(v->words[i]))
            return 0;
    return v->n_words - 1 <= FEW;
}

static int check_use(const cli_job *job)
{
    int from_stdin = 0;
    for (int i = 1; i < job->v.n_words; i++)
        from_stdin += strcmp(job->v.words[i], "-") == 0;
    if (job->v.by_nul && !from_stdin)
        return cli_job_usage(job, "-0 is for the list that '-' reads");
    if (from_stdin > 1)
        return cli_job_usage(job, "standard input can be given only once");
    if (job->v.labelled && (job->v.n_words != 2 || from_stdin))
        return cli_job_usage(job, "--labelled wants one folder");
    if (job->v.shard.count && (from_stdin || job->v.labelled || job->v.cam))
        return cli_job_usage(job, "--shard is for files and folders, not for standard input, "
                                  "--labelled or --cam");
    if (job->v.output && !job->v.labelled)
        return cli_job_usage(job, "-o is for the sheet that --labelled draws");
    return 0;
}

/* What is of models of another kind. */
static int check_target(cli_job *job, const hst_model *m)
{
    const enum hst_target target = hst_model_target(m);
    if (job->v.threshold > 0 && target != HST_TARGET_LABELS)
        return cli_job_usage(job, "--threshold is for models that say several labels");
    if (job->v.labelled && target != HST_TARGET_CLASS)
        return cli_job_usage(job, "--labelled is for models that say one class; headstart eval "
                                  "measures this one");
    return 0;
}

/* What a photo costs, where that is more than one pass through one network. */
static void say_cost(cli_job *job, const hst_model *m)
{
    char what[1024];
    int passes;
    const double cost = hst_model_cost(m, &passes);
    hst_model_extractor(m, what, sizeof what);
    if (passes > 1)
        cli_display_say(&job->display, "each photo: %d passes, %.1f times the work of one (%s)",
                        passes, cost, what);
}

/* The folder of --cam. */
static int open_cam(prediction_run *r, const char *dir)
{
    int status = cli_cam_open(&r->cam, dir);
    r->photo = status == CLI_OK ? calloc(1, PATH_BYTES) : NULL;
    if (status == CLI_OK && !r->photo) {
        cli_error("out of memory");
        status = cli_exit_status(HST_EMEM);
    }
    return status;
}

static int run(cli_job *job)
{
    prediction_run r = {.job = job};
    int status = check_use(job);
    job->v.no_store |= are_few(&job->v);
    if (status == 0)
        status = cli_job_open(job);
    if (status == 0 && job->v.cam && hst_process_count(job->ctx) > 1)
        status = cli_job_usage(job, "--cam is for one process");
    if (status)
        return status;
    if (job->v.json)
        job->v.format = "json";
    hst_model *m = cli_model_load(job, 0);
    if (!m)
        return cli_job_fail(job);
    r.model = m;
    status = check_target(job, m);
    if (status) {
        hst_model_free(m);
        return status;
    }
    say_cost(job, m);
    r.rows = (cli_rows){.out = &job->out,
                        .model = m,
                        .format = job->v.format,
                        .top = job->v.top,
                        .labelled = job->v.labelled,
                        .cams = job->v.cam != NULL,
                        .threshold = job->v.threshold,
                        .unknown = hst_model_tells_unknown(m) && !job->v.no_unknown};
    status = job->v.cam ? open_cam(&r, job->v.cam) : CLI_OK;
    if (status == CLI_OK)
        status = cli_shard_open(&r.part, job, m, job->v.format);
    if (status == CLI_OK)
        status = job->v.labelled ? predict_labelled(&r) : predict_all(&r);
    if (status == CLI_OK && !job->out.error)
        status = cli_shard_end(&r.part, job, strcmp(job->v.format, "csv") == 0);
    cli_rows_end(&r.rows);
    cli_shard_close(&r.part);
    cli_cam_close(&r.cam);
    free(r.photo);
    if (status == CLI_OK && r.bad && !job->out.error) {
        cli_error("%zu of %zu photos could not be used", r.bad, r.n);
        status = CLI_BAD_INPUT;
    }
    if (status == CLI_OK && r.not_used && !job->out.error)
        status = CLI_BAD_INPUT;
    hst_model_free(m);
    return status;
}

const cli_command cli_predict = {
    .name = "predict",
    .summary = "name what is on photos",
    .usage = "MODEL FILE|DIR|- ... [options]",
    .text = "Names what is on each photo, most probable label first, in the order given.\n"
            "A folder is searched with its sub-folders, in order of names. '-' reads\n"
            "standard input, which holds either one image or a list of paths, one a line\n"
            "(-0: as find -print0 gives them). What was seen on photos before is known.\n"
            "A photo that is most likely of none of the classes is called unknown, with the\n"
            "classes that come nearest behind it; in json and csv these columns stay, 'guess'\n"
            "is the nearest class, and 'unknown_score' is above 0.\n"
            "A model of several labels (train --multi-label) names all that a photo has, or\n"
            "'no label'; one of a number (train --target) tells it with its interval.\n"
            "With --shard I/N the rows are those of a part of the photos, and headstart merge\n"
            "joins them.\n"
            "A photo that cannot be used gives a row with the reason, the others go on, and\n"
            "the exit status is 3. In json and csv, characters of a path that are no UTF-8\n"
            "become '?'. MODEL is a model file or the folder of a run, or a model that was\n"
            "exported or that another program has made: Teachable Machine's archives, Keras,\n"
            "ONNX, TFLite, TensorFlow.js, folders of transformers (docs/foreign.md).",
    .examples = "headstart predict runs/train/model.safetensors daisy.jpg more/\n"
                "find . -name '*.jpg' -print0 | headstart predict runs/train -0 - --json\n"
                "headstart predict m.safetensors photos/ --cam maps/\n"
                "headstart predict teachable_machine.zip photo.jpg\n"
                "headstart predict --labelled m.safetensors holdout/ -o sheet.png",
    .options = options,
    .colours = 1,
    .uses_store = 1,
    .shares = 1,
    .no_downloads = 1,
    .missing = {"a model and photos are", "a photo, a folder of photos or - is"},
    .min_words = 2,
    .max_words = -1,
    .run = run,
};
