/* export.c - hst_export: choose, write aside, check, move to its place. */
#include "exports/photos.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "formats/workdir.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const hst_sized sized_opts = HST_SIZED(hst_export_opts, check);
static const hst_sized sized_out = HST_SIZED(hst_exported, loader);

void hst_export_opts_init(hst_export_opts *o, size_t size)
{
    hst_sized_init(&sized_opts, &(hst_export_opts){.max_drop = 1}, o, size);
}

static const hst_exporter *find_format(const char *name, hst_err *err)
{
    hst_buf known = HST_BUF(1024);
    for (int i = 0; hst_exporters[i]; i++) {
        if (name && strcmp(hst_exporters[i]->name, name) == 0) {
            hst_buf_free(&known);
            return hst_exporters[i];
        }
        hst_buf_printf(&known, "%s%s", i ? ", " : "", hst_exporters[i]->name);
    }
    hst_fail(err, HST_EARG, "'%s' is no format to export to; there are %s", name ? name : "",
             known.p ? known.p : "none");
    hst_buf_free(&known);
    return NULL;
}

/* One of two words into *is: 1 for the first. NULL leaves what is usual. */
static int choose(const char *what, const char *word, const char *const words[2], int can, int *is,
                  const hst_exporter *f, hst_err *err)
{
    if (!word)
        return 0;
    const int first = strcmp(word, words[0]) == 0;
    if (!first && strcmp(word, words[1]) != 0)
        return hst_fail(err, HST_EARG, "unknown %s '%s': it is %s or %s", what, word, words[0],
                        words[1]);
    if (first != *is && !can)
        return hst_fail(err, HST_EARG, "%s has no other %s than %s", f->name, what,
                        words[*is ? 0 : 1]);
    *is = first;
    return 0;
}

static int choose_input(const char *word, const hst_exporter *f, hst_ends *ends, hst_err *err)
{
    if (!word || !f->can.int8 || strcmp(word, "int8") != 0)
        return choose("input", word, (const char *const[2]){"uint8", "float"}, f->can.uint8,
                      &ends->uint8, f, err);
    ends->int8 = 1;
    ends->uint8 = 0;
    return 0;
}

static int choose_ends(const hst_export_opts *o, const hst_exporter *f, hst_ends *ends,
                       hst_err *err)
{
    *ends = f->usual;
    int rc = choose_input(o->input, f, ends, err);
    rc = rc ? rc
            : choose("layout", o->layout, (const char *const[2]){"nchw", "nhwc"}, f->can.nchw,
                     &ends->nchw, f, err);
    rc = rc ? rc
            : choose("output", o->output, (const char *const[2]){"logits", "probabilities"},
                     f->can.logits, &ends->logits, f, err);
    enum { MOST = 1024 };
    if (rc == 0 && (o->batch < 0 || o->batch > MOST))
        rc = hst_fail(err, HST_EARG, "%d pictures at a time, expected 1 to %d, or 0 for any",
                      o->batch, MOST);
    if (rc == 0 && o->batch > 1 && !f->can.batch)
        rc = hst_fail(err, HST_EARG, "%s takes one picture at a time", f->name);
    if (rc == 0 && (o->batch || !f->can.batch))
        ends->batch = o->batch ? o->batch : 1;
    return rc;
}

/* ---- weights ---- */

const char *const hst_weights_names[] = {"float32", "float16", "int8", NULL};

/* What fewer bits may change in probabilities, of pictures that are harder than photos: float16 has
 * an error of 2^-12 in a weight, MobileNetV2 one of 0.005 in a probability. Of 8 bits it tells
 * nothing; how many photos' answers change does. */
static double tolerance_of(const hst_exporter *f, enum hst_weights weights)
{
    return weights == HST_WEIGHTS_FLOAT32   ? f->tolerance
           : weights == HST_WEIGHTS_FLOAT16 ? 1e-2
                                            : 1;
}

static int choose_weights(const char *word, const hst_exporter *f, hst_exporting *x, hst_err *err)
{
    int i = 0;
    while (word && hst_weights_names[i] && strcmp(hst_weights_names[i], word) != 0)
        i++;
    if (!hst_weights_names[i])
        return hst_fail(err, HST_EARG, "unknown weights '%s': they are float32, float16 or int8",
                        word);
    if (i && !(f->weights & 1u << i))
        return hst_fail(err, HST_EARG, "%s has no weights in %s", f->name, word);
    x->weights = (enum hst_weights)i;
    x->tolerance = tolerance_of(f, x->weights);
    return 0;
}

/* ---- where it goes ---- */

/* A folder that would take the place of something is refused; a file takes that of a file. */
static int check_place(const char *path, const hst_exporter *f, hst_err *err)
{
    struct stat st;
    if (!*path)
        return hst_fail(err, HST_EARG, "the path to export to is empty");
    if (stat(path, &st) != 0)
        return 0;
    if (!f->is_folder)
        return S_ISDIR(st.st_mode) ? hst_fail(err, HST_EIO, "%s is a folder", path) : 0;
    DIR *dir = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    int entries = 0;
    if (!dir)
        return hst_fail(err, HST_EIO, "%s is no folder", path);
    while (readdir(dir))
        entries++;
    closedir(dir);
    return entries > 2 ? hst_fail(err, HST_EIO, "%s is there already, and not empty", path) : 0;
}

/* path without slashes at its end, to be freed. */
static char *without_slash(const char *path, hst_err *err)
{
    char *own = hst_strdup(path, err);
    for (size_t n = own ? strlen(own) : 0; n > 1 && own[n - 1] == '/'; n--)
        own[n - 1] = 0;
    return own;
}

static int move(const char *from, const char *to, hst_err *err)
{
    if (rename(from, to) != 0)
        return hst_fail(err, HST_EIO, "%s: %s", to, strerror(errno));
    return hst_sync_folder(to, err);
}

static uint64_t bytes_in(const char *path)
{
    struct stat st;
    uint64_t n = 0;
    if (stat(path, &st) != 0)
        return 0;
    if (!S_ISDIR(st.st_mode))
        return (uint64_t)st.st_size;
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *inner = e->d_name[0] == '.' ? NULL : hst_path_join(path, e->d_name, NULL);
        n += inner ? bytes_in(inner) : 0;
        free(inner);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* ---- the way of an export ---- */

/* What an export is made from and to. */
typedef struct job {
    const hst_exporter *f;
    const hst_export_opts *o;
    hst_export_photos *photos; /* NULL: none */
} job;

static int write_and_check(hst_exporting *x, const job *j, hst_exported *out, hst_err *err)
{
    const hst_exporter *f = j->f;
    if (f->is_folder && mkdir(x->path, 0777) != 0)
        return hst_fail(err, HST_EIO, "%s: %s", x->path, strerror(errno));
    hst_expected *expected = hst_export_expect(x, j->photos, err);
    int rc = expected ? f->write(x, err) : err->code;
    rc = rc ? rc : hst_export_check(x, f, expected, j->o->check, out, err);
    hst_expected_free(expected);
    char *loader = rc || !f->loader ? NULL : f->loader(x, err);
    if (rc == 0 && f->loader && !loader)
        rc = err->code;
    if (loader &&
        (size_t)snprintf(out->loader, sizeof out->loader, "%s", loader) >= sizeof out->loader)
        rc = hst_fail(err, HST_EARG, "%s: the name is too long", hst_path_base(x->path));
    if (rc == 0)
        out->bytes = bytes_in(x->path);
    free(loader);
    return rc;
}

/* x has all but the paths. The export has its final name in a folder beside its place. */
static int make(hst_exporting *x, const job *j, const char *path, hst_exported *out, hst_err *err)
{
    hst_workdir work = {0};
    int rc = hst_workdir_begin(&work, path, err);
    char *made = rc ? NULL : hst_path_join(work.path, hst_path_base(path), err);
    char *aside = made ? hst_path_join(work.path, ".check", err) : NULL;
    if (rc == 0 && !aside)
        rc = HST_EMEM;
    if (rc == 0 && mkdir(aside, 0700) != 0)
        rc = hst_fail(err, HST_EIO, "%s: %s", aside, strerror(errno));
    x->path = made;
    x->work = aside;
    rc = rc ? rc : write_and_check(x, j, out, err);
    rc = rc ? rc : move(made, path, err);
    free(aside);
    free(made);
    hst_workdir_end(&work);
    return rc;
}

/* *range: to be freed, for 8 bits by photos. */
static int calibrate(hst_exporting *x, const job *j, hst_program *program, hst_step_range **range,
                     hst_err *err)
{
    if (!j->photos || !j->f->calibrates || x->weights != HST_WEIGHTS_INT8)
        return 0;
    if (!j->f->needs_ranges && j->photos->n_calibrates == 0)
        return 0;
    *range = hst_export_calibrate(x, j->photos, err);
    x->range = *range;
    if (*range && j->f->needs_ranges)
        hst_export_equalise(program, *range);
    return *range ? 0 : err->code;
}

static int export_to(hst_exporting *x, const job *j, const char *path, hst_exported *out,
                     hst_err *err)
{
    hst_program program = {.keeps_norms = j->f->keeps_norms};
    hst_about about = {0};
    hst_step_range *range = NULL;
    x->program = j->f->by_names ? NULL : &program;
    x->about = &about;
    int rc = j->f->by_names ? hst_export_only_branch(x->model, err)
                            : hst_export_program(x->model, &x->ends, &program, err);
    rc = rc ? rc : hst_about_make(x->model, &x->ends, &about, err);
    if (rc == 0 && j->photos)
        rc = hst_export_photos_open(x->ctx, x->model, j->o->data, j->o->split, j->photos, err);
    rc = rc ? rc : calibrate(x, j, &program, &range, err);
    rc = rc ? rc : make(x, j, path, out, err);
    free(range);
    hst_about_free(&about);
    hst_program_free(&program);
    return rc;
}

int hst_export(hst_ctx *ctx, const hst_model *m, const char *path, const hst_export_opts *opts,
               hst_exported *out, hst_err *err)
{
    hst_export_opts o = {.max_drop = 1};
    hst_export_photos photos = {0};
    hst_exported made = {.size = sizeof made,
                         .difference = NAN,
                         .runtime_difference = NAN,
                         .accuracy = NAN,
                         .export_accuracy = NAN,
                         .change_low = NAN,
                         .change_high = NAN};
    hst_err own = {0};
    err = err ? err : &own;
    int rc = hst_sized_read(&sized_opts, &o, opts, err);
    rc = rc || !out ? rc : hst_sized_check(&sized_out, out, err);
    const hst_exporter *f = rc ? NULL : find_format(o.format, err);
    const job j = {f, &o, o.data ? &photos : NULL};
    hst_exporting x = {.ctx = ctx, .model = m, .max_drop = o.max_drop};
    if (rc == 0 && !(o.max_drop >= 0 && o.max_drop <= 100))
        rc = hst_fail(err, HST_EARG, "max_drop is %g, expected 0 to 100 points", o.max_drop);
    rc = rc ? rc : f ? choose_ends(&o, f, &x.ends, err) : err->code;
    rc = rc ? rc : choose_weights(o.weights, f, &x, err);
    if (rc == 0 && x.ends.int8 && (x.weights != HST_WEIGHTS_INT8 || !o.data))
        rc =
            hst_fail(err, HST_EARG,
                     "an input in int8 is of a network in whole numbers: weights in int8, and data "
                     "to calibrate it");
    rc = rc ? rc : check_place(path, f, err);
    char *place = rc ? NULL : without_slash(path, err);
    if (rc == 0)
        rc = place ? export_to(&x, &j, place, &made, err) : HST_EMEM;
    free(place);
    hst_export_photos_free(&photos);
    if (rc == 0 && out)
        hst_sized_write(&sized_out, &made, out);
    return rc;
}
