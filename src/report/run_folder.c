/* run_folder.c - a run as a folder of files. */
#include "base/json.h"
#include "base/mem.h"
#include "base/parts.h"
#include "base/text_out.h"
#include "model/model.h"
#include "report/run_report.h"
#include "training/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes dir/name and empties the buffer. */
static int write_buf(hst_buf *b, const char *dir, const char *name, hst_err *err)
{
    int rc = hst_buf_check(b, err);
    char *path = rc ? NULL : hst_path_join(dir, name, err);
    if (path)
        rc = hst_file_write(path, b->p ? b->p : "", b->n, err);
    else if (rc == 0)
        rc = HST_EMEM;
    free(path);
    hst_buf_free(b);
    return rc;
}

static int save_labels(const hst_model *m, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    for (int i = 0; i < m->n_classes; i++)
        hst_buf_printf(&b, "%s\n", m->labels[i]);
    return write_buf(&b, dir, "labels.txt", err);
}

/* json_object_set_new that also says no when the value could not be made. */
static int put(json_t *o, const char *key, json_t *value)
{
    return value ? json_object_set_new(o, key, value) : -1;
}

static json_t *json_value(const hst_setting_value *v)
{
    if (v->word)
        return json_string(v->word);
    if (v->setting->type == HST_SETTING_INT)
        return json_integer((json_int_t)v->number);
    return v->number < 0 ? json_null() : json_real(v->number);
}

/* Settings that only some recipes have. */
static int put_settings(json_t *o, const hst_settings *s)
{
    hst_setting_value v;
    int bad = s->fine_tune && put(o, "fine_tune", json_true());
    if (!bad && s->recipe == HST_RECIPE_AUTO)
        bad = put(o, "final", json_string(hst_final_names[s->final]));
    for (int i = 0; !bad && hst_settings_next(s, &i, &v);)
        bad = put(o, v.setting->field, json_value(&v));
    return bad;
}

/* What was asked for, resolved. */
static int put_target(json_t *o, const hst_data *d)
{
    return d->target != HST_TARGET_CLASS &&
           put(o, "target", json_string(hst_target_names[d->target]));
}

static int save_args(const hst_run *r, const char *dir, hst_err *err)
{
    const hst_settings *s = &r->settings;
    char printable[4096]; /* a folder name need not be UTF-8; JSON must be */
    json_t *o = json_object();
    hst_printable(printable, sizeof printable, r->data->dir ? r->data->dir : "");
    int bad =
        !o || put(o, "data", json_string(printable)) ||
        put(o, "recipe", json_string(hst_recipe_names[s->recipe])) ||
        put(o, "prepare", json_string(hst_prep_name(&r->features->prep))) ||
        put(o, "seed", json_integer((json_int_t)s->seed)) ||
        put(o, "split", json_string(hst_split_name(r->data->split))) ||
        put(o, "split_seed", json_integer((json_int_t)r->data->seed)) ||
        put(o, "val_split", json_real(r->data->val_part)) ||
        put(o, "class_weight",
            r->class_weights.kind == HST_UNWEIGHTED ? json_null() : json_string(s->class_weight)) ||
        put_settings(o, s) || put_target(o, r->data) ||
        put(o, "backbone", json_string(r->backbone->arch.family)) ||
        put(o, "backbone_sha256", json_string(r->backbone->sha256)) ||
        put(o, "version", json_string(hst_version()));
    char *text = hst_json_write(bad ? NULL : o, JSON_INDENT(2) | JSON_REAL_PRECISION(15), err);
    json_decref(o);
    if (!text)
        return HST_EMEM;
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    hst_buf_printf(&b, "%s\n", text);
    free(text);
    return write_buf(&b, dir, "args.json", err);
}

static int save_results(const hst_run *r, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    hst_buf_puts(&b, "epoch,train/loss,train/accuracy,val/loss,val/accuracy,lr\n");
    for (size_t i = 0; i < r->n_history; i++) {
        const hst_epoch *e = &r->history[i];
        const double v[] = {e->train_loss, e->train_accuracy, e->val_loss, e->val_accuracy, e->lr};
        hst_buf_printf(&b, "%d", e->epoch);
        for (size_t k = 0; k < sizeof v / sizeof *v; k++) {
            hst_buf_puts(&b, ",");
            if (v[k] >= 0)
                hst_buf_double(&b, v[k]);
        }
        hst_buf_puts(&b, "\n");
    }
    return write_buf(&b, dir, "results.csv", err);
}

static int save_timing(const hst_run *r, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    hst_buf_puts(&b, "phase,seconds\n");
    for (int i = 0; i < r->n_phases; i++)
        hst_buf_printf(&b, "%s,%.3f\n", r->phase[i].what, r->phase[i].seconds);
    for (size_t i = 0; i < r->n_steps; i++) {
        char what[sizeof r->step[i].what + 8];
        snprintf(what, sizeof what, "effort: %s", r->step[i].what);
        hst_buf_csv(&b, what);
        hst_buf_printf(&b, ",%.3f\n", r->step[i].seconds);
    }
    return write_buf(&b, dir, "timing.csv", err);
}

/* The fold that held photo i out, from 1 on; empty where none did. *at: its place among the photos
 * with folds, in data order. */
static void put_fold(const hst_run *r, size_t i, size_t *at, hst_buf *b)
{
    const hst_out_of_fold *o = &r->out_of_fold;
    hst_buf_puts(b, ",");
    if (*at == o->n || r->out_of_fold_photo[*at] != i)
        return;
    int fold = o->fold[(*at)++];
    if (fold < HST_FOLDS)
        hst_buf_printf(b, "%d", fold + 1);
}

static int put_split(const hst_run *r, hst_text_out *t, hst_err *err)
{
    static const char *const names[] = {"train", "validation", "skipped"};
    hst_buf *b = &t->b;
    size_t at = 0;
    char sha256[HST_SHA256_HEX];
    int folds = r->out_of_fold.n > 0, rc = 0;
    hst_buf_printf(b, "path,%s,sha256,side%s\n", hst_data_known_name(r->data),
                   folds ? ",fold" : "");
    for (size_t i = 0; rc == 0 && i < r->data->n_photos; i++) {
        const hst_photo *p = &r->data->photos[i];
        hst_buf_csv(b, p->relative);
        hst_buf_puts(b, ",");
        hst_data_csv_known(r->data, i, b);
        hst_buf_printf(b, ",%s,%s", hst_digest_text(&r->features->content[i], sha256),
                       names[r->features->why[i] ? 2 : r->side[i]]);
        if (folds)
            put_fold(r, i, &at, b);
        hst_buf_puts(b, "\n");
        hst_spill_passed(r->features->contents, sizeof *r->features->content);
        rc = hst_text_line(t, err);
    }
    return rc;
}

static int save_split(const hst_run *r, const char *dir, hst_err *err)
{
    hst_text_out t = {0};
    char *path = hst_path_join(dir, "split.csv", err);
    int rc = path ? hst_text_open(&t, path, err) : HST_EMEM;
    rc = rc ? rc : put_split(r, &t, err);
    rc = rc ? rc : hst_text_commit(&t, err);
    hst_text_close(&t);
    free(path);
    return rc;
}

static int save_skipped(const hst_run *r, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    hst_buf_puts(&b, "path,reason\n");
    for (size_t i = 0; i < r->data->n_photos; i++) {
        if (!r->features->why[i])
            continue;
        hst_buf_csv(&b, r->data->photos[i].relative);
        hst_buf_puts(&b, ",");
        hst_buf_csv(&b, r->features->why[i]);
        hst_buf_puts(&b, "\n");
    }
    const char *path, *why;
    for (size_t i = 0; (path = hst_data_left_out(r->data, i, NULL, &why)); i++) {
        hst_buf_csv(&b, hst_data_relative(r->data, path));
        hst_buf_puts(&b, ",");
        hst_buf_csv(&b, why);
        hst_buf_puts(&b, "\n");
    }
    return write_buf(&b, dir, "skipped.csv", err);
}

/* Takes away a file that this run does not have (any more). */
static int remove_old(const char *dir, const char *name, hst_err *err)
{
    char *path = hst_path_join(dir, name, err);
    if (!path)
        return HST_EMEM;
    int rc = 0;
    if (unlink(path) != 0 && errno != ENOENT)
        rc = hst_fail_errno(err, HST_EIO, errno,
                            "%s, which is of no use any more, cannot be removed", path);
    free(path);
    return rc;
}

static int can_draw(void)
{
    return hst_part_is_here(HST_PART_CAIRO);
}

/* Curves need two epochs. */
static int save_curves(const hst_run *r, const char *dir, hst_err *err)
{
    hst_curves in = {.history = r->history, .n = r->n_history};
    hst_buf png = HST_BUF(SIZE_MAX / 2), svg = HST_BUF(SIZE_MAX / 2);
    if (in.n < 2 || !can_draw()) {
        int rc = remove_old(dir, "curves.png", err);
        return rc ? rc : remove_old(dir, "curves.svg", err);
    }
    if (r->settings.label_smoothing > 0)
        in.loss_floor = hst_smoothing_floor(r->settings.label_smoothing, r->data->n_classes);
    int rc = hst_curves_svg(&in, &svg, err);
    if (rc == 0)
        rc = hst_curves_png(&in, &png, err);
    if (rc == 0)
        rc = write_buf(&png, dir, "curves.png", err);
    if (rc == 0)
        rc = write_buf(&svg, dir, "curves.svg", err);
    hst_buf_free(&png);
    hst_buf_free(&svg);
    return rc;
}

/* The first validation photo in the order of the data: with the curves only, as the tutorial ends.
 * Both draw text, and fontconfig, which finds the fonts, ends the process when it gets no memory:
 * the default recipe draws none. */
static int save_photo(const hst_run *r, const char *dir, hst_err *err)
{
    if (r->n_history < 2 || hst_run_eval(r)->n == 0 || !can_draw())
        return remove_old(dir, "photo.png", err);
    char *path = hst_path_join(dir, "photo.png", err);
    int rc = path ? hst_report_photo(hst_run_eval(r), 0, path, err) : HST_EMEM;
    free(path);
    return rc;
}

enum { AUGMENTED = 8 }; /* photos on the sheet */

/* The next photo of the training side and class c from *at on; negative: there is none. */
static int64_t next_of_class(const hst_run *r, int c, size_t *at)
{
    while (*at < r->features->n) {
        const size_t i = (*at)++;
        if (r->side[i] == HST_TRAIN && !r->features->why[i] && r->data->photos[i].label == c)
            return (int64_t)i;
    }
    return -1;
}

/* Photos of the training side as the network saw them, the classes in turn. */
static int save_augmented(const hst_run *r, const char *dir, hst_err *err)
{
    const char *paths[AUGMENTED], *labels[AUGMENTED];
    uint32_t photos[AUGMENTED];
    hst_augmented in = {.ctx = &r->ctx,
                        .prep = &r->features->prep,
                        .how = r->settings.augment,
                        .seed = r->settings.seed,
                        .path = paths,
                        .photo = photos,
                        .label = labels};
    if (in.how == HST_AUGMENT_NONE || !can_draw())
        return remove_old(dir, "augmented.png", err);
    const int classes = r->data->n_classes;
    size_t *at = hst_alloc((size_t)classes, sizeof *at, err); /* where each class goes on */
    for (int more = at != NULL; more && in.n < AUGMENTED;) {
        more = 0;
        for (int c = 0; c < classes && in.n < AUGMENTED; c++) {
            const int64_t i = next_of_class(r, c, &at[c]);
            if (i < 0)
                continue;
            more = 1;
            paths[in.n] = r->data->photos[i].path;
            labels[in.n] = r->data->classes[c];
            photos[in.n++] = (uint32_t)i;
        }
    }
    char *path = at ? hst_path_join(dir, "augmented.png", err) : NULL;
    int rc = path ? hst_report_augmented(&in, path, err) : HST_EMEM;
    free(path);
    free(at);
    return rc;
}

static int save_predictions(const hst_run *r, const char *dir, hst_err *err)
{
    char *path = hst_path_join(dir, "predictions.csv", err);
    int rc = path ? hst_report_predictions(hst_run_eval(r), path, err) : HST_EMEM;
    free(path);
    return rc;
}

static int save_report(const hst_run *r, const hst_model *m, const hst_report_opts *o,
                       const char *dir, hst_err *err)
{
    char split_sha256[HST_SHA256_HEX];
    char *path = hst_path_join(dir, "report.html", err);
    char *split = path ? hst_path_join(dir, "split.csv", err) : NULL;
    int rc = split ? hst_sha256_file(split, split_sha256, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_run_report(r, m, o, split_sha256, path, err);
    free(split);
    free(path);
    return rc;
}

static int save_files(const hst_run *r, const hst_model *m, const hst_report_opts *o,
                      const char *dir, hst_err *err)
{
    int rc = save_labels(m, dir, err);
    rc = rc ? rc : save_args(r, dir, err);
    rc = rc ? rc : save_results(r, dir, err);
    rc = rc ? rc : save_timing(r, dir, err);
    rc = rc ? rc : save_split(r, dir, err);
    rc = rc ? rc : save_skipped(r, dir, err);
    rc = rc ? rc : save_curves(r, dir, err);
    rc = rc ? rc : save_photo(r, dir, err);
    rc = rc ? rc : save_augmented(r, dir, err);
    rc = rc ? rc : save_predictions(r, dir, err);
    return rc ? rc : save_report(r, m, o, dir, err);
}

int hst_run_save_with(const hst_run *r, const hst_model *m, const hst_report_opts *o,
                      const char *dir, hst_err *err)
{
    static const char *const files[] = {
        "labels.txt",    "args.json",       "results.csv",      "timing.csv", "split.csv",
        "skipped.csv",   "predictions.csv", "curves.png",       "curves.svg", "photo.png",
        "augmented.png", "report.html",     "model.safetensors"};
    hst_report_opts opts;
    int rc = hst_report_opts_read(o, &opts, err);
    rc = rc ? rc : hst_mkdirs(dir, err);
    hst_out_sweep(dir, files, sizeof files / sizeof *files);
    rc = rc ? rc : save_files(r, m, o ? &opts : NULL, dir, err);
    char *path = rc ? NULL : hst_path_join(dir, "model.safetensors", err);
    if (path)
        rc = hst_model_save(m, path, err);
    else if (rc == 0)
        rc = HST_EMEM;
    free(path);
    return rc ? rc : remove_old(dir, "checkpoint.safetensors", err);
}

int hst_run_save(const hst_run *r, const hst_model *m, const char *dir, hst_err *err)
{
    return hst_run_save_with(r, m, NULL, dir, err);
}
