/* sort.c - headstart sort: photos into a folder for each label, and one for those in doubt. */
#include "commands.h"
#include "json_result.h"
#include "model.h"
#include "photos.h"
#include "place.h"
#include "signals.h"
#include "text.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_CAP = 4096, NAME_CAP = 201 };

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"into", 0, CLI_TEXT, AT(into), "OUT", NULL,
     "The folder to sort into; in it one for each label, unsure, and sorted.csv, which tells what "
     "went where."},
    {"min", 0, CLI_FRACTION, AT(least), "X", "0.8",
     "Photos whose label is less probable than this go into unsure."},
    {"no-unknown", 0, CLI_FLAG, AT(no_unknown), NULL, NULL,
     "Sort photos that are most likely of none of the classes like all others."},
    {"copy", 0, CLI_FLAG, AT(copy), NULL, NULL, "Copy the photos. So it is where nothing is said."},
    {"link", 0, CLI_FLAG, AT(link), NULL, NULL, "Make symbolic links to the photos."},
    {"move", 0, CLI_FLAG, AT(move), NULL, NULL,
     "Move the photos; to another file system: copy, then remove."},
    {"dry-run", 0, CLI_FLAG, AT(dry_run), NULL, NULL, "Say what would go where, and do nothing."},
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

/* A folder of OUT. */
typedef struct place {
    char name[NAME_CAP];
    size_t n;
    int made; /* 1: the folder is there */
} place;

typedef struct sorting {
    cli_job *job;
    const hst_model *model;
    cli_photos photos;
    place *place; /* [classes + 1], that of unsure last */
    int classes;
    FILE *list; /* sorted.csv; NULL: a dry run */
    char list_path[PATH_CAP];
    json_t *rows;   /* of --json */
    void *promised; /* names that a dry run has given away, for tsearch */
    enum cli_placing how;
    size_t n, bad, failed;
    size_t total;    /* photos there are, as far as is known */
    size_t not_used; /* folders and names that could not be used, each was told */
    int status;      /* why it stopped itself */
} sorting;

/* ---- names of folders ---- */

/* A label as the name of one folder: no slash, no control character, not hidden, not too long. */
static void folder_name(const char *label, char out[NAME_CAP])
{
    cli_text_clean(out, NAME_CAP, label);
    for (char *c = out; *c; c++)
        if (*c == '/' || *c == '\\')
            *c = '_';
    if (out[0] == '.')
        out[0] = '_';
    if (!out[0])
        memcpy(out, "_", 2);
}

/* 1: one of the first n has that name, in small or capital letters, which some systems do not tell
 * apart. */
static int is_taken(const place *p, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcasecmp(p[i].name, name) == 0)
            return 1;
    return 0;
}

static int name_places(sorting *s)
{
    s->classes = hst_model_classes(s->model);
    s->place = calloc((size_t)s->classes + 1, sizeof *s->place);
    if (!s->place)
        return -1;
    for (int c = 0; c <= s->classes; c++) {
        char name[NAME_CAP], *out = s->place[c].name;
        if (c < s->classes)
            folder_name(hst_model_label(s->model, c), name);
        else
            memcpy(name, "unsure", sizeof "unsure");
        snprintf(out, NAME_CAP, "%s", name);
        for (int i = 2; is_taken(s->place, c, out); i++)
            snprintf(out, NAME_CAP, "%.180s-%d", name, i);
    }
    return 0;
}

/* ---- the list of what went where ---- */

static void put_field(FILE *f, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, f);
        return;
    }
    putc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', f);
        putc(*text, f);
    }
    putc('"', f);
}

/* What was done is on disk before the next photo is touched: a move can then be undone. */
static int write_row(sorting *s, const char *const text[4], double prob)
{
    if (!s->list)
        return 0;
    put_field(s->list, text[0]);
    putc(',', s->list);
    put_field(s->list, text[1]);
    fprintf(s->list, ",%.4f,", prob);
    put_field(s->list, text[2]);
    putc(',', s->list);
    put_field(s->list, text[3]);
    putc('\n', s->list);
    return fflush(s->list) ? errno : 0;
}

static void add_json(sorting *s, const char *const text[4], double prob)
{
    json_t *o;
    if (!s->rows)
        return;
    o = json_object();
    cli_json_set(&o, "path", cli_json_text(text[0]));
    cli_json_set(&o, "label", *text[1] ? cli_json_text(text[1]) : json_null());
    cli_json_set(&o, "probability", *text[1] ? json_real(prob) : json_null());
    cli_json_set(&o, "to", *text[2] ? cli_json_text(text[2]) : json_null());
    cli_json_set(&o, "error", *text[3] ? cli_json_text(text[3]) : json_null());
    if (json_array_append_new(s->rows, o) != 0) {
        json_decref(s->rows);
        s->rows = NULL;
    }
}

/* text: path, label, where it is now, why it was left. Non-zero: stop. */
static int tell(sorting *s, const char *const text[4], double prob)
{
    char from[PATH_CAP], to[PATH_CAP];
    add_json(s, text, prob);
    if (*text[3])
        cli_display_error(&s->job->display, "%s: %s", text[0], text[3]);
    else if (s->job->v.dry_run && !s->job->v.json) {
        cli_text_clean(from, sizeof from, text[0]);
        cli_text_clean(to, sizeof to, text[2]);
        cli_out_printf(&s->job->out, "%s -> %s (%.4f)\n", from, to, prob);
    }
    int rc = write_row(s, text, prob);
    if (rc) {
        cli_error("%s: %s", s->list_path, strerror(rc));
        s->status = cli_exit_status(HST_EIO);
    }
    return rc;
}

/* ---- one photo ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The name that a photo would get. */
static int promise(sorting *s, const char *from, const char *folder, char *to)
{
    struct stat st;
    for (int i = 1;; i++) {
        if (!cli_place_name(folder, from, i, to, PATH_CAP))
            return ENAMETOOLONG;
        if (lstat(to, &st) == 0 || tfind(to, &s->promised, by_text))
            continue;
        char *name = strdup(to);
        if (name && tsearch(name, &s->promised, by_text))
            return 0;
        free(name);
        return ENOMEM;
    }
}

static int put(sorting *s, const char *from, place *p, char to[PATH_CAP])
{
    char folder[PATH_CAP];
    if (snprintf(folder, sizeof folder, "%s/%s", s->job->v.into, p->name) >= (int)sizeof folder)
        return ENAMETOOLONG;
    if (s->job->v.dry_run)
        return promise(s, from, folder, to);
    int rc = p->made ? 0 : cli_place_folder(folder);
    p->made = rc == 0;
    return rc ? rc : cli_place(s->how, from, folder, to, PATH_CAP);
}

static int next(void *arg, char *path, size_t cap)
{
    sorting *s = arg;
    return cli_photos_next(&s->photos, path, cap);
}

static int deliver(void *arg, const hst_prediction *p)
{
    sorting *s = arg;
    char to[PATH_CAP] = "";
    s->n++;
    if (!s->job->v.dry_run)
        cli_display_count(&s->job->display, "sort", s->n, s->total);
    if (p->code) {
        s->bad++;
        return tell(s, (const char *const[4]){p->path, "", "", p->why}, 0);
    }
    int best = 0;
    for (int c = 1; c < p->n; c++)
        best = p->prob[c] > p->prob[best] ? c : best;
    const double prob = (double)p->prob[best];
    const int unknown = p->unknown_score > 0 && !s->job->v.no_unknown; /* NaN: it cannot tell */
    const char *label = unknown ? "unknown" : hst_model_label(s->model, best);
    place *where = &s->place[prob >= s->job->v.least && !unknown ? best : s->classes];
    int rc = put(s, p->path, where, to);
    if (rc) {
        s->failed++;
        s->status = cli_exit_status(HST_EIO);
        (void)tell(s, (const char *const[4]){p->path, label, "", strerror(rc)}, prob);
        return rc == ENOSPC || rc == EDQUOT || rc == EROFS; /* so would all others */
    }
    where->n++;
    return tell(s, (const char *const[4]){p->path, label, to, ""}, prob) || cli_signals_caught();
}

/* ---- the whole ---- */

/* sorted.csv, or sorted-2.csv, ...: an earlier one is what is known of earlier moves. */
static int open_list(sorting *s)
{
    int rc = cli_place_folder(s->job->v.into);
    for (int i = 1; rc == 0 && !s->list; i++) {
        if (!cli_place_name(s->job->v.into, "sorted.csv", i, s->list_path, PATH_CAP))
            rc = ENAMETOOLONG;
        else if (!(s->list = fopen(s->list_path, "wx")) && errno != EEXIST)
            rc = errno;
    }
    if (rc == 0 && fputs("path,label,probability,to,error\n", s->list) == EOF)
        rc = errno;
    if (rc == 0)
        return CLI_OK;
    cli_error("%s: %s", s->job->v.into, strerror(rc));
    return cli_exit_status(HST_EIO);
}

static int print_json(sorting *s)
{
    json_t *o = json_object(), *sorted = json_object();
    for (int c = 0; c < s->classes; c++)
        cli_json_set(&sorted, hst_model_label(s->model, c),
                     json_integer((json_int_t)s->place[c].n));
    cli_json_set(&o, "into", cli_json_text(s->job->v.into));
    cli_json_set(&o, "csv", s->list ? cli_json_text(s->list_path) : json_null());
    cli_json_set(&o, "n", json_integer((json_int_t)s->n));
    cli_json_set(&o, "sorted", sorted);
    cli_json_set(&o, "unsure", json_integer((json_int_t)s->place[s->classes].n));
    cli_json_set(&o, "left", json_integer((json_int_t)(s->bad + s->failed)));
    cli_json_set(&o, "photos", s->rows);
    s->rows = NULL;
    return cli_json_print(&s->job->out, o);
}

static void print_text(sorting *s)
{
    static const char *const done[] = {"copied", "linked", "moved"};
    char path[PATH_CAP];
    size_t n = 0;
    cli_out *out = &s->job->out;
    for (int c = 0; c <= s->classes; c++) {
        cli_text_clean(path, sizeof path, s->place[c].name);
        if (s->place[c].n)
            cli_out_printf(out, "%-8zu %s\n", s->place[c].n, path);
        n += s->place[c].n;
    }
    cli_text_clean(path, sizeof path, s->job->v.into);
    if (s->job->v.dry_run)
        cli_out_printf(out, "%zu photos would be %s into %s; nothing was done\n", n, done[s->how],
                       path);
    else
        cli_out_printf(out, "%zu photos %s into %s\n", n, done[s->how], path);
    if (!s->list)
        return;
    cli_text_clean(path, sizeof path, s->list_path);
    cli_out_printf(out, "table    %s\n", path);
}

static int predict(sorting *s)
{
    cli_job *job = s->job;
    if (cli_photos_open(&s->photos, job->v.words + 1, job->v.n_words - 1, NULL)) {
        cli_photos_close(&s->photos);
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    s->photos.except = job->v.into;
    s->photos.display = &job->display;
    if (!job->v.quiet)
        s->total = cli_photos_count(NULL, job->v.words + 1, job->v.n_words - 1, job->v.into);
    int rc = hst_predict_stream(job->ctx, s->model, next, deliver, s, &job->err);
    cli_display_close(&job->display);
    const int told = s->photos.status;
    s->not_used = s->photos.bad;
    cli_photos_tell_others(&s->photos);
    cli_photos_close(&s->photos);
    if (s->status && job->err.code == HST_ESTOPPED && !cli_signals_caught())
        rc = 0; /* told already */
    return told ? told : rc ? cli_job_fail(job) : CLI_OK;
}

static int sort_photos(sorting *s)
{
    cli_job *job = s->job;
    if (name_places(s) || (job->v.json && !(s->rows = json_array()))) {
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    int status = job->v.dry_run ? CLI_OK : open_list(s);
    if (status == CLI_OK)
        status = predict(s);
    cli_display_close(&job->display);
    if (status == CLI_OK && job->v.json)
        status = print_json(s);
    else if (status == CLI_OK)
        print_text(s);
    if (status == CLI_OK && s->bad + s->failed && !job->out.error) {
        cli_error("%zu of %zu photos were left where they are", s->bad + s->failed, s->n);
        status = s->failed ? s->status : CLI_BAD_INPUT;
    }
    if (status == CLI_OK && s->not_used)
        status = CLI_BAD_INPUT;
    return status ? status : s->status;
}

static int check_use(cli_job *job, enum cli_placing *how)
{
    struct stat a, b;
    const cli_values *v = &job->v;
    if (!v->into)
        return cli_job_usage(job, "--into OUT is missing: where to sort to");
    if (v->copy + v->link + v->move > 1)
        return cli_job_usage(job, "of --copy, --link and --move one can be done");
    for (int i = 1; i < v->n_words; i++)
        if (stat(v->into, &a) == 0 && stat(v->words[i], &b) == 0 && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino)
            return cli_job_usage(job, "a folder cannot be sorted into itself");
    *how = v->link ? CLI_PLACE_LINK : v->move ? CLI_PLACE_MOVE : CLI_PLACE_COPY;
    return CLI_OK;
}

static void free_name(sorting *s)
{
    while (s->promised) {
        char *name = *(char **)s->promised; /* a node begins with its key */
        tdelete(name, &s->promised, by_text);
        free(name);
    }
}

static int run(cli_job *job)
{
    sorting s = {.job = job};
    int status = check_use(job, &s.how);
    if (status == CLI_OK)
        status = cli_job_open(job);
    if (status)
        return status;
    hst_model *m = cli_model_load(job, 0);
    s.model = m;
    if (m && hst_model_target(m) != HST_TARGET_CLASS) {
        cli_error("%s says %s, and a photo is sorted into one folder: headstart predict lists them",
                  job->v.words[0],
                  hst_model_target(m) == HST_TARGET_LABELS ? "several labels" : "a number");
        hst_model_free(m);
        return CLI_USAGE;
    }
    status = m ? sort_photos(&s) : cli_job_fail(job);
    if (s.list && fclose(s.list) && status == CLI_OK) {
        cli_error("%s: %s", s.list_path, strerror(errno));
        status = cli_exit_status(HST_EIO);
    }
    free_name(&s);
    json_decref(s.rows);
    free(s.place);
    hst_model_free(m);
    return status;
}

const cli_command cli_sort = {
    .name = "sort",
    .summary = "photos into a folder for each label",
    .usage = "MODEL FILE|DIR... --into OUT [options]",
    .text = "Names what is on each photo, in folders at any depth, and puts it into\n"
            "OUT/label, or into OUT/unsure where the model is less sure than --min or the\n"
            "photo is most likely of none of its classes (label 'unknown'). No file is ever\n"
            "overwritten: where a name is taken, the photo gets a number. A photo\n"
            "that cannot be read is named and left where it is. OUT/sorted.csv tells what\n"
            "went where. OUT may lie in DIR; what is in it is not looked at.",
    .examples = "headstart sort runs/train new/ --into sorted\n"
                "headstart sort runs/train new/ --into sorted --dry-run\n"
                "headstart sort runs/train new/ --into sorted --min 0.9 --move",
    .options = options,
    .uses_store = 1,
    .no_downloads = 1,
    .missing = {"a model and photos are", "a photo or a folder of photos is"},
    .min_words = 2,
    .max_words = -1,
    .run = run,
};
