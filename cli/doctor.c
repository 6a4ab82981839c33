/* doctor.c - headstart doctor: what is wrong with a folder of photos, before training. */
#include "commands.h"
#include "json_result.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum {
    INDENT = 11, /* columns of what stands behind a severity */
    COLUMNS = 80,
    SHOWN = 3,       /* findings of a kind, of photos to look at */
    SHOWN_LOST = 20, /* of errors: files that training passes by are told by name */
};

#define AT(field) offsetof(cli_values, field)
static const cli_option options[] = {
    {"val", 0, CLI_TEXT, AT(val), "DIR", NULL,
     "Folder of its own for validation, with the same class folders, as for train."},
    {"val-split", 0, CLI_FRACTION, AT(val_split), "X", "0.2", "Part that train will set aside."},
    {"part", 0, CLI_CHOICE, AT(part), "train|val|test|none", NULL, "As for train."},
    {"all", 0, CLI_FLAG, AT(all), NULL, NULL, "Name every file, not some of each kind."},
    {"strict", 0, CLI_FLAG, AT(strict), NULL, NULL,
     "End with status 1 where there are errors or warnings."},
    CLI_LIST_OPTIONS,
    CLI_TARGET_OPTIONS,
    {"json", 0, CLI_FLAG, AT(json), NULL, NULL, "The result as one JSON object."},
    {0},
};

static const char *const severities[] = {[HST_SEVERITY_REMARK] = "remark",
                                         [HST_SEVERITY_WARNING] = "warning",
                                         [HST_SEVERITY_ERROR] = "error"};

static size_t count(const hst_inspection *r, enum hst_severity severity)
{
    const hst_inspection_finding *f;
    size_t n = 0;
    for (size_t i = 0; (f = hst_inspection_at(r, i)); i++)
        n += f->severity == severity;
    return n;
}

/* ---- JSON ---- */

static json_t *finding_json(const hst_inspection_finding *f)
{
    json_t *o = json_object(), *paths = json_array();
    cli_json_set(&o, "kind", cli_json_text(f->kind));
    cli_json_set(&o, "severity", cli_json_text(severities[f->severity]));
    for (size_t i = 0; paths && i < f->n_paths; i++)
        if (json_array_append_new(paths, cli_json_text(f->paths[i]))) {
            json_decref(paths);
            paths = NULL;
        }
    cli_json_set(&o, "paths", paths);
    cli_json_set(&o, "what", cli_json_text(f->what));
    cli_json_set(&o, "advice", cli_json_text(f->advice));
    return o;
}

static int print_json(cli_job *job, const hst_data *d, const hst_inspection *r)
{
    json_t *o = json_object(), *findings = json_array();
    const hst_inspection_finding *f;
    cli_json_set(&o, "schema", json_integer(1));
    cli_json_set(&o, "dir", cli_json_text(job->v.words[0]));
    cli_json_set(&o, "photos", json_integer((json_int_t)hst_data_count(d)));
    cli_json_set(&o, "usable", json_integer((json_int_t)hst_inspection_used(r)));
    cli_json_set(&o, "classes", json_integer(hst_data_classes(d)));
    cli_json_set(&o, "errors", json_integer((json_int_t)count(r, HST_SEVERITY_ERROR)));
    cli_json_set(&o, "warnings", json_integer((json_int_t)count(r, HST_SEVERITY_WARNING)));
    cli_json_set(&o, "remarks", json_integer((json_int_t)count(r, HST_SEVERITY_REMARK)));
    for (size_t i = 0; findings && (f = hst_inspection_at(r, i)); i++)
        if (json_array_append_new(findings, finding_json(f))) {
            json_decref(findings);
            findings = NULL;
        }
    cli_json_set(&o, "findings", findings);
    return cli_json_print(&job->out, o);
}

/* ---- text ---- */

/* A path without the folder that was asked for, printable. */
static void show_path(const cli_job *job, const char *path, char *out, size_t cap)
{
    const char *dir = job->v.words[0];
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (strncmp(path, dir, n) == 0 && path[n] == '/')
        path += n + 1;
    cli_text_clean(out, cap, path);
}

/* "photo: what", on two lines where it is long; of several paths a line each. Paths are never cut,
 * so that they can be copied. Returns how many of them were shown. */
static size_t put_finding(cli_job *job, const hst_inspection_finding *f, size_t most)
{
    char path[4096], what[1200];
    cli_text_clean(what, sizeof what, f->what);
    if (f->n_paths != 1)
        cli_out_printf(&job->out, "%*s%s:\n", INDENT, "", what);
    size_t i = 0;
    for (; i < f->n_paths && i < most; i++) {
        show_path(job, f->paths[i], path, sizeof path);
        if (f->n_paths != 1)
            cli_out_printf(&job->out, "%*s%s\n", INDENT + 2, "", path);
        else if (INDENT + cli_text_width(path) + 2 + cli_text_width(what) <= COLUMNS)
            cli_out_printf(&job->out, "%*s%s: %s\n", INDENT, "", path, what);
        else
            cli_out_printf(&job->out, "%*s%s:\n%*s%s\n", INDENT, "", path, INDENT + 2, "", what);
    }
    return i;
}

/* The findings of one kind, which begin at i. Returns how many there are. */
static size_t put_kind(cli_job *job, const hst_inspection *r, size_t i)
{
    const hst_inspection_finding *first = hst_inspection_at(r, i), *f;
    const size_t most = job->v.all                              ? (size_t)-1
                        : first->severity == HST_SEVERITY_ERROR ? SHOWN_LOST
                                                                : SHOWN;
    size_t n = 0, paths = 0, shown = 0;
    char head[512];
    for (; (f = hst_inspection_at(r, i + n)) && strcmp(f->kind, first->kind) == 0; n++)
        paths += f->n_paths;
    if (n == paths)
        snprintf(head, sizeof head, "%s (%zu). %s", first->title, n, first->advice);
    else
        snprintf(head, sizeof head, "%s (%zu in %zu group%s). %s", first->title, paths, n,
                 n == 1 ? "" : "s", first->advice);
    cli_out_puts(&job->out, "\n");
    cli_options_put_row(&job->out, INDENT, severities[first->severity], head);
    for (size_t k = 0; k < n && k < most && shown < paths; k++) {
        f = hst_inspection_at(r, i + k);
        shown += put_finding(job, f, most < SHOWN_LOST ? SHOWN_LOST : most);
    }
    if (shown < paths)
        cli_out_printf(&job->out, "%*sand %zu more: --all names them\n", INDENT, "", paths - shown);
    return n;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_text(cli_job *job, const hst_data *d, const hst_inspection *r)
{
    const size_t photos = hst_data_count(d), used = hst_inspection_used(r);
    const size_t n[] = {count(r, HST_SEVERITY_ERROR), count(r, HST_SEVERITY_WARNING),
                        count(r, HST_SEVERITY_REMARK)};
    const int classes = hst_data_classes(d);
    cli_out_printf(&job->out, "%zu photo%s in %d class%s", photos, plural(photos), classes,
                   classes == 1 ? "" : "es");
    if (used < photos)
        cli_out_printf(&job->out, ", %zu of them usable", used);
    if (n[0] + n[1] + n[2])
        cli_out_printf(&job->out, ": %zu error%s, %zu warning%s, %zu remark%s\n", n[0],
                       plural(n[0]), n[1], plural(n[1]), n[2], plural(n[2]));
    else
        cli_out_puts(&job->out, ": nothing to complain of\n");
    for (size_t i = 0; hst_inspection_at(r, i);)
        i += put_kind(job, r, i);
}

/* ---- the command ---- */

/* Sides as train would make them; of one class, which has none, as it is. */
static hst_data *open_data(cli_job *job)
{
    hst_err none = {0};
    hst_data_opts o = cli_job_data_opts(job);
    o.val_part = job->v.val_split;
    o.val_dir = job->v.val;
    o.part = job->v.part;
    hst_data *d = hst_data_open(job->ctx, job->v.words[0], &o, &job->err);
    o.split = "none";
    if (!d && job->err.code == HST_EDATA)
        d = hst_data_open(job->ctx, job->v.words[0], &o, &none);
    return d;
}

static int run(cli_job *job)
{
    int status = cli_job_open(job);
    if (status)
        return status;
    hst_data *d = open_data(job);
    hst_inspection *r = d ? hst_inspect(job->ctx, d, &job->err) : NULL;
    if (r) {
        cli_display_close(&job->display);
        if (job->v.json)
            status = print_json(job, d, r);
        else
            print_text(job, d, r);
        if (status == 0 && job->v.strict &&
            count(r, HST_SEVERITY_ERROR) + count(r, HST_SEVERITY_WARNING))
            status = 1;
    } else {
        status = cli_job_fail(job);
    }
    hst_inspection_free(r);
    hst_data_free(d);
    return status;
}

const cli_command cli_doctor = {
    .name = "doctor",
    .summary = "what is wrong with a folder of photos, before training",
    .usage = "DIR [options]",
    .text = "Looks over DIR/class_name/ as train reads it: files that cannot be decoded or\n"
            "are not read; photos that are dark, blurred, tiny or turned; copies and near\n"
            "copies, in several classes and on both sides; classes that are empty, small or\n"
            "named alike. No network is asked, and nothing is changed.",
    .examples = "headstart doctor photos/\n"
                "headstart doctor photos/ --strict\n"
                "headstart doctor photos/ --json",
    .options = options,
    .uses_store = 1,
    .no_downloads = 1,
    .missing = {"a folder of photos is", NULL},
    .min_words = 1,
    .max_words = 1,
    .run = run,
};
