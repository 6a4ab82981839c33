/* review.c - headstart review: which labels are likely wrong, which photos are odd, hard or twice
 * there. */
#include "commands.h"
#include "json_result.h"
#include "model.h"
#include "target.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_CAP = 4096, SHOWN = 20, LABEL_COLUMNS = 20, LISTS = HST_REVIEW_HARD + 1 };

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"output", 'o', CLI_TEXT, AT(output), "DIR", "runs/review",
     "Folder for review.html, review.csv and plan.sh; those of an earlier review in it are "
     "replaced."},
    {"backbone", 'b', CLI_TEXT, AT(backbone), "NAME|FILE|FOLDER", "efficientnet_lite0",
     "Pretrained network that looks at the photos, where no model is given (see headstart train "
     "--help)."},
    CLI_BACKBONE_OPTIONS,
    CLI_VIEWS_OPTION,
    {"prepare", 0, CLI_CHOICE, AT(prepare), "pil|tf|fast|scaled|hub", NULL,
     "How photos are decoded and resized, where no model is given (see headstart train --help)."},
    CLI_LIST_OPTIONS,
    CLI_FIT_OPTION(", where no model is given"),
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

typedef struct work {
    hst_model *model; /* NULL: a backbone looks */
    hst_backbone *backbone;
    hst_data *data;
    hst_review *review;
    size_t n[LISTS], n_copies; /* lengths of the lists; groups of copies */
} work;

/* ---- where the photos are ---- */

static int is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A model, or a folder of a run with one in it; no list of photos. */
static int names_model(const char *word)
{
    static const char *const lists[] = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson"};
    const char *ending = strrchr(word, '.');
    char path[PATH_CAP];
    for (size_t i = 0; ending && i < sizeof lists / sizeof *lists; i++)
        if (strcmp(ending, lists[i]) == 0)
            return 0;
    int n = snprintf(path, sizeof path, "%s/model.safetensors", word);
    return is_file(word) || (n < PATH_CAP && is_file(path));
}

/* Copies into dir the folder that the run was trained on, as args.json beside the model has it. */
static int recall_photos(const char *word, char dir[PATH_CAP])
{
    char path[PATH_CAP];
    const char *slash = strrchr(word, '/');
    int n = is_file(word) ? snprintf(path, sizeof path, "%.*sargs.json",
                                     slash ? (int)(slash - word) + 1 : 0, word)
                          : snprintf(path, sizeof path, "%s/args.json", word);
    json_t *o = n < PATH_CAP ? json_load_file(path, 0, NULL) : NULL;
    const char *data = json_string_value(json_object_get(o, "data"));
    const int found = data && *data && strlen(data) < PATH_CAP;
    if (found)
        memcpy(dir, data, strlen(data) + 1);
    json_decref(o);
    return found;
}

static hst_data *open_photos(cli_job *job, const char *dir)
{
    hst_data_opts o = cli_job_data_opts(job);
    o.split = "none";
    return hst_data_open(job->ctx, dir, &o, &job->err);
}

/* 0, or the exit status after an error line. */
static int open_with_model(cli_job *job, work *w)
{
    char dir[PATH_CAP];
    w->model = cli_model_load(job, 0);
    if (!w->model)
        return cli_job_fail(job);
    if (job->v.n_words > 1)
        w->data = cli_model_photos(job, 1);
    else if (!recall_photos(job->v.words[0], dir))
        return cli_job_usage(job, "where the photos of this model are is not known: name the "
                                  "folder behind it");
    else
        w->data = open_photos(job, dir);
    return w->data ? CLI_OK : cli_job_fail(job);
}

static int open_with_backbone(cli_job *job, work *w)
{
    if (job->v.n_words > 1)
        return cli_job_usage(job, "two folders were given, and the first holds no model");
    w->data = open_photos(job, job->v.words[0]);
    if (w->data)
        w->backbone = cli_job_backbone(job, job->v.backbone);
    return w->backbone ? CLI_OK : cli_job_fail(job);
}

/* ---- what is told ---- */

static void count(work *w)
{
    for (int l = 0; l < LISTS; l++)
        while (hst_review_at(w->review, (enum hst_review_list)l, w->n[l]))
            w->n[l]++;
    while (hst_review_copy(w->review, w->n_copies, 0))
        w->n_copies++;
}

static json_t *photo_json(const work *w, const hst_review_photo *p)
{
    json_t *o = json_object();
    cli_json_set(&o, "path", cli_json_text(p->path));
    cli_json_set(&o, "label", cli_json_text(hst_data_class(w->data, p->label)));
    cli_json_set(&o, "suggested", cli_json_text(hst_data_class(w->data, p->suggested)));
    cli_json_set(&o, "score", json_real(p->score));
    cli_json_set(&o, "suggested_probability", json_real(p->suggested_prob));
    cli_json_set(&o, "distance", json_real(p->distance));
    cli_json_set(&o, "wrong", json_boolean(p->wrong));
    cli_json_set(&o, "outlier", json_boolean(p->outlier));
    cli_json_set(&o, "hard", json_boolean(p->hard));
    return o;
}

/* a list without memory is NULL, which cli_json_set takes for what it is */
static json_t *list_json(const work *w, enum hst_review_list list)
{
    json_t *a = json_array();
    const hst_review_photo *p;
    for (size_t i = 0; a && (p = hst_review_at(w->review, list, i)); i++)
        if (json_array_append_new(a, photo_json(w, p)) != 0) {
            json_decref(a);
            a = NULL;
        }
    return a;
}

static json_t *copies_json(const work *w)
{
    json_t *groups = json_array();
    int bad = !groups;
    const hst_review_photo *p;
    for (size_t g = 0; !bad && g < w->n_copies; g++) {
        json_t *a = json_array();
        bad = json_array_append_new(groups, a) != 0;
        for (size_t i = 0; !bad && (p = hst_review_copy(w->review, g, i)); i++)
            bad = json_array_append_new(a, cli_json_text(p->path)) != 0;
    }
    if (!bad)
        return groups;
    json_decref(groups);
    return NULL;
}

static int print_json(cli_job *job, const work *w)
{
    static const char *const files[][2] = {
        {"page", "review.html"}, {"csv", "review.csv"}, {"plan", "plan.sh"}};
    char path[PATH_CAP + 32];
    json_t *o = json_object();
    cli_json_set(&o, "n", json_integer((json_int_t)w->n[HST_REVIEW_ALL]));
    cli_json_set(&o, "wrong", json_integer((json_int_t)w->n[HST_REVIEW_WRONG]));
    cli_json_set(&o, "skipped", json_integer((json_int_t)hst_review_skipped(w->review)));
    cli_json_set(&o, "stored", json_integer((json_int_t)hst_review_stored(w->review)));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", job->v.output, files[i][1]);
        cli_json_set(&o, files[i][0], cli_json_text(path));
    }
    cli_json_set(&o, "photos", list_json(w, HST_REVIEW_ALL));
    cli_json_set(&o, "outliers", list_json(w, HST_REVIEW_OUTLIERS));
    cli_json_set(&o, "hard", list_json(w, HST_REVIEW_HARD));
    cli_json_set(&o, "copies", copies_json(w));
    return cli_json_print(&job->out, o);
}

/* Columns that the labels of the rows need, at most LABEL_COLUMNS. */
static int label_columns(const work *w, size_t rows)
{
    char text[256];
    int most = 5; /* "label" */
    for (size_t i = 0; i < rows; i++) {
        const hst_review_photo *p = hst_review_at(w->review, HST_REVIEW_WRONG, i);
        for (int k = 0; k < 2; k++) {
            const char *label = hst_data_class(w->data, k ? p->suggested : p->label);
            cli_text_shorten(text, sizeof text, label, LABEL_COLUMNS);
            most = cli_text_width(text) > most ? cli_text_width(text) : most;
        }
    }
    return most;
}

static void put_label(cli_out *out, const char *label, int columns)
{
    char text[256];
    cli_text_shorten(text, sizeof text, label, columns);
    cli_out_printf(out, "%s%*s  ", text, columns - cli_text_width(text), "");
}

static void print_wrong(cli_out *out, const work *w)
{
    const size_t n = w->n[HST_REVIEW_WRONG], rows = n < SHOWN ? n : SHOWN;
    const int columns = label_columns(w, rows);
    char path[PATH_CAP];
    if (rows == 0)
        return;
    cli_out_puts(out, "\nscore  ");
    put_label(out, "label", columns);
    put_label(out, "suggested", columns > 9 ? columns : 9);
    cli_out_puts(out, "photo\n");
    for (size_t i = 0; i < rows; i++) {
        const hst_review_photo *p = hst_review_at(w->review, HST_REVIEW_WRONG, i);
        cli_out_printf(out, "%.3f  ", p->score);
        put_label(out, hst_data_class(w->data, p->label), columns);
        put_label(out, hst_data_class(w->data, p->suggested), columns > 9 ? columns : 9);
        cli_text_clean(path, sizeof path, p->path);
        cli_out_printf(out, "%s\n", path);
    }
    if (rows < n)
        cli_out_printf(out, "and %zu more\n", n - rows);
}

static void put_count(cli_out *out, size_t n, const char *one, const char *many)
{
    cli_out_printf(out, "%-8zu %s\n", n, n == 1 ? one : many);
}

static int print_text(cli_job *job, const work *w)
{
    cli_out *out = &job->out;
    char folder[PATH_CAP];
    put_count(out, w->n[HST_REVIEW_ALL], "photo", "photos");
    put_count(out, w->n[HST_REVIEW_WRONG], "label is likely wrong", "labels are likely wrong");
    put_count(out, w->n[HST_REVIEW_OUTLIERS], "photo is unlike all others",
              "photos are unlike all others");
    put_count(out, w->n[HST_REVIEW_HARD], "label is right, it seems, but hard to tell",
              "labels are right, it seems, but hard to tell");
    put_count(out, w->n_copies, "picture is there more than once",
              "pictures are there more than once");
    if (hst_review_skipped(w->review))
        put_count(out, hst_review_skipped(w->review), "photo could not be used",
                  "photos could not be used");
    print_wrong(out, w);
    if (job->v.quiet)
        return CLI_OK;
    cli_text_clean(folder, sizeof folder, job->v.output);
    cli_out_printf(out, "\npage     %s/review.html\ntable    %s/review.csv\n", folder, folder);
    cli_out_printf(out, "plan     %s/plan.sh: moves to read, change and run yourself\n", folder);
    return CLI_OK;
}

/* Not in a folder of others' files, nor in that of the photos. */
static int check_output(const cli_job *job)
{
    const char *const data[] = {job->v.words[0], job->v.n_words > 1 ? job->v.words[1] : NULL, NULL};
    const cli_target t = {.path = job->v.output, .page = "review.html", .data = data};
    return cli_target_folder(&t);
}

static int run(cli_job *job)
{
    char prepare[32];
    work w = {0};
    int status = cli_job_open(job);
    if (status == 0)
        status = check_output(job);
    if (status == 0)
        status =
            names_model(job->v.words[0]) ? open_with_model(job, &w) : open_with_backbone(job, &w);
    if (status == 0)
        w.review =
            w.model ? hst_review_with(job->ctx, w.model, w.data, &job->err)
                    : hst_review_data(job->ctx, w.backbone, w.data,
                                      cli_job_preparation(job, prepare, sizeof prepare), &job->err);
    if (w.review && hst_review_save(w.review, job->v.output, &job->err) == 0) {
        cli_display_close(&job->display);
        count(&w);
        cli_job_say_stored(job, hst_review_stored(w.review), w.n[HST_REVIEW_ALL]);
        status = job->v.json ? print_json(job, &w) : print_text(job, &w);
    } else if (status == 0) {
        status = cli_job_fail(job);
    }
    hst_review_free(w.review);
    hst_data_free(w.data);
    hst_model_free(w.model);
    hst_backbone_free(w.backbone);
    return status;
}

const cli_command cli_review = {
    .name = "review",
    .summary = "labels that are likely wrong, odd, hard and doubled photos",
    .usage = "DIR|RUN|MODEL [DIR] [options]",
    .text = "Asks classifiers that have not learned from it, and the photos most like it,\n"
            "about each photo of DIR/class_name/, and lists those whose label they doubt,\n"
            "the most suspicious first. Leaves a page with pictures, a table of all photos,\n"
            "and a plan: a shell script with the moves that would mend the labels. Nothing\n"
            "is moved. Of a run's folder, or a model in it, the photos that it was trained\n"
            "on are reviewed, as the model's backbone sees them.",
    .examples = "headstart review photos/\n"
                "headstart review runs/train\n"
                "headstart review photos/ -o runs/look --json",
    .options = options,
    .goes_on = "what was seen on the photos",
    .uses_store = 1,
    .missing = {"a folder of photos, or a run, is", NULL},
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
