#include "rows_target.h"

#include "json_result.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_number(const cli_rows *r)
{
    return hst_model_target(r->model) == HST_TARGET_NUMBER;
}

static float threshold(const cli_rows *r, int c)
{
    return (float)(r->threshold > 0 ? r->threshold : hst_model_threshold(r->model, c));
}

int cli_rows_said(const cli_rows *r, const float *prob)
{
    int n = 0;
    for (int c = 0; c < hst_model_classes(r->model); c++) {
        int at = n;
        if (prob[c] < threshold(r, c))
            continue;
        for (; at > 0 && prob[r->order[at - 1]] < prob[c]; at--)
            r->order[at] = r->order[at - 1];
        r->order[at] = c;
        n++;
    }
    return n;
}

static void put_clean(cli_out *out, const char *s)
{
    char clean[4096];
    cli_text_clean(clean, sizeof clean, s);
    cli_out_puts(out, clean);
}

/* ---- text ---- */

/* "age 41.2 (95 % of such are 30.1 to 52)"; where the number is none that training had, that. */
static void put_number(cli_rows *r, double v)
{
    double low, high;
    put_clean(r->out, hst_model_label(r->model, 0));
    cli_out_printf(r->out, " %.6g", v);
    if (hst_model_interval(r->model, 0.95, v, &low, &high))
        cli_out_printf(r->out, " (95 %% interval %.6g to %.6g)", low, high);
    if (hst_model_range(r->model, &low, &high) && (v < low || v > high))
        cli_out_printf(r->out, ", beyond the %.6g to %.6g of training", low, high);
    cli_out_puts(r->out, "\n");
}

void cli_rows_target_text(cli_rows *r, const cli_row *row)
{
    if (is_number(r)) {
        put_number(r, (double)row->prob[0]);
        return;
    }
    const int n = cli_rows_said(r, row->prob);
    for (int i = 0; i < n; i++) {
        cli_out_puts(r->out, i ? ", " : "");
        put_clean(r->out, hst_model_label(r->model, r->order[i]));
        cli_out_printf(r->out, " %.4f", (double)row->prob[r->order[i]]);
    }
    cli_out_puts(r->out, n ? "\n" : "no label\n");
}

/* ---- CSV ---- */

/* Texts one behind the other, to be freed; NULL without memory. */
static char *join(const char *a, const char *between, const char *b)
{
    const size_t na = strlen(a), nm = strlen(between), nb = strlen(b);
    char *text = malloc(na + nm + nb + 1);
    if (text) {
        memcpy(text, a, na);
        memcpy(text + na, between, nm);
        memcpy(text + na + nm, b, nb + 1);
    }
    return text;
}

void cli_rows_target_header(const cli_rows *r)
{
    cli_out_puts(r->out,
                 is_number(r) ? "path,number,low_80,high_80,low_95,high_95" : "path,labels");
    for (int c = 0; !is_number(r) && c < hst_model_classes(r->model); c++) {
        char *name = join("p_", "", hst_model_label(r->model, c));
        cli_out_puts(r->out, ",");
        cli_rows_field(r->out, name ? name : "p_");
        free(name);
    }
    cli_out_puts(r->out, r->cams ? ",cam,error\n" : ",error\n");
}

/* Nine digits give a float back exactly. */
static void put_intervals(cli_rows *r, const cli_row *row)
{
    static const double part[] = {0.8, 0.95};
    double low, high;
    if (!row->why)
        cli_out_printf(r->out, "%.9g", (double)row->prob[0]);
    for (int i = 0; i < 2; i++) {
        if (!row->why && hst_model_interval(r->model, part[i], (double)row->prob[0], &low, &high))
            cli_out_printf(r->out, ",%.9g,%.9g", low, high);
        else
            cli_out_puts(r->out, ",,");
    }
}

static void put_labels(cli_rows *r, const cli_row *row)
{
    const int n = row->why ? 0 : cli_rows_said(r, row->prob);
    char *all = join("", "", "");
    for (int i = 0; all && i < n; i++) {
        char *more = join(all, i ? "|" : "", hst_model_label(r->model, r->order[i]));
        free(all);
        all = more;
    }
    if (all)
        cli_rows_field(r->out, all);
    else
        cli_error("out of memory: a row is without its labels");
    free(all);
    for (int c = 0; c < hst_model_classes(r->model); c++) {
        cli_out_puts(r->out, ",");
        if (!row->why)
            cli_out_printf(r->out, "%.9g", (double)row->prob[c]);
    }
}

void cli_rows_target_csv(cli_rows *r, const cli_row *row)
{
    cli_rows_field(r->out, row->path);
    cli_out_puts(r->out, ",");
    if (is_number(r))
        put_intervals(r, row);
    else
        put_labels(r, row);
    cli_out_puts(r->out, ",");
    if (r->cams) {
        cli_rows_field(r->out, row->cam ? row->cam : "");
        cli_out_puts(r->out, ",");
    }
    cli_rows_field(r->out, row->why ? row->why : "");
    cli_out_puts(r->out, "\n");
}

/* ---- JSON ---- */

static json_t *interval_json(const cli_rows *r, double part, double v)
{
    double low = NAN, high = NAN;
    (void)!hst_model_interval(r->model, part, v, &low, &high);
    return cli_json_interval(low, high);
}

static json_t *label_json(const cli_rows *r, int c, double p)
{
    json_t *o = json_object();
    cli_json_set(&o, "label", cli_json_text(hst_model_label(r->model, c)));
    cli_json_set(&o, "probability", json_real(p));
    return o;
}

void cli_rows_target_json(cli_rows *r, const cli_row *row, json_t **o)
{
    if (is_number(r)) {
        const double v = (double)row->prob[0];
        double least = v, most = v;
        (void)!hst_model_range(r->model, &least, &most);
        cli_json_set(o, "name", cli_json_text(hst_model_label(r->model, 0)));
        cli_json_set(o, "number", json_real(v));
        cli_json_set(o, "interval_80", interval_json(r, 0.8, v));
        cli_json_set(o, "interval_95", interval_json(r, 0.95, v));
        cli_json_set(o, "beyond_training", json_boolean(v < least || v > most));
    } else {
        json_t *labels = json_array(), *all = json_array();
        const int n = cli_rows_said(r, row->prob);
        for (int i = 0; i < n; i++)
            cli_json_add(&labels, label_json(r, r->order[i], (double)row->prob[r->order[i]]));
        for (int c = 0; c < hst_model_classes(r->model); c++)
            cli_json_add(&all, label_json(r, c, (double)row->prob[c]));
        cli_json_set(o, "labels", labels);
        cli_json_set(o, "all", all);
    }
    if (row->cam)
        cli_json_set(o, "cam", cli_json_text(row->cam));
}
