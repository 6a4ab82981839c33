#include "backbones/probed.h"
#include "backbones/cnn.h"
#include "backbones/facts.h"
#include "base/mem.h"
#include "formats/probe.h"
#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest feature: what two programs in float32 may differ by. */
#define TOLERANCE 1e-4

typedef struct probe {
    int scaled;         /* 1: the picture is as the network's first layer sees it */
    const char *answer; /* how the names of those begin that count */
    hst_size size;
} probe;

static int is_numbered(const hst_family *f)
{
    for (size_t i = 0; i < f->n_dialects; i++)
        if (f->dialects[i].body == hst_numbered_body)
            return 1;
    return 0;
}

int hst_probed_has_names(const hst_tensors *t, const hst_arch *a)
{
    const int by_graph = hst_tensors_meta(t, "graph") && is_numbered(hst_family_find(a->family));
    return hst_tensors_meta(t, HST_NAMES_FACT) && !by_graph;
}

/* 1; 0: the file's graph was not asked. */
static int read_probe(const hst_tensors *t, probe *p, hst_err *err)
{
    const char *text = hst_tensors_meta(t, HST_PROBE_FACT);
    char kind[8] = "";
    int h = 0, w = 0;
    if (!text)
        return 0;
    if (sscanf(text, "%7s %d %d", kind, &h, &w) != 3 || h < HST_LEAST_PX || h > HST_MOST_PX ||
        w < HST_LEAST_PX || w > HST_MOST_PX)
        return hst_fail(err, HST_EMODEL, "its input is of no size that networks here have");
    *p = (probe){strcmp(kind, "scaled") == 0, HST_PROBE_ANSWER, {w, h}};
    return 1;
}

/* ---- answers ---- */

/* The largest difference as a part of the largest feature; INFINITY where they are of other
 * lengths. */
static double difference(const float *y, const float *answer, size_t n)
{
    double most = 0, largest = 1e-30;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)y[i] - (double)answer[i]);
        most = d > most || isnan(d) ? d : most;
        largest = fmax(largest, fabs((double)y[i]));
    }
    return most / largest;
}

/* Features y[n] beside the vectors whose names begin so and, of tokens, the first one: how far the
 * nearest is. */
static double nearest(const hst_tensors *t, const char *begin, const float *y, size_t n)
{
    double least = INFINITY;
    for (size_t i = 0; i < hst_tensors_count(t); i++) {
        const hst_tensor *x = hst_tensors_at(t, i);
        if (strncmp(x->name, begin, strlen(begin)) == 0 && x->n_dims == 2 && x->dtype == HST_F32 &&
            x->data && x->dim[0] >= 1 && x->dim[1] == (int64_t)n)
            least = fmin(least, difference(y, x->data, n));
    }
    return least;
}

static void draw(const probe *p, const hst_pixel_norm *norm, float *x)
{
    hst_probe_draw(p->size.height, p->size.width, p->scaled, x);
    for (size_t i = 0; !p->scaled && i < hst_size_pixels(p->size) * 3; i++)
        x[i] = (x[i] - norm->mean[i % 3]) / norm->std[i % 3];
}

/* *least: how far g's features are from the nearest answer. */
static int ask(const hst_ctx *ctx, const hst_tensors *t, const probe *p, const hst_arch *a,
               const hst_graph *g, double *least, hst_err *err)
{
    hst_plan *plan = hst_plan_new(g, ctx->kernels, err);
    const size_t n = plan ? (size_t)hst_plan_output(plan).c : 0;
    float *x = plan ? hst_alloc(hst_size_pixels(p->size) * 3 + n, sizeof *x, err) : NULL;
    hst_work *w = x ? hst_work_new(plan, err) : NULL;
    if (w) {
        float *y = x + hst_size_pixels(p->size) * 3;
        draw(p, &a->norm, x);
        hst_plan_run(plan, w, x, 1, y);
        *least = nearest(t, p->answer, y, n);
    }
    const int rc = w ? 0 : HST_EMEM;
    hst_work_free(w);
    free(x);
    hst_plan_free(plan);
    return rc;
}

/* The network of the file's tensors, of arch *a. */
static int ask_arch(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o, const probe *p,
                    const hst_arch *a, double *least, hst_err *err)
{
    hst_graph *g = hst_arch_graph(a, err);
    int rc = !g  ? HST_EMODEL
             : o ? hst_weights_import(t, o, a, g, err)
                 : hst_exported_read(t, g, err);
    rc = rc ? rc : ask(ctx, t, p, a, g, least, err);
    hst_graph_free(g);
    return rc;
}

/* *least: how far the nearest of its poolings is, the last one tried; *pool: its name, NULL: the
 * network's own. */
static int ask_pools(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o, const probe *p,
                     const hst_arch *a, const char **pool, double *least, hst_err *err)
{
    static const char *const pools[] = {NULL, "cls", "mean", "cls+mean", "map"};
    int rc = 0;
    *least = INFINITY;
    for (size_t i = 0; rc == 0 && *least > TOLERANCE && i < (o ? 5 : 1); i++) {
        hst_arch as = *a;
        double found = INFINITY;
        as.size = p->size;
        if (pools[i] && hst_family_find(a->family)->kind->pool(&as, pools[i], NULL))
            continue;
        if (o && o->family->kind->fit(t, o, &as, err) < 0)
            return HST_EMEM;
        rc = ask_arch(ctx, t, o, p, &as, &found, err);
        *least = fmin(*least, found);
        *pool = pools[i];
    }
    return rc;
}

int hst_probed_check(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o,
                     const hst_arch *a, hst_err *err)
{
    probe p = {0};
    double least;
    const char *pool;
    int rc = o && (o->dialect->body == hst_numbered_body || !o->fits) ? 0 : read_probe(t, &p, err);
    if (rc <= 0)
        return rc;
    rc = ask_pools(ctx, t, o, &p, a, &pool, &least, err);
    if (rc || least <= TOLERANCE)
        return rc;
    return hst_fail(err, HST_EMODEL,
                    "its tensors are those of %s, but its graph computes something else: the "
                    "features of a made-up picture %s",
                    a->family, isinf(least) ? "are not among what it gives" : "differ");
}

int hst_probed_pool(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o,
                    const hst_arch *a, const char **pool, hst_err *err)
{
    probe p = {0};
    double least;
    int rc = !hst_tensors_find(t, HST_PROBE_FEATURES) || o->dialect->body == hst_numbered_body
                 ? 0
                 : read_probe(t, &p, err);
    if (rc <= 0)
        return rc;
    hst_arch facts = *a;
    p.answer = HST_PROBE_FEATURES;
    rc = hst_facts_read(t, &facts, err);
    rc = rc ? rc : ask_pools(ctx, t, o, &p, &facts, pool, &least, err);
    return rc || least <= TOLERANCE
               ? rc
               : hst_fail(err, HST_EMODEL,
                          "its classifier reads something else than the features of %s", a->family);
}
