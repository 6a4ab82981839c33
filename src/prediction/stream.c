/* stream.c - any number of photos on all threads, in order, in flat memory. */
#include "base/mem.h"
#include "base/shared_pipeline.h"
#include "dataset/deep.h"
#include "prediction/prediction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

typedef struct item {
    char path[PATH_BYTES];
    hst_err why; /* code 0: predicted */
    float *prob; /* [n_classes], inside the job's block */
    double unknown_score;
    int stored, is_clipped;
} item;

typedef struct job {
    hst_ctx *ctx;
    const hst_model *model;
    const hst_stream *stream;
    item *item;            /* [n_slots] */
    float *prob;           /* [n_slots][n_classes] */
    hst_session **session; /* [threads]; made by the thread at its first photo */
    hst_lookup lookup;
    hst_meter meter;
    uint64_t delivered;
    int clips, members; /* 16-bit gray is clipped; members of archives that were looked at for it */
    size_t n_clipped;
    char first_clipped[PATH_BYTES];
} job;

static int next_path(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    char *path = j->item[slot].path;
    int rc = j->stream->next(j->stream->arg, path, PATH_BYTES);
    path[PATH_BYTES - 1] = 0;
    j->item[slot].is_clipped = rc > 0 && j->clips && hst_deep_is(j->ctx, path, &j->members);
    return rc < 0 ? hst_fail(err, HST_ESTOPPED, "stopped by the caller") : rc > 0;
}

static hst_session *open_session(job *j, hst_err *err)
{
    hst_session *s = hst_session_open(j->ctx, j->model, err);
    if (!s || !j->lookup.store || hst_session_look_up(s, &j->lookup, err) == 0)
        return s;
    hst_session_free(s);
    return NULL;
}

static int predict(void *arg, size_t slot, int thread, hst_err *err)
{
    job *j = arg;
    item *it = &j->item[slot];
    if (!j->session[thread])
        j->session[thread] = open_session(j, err);
    if (!j->session[thread])
        return HST_EMEM;
    it->why.code = hst_session_predict(j->session[thread], it->path, it->prob, &it->why);
    it->unknown_score = hst_session_unknown(j->session[thread]);
    it->stored = hst_session_stored(j->session[thread]);
    return 0;
}

static int deliver_item(void *arg, size_t slot, hst_err *err)
{
    job *j = arg;
    const item *it = &j->item[slot];
    int code = it->why.code;
    if (it->is_clipped && code == 0 && j->n_clipped++ == 0)
        memcpy(j->first_clipped, it->path, sizeof j->first_clipped);
    hst_prediction p = {.size = sizeof p,
                        .index = j->delivered++,
                        .path = it->path,
                        .code = code,
                        .why = code ? it->why.msg : NULL,
                        .prob = code ? NULL : it->prob,
                        .n = j->model->n_classes,
                        .unknown_score = code ? NAN : it->unknown_score,
                        .stored = it->stored};
    if (j->stream->deliver(j->stream->arg, &p) != 0)
        return hst_fail(err, HST_ESTOPPED, "stopped by the caller");
    return j->stream->what ? hst_meter_at(&j->meter, j->delivered, err) : 0;
}

/* ---- from one process to another ---- */

static void pack_path(void *arg, size_t slot, hst_buf *b)
{
    hst_buf_puts(b, ((const job *)arg)->item[slot].path);
}

static int unpack_path(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err)
{
    char *path = ((job *)arg)->item[slot].path;
    if (n >= PATH_BYTES)
        return hst_fail(err, HST_EPROC, "a path of %zu bytes", n);
    memcpy(path, p, n);
    path[n] = 0;
    return 0;
}

/* What goes in front of the probabilities, or of why there are none. */
typedef struct outcome {
    int code, stored;
    double unknown_score;
} outcome;

static void pack_outcome(void *arg, size_t slot, hst_buf *b)
{
    const job *j = arg;
    const item *it = &j->item[slot];
    const outcome o = {it->why.code, it->stored, it->unknown_score};
    hst_buf_add(b, &o, sizeof o);
    if (o.code)
        hst_buf_puts(b, it->why.msg);
    else
        hst_buf_add(b, it->prob, (size_t)j->model->n_classes * sizeof *it->prob);
}

static int unpack_outcome(void *arg, size_t slot, const uint8_t *p, size_t n, hst_err *err)
{
    const job *j = arg;
    item *it = &j->item[slot];
    outcome o = {0};
    if (n < sizeof o)
        return hst_fail(err, HST_EPROC, "a prediction of %zu bytes", n);
    memcpy(&o, p, sizeof o);
    p += sizeof o;
    n -= sizeof o;
    it->stored = o.stored;
    it->unknown_score = o.unknown_score;
    it->why.code = o.code;
    if (o.code) {
        (void)hst_fail(&it->why, o.code, "%.*s", (int)n, (const char *)p);
        return 0;
    }
    if (n != (size_t)j->model->n_classes * sizeof *it->prob)
        return hst_fail(err, HST_EPROC, "probabilities of %zu bytes", n);
    memcpy(it->prob, p, n);
    return 0;
}

static int run(job *j, hst_err *err)
{
    const size_t threads = (size_t)hst_executor_threads(j->ctx->executor);
    const size_t slots = hst_shared_slots(j->ctx->ranks, j->ctx->executor);
    size_t classes = (size_t)j->model->n_classes;
    j->item = hst_alloc(slots, sizeof *j->item, err);
    j->prob = j->item ? hst_alloc(slots, classes * sizeof *j->prob, err) : NULL;
    j->session = j->prob ? hst_alloc(threads, sizeof *j->session, err) : NULL;
    if (!j->session)
        return HST_EMEM;
    for (size_t i = 0; i < slots; i++)
        j->item[i].prob = j->prob + i * classes;
    return hst_shared_pipeline(j->ctx->executor,
                               &(hst_shared){.p = {.arg = j,
                                                   .next = next_path,
                                                   .work = predict,
                                                   .deliver = deliver_item,
                                                   .n_slots = slots},
                                             .ranks = j->ctx->ranks,
                                             .pack_item = pack_path,
                                             .unpack_item = unpack_path,
                                             .pack_result = pack_outcome,
                                             .unpack_result = unpack_outcome},
                               err);
}

int hst_stream_run(hst_ctx *ctx, const hst_model *m, const hst_stream *s, hst_err *err)
{
    const enum hst_resampler resampler = m->extractor->branch[0].view[0].prep.resampler;
    job j = {.ctx = ctx, .model = m, .stream = s, .clips = hst_resampler_clips(resampler)};
    j.meter = hst_meter_start(ctx, s->what, s->total);
    int rc = hst_ranks_same(ctx->ranks, "model", m->content_sha256, sizeof m->content_sha256, err);
    if (rc == 0)
        rc = hst_lookup_open(&j.lookup, ctx, m->extractor, NULL, err);
    if (rc == 0)
        rc = run(&j, err);
    hst_deep_clipped(ctx, hst_resampler_name(resampler), j.n_clipped, j.first_clipped,
                     HST_DEEP_OF_MODEL);
    for (int i = 0; j.session && i < hst_executor_threads(ctx->executor); i++)
        hst_session_free(j.session[i]);
    free(j.session);
    free(j.prob);
    free(j.item);
    hst_lookup_close(&j.lookup);
    return rc;
}

int hst_predict_stream(hst_ctx *ctx, const hst_model *m, hst_next_fn *next, hst_deliver_fn *deliver,
                       void *arg, hst_err *err)
{
    hst_stream s = {.next = next, .deliver = deliver, .arg = arg};
    return hst_stream_run(ctx, m, &s, err);
}
