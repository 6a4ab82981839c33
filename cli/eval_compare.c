/* eval_compare.c - several models on the same photos, as text and as JSON. */
#include "eval.h"

#include "json_result.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double level = 0.05; /* of the tests: below it a difference is taken for one */

enum { VERDICT_MAX = 1024, SHOWN = 20, PATH = 36, NAME = 22 };

/* Whether model i is better than the first (1), worse (-1), or neither can be said (0). */
static int against_first(const hst_comparison *c, int i)
{
    const hst_compared *v = hst_comparison_at(c, i);
    if (!(v->p_adjusted < level))
        return 0;
    return v->only_this > v->only_first ? 1 : -1;
}

static const char *word(int against)
{
    return against > 0 ? "better" : against < 0 ? "worse" : "not distinguishable";
}

/* The smallest of the adjusted p-values; NaN without photos. */
static double smallest_p(const hst_comparison *c, int n)
{
    double p = NAN;
    for (int i = 1; i < n; i++) {
        double of = hst_comparison_at(c, i)->p_adjusted;
        p = of >= p ? p : of;
    }
    return p;
}

/* "0.75", "< 0.0001"; a sentence has an equals sign as well. */
static const char *p_text(double p, const char *equals, char text[16])
{
    if (p < 0.0001)
        snprintf(text, 16, "< 0.0001");
    else
        snprintf(text, 16, "%s%.2g", equals, p);
    return text;
}

static void verdict_of_two(const cli_evaluated *m, const hst_comparison *c, char *text)
{
    const hst_compared *v = hst_comparison_at(c, 1);
    int against = against_first(c, 1);
    const char *a = m[against > 0].name, *b = m[against <= 0].name; /* a: the better one, if any */
    uint64_t only_a = against > 0 ? v->only_this : v->only_first;
    uint64_t only_b = against > 0 ? v->only_first : v->only_this;
    char p[16];
    snprintf(text, VERDICT_MAX,
             "%s%s: %" PRIu64 " photo%s right only with %s, %" PRIu64 " only with %s, p %s",
             against ? a : "not distinguishable", against ? " is better" : "", only_a,
             only_a == 1 ? "" : "s", a, only_b, b, p_text(v->p_value, "= ", p));
}

static size_t put(char *text, size_t at, const char *s)
{
    int n = snprintf(text + at, VERDICT_MAX - at, "%s", s);
    return at + (size_t)n < VERDICT_MAX ? at + (size_t)n : VERDICT_MAX - 1;
}

/* "better than A: B, C; worse than A: D; not distinguishable from A: E" */
static void verdict_of_many(const cli_evaluated *m, int n, const hst_comparison *c, char *text)
{
    static const int order[] = {1, -1, 0};
    size_t at = 0;
    for (size_t k = 0; k < 3; k++) {
        int found = 0;
        for (int i = 1; i < n; i++) {
            if (against_first(c, i) != order[k])
                continue;
            if (!found) {
                at = put(text, at, at ? "; " : "");
                at = put(text, at, word(order[k]));
                at = put(text, at, order[k] ? " than " : " from ");
                at = put(text, at, m[0].name);
            }
            at = put(text, at, found ? ", " : ": ");
            at = put(text, at, m[i].name);
            found = 1;
        }
    }
}

static void verdict(const cli_evaluated *m, int n, const hst_comparison *c, char *text)
{
    if (hst_comparison_at(c, 0)->n == 0)
        snprintf(
            text, VERDICT_MAX,
            "nothing to compare: every photo was trained on by one of the models, or is a copy");
    else if (n == 2)
        verdict_of_two(m, c, text);
    else
        verdict_of_many(m, n, c, text);
}

/* ---- text ---- */

static void put_models(cli_out *out, const cli_evaluated *m, int n, const hst_comparison *c)
{
    cli_out_printf(out, "%-*s  accuracy     interval  only it  only A  %s\n", NAME + 2, "model",
                   n > 2 ? "p (adjusted)" : "p");
    for (int i = 0; i < n; i++) {
        const hst_compared *v = hst_comparison_at(c, i);
        char name[1024], p[16];
        cli_text_shorten(name, sizeof name, m[i].name, NAME);
        cli_out_printf(out, "%c %s%*s  %8.3f  %.3f-%.3f", 'A' + i, name,
                       NAME - cli_text_width(name), "", v->accuracy, v->low, v->high);
        if (i)
            cli_out_printf(out, "  %7" PRIu64 "  %6" PRIu64 "  %s", v->only_this, v->only_first,
                           p_text(v->p_adjusted, "", p));
        cli_out_puts(out, "\n");
    }
}

/* The path without the folder that was typed. */
static const char *within(const char *dir, const char *path)
{
    size_t n = strlen(dir);
    if (strncmp(path, dir, n) != 0)
        return path;
    return path + n + strspn(path + n, "/");
}

/* "  daisy/1.jpg   A right, B rose" */
static void put_photo(cli_job *job, const cli_evaluated *m, int n, const hst_comparison *c,
                      size_t k)
{
    cli_out *out = &job->out;
    char path[1024], label[1024];
    const hst_eval_photo *first = hst_comparison_differs(c, k, 0);
    cli_text_shorten(path, sizeof path, within(job->v.words[n], first->path), PATH);
    cli_out_printf(out, "  %s%*s ", path, PATH - cli_text_width(path), "");
    for (int i = 0; i < n; i++) {
        const hst_eval_photo *p = hst_comparison_differs(c, k, i);
        cli_text_shorten(label, sizeof label, hst_eval_label(m[i].eval, p->guess), 16);
        cli_out_printf(out, "%s %c %s", i ? "," : "", 'A' + i,
                       p->guess == p->truth ? "right" : label);
    }
    cli_out_puts(out, "\n");
}

static size_t count_differs(const hst_comparison *c)
{
    size_t n = 0;
    while (hst_comparison_differs(c, n, 0))
        n++;
    return n;
}

static void put_comparison(cli_job *job, const cli_evaluated *m, int n, const hst_comparison *c)
{
    cli_out *out = &job->out;
    uint64_t photos = hst_comparison_at(c, 0)->n;
    size_t differs = count_differs(c);
    char text[VERDICT_MAX], clean[VERDICT_MAX];
    verdict(m, n, c, text);
    cli_text_clean(clean, sizeof clean, text);
    cli_out_printf(out, "%s\n", clean);
    if (photos == 0)
        return;
    cli_out_printf(
        out, "%" PRIu64 " of %.0f photos count: no model was trained on them, none is a copy\n\n",
        photos, cli_eval_photos(m[0].eval));
    put_models(out, m, n, c);
    if (differs)
        cli_out_printf(out, "\nphotos that some have right and some have wrong: %zu\n", differs);
    for (size_t k = 0; k < differs && k < SHOWN; k++)
        put_photo(job, m, n, c, k);
    if (differs > SHOWN)
        cli_out_printf(out, "  ... (--json lists all)\n");
}

void cli_eval_compare_text(cli_job *job, const cli_evaluated *m, int n, const hst_comparison *c)
{
    put_comparison(job, m, n, c);
    for (int i = 0; i < n; i++)
        cli_eval_tell_page(job, &m[i]);
}

/* ---- JSON ---- */

static json_t *model_json(const cli_evaluated *m, const hst_comparison *c, int i)
{
    const hst_compared *v = hst_comparison_at(c, i);
    json_t *o = json_object(), *seen = json_object();
    cli_json_set(&o, "model", cli_json_text(m->name));
    cli_json_set(&o, "report", cli_eval_page_json(m));
    cli_json_set(&o, "accuracy", cli_json_measured(v->accuracy));
    cli_json_set(&o, "ci_low", cli_json_measured(v->low));
    cli_json_set(&o, "ci_high", cli_json_measured(v->high));
    cli_json_set(&o, "right", json_integer((json_int_t)v->right));
    cli_json_set(&seen, "n", json_integer((json_int_t)cli_eval_number(m->eval, "seen")));
    cli_json_set(&seen, "accuracy", cli_json_measured(cli_eval_number(m->eval, "seen_accuracy")));
    cli_json_set(&o, "seen", seen);
    if (i == 0)
        return o;
    cli_json_set(&o, "only_first", json_integer((json_int_t)v->only_first));
    cli_json_set(&o, "only_this", json_integer((json_int_t)v->only_this));
    cli_json_set(&o, "p_value", cli_json_measured(v->p_value));
    cli_json_set(&o, "p_adjusted", cli_json_measured(v->p_adjusted));
    cli_json_set(&o, "verdict", v->n ? json_string(word(against_first(c, i))) : json_null());
    return o;
}

static json_t *photo_json(const cli_evaluated *m, int n, const hst_comparison *c, size_t k)
{
    const hst_eval_photo *first = hst_comparison_differs(c, k, 0);
    json_t *o = json_object(), *guesses = json_array();
    cli_json_set(&o, "path", cli_json_text(first->path));
    cli_json_set(&o, "label", cli_json_text(hst_eval_label(m[0].eval, first->truth)));
    for (int i = 0; i < n; i++) {
        const hst_eval_photo *p = hst_comparison_differs(c, k, i);
        cli_json_add(&guesses, cli_json_text(hst_eval_label(m[i].eval, p->guess)));
    }
    cli_json_set(&o, "predicted", guesses);
    return o;
}

json_t *cli_eval_compare_json(const cli_evaluated *m, int n, const hst_comparison *c)
{
    char text[VERDICT_MAX];
    json_t *o = json_object(), *models = json_array(), *photos = json_array();
    verdict(m, n, c, text);
    for (int i = 0; i < n; i++)
        cli_json_add(&models, model_json(&m[i], c, i));
    for (size_t k = 0; hst_comparison_differs(c, k, 0); k++)
        cli_json_add(&photos, photo_json(m, n, c, k));
    cli_json_set(&o, "schema", json_integer(CLI_EVAL_SCHEMA));
    cli_json_set(&o, "verdict", cli_json_text(text));
    cli_json_set(&o, "p_value", cli_json_measured(smallest_p(c, n)));
    cli_json_set(&o, "n", json_integer((json_int_t)hst_comparison_at(c, 0)->n));
    cli_json_set(&o, "copies", json_integer((json_int_t)cli_eval_number(m[0].eval, "copies")));
    cli_json_set(&o, "skipped", json_integer((json_int_t)cli_eval_number(m[0].eval, "skipped")));
    cli_json_set(&o, "models", models);
    cli_json_set(&o, "differ", photos);
    return o;
}
