#include "unknown.h"

#include "json_result.h"
#include "photos.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Paths, each to be freed. */
typedef struct paths {
    char **at;
    size_t n, cap;
} paths;

static int add(paths *p, const char *path)
{
    if (p->n == p->cap) {
        const size_t cap = p->cap ? 2 * p->cap : 256;
        char **more = realloc(p->at, cap * sizeof *more);
        if (!more)
            return -1;
        p->at = more;
        p->cap = cap;
    }
    p->at[p->n] = strdup(path);
    return p->at[p->n] ? (p->n++, 0) : -1;
}

/* 0; -1 without memory, or interrupted. */
static int list(cli_job *job, const char *dir, paths *p)
{
    char path[4096];
    cli_photos walk;
    int rc = cli_photos_open(&walk, &dir, 1, NULL), more = 0;
    walk.display = &job->display;
    while (rc == 0 && (more = cli_photos_next(&walk, path, sizeof path)) > 0)
        rc = add(p, path);
    cli_photos_close(&walk);
    return rc || more < 0 ? -1 : 0;
}

int cli_unknown_check(const hst_model *m, const char *name)
{
    if (hst_model_tells_unknown(m))
        return CLI_OK;
    if (hst_model_target(m) != HST_TARGET_CLASS) {
        cli_error("%s cannot tell unknown photos: it says %s, not one class", name,
                  hst_model_target(m) == HST_TARGET_LABELS ? "several labels" : "a number");
        return CLI_USAGE;
    }
    cli_error("%s cannot tell unknown photos: train it again, not with recipe tutorial and with "
              "--unknown-rate above 0",
              name);
    return CLI_USAGE;
}

int cli_unknown_measure(cli_job *job, const hst_model *m, const hst_eval *e, hst_detection *out)
{
    paths p = {0};
    hst_data *d = NULL;
    int status = CLI_OK;
    *out = (hst_detection){.size = sizeof *out};
    if (list(job, job->v.unknown, &p)) {
        cli_error("out of memory");
        status = cli_exit_status(HST_EMEM);
    } else if (p.n == 0) {
        cli_error("%s: no photos", job->v.unknown);
        status = CLI_BAD_INPUT;
    } else {
        d = hst_data_from_files((const char *const *)p.at, p.n, &job->err);
        if (!d || hst_detect(job->ctx, m, e, d, out, &job->err))
            status = cli_job_fail(job);
    }
    hst_data_free(d);
    for (size_t i = 0; i < p.n; i++)
        free(p.at[i]);
    free(p.at);
    return status;
}

void cli_unknown_json(json_t **o, const cli_evaluated *m)
{
    const double n = cli_eval_number(m->eval, "refused");
    const hst_detection *d = m->detection;
    cli_json_set(o, "refused", isnan(n) ? json_null() : json_integer((json_int_t)n));
    if (!d)
        return;
    json_t *u = json_object();
    cli_json_set(&u, "n", json_integer((json_int_t)d->unknown));
    cli_json_set(&u, "found", json_integer((json_int_t)d->found));
    cli_json_set(&u, "known_n", json_integer((json_int_t)d->known));
    cli_json_set(&u, "known_refused", json_integer((json_int_t)d->refused));
    cli_json_set(&u, "auroc", cli_json_measured(d->auroc));
    cli_json_set(&u, "auroc_low", cli_json_measured(d->auroc_low));
    cli_json_set(&u, "auroc_high", cli_json_measured(d->auroc_high));
    cli_json_set(&u, "fpr_at_95_tpr", cli_json_measured(d->fpr95));
    cli_json_set(&u, "seen", json_integer((json_int_t)d->seen));
    cli_json_set(&u, "skipped", json_integer((json_int_t)d->skipped));
    cli_json_set(o, "unknown", u);
}

static void put_part(cli_out *out, uint64_t part, uint64_t n, const char *what)
{
    cli_out_printf(out, "%" PRIu64 " of %" PRIu64 " %s (%.1f %%)", part, n, what,
                   n ? 100 * (double)part / (double)n : 0);
}

static void put_detection(cli_out *out, const hst_detection *d)
{
    cli_out_puts(out, "unknown  ");
    if (d->known == 0) {
        cli_out_puts(out, "cannot be measured: no photo of the classes counts\n");
    } else if (d->unknown == 0) {
        cli_out_puts(out, "cannot be measured: no photo given as unknown counts\n");
    } else {
        put_part(out, d->found, d->unknown, "unknown photos found");
        cli_out_puts(out, ",\n         ");
        put_part(out, d->refused, d->known, "known ones refused");
        cli_out_printf(out, "\n         AUROC %.4f (%.4f-%.4f)", d->auroc, d->auroc_low,
                       d->auroc_high);
        cli_out_printf(out, ", FPR at 95 %% TPR %.4f\n", d->fpr95);
    }
    if (d->seen)
        cli_out_printf(out, "         %" PRIu64 " given as unknown were trained on: not counted\n",
                       d->seen);
    if (d->skipped)
        cli_out_printf(out, "         %" PRIu64 " given as unknown cannot be used\n", d->skipped);
}

void cli_unknown_text(cli_out *out, const cli_evaluated *m)
{
    const double n = cli_eval_number(m->eval, "refused");
    if (m->detection)
        put_detection(out, m->detection);
    else if (n > 0)
        cli_out_printf(out, "unknown  %.0f of the photos are called so, right or not\n", n);
}
