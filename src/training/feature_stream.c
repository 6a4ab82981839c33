#include "training/feature_stream.h"

#include "base/mem.h"
#include "base/pipeline.h"
#include "training/loader.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_PER_THREAD = 4 };

/* What one thread works with; its memory is made at its first photo. */
typedef struct worker {
    hst_work *work;
    float *input; /* [height][width][3] */
} worker;

/* A photo on its way. */
typedef struct item {
    size_t example; /* of the training side */
    uint32_t pass;
    size_t row, rows; /* its place in the step, and how many that has */
    float *x;         /* [dim] */
} item;

typedef struct stream {
    const hst_feature_stream *job;
    const hst_plan *plan;
    size_t dim, pixels;
    size_t threads, slots;
    worker *worker; /* [threads] */
    item *item;     /* [slots] */
    float *x;       /* [slots][dim] */
    /* What comes next. */
    uint64_t step;
    size_t row;
    /* The step that is gathered. */
    float *gathered;  /* [batch][dim] */
    const float **at; /* [batch] rows of gathered */
    int *label;       /* [batch] */
} stream;

static int next_photo(void *arg, size_t slot, hst_err *err)
{
    stream *s = arg;
    item *it = &s->item[slot];
    (void)err;
    if (s->step == s->job->end)
        return 0;
    hst_sample sample = hst_sampler_at(s->job->sampler, s->step);
    it->example = sample.order[s->row];
    it->pass = sample.pass;
    it->row = s->row++;
    it->rows = sample.n;
    if (s->row == sample.n) {
        s->row = 0;
        s->step++;
    }
    return 1;
}

static int prepare_worker(const stream *s, worker *w, hst_err *err)
{
    if (w->work)
        return 0;
    if (!w->input)
        w->input = hst_alloc(s->pixels, 3 * sizeof *w->input, err);
    w->work = w->input ? hst_work_new(s->plan, err) : NULL;
    return w->work ? 0 : HST_EMEM;
}

static int work_photo(void *arg, size_t slot, int thread, hst_err *err)
{
    stream *s = arg;
    const hst_fit *f = s->job->fit;
    const item *it = &s->item[slot];
    worker *w = &s->worker[thread];
    int rc = prepare_worker(s, w, err);
    if (rc == 0)
        rc = hst_load_photo(f, f->run->settings.augment, it->pass, f->train.photo[it->example],
                            w->input, err);
    if (rc == 0)
        hst_plan_run(s->plan, w->work, w->input, 1, it->x);
    return rc;
}

static int deliver_photo(void *arg, size_t slot, hst_err *err)
{
    stream *s = arg;
    const item *it = &s->item[slot];
    memcpy(s->gathered + it->row * s->dim, it->x, s->dim * sizeof *it->x);
    s->label[it->row] = s->job->fit->train.label[it->example];
    if (it->row + 1 < it->rows)
        return 0;
    const hst_head_batch b = {.x = s->at, .label = s->label, .n = it->rows};
    return s->job->step(s->job->arg, &b, err);
}

static int make(stream *s, hst_err *err)
{
    size_t batch = s->job->sampler->batch;
    s->worker = hst_alloc(s->threads, sizeof *s->worker, err);
    s->item = s->worker ? hst_alloc(s->slots, sizeof *s->item, err) : NULL;
    s->x = s->item ? hst_alloc(s->slots, s->dim * sizeof *s->x, err) : NULL;
    s->gathered = s->x ? hst_alloc(batch, s->dim * sizeof *s->gathered, err) : NULL;
    s->at = s->gathered ? hst_alloc(batch, sizeof *s->at, err) : NULL;
    s->label = s->at ? hst_alloc(batch, sizeof *s->label, err) : NULL;
    if (!s->label)
        return HST_EMEM;
    for (size_t i = 0; i < s->slots; i++)
        s->item[i].x = s->x + i * s->dim;
    for (size_t i = 0; i < batch; i++)
        s->at[i] = s->gathered + i * s->dim;
    return 0;
}

static void clear(stream *s)
{
    for (size_t t = 0; s->worker && t < s->threads; t++) {
        hst_work_free(s->worker[t].work);
        free(s->worker[t].input);
    }
    free(s->worker);
    free(s->item);
    free(s->x);
    free(s->gathered);
    free(s->at);
    free(s->label);
}

int hst_feature_stream_run(const hst_feature_stream *job, hst_err *err)
{
    const hst_run *r = job->fit->run;
    hst_executor *ex = job->fit->ctx->executor;
    stream s = {.job = job,
                .plan = r->backbone->plan,
                .dim = (size_t)r->features->dim,
                .pixels = hst_size_pixels(r->features->prep.size),
                .threads = (size_t)hst_executor_threads(ex),
                .step = job->begin};
    s.slots = s.threads * SLOTS_PER_THREAD;
    int rc = make(&s, err);
    if (rc == 0)
        rc = hst_executor_pipeline(ex,
                                   &(hst_pipeline){.arg = &s,
                                                   .next = next_photo,
                                                   .work = work_photo,
                                                   .deliver = deliver_photo,
                                                   .n_slots = s.slots},
                                   err);
    clear(&s);
    return rc;
}
