/* predict.c - headstart predict: photos in, labels with probabilities out. */
#include "commands.h"
#include "model.h"
#include "photos.h"
#include "rows.h"
#include "signals.h"
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"top", 'k', CLI_COUNT, AT(top), "N", "5", "Labels to show for each photo."},
    {"format", 'f', CLI_CHOICE, AT(format), "text|json|csv", "text",
     "text: a line for each photo; json: a JSON object on each line; csv: a table with a header."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The same as --format json."},
    {"labelled", 0, CLI_FLAG, AT(labelled), NULL, NULL,
     "The folder has a sub-folder for each class: mark right and wrong, and draw a sheet."},
    {"output", 'o', CLI_TEXT, AT(output), "FILE.png", NULL,
     "With --labelled: the sheet of photos (predictions.png if not given)."},
    {0},
};

enum { SHEET_PHOTOS = 48, STDIN_MAX = 256 << 20 };

/* One run of the command: what next() and deliver() below share. next() uses photos only, deliver()
 * the rest, so that the two may run at once. */
typedef struct prediction_run {
    cli_job *job;
    const hst_model *model;
    cli_photos photos;
    cli_rows rows;
    size_t n, bad;
} prediction_run;

static int next(void *arg, char *path, size_t cap)
{
    prediction_run *r = arg;
    return cli_photos_next(&r->photos, path, cap);
}

static int deliver(void *arg, const hst_prediction *p)
{
    prediction_run *r = arg;
    cli_row row = {.path = p->path, .prob = p->prob, .why = p->code ? p->why : NULL, .truth = -1};
    r->n++;
    r->bad += p->code != 0;
    return cli_rows_put(&r->rows, &row) || cli_signals_caught();
}

/* ---- files, folders, lists ---- */

static int predict_words(prediction_run *r, const char *const *words, int n, cli_stdin *list)
{
    if (cli_photos_open(&r->photos, words, n, list)) {
        cli_photos_close(&r->photos);
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    int rc = hst_predict_stream(r->job->ctx, r->model, next, deliver, r, &r->job->err);
    r->bad += r->photos.bad;
    cli_photos_close(&r->photos);
    return rc ? cli_job_fail(r->job) : CLI_OK;
}

static int predict_image(prediction_run *r, const cli_stdin *in)
{
    size_t n = 0, k = (size_t)hst_model_classes(r->model);
    int status = CLI_BAD_INPUT;
    hst_session *s = NULL;
    void *bytes = cli_stdin_read(in, STDIN_MAX, &n);
    float *prob = bytes ? calloc(k, sizeof *prob) : NULL;
    if (prob)
        s = hst_session_open(r->job->ctx, r->model, &r->job->err);
    if (s) {
        int rc = hst_predict_bytes(s, bytes, n, prob, k, &r->job->err);
        hst_prediction p = {.path = "-", .code = rc, .why = r->job->err.msg, .prob = prob};
        status = deliver(r, &p) && cli_signals_caught() ? 128 + cli_signals_caught() : CLI_OK;
    } else if (prob) {
        status = cli_job_fail(r->job);
    }
    hst_session_free(s);
    free(prob);
    free(bytes);
    return status;
}

/* "-": one image or a list of paths. */
static int predict_stdin(prediction_run *r, const char *const *words, int n)
{
    cli_stdin in;
    int image = cli_stdin_peek(&in);
    if (image < 0) {
        r->job->err.code = HST_ESTOPPED;
        return cli_job_fail(r->job);
    }
    if (!image)
        return predict_words(r, words, n, &in);
    int status = n ? predict_words(r, words, n, NULL) : CLI_OK;
    return status ? status : predict_image(r, &in);
}

static int predict_all(prediction_run *r)
{
    const char *const *words = r->job->v.words + 1;
    int n = r->job->v.n_words - 1, first = 0, status = cli_rows_begin(&r->rows);
    r->job->display.quiet = 1; /* the rows show how far it is */
    for (int i = 0; i < n && status == CLI_OK; i++) {
        if (strcmp(words[i], "-") != 0)
            continue;
        status = predict_stdin(r, words + first, i - first);
        first = i + 1;
    }
    if (status == CLI_OK && first < n)
        status = predict_words(r, words + first, n - first, NULL);
    return status;
}

/* ---- labelled photos ---- */

static int put_labelled(prediction_run *r, const hst_eval *e)
{
    const hst_eval_photo *p;
    int status = cli_rows_begin(&r->rows);
    for (size_t i = 0; status == CLI_OK && (p = hst_eval_at(e, i)); i++) {
        cli_row row = {.path = p->path, .prob = p->prob, .truth = p->truth};
        r->n++;
        if (cli_rows_put(&r->rows, &row))
            break;
    }
    return status;
}

static int predict_labelled(prediction_run *r)
{
    cli_job *job = r->job;
    const char *sheet = job->v.output ? job->v.output : "predictions.png";
    double skipped = 0;
    int status;
    hst_eval *e = NULL;
    hst_data *d = cli_model_photos(job, 1);
    if (d)
        e = hst_evaluate(job->ctx, r->model, d, &job->err);
    if (!e || hst_eval_metric(e, "skipped", &skipped, NULL, NULL, &job->err) ||
        hst_contact_sheet(e, SHEET_PHOTOS, sheet, &job->err)) {
        status = cli_job_fail(job);
    } else {
        cli_display_close(&job->display);
        status = put_labelled(r, e);
        if (strcmp(job->v.format, "text") == 0)
            cli_table_headline(&job->out, e, "photos");
        cli_display_say(&job->display, "sheet    %s", sheet);
        r->bad += (size_t)skipped;
        r->n += (size_t)skipped;
    }
    hst_eval_free(e);
    hst_data_free(d);
    return status;
}

/* ---- the command ---- */

static int check_use(const cli_job *job)
{
    int from_stdin = 0;
    for (int i = 1; i < job->v.n_words; i++)
        from_stdin += strcmp(job->v.words[i], "-") == 0;
    if (from_stdin > 1)
        return cli_job_usage(job, "standard input can be given only once");
    if (job->v.labelled && (job->v.n_words != 2 || from_stdin))
        return cli_job_usage(job, "--labelled wants one folder");
    if (job->v.output && !job->v.labelled)
        return cli_job_usage(job, "-o is for the sheet that --labelled draws");
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

static int run(cli_job *job)
{
    prediction_run r = {.job = job};
    int status = check_use(job);
    if (status == 0)
        status = cli_job_open(job);
    if (status)
        return status;
    if (job->v.json)
        job->v.format = "json";
    hst_model *m = cli_model_load(job, 0);
    if (!m)
        return cli_job_fail(job);
    r.model = m;
    say_cost(job, m);
    r.rows = (cli_rows){.out = &job->out,
                        .model = m,
                        .format = job->v.format,
                        .top = job->v.top,
                        .labelled = job->v.labelled};
    status = job->v.labelled ? predict_labelled(&r) : predict_all(&r);
    cli_rows_end(&r.rows);
    if (status == CLI_OK && r.bad && !job->out.error) {
        cli_error("%zu of %zu photos could not be used", r.bad, r.n < r.bad ? r.bad : r.n);
        status = CLI_BAD_INPUT;
    }
    hst_model_free(m);
    return status;
}

const cli_command cli_predict = {
    .name = "predict",
    .summary = "name what is on photos",
    .usage = "MODEL FILE|DIR|- ... [options]",
    .text = "Names what is on each photo, most probable label first, in the order given.\n"
            "A folder is searched with its sub-folders, in order of names. '-' reads\n"
            "standard input, which holds either one image or a list of paths, one a line.\n"
            "A photo that cannot be used gives a row with the reason, the others go on, and\n"
            "the exit status is 3. In json and csv, characters of a path that are no UTF-8\n"
            "become '?'.",
    .examples = "headstart predict runs/train/model.safetensors daisy.jpg more/\n"
                "find . -name '*.jpg' | headstart predict m.safetensors - --format csv\n"
                "headstart predict --labelled m.safetensors holdout/ -o sheet.png",
    .options = options,
    .min_words = 2,
    .max_words = -1,
    .run = run,
};
