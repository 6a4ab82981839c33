/* cams.c - class-activation maps of many photos on all threads, whose explainers share one set of
 * weights. */
#include "base/mem.h"
#include "base/pipeline.h"
#include "base/sized.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>

enum { PATH_BYTES = 4096, SLOTS_PER_THREAD = 4 };

/* ---- an explainer for each thread ---- */

typedef struct team {
    const hst_ctx *ctx;
    const hst_model *model;
    hst_extractor *maps;
    hst_explainer **explainer; /* [threads]; made by the thread at its first photo */
} team;

static int team_open(team *t, const hst_ctx *ctx, const hst_model *m, hst_err *err)
{
    const size_t threads = (size_t)hst_executor_threads(ctx->executor);
    *t = (team){.ctx = ctx, .model = m};
    t->maps = hst_extractor_with_maps(m->extractor, ctx, err);
    t->explainer = t->maps ? hst_alloc(threads, sizeof(hst_explainer *), err) : NULL;
    return t->explainer ? 0 : err && err->code ? err->code : HST_EMEM;
}

static void team_close(team *t)
{
    for (int i = 0; t->explainer && i < hst_executor_threads(t->ctx->executor); i++)
        hst_explainer_free(t->explainer[i]);
    free(t->explainer);
    hst_extractor_free(t->maps);
}

static hst_explainer *member(team *t, int thread, hst_err *err)
{
    if (!t->explainer[thread])
        t->explainer[thread] = hst_explainer_new(t->ctx, t->model, t->maps, err);
    return t->explainer[thread];
}

/* ---- small pictures ---- */

typedef struct wishes {
    team team;
    const hst_cam_wish *photo;
    int px;
    hst_image *out;
} wishes;

static int fulfil(void *arg, size_t i, int thread, hst_err *err)
{
    wishes *w = arg;
    hst_explainer *x = member(&w->team, thread, err);
    if (!x)
        return HST_EMEM;
    int rc = hst_explainer_see(x, w->photo[i].path, w->photo[i].label, err);
    rc = rc ? rc : hst_report_cam(x, w->px, &w->out[i], err);
    return rc == HST_EMEM || rc == HST_EARG ? rc : 0;
}

int hst_report_cams(const hst_ctx *ctx, const hst_model *m, const hst_cam_wish *photo, size_t n,
                    int px, hst_image *out, hst_err *err)
{
    wishes w = {.photo = photo, .px = px, .out = out};
    for (size_t i = 0; i < n; i++)
        out[i] = (hst_image){0};
    int rc = team_open(&w.team, ctx, m, err);
    rc = rc ? rc : hst_executor_try(ctx->executor, n, fulfil, &w, err);
    for (size_t i = 0; rc && i < n; i++)
        hst_image_clear(&out[i]);
    team_close(&w.team);
    return rc;
}

/* ---- any number of photos, in order ---- */

typedef struct item {
    char photo[PATH_BYTES], picture[PATH_BYTES]; /* "": none */
    hst_err why;                                 /* code 0: predicted */
    float *prob;                                 /* [n_classes], inside the job's block */
    double unknown_score;
} item;

typedef struct job {
    team team;
    hst_explain_calls calls;
    item *item;  /* [n_slots] */
    float *prob; /* [n_slots][n_classes] */
    uint64_t delivered;
} job;

static int stopped(hst_err *err)
{
    return hst_fail(err, HST_ESTOPPED, "stopped by the caller");
}

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    item *it = &j->item[slot];
    int rc = j->calls.next(j->calls.arg, it->photo, PATH_BYTES);
    if (rc <= 0)
        return rc < 0 ? stopped(err) : 0;
    it->photo[PATH_BYTES - 1] = 0;
    rc = j->calls.picture(j->calls.arg, it->picture, PATH_BYTES);
    if (rc < 0)
        return stopped(err);
    it->picture[rc ? PATH_BYTES - 1 : 0] = 0;
    return 1;
}

/* A photo that cannot be used does not end the job, a picture that cannot be written does. */
static int explain(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    item *it = &j->item[slot];
    hst_explainer *x = member(&j->team, thread, err);
    if (!x)
        return HST_EMEM;
    it->why.code = hst_explainer_see(x, it->photo, -1, &it->why);
    if (it->why.code)
        return 0;
    const hst_cam *cam = hst_explainer_cam(x);
    for (int c = 0; c < cam->n; c++)
        it->prob[c] = cam->prob[c];
    it->unknown_score = cam->unknown_score;
    int rc = it->picture[0] ? hst_explain_draw(x, it->picture, err) : 0;
    if (rc)
        hst_err_at(err, it->picture);
    return rc;
}

static int deliver(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    const item *it = &j->item[slot];
    const int code = it->why.code;
    const hst_prediction p = {.size = sizeof p,
                              .index = j->delivered++,
                              .path = it->photo,
                              .code = code,
                              .why = code ? it->why.msg : NULL,
                              .prob = code ? NULL : it->prob,
                              .n = j->team.model->n_classes,
                              .unknown_score = code ? NAN : it->unknown_score,
                              .picture = code || !it->picture[0] ? NULL : it->picture};
    return j->calls.deliver(j->calls.arg, &p) ? stopped(err) : 0;
}

static const hst_sized sized = HST_SIZED(hst_explain_calls, arg);

void hst_explain_calls_init(hst_explain_calls *c, size_t size)
{
    hst_sized_init(&sized, &(hst_explain_calls){0}, c, size);
}

static int run(job *j, hst_err *err)
{
    hst_executor *ex = j->team.ctx->executor;
    const size_t slots = (size_t)hst_executor_threads(ex) * SLOTS_PER_THREAD;
    const size_t classes = (size_t)j->team.model->n_classes;
    j->item = hst_alloc(slots, sizeof *j->item, err);
    j->prob = j->item ? hst_alloc(slots, classes * sizeof *j->prob, err) : NULL;
    if (!j->prob)
        return HST_EMEM;
    for (size_t i = 0; i < slots; i++)
        j->item[i].prob = j->prob + i * classes;
    const hst_pipeline p = {
        .arg = j, .next = next_photo, .work = explain, .deliver = deliver, .n_slots = slots};
    return hst_executor_pipeline(ex, &p, err);
}

int hst_explain_stream(hst_ctx *ctx, const hst_model *m, const hst_explain_calls *calls,
                       hst_err *err)
{
    job j = {0};
    if (hst_sized_read(&sized, &j.calls, calls, err))
        return HST_EARG;
    if (!j.calls.next || !j.calls.picture || !j.calls.deliver)
        return hst_fail(err, HST_EARG, "next, picture and deliver are wanted");
    int rc = team_open(&j.team, ctx, m, err);
    rc = rc ? rc : run(&j, err);
    team_close(&j.team);
    free(j.prob);
    free(j.item);
    return rc;
}
