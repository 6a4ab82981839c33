/* run.c - plans for inference: made, and run image by image. */
#include "base/context.h"
#include "base/mem.h"
#include "nn/plan/step.h"

#include <stdlib.h>

hst_plan_options hst_plan_defaults(void)
{
    return (hst_plan_options){.fuse = 1, .cache_bytes = hst_cache_bytes()};
}

/* One block for the weights of all steps: few large pages instead of many small ones. */
static int pack_weights(hst_plan *p, hst_err *err)
{
    const hst_state_size z = hst_plan_hand_out(p, NULL, NULL);
    p->weights = hst_alloc_raw(z.floats, sizeof *p->weights, err);
    if (!p->weights)
        return HST_EMEM;
    hst_plan_hand_out(p, p->weights, NULL);
    for (int i = 0; i < p->n_steps; i++) {
        hst_step *s = &p->step[i];
        int rc = s->runner->pack ? s->runner->pack(p, s, NULL, err) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

hst_plan *hst_plan_new(const hst_graph *g, const hst_kernels *k, hst_err *err)
{
    hst_plan_options o = hst_plan_defaults();
    return hst_plan_make(g, k, &o, err);
}

hst_plan *hst_plan_make(const hst_graph *g, const hst_kernels *k, const hst_plan_options *o,
                        hst_err *err)
{
    hst_plan *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return NULL;
    p->graph = g;
    p->request = (hst_plan_request){.device = o->device ? o->device : &hst_device_cpu_f32,
                                    .kernels = k,
                                    .products = k->products[o->precision],
                                    .ranges = o->ranges,
                                    .fuse = o->fuse,
                                    .cache_bytes = o->cache_bytes,
                                    .output = o->output,
                                    .n_outputs = o->n_outputs,
                                    .learn_from = hst_graph_n_nodes(g)};
    if (hst_plan_steps(p, err) || hst_plan_standardised(p, err) || pack_weights(p, err)) {
        hst_plan_free(p);
        return NULL;
    }
    hst_plan_standardised_end(p);
    p->graph = NULL;
    p->request.output = NULL;
    p->request.ranges = NULL;
    return p;
}

void hst_plan_free(hst_plan *p)
{
    if (!p)
        return;
    hst_plan_clear(p);
    free(p);
}

hst_shape hst_plan_input(const hst_plan *p)
{
    return p->input;
}

hst_shape hst_plan_output(const hst_plan *p)
{
    return p->output;
}

size_t hst_plan_output_floats(const hst_plan *p)
{
    return p->output_floats;
}

hst_shape hst_plan_value(const hst_plan *p, int node)
{
    return p->value[node].shape;
}

int hst_plan_n_steps(const hst_plan *p)
{
    return p->n_steps;
}

hst_plan_part hst_plan_part_at(const hst_plan *p, int i)
{
    const hst_step *s = &p->step[i];
    return (hst_plan_part){.runner = s->runner->name,
                           .first = s->group.first,
                           .end = s->group.end,
                           .weight_bytes = s->state_floats * sizeof(float)};
}

int hst_plan_images(const hst_plan *p)
{
    return p->images;
}

int hst_plan_numerics(const hst_plan *p)
{
    int most = 0;
    for (int i = 0; i < p->n_steps; i++)
        if (p->step[i].runner->numerics > most)
            most = p->step[i].runner->numerics;
    return most;
}

struct hst_work {
    int threads, images;   /* that it has memory for */
    hst_step_memory extra; /* the most that a step needs */
    float *block;          /* [block_floats], then what is shared, then each thread's own */
};

static hst_step_memory needs(const hst_step *s, int threads, int images)
{
    return s->runner->memory ? s->runner->memory(s, threads, s->several ? images : 1)
                             : (hst_step_memory){.own = s->scratch_floats};
}

/* Enough for up to `threads` threads (not all may start). Rounded up to cache lines, so that no two
 * threads write one. */
static hst_step_memory most_needed(const hst_plan *p, int threads, int images)
{
    hst_step_memory most = {0};
    for (int i = 0; i < p->n_steps * threads; i++) {
        const int at = i / threads;
        const hst_step_memory m = needs(&p->step[at], i % threads + 1, at < p->tail ? 1 : images);
        most.own = m.own > most.own ? m.own : most.own;
        most.shared = m.shared > most.shared ? m.shared : most.shared;
    }
    return (hst_step_memory){hst_whole_lines(most.own), hst_whole_lines(most.shared)};
}

static size_t values_floats(const hst_plan *p, int images)
{
    return p->block_floats + p->tail_floats * (size_t)images;
}

static size_t work_floats(const hst_plan *p, const hst_step_memory *m, int threads, int images)
{
    return values_floats(p, images) + m->shared + m->own * (size_t)threads;
}

size_t hst_work_bytes(const hst_plan *p)
{
    const hst_step_memory m = most_needed(p, 1, p->images);
    return work_floats(p, &m, 1, p->images) * sizeof(float);
}

static hst_work *work_new(const hst_plan *p, int threads, int images, hst_err *err)
{
    hst_work *w = hst_alloc(1, sizeof *w, err);
    if (!w)
        return NULL;
    w->threads = threads;
    w->images = images;
    w->extra = most_needed(p, threads, images);
    w->block = hst_alloc(work_floats(p, &w->extra, threads, images), sizeof *w->block, err);
    if (w->block)
        return w;
    free(w);
    return NULL;
}

hst_work *hst_work_new(const hst_plan *p, hst_err *err)
{
    return work_new(p, 1, p->images, err);
}

hst_work *hst_work_new_together(const hst_plan *p, int threads, hst_err *err)
{
    return work_new(p, threads, 1, err);
}

void hst_work_free(hst_work *w)
{
    if (!w)
        return;
    free(w->block);
    free(w);
}

/* Images on their way through a plan. */
typedef struct passage {
    const hst_plan *plan;
    hst_work *work;
    const float *x;        /* [images][input] */
    float *y;              /* [images][outputs] */
    int images;            /* 1 .. work->images */
    double *seconds;       /* [n_steps] that the steps took; NULL: not measured */
    hst_plan_watch *watch; /* is told what the steps make; NULL: nobody is */
    void *arg;
} passage;

/* Where a value is of the first image. */
static float *place_of(const passage *r, const hst_value *v)
{
    const hst_plan *p = r->plan;
    if (v->is_output)
        return r->y + v->output_at;
    return r->work->block +
           (v->last < p->tail ? v->offset : p->block_floats + v->offset * (size_t)r->images);
}

/* How far behind it that of the next image is; 0: images take turns in one place. */
static size_t apart_of(const passage *r, const hst_value *v)
{
    if (v->is_output)
        return r->plan->output_floats;
    return v->is_input || v->last >= r->plan->tail ? v->floats : 0;
}

/* Of a value of which only the first tokens are read no others are made. */
static size_t made_floats(const hst_plan *p, int node)
{
    const hst_shape s = p->value[node].shape;
    return hst_shape_floats((hst_shape){s.h, hst_plan_wide(p, node), s.c});
}

/* What step i reads and makes of an image; 1: and of those behind it, side by side. */
static int point_at(const passage *r, const hst_step *s, size_t image, hst_run_args *a)
{
    const hst_value *y = &r->plan->value[s->output];
    int side_by_side = apart_of(r, y) == y->floats;
    a->y = place_of(r, y) + image * apart_of(r, y);
    for (int k = 0; k < HST_MAX_INPUTS; k++) {
        const hst_value *x = s->input[k] < 0 ? NULL : &r->plan->value[s->input[k]];
        a->x[k] = NULL;
        if (!x)
            continue;
        a->x[k] = (x->is_input ? r->x : place_of(r, x)) + image * apart_of(r, x);
        side_by_side &= apart_of(r, x) == x->floats;
    }
    return side_by_side;
}

/* Step i on the images first .. end-1, together where its runner can. */
static void run_step(const passage *r, int i, hst_run_args *a, int first, int end)
{
    const hst_step *s = &r->plan->step[i];
    const double since = r->seconds ? hst_now_s() : 0;
    for (int image = first; image < end; image += a->images) {
        const int side_by_side = point_at(r, s, (size_t)image, a);
        a->images = side_by_side && s->several ? end - first : 1;
        s->runner->infer(s, a);
    }
    if (r->seconds)
        r->seconds[i] = hst_now_s() - since;
    if (r->watch)
        r->watch(r->arg, s->output, a->y, made_floats(r->plan, s->output));
    hst_barrier_wait(a->barrier);
}

static void run_steps(void *arg, int thread, int threads, hst_barrier *barrier)
{
    const passage *r = arg;
    const hst_plan *p = r->plan;
    float *shared = r->work->block + values_floats(p, r->work->images);
    hst_run_args a = {
        .kernels = p->kernels, .thread = thread, .threads = threads, .barrier = barrier};
    a.shared = shared;
    a.scratch = shared + r->work->extra.shared + (size_t)thread * r->work->extra.own;
    if (r->watch)
        r->watch(r->arg, 0, r->x, p->value[0].floats);
    for (int image = 0; image < r->images; image++)
        for (int i = 0; i < p->tail; i++)
            run_step(r, i, &a, image, image + 1);
    for (int i = p->tail; i < p->n_steps; i++)
        run_step(r, i, &a, 0, r->images);
}

void hst_plan_run(const hst_plan *p, hst_work *w, const float *x, int n, float *y)
{
    passage r = {.plan = p, .work = w, .x = x, .y = y};
    for (int image = 0; image < n; image += r.images) {
        r.images = n - image < w->images ? n - image : w->images;
        run_steps(&r, 0, 1, NULL);
        r.x += p->value[0].floats * (size_t)r.images;
        r.y += p->output_floats * (size_t)r.images;
    }
}

void hst_plan_run_timed(const hst_plan *p, hst_work *w, const float *x, float *y, double *seconds)
{
    run_steps(&(passage){.plan = p, .work = w, .x = x, .y = y, .images = 1, .seconds = seconds}, 0,
              1, NULL);
}

void hst_plan_run_watched(const hst_plan *p, hst_work *w, const float *x, float *y,
                          hst_plan_watch *watch, void *arg)
{
    run_steps(
        &(passage){.plan = p, .work = w, .x = x, .y = y, .images = 1, .watch = watch, .arg = arg},
        0, 1, NULL);
}

void hst_plan_run_together(const hst_plan *p, hst_work *w, hst_executor *ex, const float *x,
                           float *y)
{
    hst_executor_together(ex, w->threads, run_steps,
                          &(passage){.plan = p, .work = w, .x = x, .y = y, .images = 1});
}
