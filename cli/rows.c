#include "rows.h"

#include "json_result.h"
#include "rows_target.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* The first `top` of order[] become the labels with the largest probabilities, the first of equal
 * ones first. */
static void choose_top(cli_rows *r, const float *prob)
{
    int n = hst_model_classes(r->model);
    for (int i = 0; i < n; i++)
        r->order[i] = i;
    for (int i = 0; i < r->top; i++) {
        int best = i;
        for (int j = i + 1; j < n; j++)
            if (prob[r->order[j]] > prob[r->order[best]] ||
                (prob[r->order[j]] == prob[r->order[best]] && r->order[j] < r->order[best]))
                best = j;
        int label = r->order[best];
        r->order[best] = r->order[i];
        r->order[i] = label;
    }
}

/* 1: it says labels or a number. */
static int of_target(const cli_rows *r)
{
    return hst_model_target(r->model) != HST_TARGET_CLASS;
}

static void put_clean(cli_out *out, const char *s)
{
    char clean[4096];
    cli_text_clean(clean, sizeof clean, s);
    cli_out_puts(out, clean);
}

/* What a photo is called that is of none of the classes. A class may have that name as well: then
 * the score tells. */
static const char unknown_label[] = "unknown";

static int is_unknown(const cli_rows *r, const cli_row *row)
{
    return r->unknown && row->unknown_score > 0;
}

/* ---- text ---- */

/* "a.jpg: daisy 0.9871, roses 0.0100", with --labelled "right" or "WRONG (tulips)" in front;
 * "a.jpg: unknown, daisy 0.4711, roses 0.2100": a class has its probability behind it. */
static void put_text(cli_rows *r, const cli_row *row)
{
    put_clean(r->out, row->path);
    if (row->why) {
        cli_out_printf(r->out, ": %serror%s: ", cli_paint(r->out, CLI_BAD),
                       cli_paint(r->out, CLI_PLAIN));
        put_clean(r->out, row->why);
        cli_out_puts(r->out, "\n");
        return;
    }
    cli_out_puts(r->out, ": ");
    if (of_target(r)) {
        cli_rows_target_text(r, row);
        return;
    }
    if (r->labelled && row->truth == r->order[0]) {
        cli_out_printf(r->out, "%sright%s, ", cli_paint(r->out, CLI_GOOD),
                       cli_paint(r->out, CLI_PLAIN));
    } else if (r->labelled) {
        cli_out_printf(r->out, "%sWRONG%s (is ", cli_paint(r->out, CLI_BAD),
                       cli_paint(r->out, CLI_PLAIN));
        put_clean(r->out, hst_model_label(r->model, row->truth));
        cli_out_puts(r->out, "), ");
    }
    if (is_unknown(r, row))
        cli_out_printf(r->out, "%s%s%s, ", cli_paint(r->out, CLI_DOUBT), unknown_label,
                       cli_paint(r->out, CLI_PLAIN));
    for (int i = 0; i < r->top; i++) {
        cli_out_puts(r->out, i ? ", " : "");
        put_clean(r->out, hst_model_label(r->model, r->order[i]));
        cli_out_printf(r->out, " %.4f", (double)row->prob[r->order[i]]);
    }
    cli_out_puts(r->out, "\n");
}

/* ---- CSV: path,label,probability,label_2,probability_2,...[,true][,guess,unknown_score][,cam],
 * error. An unknown photo has the label "unknown", and the probability of its guess. ---- */

void cli_rows_field(cli_out *out, const char *s)
{
    char clean[4096];
    cli_text_clean(clean, sizeof clean, s);
    if (!strpbrk(clean, ",\"")) {
        cli_out_puts(out, clean);
        return;
    }
    cli_out_puts(out, "\"");
    for (const char *c = clean; *c; c++)
        cli_out_puts(out, (char[3]){*c, *c == '"' ? '"' : 0, 0});
    cli_out_puts(out, "\"");
}

static void put_csv_header(const cli_rows *r)
{
    cli_out_puts(r->out, "path,label,probability");
    for (int i = 2; i <= r->top; i++)
        cli_out_printf(r->out, ",label_%d,probability_%d", i, i);
    cli_out_puts(r->out, r->labelled ? ",true" : "");
    cli_out_puts(r->out, r->unknown ? ",guess,unknown_score" : "");
    cli_out_puts(r->out, r->cams ? ",cam,error\n" : ",error\n");
}

static void put_csv(cli_rows *r, const cli_row *row)
{
    cli_rows_field(r->out, row->path);
    for (int i = 0; i < r->top; i++) {
        cli_out_puts(r->out, ",");
        if (!row->why)
            cli_rows_field(r->out, i == 0 && is_unknown(r, row)
                                       ? unknown_label
                                       : hst_model_label(r->model, r->order[i]));
        cli_out_puts(r->out, ",");
        if (!row->why) /* nine digits give a float back exactly */
            cli_out_printf(r->out, "%.9g", (double)row->prob[r->order[i]]);
    }
    cli_out_puts(r->out, ",");
    if (r->labelled) {
        cli_rows_field(r->out, hst_model_label(r->model, row->truth));
        cli_out_puts(r->out, ",");
    }
    if (r->unknown) {
        if (!row->why)
            cli_rows_field(r->out, hst_model_label(r->model, r->order[0]));
        cli_out_puts(r->out, ",");
        if (!row->why)
            cli_out_printf(r->out, "%.9g", row->unknown_score);
        cli_out_puts(r->out, ",");
    }
    if (r->cams) {
        cli_rows_field(r->out, row->cam ? row->cam : "");
        cli_out_puts(r->out, ",");
    }
    cli_rows_field(r->out, row->why ? row->why : "");
    cli_out_puts(r->out, "\n");
}

/* ---- JSON ---- */

static json_t *top_json(const cli_rows *r, const cli_row *row)
{
    json_t *list = json_array();
    for (int i = 0; i < r->top; i++) {
        json_t *o = json_object();
        cli_json_set(&o, "label", cli_json_text(hst_model_label(r->model, r->order[i])));
        cli_json_set(&o, "probability", json_real((double)row->prob[r->order[i]]));
        if (!list || !o || json_array_append_new(list, o) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int put_json(cli_rows *r, const cli_row *row)
{
    json_t *o = json_object();
    cli_json_set(&o, "path", cli_json_text(row->path));
    if (row->why) {
        cli_json_set(&o, "error", cli_json_text(row->why));
    } else if (of_target(r)) {
        cli_rows_target_json(r, row, &o);
    } else {
        const char *guess = hst_model_label(r->model, r->order[0]);
        cli_json_set(&o, "label", cli_json_text(is_unknown(r, row) ? unknown_label : guess));
        cli_json_set(&o, "probability", json_real((double)row->prob[r->order[0]]));
        if (r->unknown) {
            cli_json_set(&o, "guess", cli_json_text(guess));
            cli_json_set(&o, "unknown", json_boolean(is_unknown(r, row)));
            cli_json_set(&o, "unknown_score", json_real(row->unknown_score));
        }
        if (r->labelled) {
            cli_json_set(&o, "true", cli_json_text(hst_model_label(r->model, row->truth)));
            cli_json_set(&o, "right", json_boolean(row->truth == r->order[0]));
        }
        cli_json_set(&o, "top", top_json(r, row));
        if (row->cam)
            cli_json_set(&o, "cam", cli_json_text(row->cam));
    }
    return cli_json_print(r->out, o) == CLI_OK ? 0 : -1;
}

/* ---- all of them ---- */

int cli_rows_begin(cli_rows *r)
{
    int n = hst_model_classes(r->model);
    r->top = r->top < n ? r->top : n;
    r->order = calloc((size_t)n, sizeof *r->order);
    if (!r->order) {
        cli_error("out of memory");
        return cli_exit_status(HST_EMEM);
    }
    if (strcmp(r->format, "csv") == 0 && of_target(r))
        cli_rows_target_header(r);
    else if (strcmp(r->format, "csv") == 0)
        put_csv_header(r);
    return CLI_OK;
}

int cli_rows_put(cli_rows *r, const cli_row *row)
{
    int rc = 0;
    if (!row->why)
        choose_top(r, row->prob);
    if (strcmp(r->format, "json") == 0)
        rc = put_json(r, row);
    else if (strcmp(r->format, "csv") == 0 && of_target(r))
        cli_rows_target_csv(r, row);
    else if (strcmp(r->format, "csv") == 0)
        put_csv(r, row);
    else
        put_text(r, row);
    return cli_out_row(r->out) || rc ? -1 : 0;
}

void cli_rows_end(cli_rows *r)
{
    free(r->order);
    r->order = NULL;
}
