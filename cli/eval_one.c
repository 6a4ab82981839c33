/* eval_one.c - the evaluation of one model, as text and as JSON. */
#include "eval.h"

#include "json_result.h"
#include "measured.h"
#include "tables.h"
#include "unknown.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

/* What does not count, and how many are left. */
static void put_what_counts(cli_out *out, const hst_eval *e)
{
    double n = cli_eval_number(e, "n"), seen = cli_eval_number(e, "seen");
    double copies = cli_eval_number(e, "copies");
    if (!(seen + copies > 0))
        return;
    if (seen > 0)
        cli_out_printf(out, "%.0f of these %.0f photos were trained on", seen, cli_eval_photos(e));
    if (seen > 0 && copies > 0)
        cli_out_printf(out, " and %.0f are copies of others", copies);
    else if (copies > 0)
        cli_out_printf(out, "%.0f of these %.0f photos are copies of others", copies,
                       cli_eval_photos(e));
    cli_out_printf(out, "; the other %.0f:\n", n);
}

static void put_number(cli_out *out, const hst_eval *e, const char *name, const char *title,
                       const char *remark)
{
    double v = NAN, low = NAN, high = NAN;
    hst_err err;
    if (hst_eval_metric(e, name, &v, &low, &high, &err) || isnan(v))
        return;
    cli_out_printf(out, "%-18s %6.3f  ", title, v);
    if (low < high)
        cli_out_printf(out, "%.3f-%.3f", low, high);
    else
        cli_out_printf(out, "%11s", ""); /* all samples are alike: they cannot tell */
    cli_out_printf(out, "  %s\n", remark);
}

static void put_numbers(cli_out *out, const hst_eval *e)
{
    int classes = hst_eval_classes(e), k = classes > 10 ? 5 : 2;
    char name[16], title[16], remark[64];
    snprintf(name, sizeof name, "top_%d", k);
    snprintf(title, sizeof title, "top %d", k);
    snprintf(remark, sizeof remark, "the class is among the %d most probable", k);
    cli_out_printf(out, "\n%-18s %6s  95 %% interval\n", "", "");
    put_number(out, e, "balanced_accuracy", "balanced accuracy", "mean recall of the classes");
    if (k < classes)
        put_number(out, e, name, title, remark);
    put_number(out, e, "macro_f1", "macro F1", "mean over the classes");
    put_number(out, e, "auroc", "AUROC", "mean of each class against the rest");
    put_number(out, e, "log_loss", "log loss", "0 is best");
    put_number(out, e, "brier", "Brier score", "0 is best, 2 worst");
    put_number(out, e, "calibration_error", "calibration error",
               "mean gap of stated and true probability");
}

static void put_temperature(cli_out *out, const hst_model *m)
{
    const char *t = hst_model_record(m, "temperature");
    const char *before = hst_model_record(m, "log_loss_uncalibrated");
    const char *after = hst_model_record(m, "log_loss_calibrated");
    if (t && before && after)
        cli_out_printf(out,
                       "calibrated in training: temperature %.2f, log loss %.4f, before %.4f\n",
                       strtod(t, NULL), strtod(after, NULL), strtod(before, NULL));
}

/* Where nothing could be measured here: what training has measured. */
static void put_recorded(cli_out *out, const hst_model *m)
{
    static const struct {
        const char *value, *low, *high, *how;
    } at[] = {{"oof_map", "oof_ci_low", "oof_ci_high", "out of fold"},
              {"oof_mae", "oof_ci_low", "oof_ci_high", "out of fold"},
              {"val_map", "val_ci_low", "val_ci_high", "on photos kept aside"},
              {"val_mae", "val_ci_low", "val_ci_high", "on photos kept aside"},
              {"oof_accuracy", "oof_ci_low", "oof_ci_high", "out of fold"},
              {"val_accuracy", "val_ci_low", "val_ci_high", "on photos kept aside"}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        const char *value = hst_model_record(m, at[i].value);
        const char *low = hst_model_record(m, at[i].low), *high = hst_model_record(m, at[i].high);
        if (!value || !low || !high)
            continue;
        cli_out_printf(out, "in training it was %.3f (%.3f-%.3f), %s\n", strtod(value, NULL),
                       strtod(low, NULL), strtod(high, NULL), at[i].how);
        return;
    }
}

void cli_eval_headline(cli_job *job, const hst_eval *e)
{
    cli_out *out = &job->out;
    if (cli_eval_number(e, "n") > 0)
        put_what_counts(out, e);
    cli_table_headline(out, e, "photos");
    if (!job->v.quiet)
        cli_table_caveats(out, e);
    if (cli_eval_number(e, "seen") > 0 && !cli_measured_is(e))
        cli_out_printf(out, "seen     %.3f of the %.0f trained on: says nothing of new photos\n",
                       cli_eval_number(e, "seen_accuracy"), cli_eval_number(e, "seen"));
}

void cli_eval_text(cli_job *job, const cli_evaluated *m)
{
    cli_out *out = &job->out;
    const hst_eval *e = m->eval;
    int measured = cli_eval_number(e, "n") > 0;
    cli_eval_headline(job, e);
    const double skipped = cli_eval_number(e, "skipped");
    if (skipped > 0)
        cli_out_printf(out, "skipped  %.0f photo%s\n", skipped, skipped > 1 ? "s" : "");
    cli_unknown_text(out, m);
    if (!measured) {
        put_recorded(out, m->model);
        cli_eval_tell_page(job, m);
        return;
    }
    if (cli_measured_is(e)) {
        cli_measured_tables(out, e);
        cli_eval_tell_page(job, m);
        return;
    }
    put_numbers(out, e);
    cli_out_puts(out, "\n");
    cli_table_confused(out, e);
    cli_table_classes(out, e);
    cli_out_puts(out, "\n");
    cli_table_confusion(out, e);
    cli_table_reliability(out, e);
    if (!job->v.quiet)
        put_temperature(out, m->model);
    cli_eval_tell_page(job, m);
}

/* ---- JSON ---- */

static json_t *metrics_json(const hst_eval *e)
{
    static const char *const names[] = {"accuracy",
                                        "top_2",
                                        "top_3",
                                        "top_5",
                                        "balanced_accuracy",
                                        "macro_precision",
                                        "macro_recall",
                                        "macro_f1",
                                        "weighted_precision",
                                        "weighted_recall",
                                        "weighted_f1",
                                        "log_loss",
                                        "brier",
                                        "auroc",
                                        "calibration_error"};
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double v = NAN, low = NAN, high = NAN;
        hst_err err;
        json_t *o = json_object();
        if (hst_eval_metric(e, names[i], &v, &low, &high, &err)) {
            json_decref(o);
            o = NULL;
        }
        cli_json_set(&o, "value", cli_json_measured(v));
        cli_json_set(&o, "interval", cli_json_interval(low, high));
        cli_json_set(&all, names[i], o);
    }
    return all;
}

static json_t *confused_json(const hst_eval *e)
{
    json_t *list = json_array();
    const hst_confused *p;
    for (size_t i = 0; (p = hst_eval_confused(e, i)); i++) {
        json_t *o = json_object();
        cli_json_set(&o, "label", cli_json_text(hst_eval_label(e, p->truth)));
        cli_json_set(&o, "predicted", cli_json_text(hst_eval_label(e, p->guess)));
        cli_json_set(&o, "n", json_integer((json_int_t)p->n));
        cli_json_set(&o, "part", json_real(p->part));
        cli_json_add(&list, o);
    }
    return list;
}

static json_t *bins_json(const hst_eval *e)
{
    json_t *list = json_array();
    const hst_reliability *r;
    for (int i = 0; (r = hst_eval_reliability(e, i)); i++) {
        json_t *o = json_object();
        cli_json_set(&o, "above", json_real(r->above));
        cli_json_set(&o, "up_to", json_real(r->up_to));
        cli_json_set(&o, "n", json_integer((json_int_t)r->n));
        cli_json_set(&o, "confidence", cli_json_measured(r->confidence));
        cli_json_set(&o, "accuracy", cli_json_measured(r->accuracy));
        cli_json_set(&o, "interval", cli_json_interval(r->low, r->high));
        cli_json_add(&list, o);
    }
    return list;
}

/* A number of the model's record; null where it has none. */
static json_t *recorded_json(const hst_model *m, const char *key)
{
    const char *text = hst_model_record(m, key);
    return text ? json_real(strtod(text, NULL)) : json_null();
}

static json_t *calibration_json(const cli_evaluated *m)
{
    json_t *o = json_object();
    cli_json_set(&o, "error", cli_json_measured(cli_eval_number(m->eval, "calibration_error")));
    cli_json_set(&o, "bins", bins_json(m->eval));
    cli_json_set(&o, "temperature", recorded_json(m->model, "temperature"));
    cli_json_set(&o, "log_loss_uncalibrated", recorded_json(m->model, "log_loss_uncalibrated"));
    cli_json_set(&o, "log_loss_calibrated", recorded_json(m->model, "log_loss_calibrated"));
    return o;
}

static json_t *normalised_json(const hst_eval *e)
{
    json_t *all = json_array();
    for (int t = 0; t < hst_eval_classes(e); t++) {
        json_t *row = json_array();
        for (int g = 0; g < hst_eval_classes(e); g++)
            cli_json_add(&row, json_real(hst_eval_confusion_part(e, t, g)));
        cli_json_add(&all, row);
    }
    return all;
}

/* Of each class its AUROC, and the interval of each score. */
static void add_to_classes(json_t **o, const hst_eval *e)
{
    static const char *const names[] = {"precision", "recall", "f1", "auroc"};
    json_t *list = json_object_get(*o, "classes");
    for (int c = 0; *o && c < hst_eval_classes(e); c++) {
        json_t *class = json_incref(json_array_get(list, (size_t)c)), *intervals = json_object();
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            hst_estimate v = {NAN, NAN, NAN};
            hst_err err;
            (void)!hst_eval_class_metric(e, c, names[i], &v, &err);
            if (strcmp(names[i], "auroc") == 0)
                cli_json_set(&class, names[i], cli_json_measured(v.value));
            cli_json_set(&intervals, names[i], cli_json_interval(v.low, v.high));
        }
        cli_json_set(&class, "intervals", intervals);
        if (class) {
            json_decref(class); /* the list has it */
        } else {
            json_decref(*o);
            *o = NULL;
        }
    }
}

json_t *cli_eval_json(const cli_evaluated *m)
{
    const hst_eval *e = m->eval;
    json_t *o = json_object(), *seen = json_object();
    cli_json_set(&o, "schema", json_integer(CLI_EVAL_SCHEMA));
    cli_json_accuracy(&o, e);
    cli_json_set(&seen, "n", json_integer((json_int_t)cli_eval_number(e, "seen")));
    if (!cli_measured_is(e))
        cli_json_set(&seen, "accuracy", cli_json_measured(cli_eval_number(e, "seen_accuracy")));
    cli_json_set(&o, "seen", seen);
    cli_json_set(&o, "copies", json_integer((json_int_t)cli_eval_number(e, "copies")));
    cli_json_set(&o, "model", cli_json_text(m->name));
    cli_json_set(&o, "report", cli_eval_page_json(m));
    cli_json_set(&o, "skipped", json_integer((json_int_t)cli_eval_number(e, "skipped")));
    cli_json_set(&o, "stored", json_integer((json_int_t)cli_eval_number(e, "stored")));
    if (cli_measured_is(e)) {
        cli_json_classes(&o, e);
        return o;
    }
    cli_unknown_json(&o, m);
    cli_json_set(&o, "metrics", metrics_json(e));
    cli_json_set(&o, "calibration", calibration_json(m));
    cli_json_set(&o, "confused", confused_json(e));
    cli_json_classes(&o, e);
    cli_json_set(&o, "confusion_normalised", normalised_json(e));
    add_to_classes(&o, e);
    return o;
}
