/* run_report.c - what report.html tells of a run. */
#include "report/run_report.h"

#include "base/file.h"
#include "base/mem.h"
#include "inspection/inspection.h"
#include "model/model.h"
#include "report/lines.h"
#include "review/review.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETTINGS_MAX = 1 << 16,
    REVIEW_MAX = 3000 /* photos; `headstart review` is for more */
};

static void add_split(hst_lines *f, const hst_run *r)
{
    const hst_data *d = r->data;
    size_t side[2] = {0};
    for (size_t i = 0; i < d->n_photos; i++)
        if (!r->features->why[i] && r->side[i] < 2)
            side[r->side[i]]++;
    char how[80];
    if (d->split == HST_SPLIT_FOLDERS)
        snprintf(how, sizeof how, "by folders");
    else
        snprintf(how, sizeof how, "%s, %ld %% kept aside, seed %" PRIu64, hst_split_name(d->split),
                 lround(100 * d->val_part), d->seed);
    hst_lines_add(f, "split", 0, "%s: %zu to train on, %zu kept aside", how, side[HST_TRAIN],
                  side[HST_VALIDATION]);
}

/* What the recipe was told, "epochs 5, batch 16". */
static int add_settings(hst_lines *f, const hst_run *r, hst_err *err)
{
    hst_setting_value v;
    hst_buf b = HST_BUF(SETTINGS_MAX);
    for (int i = 0; hst_settings_next(&r->settings, &i, &v);) {
        if (!v.word && v.number < 0)
            continue;
        hst_buf_printf(&b, "%s%s ", b.n ? ", " : "", v.setting->field);
        if (v.word)
            hst_buf_puts(&b, v.word);
        else
            hst_buf_double(&b, v.number);
    }
    int rc = hst_buf_check(&b, err);
    if (rc == 0 && b.n)
        hst_lines_add(f, "settings", 0, "%s", b.p);
    hst_buf_free(&b);
    return rc;
}

static int add_facts(hst_lines *f, const hst_run *r, const hst_model *m, const char *split_sha256,
                     hst_err *err)
{
    const hst_settings *s = &r->settings;
    hst_lines_backbones(f, m);
    hst_lines_add(f, "recipe", 0, "%s", hst_recipe_names[s->recipe]);
    int rc = add_settings(f, r, err);
    hst_lines_add(f, "preparation", 0, "%s", hst_prep_name(&r->features->prep));
    hst_lines_add(f, "seed", 0, "%" PRIu64, s->seed);
    add_split(f, r);
    hst_lines_add(f, "photos", 0, "%zu learned from, %zu to measure, %zu skipped", r->n_train,
                  hst_run_eval(r)->n, r->features->n - r->features->n_used);
    hst_lines_add(f, "SHA-256 of split.csv", 1, "%s", split_sha256);
    hst_lines_add(f, "content_sha256 of the model", 1, "%s", m->content_sha256);
    hst_lines_add(f, "headstart", 0, "%s", hst_version());
    return rc;
}

/* What differs between equal runs. Nothing where the caller says nothing. */
static void add_job(hst_lines *f, const hst_run *r, const hst_report_opts *o)
{
    if (!o)
        return;
    hst_lines_occasion(f, o);
    hst_lines_add(f, "folder of the photos", 1, "%s", r->data->dir ? r->data->dir : "");
    for (int i = 0; i < r->n_phases; i++)
        hst_lines_seconds(f, r->phase[i].what, r->phase[i].seconds);
}

static void count_photo(const hst_photo *p, int usable, int n_classes, uint64_t *n)
{
    if (usable && p->label >= 0)
        n[p->label]++;
    for (int c = 0; usable && p->marks && c < n_classes; c++)
        n[c] += p->marks[c];
}

/* Photos of each class that can be used. */
static void count_classes(const hst_run *r, uint64_t *n)
{
    for (size_t i = 0; i < r->data->n_photos; i++)
        count_photo(&r->data->photos[i], !r->features->why[i], r->data->n_classes, n);
}

/* What a review costs grows with the square of the photos; and a backbone that has learned from
 * them vouches for their labels. One that cannot be made is no reason to lose the run. */
static int make_review(const hst_run *r, const hst_model *m, hst_review **out, hst_err *err)
{
    if (r->features->n_used > REVIEW_MAX || r->settings.fine_tune ||
        r->data->target != HST_TARGET_CLASS)
        return 0;
    hst_err why = {0};
    *out = hst_review_of_run(r, m, &why);
    if (*out || (why.code != HST_EMEM && why.code != HST_ESTOPPED))
        return 0;
    return hst_fail(err, why.code, "%s", why.msg);
}

/* What is wrong with the photos. */
static int inspect(const hst_run *r, hst_inspection **out, hst_err *err)
{
    hst_err why = {0};
    *out = hst_inspection_make(&(hst_inspected){.data = r->data,
                                                .picture = r->features->picture,
                                                .home = r->features->pictures,
                                                .why = r->features->why,
                                                .side = r->side,
                                                .near = &r->near,
                                                .outlives = 1},
                               &why);
    return *out ? 0 : hst_fail(err, why.code, "%s", why.msg);
}

/* What a report needs that the run does not hold in that form. */
typedef struct material {
    hst_lines made, job;
    uint64_t *class_photos;
    const char **skipped, **why;
    hst_review *review;
    hst_inspection *inspection;
} material;

static void material_free(material *a)
{
    if (!a)
        return;
    hst_review_free(a->review);
    hst_inspection_free(a->inspection);
    free(a->class_photos);
    free(a->skipped);
    free(a->why);
    free(a);
}

static material *material_new(const hst_run *r, size_t n_skipped, hst_err *err)
{
    material *a = hst_alloc(1, sizeof *a, err);
    if (!a)
        return NULL;
    a->class_photos = hst_alloc((size_t)r->data->n_classes, sizeof *a->class_photos, err);
    a->skipped = a->class_photos ? hst_alloc(n_skipped, sizeof *a->skipped, err) : NULL;
    a->why = a->skipped ? hst_alloc(n_skipped, sizeof *a->why, err) : NULL;
    if (!a->why) {
        material_free(a);
        return NULL;
    }
    count_classes(r, a->class_photos);
    for (size_t i = 0, at = 0; i < r->features->n; i++) {
        if (!r->features->why[i])
            continue;
        a->skipped[at] = r->data->photos[i].relative;
        a->why[at++] = r->features->why[i];
    }
    return a;
}

int hst_run_report(const hst_run *r, const hst_model *m, const hst_report_opts *o,
                   const char *split_sha256, const char *path, hst_err *err)
{
    const size_t n_skipped = r->features->n - r->features->n_used;
    const hst_settings *s = &r->settings;
    const char *kept = hst_model_record(m, "kept"); /* of the backbone */
    material *a = material_new(r, n_skipped, err);
    if (!a)
        return HST_EMEM;
    int rc = add_facts(&a->made, r, m, split_sha256, err);
    add_job(&a->job, r, o);
    rc = rc ? rc : inspect(r, &a->inspection, err);
    rc = rc ? rc : make_review(r, m, &a->review, err);
    hst_report_in in = {.ctx = &r->ctx,
                        .model = m,
                        .title = r->data->dir && r->data->dir[0] ? r->data->dir : "Photos",
                        .root = r->data->dir,
                        .backbone = r->backbone->arch.family,
                        .licence = r->backbone->licence,
                        .fine_tuned = s->fine_tune && !(kept && strcmp(kept, "frozen") == 0),
                        .eval = hst_run_eval(r),
                        .holdout = r->eval ? r->holdout : NULL,
                        .class_photos = a->class_photos,
                        .n_train = r->n_train,
                        .n_skipped = n_skipped,
                        .skipped_path = a->skipped,
                        .skipped_why = a->why,
                        .history = r->history,
                        .n_history = r->n_history,
                        .temperature = hst_recorded_number(m, "temperature"),
                        .loss_before = hst_recorded_number(m, "log_loss_uncalibrated"),
                        .loss_after = hst_recorded_number(m, "log_loss_calibrated"),
                        .data = r->data,
                        .pixels = r->features->pixels,
                        .near = &r->near,
                        .growth = r->curve,
                        .inspection = a->inspection,
                        .review = a->review,
                        .step = r->step,
                        .n_steps = r->n_steps,
                        .fact = a->made.fact,
                        .n_facts = a->made.n,
                        .job = a->job.fact,
                        .n_job = a->job.n};
    if (s->label_smoothing > 0)
        in.loss_floor = hst_smoothing_floor(s->label_smoothing, r->data->n_classes);
    rc = rc ? rc : hst_report_html(&in, path, err);
    material_free(a);
    return rc;
}
