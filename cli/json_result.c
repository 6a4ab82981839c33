#include "json_result.h"

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

void cli_json_accuracy(json_t **o, const hst_eval *e)
{
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
