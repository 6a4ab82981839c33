/* eval_report.c - an evaluation as a folder of files. */
#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"
#include "report/lines.h"

#include <stdlib.h>

static void add_facts(hst_lines *f, const hst_model *m, const hst_eval *e)
{
    static const char *const keys[][2] = {
        {"recipe", "recipe"}, {"seed", "seed"}, {"n_train", "photos it learned from"}};
    hst_lines_backbones(f, m);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (hst_model_record(m, keys[i][0]))
            hst_lines_add(f, keys[i][1], 0, "%s", hst_model_record(m, keys[i][0]));
    hst_lines_add(f, "photos", 0, "%zu evaluated, %zu count, %zu skipped", e->n_photos, e->n,
                  e->n_skipped);
    hst_lines_add(f, "content_sha256 of the model", 1, "%s", m->content_sha256);
    hst_lines_add(f, "headstart", 0, "%s", hst_version());
}

static int save_page(const hst_ctx *ctx, const hst_eval *e, const hst_model *m,
                     const hst_report_opts *o, const char *path, hst_err *err)
{
    const hst_backbone *b = hst_model_backbone(m);
    hst_lines *f = hst_alloc(2, sizeof *f, err); /* made, job */
    if (!f)
        return HST_EMEM;
    add_facts(&f[0], m, e);
    hst_lines_occasion(&f[1], o);
    if (o->photos)
        hst_lines_add(&f[1], "folder of the photos", 1, "%s", o->photos);
    const hst_report_in in = {.ctx = ctx,
                              .model = m,
                              .title = o->photos ? o->photos : "Evaluation",
                              .root = o->photos,
                              .backbone = b->arch.family,
                              .licence = b->licence,
                              .evaluation = o->model ? o->model : "a model",
                              .eval = e,
                              .temperature = hst_recorded_number(m, "temperature"),
                              .loss_before = hst_recorded_number(m, "log_loss_uncalibrated"),
                              .loss_after = hst_recorded_number(m, "log_loss_calibrated"),
                              .fact = f[0].fact,
                              .n_facts = f[0].n,
                              .job = f[1].fact,
                              .n_job = f[1].n};
    int rc = hst_report_html(&in, path, err);
    free(f);
    return rc;
}

int hst_eval_save(hst_ctx *ctx, const hst_eval *e, const hst_model *m, const hst_report_opts *given,
                  const char *dir, hst_err *err)
{
    static const char *const files[] = {"predictions.csv", "report.html"};
    hst_report_opts o;
    int rc = hst_report_opts_read(given, &o, err);
    rc = rc ? rc : hst_mkdirs(dir, err);
    char *csv = rc ? NULL : hst_path_join(dir, files[0], err);
    char *html = csv ? hst_path_join(dir, files[1], err) : NULL;
    hst_out_sweep(dir, files, 2);
    if (rc == 0)
        rc = html ? hst_report_predictions(e, csv, err) : HST_EMEM;
    if (rc == 0)
        rc = save_page(ctx, e, m, &o, html, err);
    free(html);
    free(csv);
    return rc;
}
