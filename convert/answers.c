#include "answers.h"

#include "formats/probe.h"

#include <stdio.h>
#include <string.h>

enum { USUAL_PX = 224, LEAST_FEATURES = 8 };

evaluator answers_budget(const hst_source *s)
{
    const double per_byte = 1000, least = 2e7;
    return (evaluator){least + per_byte * (double)hst_source_bytes(s)};
}

int answers_draw(evaluator *e, weights *w, const int64_t size[2], int scaled, ev_array *picture,
                 hst_err *err)
{
    const int64_t height = size[0] ? size[0] : USUAL_PX, width = size[1] ? size[1] : USUAL_PX;
    const int rc = ev_new(e, 4, (const int64_t[]){1, height, width, 3}, picture, err);
    if (rc)
        return rc;
    hst_probe_draw((int)height, (int)width, scaled, picture->own);
    return weights_say(w, err, HST_PROBE_FACT, "%s %lld %lld", scaled ? "scaled" : "pixels",
                       (long long)height, (long long)width);
}

/* [1][C], whatever axes of length 1 it has; or [1][N][C]. */
static int is_answer(const ev_array *a, int *rows)
{
    const int64_t all = (int64_t)ev_count(a);
    int64_t c = a->n_dims ? a->dim[a->n_dims - 1] : 0;
    *rows = 1;
    if (a->n_dims < 2 || a->n_dims > 4 || a->dim[0] != 1 || a->whole)
        return 0;
    for (int i = 0; i < a->n_dims && a->n_dims != 3; i++)
        c = a->dim[i] > c ? a->dim[i] : c;
    *rows = c > 0 && all / c <= INT16_MAX ? (int)(all / c) : 0;
    return c >= LEAST_FEATURES && c <= INT16_MAX && (a->n_dims == 3 || *rows == 1) && *rows;
}

/* The last ones count. */
int answers_keep(answers *a, weights *w, const ev_array *value, int is_output, hst_err *err)
{
    int rows;
    if (!is_answer(value, &rows) || (rows > 1 && !is_output))
        return 0;
    const size_t n = ev_count(value);
    float *x = hst_arena_alloc(w->arena, n, sizeof *x, err);
    if (!x)
        return HST_EMEM;
    memcpy(x, value->x, n * sizeof *x);
    a->t[a->n++ % MOST_ANSWERS] = (hst_tensor){
        .n_dims = 2, .dim = {rows, (int64_t)n / rows}, .data = x, .n_bytes = n * sizeof *x};
    return 0;
}

int answers_add(answers *a, weights *w, hst_err *err)
{
    const int n = a->n < MOST_ANSWERS ? a->n : MOST_ANSWERS;
    int rc = n ? 0 : hst_fail(err, HST_EMODEL, "its graph gives no features");
    for (int i = 0; rc == 0 && i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, HST_PROBE_ANSWER "%d", i);
        a->t[i].name = name;
        rc = weights_add(w, &a->t[i], err);
    }
    return rc;
}

int answers_taken(const weights *w, size_t more, names *taken, hst_err *err)
{
    int rc = names_init(taken, w->n + more, w->arena, err);
    for (size_t i = 0; rc == 0 && i < w->n; i++) {
        const bytes name = {(const uint8_t *)w->t[i].name, strlen(w->t[i].name)};
        rc = names_put(taken, name, 1, err);
    }
    return rc;
}

static void take_back(weights *w, size_t n, size_t n_facts)
{
    w->n = n;
    w->n_facts = n_facts;
}

int answers_or_network(weights *w, const network *net, answers_way *tell, answers_way *compute,
                       void *of, hst_err *err)
{
    hst_err why = {0};
    size_t n = w->n, n_facts = w->n_facts;
    int rc = tell(of, &why);
    const int known = rc == 0;
    if (!compute || (rc && rc != HST_EMODEL) || (known && !net_goes_on(net)))
        return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
    if (!known)
        take_back(w, n, n_facts);
    n = w->n;
    n_facts = w->n_facts;
    rc = compute(of, &why);
    if (rc == 0)
        return 0;
    take_back(w, n, n_facts);
    return known && rc == HST_EMODEL ? 0 : hst_fail(err, rc, "%s", why.msg);
}
