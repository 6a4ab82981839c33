#include "json_result.h"

#include "measured.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void cli_json_set(json_t **o, const char *key, json_t *value)
{
    if (*o && value && json_object_set_new(*o, key, value) == 0)
        return;
    if (!*o)
        json_decref(value);
    json_decref(*o);
    *o = NULL;
}

void cli_json_add(json_t **list, json_t *value)
{
    if (*list && value && json_array_append_new(*list, value) == 0)
        return;
    if (!*list)
        json_decref(value);
    json_decref(*list);
    *list = NULL;
}

json_t *cli_json_text(const char *s)
{
    if (!s)
        return json_null();
    size_t cap = strlen(s) + 1;
    char *clean = malloc(cap);
    if (!clean)
        return NULL;
    cli_text_clean(clean, cap, s);
    json_t *j = json_string(clean);
    free(clean);
    return j;
}

json_t *cli_json_measured(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

json_t *cli_json_interval(double low, double high)
{
    if (isnan(low) || isnan(high))
        return json_null();
    json_t *pair = json_array();
    cli_json_add(&pair, json_real(low));
    cli_json_add(&pair, json_real(high));
    return pair;
}

/* ---- of labels and numbers ---- */

static json_t *interval_json(hst_estimate v)
{
    return cli_json_interval(v.low, v.high);
}

/* target, its first number by its name with its interval, n. */
static void put_measured(json_t **o, const hst_eval *e)
{
    const int labels = hst_eval_target(e) == HST_TARGET_LABELS;
    const char *name = labels ? "map" : "mae";
    const hst_estimate v = cli_measured(e, name);
    cli_json_set(o, "target", json_string(labels ? "labels" : "number"));
    if (!labels)
        cli_json_set(o, "name", cli_json_text(hst_eval_label(e, 0)));
    cli_json_set(o, name, cli_json_measured(v.value));
    cli_json_set(o, "n", json_integer((json_int_t)cli_measured(e, "n").value));
    cli_json_set(o, "ci_low", cli_json_measured(v.low));
    cli_json_set(o, "ci_high", cli_json_measured(v.high));
}

static json_t *label_json(const hst_eval *e, int c)
{
    static const char *const names[] = {"ap", "precision", "recall", "f1"};
    json_t *o = json_object(), *intervals = json_object();
    cli_json_set(&o, "label", cli_json_text(hst_eval_label(e, c)));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hst_estimate v = {NAN, NAN, NAN};
        hst_err err;
        (void)!hst_eval_class_metric(e, c, names[i], &v, &err);
        cli_json_set(&o, names[i], cli_json_measured(v.value));
        cli_json_set(&intervals, names[i], interval_json(v));
    }
    cli_json_set(&o, "threshold", json_real(hst_eval_threshold(e, c)));
    cli_json_set(&o, "support", json_integer((json_int_t)hst_eval_class(e, c)->support));
    cli_json_set(&o, "intervals", intervals);
    return o;
}

/* metrics: all by name, each with value and interval; and of labels classes: a list of label, ap,
 * precision, recall, f1, threshold, support and intervals. */
static void put_details(json_t **o, const hst_eval *e)
{
    size_t n;
    const cli_metric *m = cli_measured_metrics(e, &n);
    json_t *all = json_object(), *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const hst_estimate v = cli_measured(e, m[i].name);
        json_t *one = json_object();
        cli_json_set(&one, "value", cli_json_measured(v.value));
        cli_json_set(&one, "interval", interval_json(v));
        cli_json_set(&all, m[i].name, one);
    }
    cli_json_set(o, "metrics", all);
    if (hst_eval_target(e) != HST_TARGET_LABELS) {
        json_decref(list);
        return;
    }
    for (int c = 0; c < hst_eval_classes(e); c++)
        cli_json_add(&list, label_json(e, c));
    cli_json_set(o, "classes", list);
}

void cli_json_image_size(json_t **o, const hst_backbone_info *b)
{
    cli_json_set(o, "image_px", b->image_px ? json_integer(b->image_px) : json_null());
    cli_json_set(o, "image_width_px", json_integer(b->image_width_px));
    cli_json_set(o, "image_height_px", json_integer(b->image_height_px));
}

/* ---- of evaluations ---- */

void cli_json_accuracy(json_t **o, const hst_eval *e)
{
    if (cli_measured_is(e)) {
        put_measured(o, e);
        return;
    }
    double accuracy = 0, low = 0, high = 0, n = 0, loss = 0, balanced = 0;
    hst_err err;
    if (hst_eval_metric(e, "accuracy", &accuracy, &low, &high, &err) ||
        hst_eval_metric(e, "balanced_accuracy", &balanced, NULL, NULL, &err) ||
        hst_eval_metric(e, "n", &n, NULL, NULL, &err) ||
        hst_eval_metric(e, "log_loss", &loss, NULL, NULL, &err)) {
        json_decref(*o);
        *o = NULL;
        return;
    }
    cli_json_set(o, "accuracy", cli_json_measured(accuracy));
    cli_json_set(o, "n", json_integer((json_int_t)n));
    cli_json_set(o, "ci_low", cli_json_measured(low));
    cli_json_set(o, "ci_high", cli_json_measured(high));
    cli_json_set(o, "balanced_accuracy", cli_json_measured(balanced));
    cli_json_set(o, "log_loss", cli_json_measured(loss));
}

void cli_json_estimate(json_t **o, const hst_run *r)
{
    const hst_eval *holdout = hst_run_holdout(r);
    json_t *aside = json_object();
    cli_json_accuracy(&aside, holdout);
    cli_json_set(o, "estimate",
                 json_string(hst_run_eval(r) == holdout ? "hold-out" : "out-of-fold"));
    cli_json_set(o, "holdout", aside);
}

static json_t *one_class(const hst_eval *e, int c)
{
    const hst_class_score *s = hst_eval_class(e, c);
    json_t *o = json_object();
    cli_json_set(&o, "label", cli_json_text(hst_eval_label(e, c)));
    cli_json_set(&o, "precision", json_real(s->precision));
    cli_json_set(&o, "recall", json_real(s->recall));
    cli_json_set(&o, "f1", json_real(s->f1));
    cli_json_set(&o, "support", json_integer((json_int_t)s->support));
    return o;
}

static json_t *confusion_row(const hst_eval *e, int truth)
{
    json_t *row = json_array();
    for (int g = 0; g < hst_eval_classes(e); g++)
        cli_json_add(&row, json_integer((json_int_t)hst_eval_confusion(e, truth, g)));
    return row;
}

void cli_json_classes(json_t **o, const hst_eval *e)
{
    if (cli_measured_is(e)) {
        put_details(o, e);
        return;
    }
    json_t *classes = json_array(), *confusion = json_array();
    for (int c = 0; c < hst_eval_classes(e); c++) {
        cli_json_add(&classes, one_class(e, c));
        cli_json_add(&confusion, confusion_row(e, c));
    }
    cli_json_set(o, "classes", classes);
    cli_json_set(o, "confusion", confusion);
}

void cli_json_data(json_t **o, const hst_data *d)
{
    static const char *const names[HST_LEFTS] = {
        [HST_LEFT_FORMAT] = "format", [HST_LEFT_NO_PHOTO] = "no_photo",
        [HST_LEFT_EMPTY] = "empty",   [HST_LEFT_OUTSIDE] = "outside",
        [HST_LEFT_FOLDER] = "folder", [HST_LEFT_CLASS] = "class",
        [HST_LEFT_UNREAD] = "unread", [HST_LEFT_MISSING] = "missing",
        [HST_LEFT_KERAS] = "keras",   [HST_LEFT_BESIDE] = "beside",
        [HST_LEFT_JUNK] = "junk"};
    json_int_t n[HST_LEFTS] = {0};
    enum hst_left why;
    json_t *left = json_object();
    for (size_t i = 0; hst_data_left_out(d, i, &why, NULL); i++)
        n[why]++;
    for (int k = 0; k < HST_LEFTS; k++)
        if (n[k])
            cli_json_set(&left, names[k], json_integer(n[k]));
    cli_json_set(o, "understood", cli_json_text(hst_data_understood(d)));
    cli_json_set(o, "left_out", left);
}

int cli_json_print(cli_out *out, json_t *o)
{
    /* json_dumps() leaves out what it has no memory for; into a block it writes all. */
    const size_t flags = JSON_REAL_PRECISION(15), n = o ? json_dumpb(o, NULL, 0, flags) : 0;
    char *text = n > 0 ? calloc(n + 1, 1) : NULL;
    if (text && json_dumpb(o, text, n, flags) != n) {
        free(text);
        text = NULL;
    }
    json_decref(o);
    if (!text) {
        cli_error("out of memory: the result cannot be written as JSON");
        return cli_exit_status(HST_EMEM);
    }
    cli_out_puts(out, text);
    cli_out_puts(out, "\n");
    free(text);
    cli_out_row(out);
    return CLI_OK;
}
