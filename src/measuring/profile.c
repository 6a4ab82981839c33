/* profile.c - where a network's time goes, step by step, beside what bounds each step from below:
 * a roofline (Williams, Waterman, Patterson 2009).
 *
 * Bytes have no fixed price: it depends on the cache where they lie by the time, and that on what
 * was touched in between. So reading is measured on buffers of many sizes, read round and round.
 * Weights come round once an image, behind all other weights: they cost what a buffer of the size
 * of all weights costs. What a step reads was made by the step before, and what it makes is read by
 * the next: they cost what a buffer of the size of the two and the step's weights costs. */
#include "backbones/backbone.h"
#include "base/context.h"
#include "base/mem.h"
#include "measuring/rounds.h"
#include "nn/op.h"

#include <stdlib.h>

enum {
    N_SIZES = 13,
    LEAST_BYTES = 16 << 10, /* of a buffer that is read; each is twice the one before */
    READ_BYTES = 8 << 20    /* in one measurement at least, so that the clock counts for nothing */
};

struct hst_profile {
    int n;
    hst_step_speed *step; /* [n] */
    size_t weight_bytes;  /* of all */
    double read[N_SIZES]; /* bytes/s, best of the rounds */
    double peak;          /* FLOP/s, the same */
    double *rates;        /* [HST_MAX_ROUNDS][n] images/s through a step */
};

static size_t buffer_bytes(int i)
{
    return (size_t)LEAST_BYTES << i;
}

/* Bytes a second where so many are read round and round: what the largest smaller buffer gave. */
static double rate_of(const hst_profile *p, double bytes)
{
    int i = N_SIZES - 1;
    while (i > 0 && (double)buffer_bytes(i) > bytes)
        i--;
    return p->read[i];
}

/* ---- a round ---- */

static void read_round(hst_profile *p, const hst_kernels *k, const float *buffer)
{
    volatile float sink;
    for (int i = 0; i < N_SIZES; i++) {
        const size_t n = buffer_bytes(i) / sizeof(float) / HST_READ_FLOATS * HST_READ_FLOATS;
        const size_t times = buffer_bytes(i) < READ_BYTES ? READ_BYTES / buffer_bytes(i) : 1;
        sink = k->read(buffer, n);
        const double since = hst_now_s();
        for (size_t t = 0; t < times; t++)
            sink = k->read(buffer, n);
        const double rate = (double)(times * n * sizeof(float)) / (hst_now_s() - since);
        p->read[i] = rate > p->read[i] ? rate : p->read[i];
    }
    (void)sink;
}

static void peak_round(hst_profile *p, const hst_kernels *k)
{
    enum { ROUNDS = 200000 };
    float sink[HST_PEAK_FLOATS] = {0};
    const double since = hst_now_s(), flops = k->peak(ROUNDS, sink);
    const double rate = flops / (hst_now_s() - since);
    p->peak = rate > p->peak ? rate : p->peak;
}

/* ---- the steps ---- */

static void put_shape(hst_shape s, int out[3])
{
    out[0] = s.h;
    out[1] = s.w;
    out[2] = s.c;
}

static void describe(const hst_graph *g, const hst_plan_part *part, hst_step_speed *s)
{
    s->size = sizeof *s;
    s->kind = part->runner;
    s->layer = "";
    s->weight_bytes = (double)part->weight_bytes;
    for (int i = part->first; i < part->end; i++) {
        const hst_node *n = hst_graph_node(g, i);
        s->flops += hst_graph_node_flops(g, i);
        if (*s->layer == '\0' && hst_node_has_weights(n))
            s->layer = n->name;
    }
    if (part->end - part->first == 1 && *s->layer == '\0')
        s->kind = hst_graph_op_name(g, part->first);
    put_shape(hst_graph_shape(g, hst_graph_input_of(g, part->first, 0)), s->in);
    put_shape(hst_graph_shape(g, part->end - 1), s->out);
}

static double bytes_of(const int shape[3])
{
    return (double)shape[0] * shape[1] * shape[2] * (double)sizeof(float);
}

static void conclude(hst_profile *p, hst_rounds *r)
{
    hst_rounds_judge(r);
    for (int i = 0; i < p->n; i++) {
        hst_step_speed *s = &p->step[i];
        const double maps = bytes_of(s->in) + bytes_of(s->out);
        const hst_rate rate = hst_rounds_rate(r, p->rates + i, (size_t)p->n);
        s->best_s = 1 / rate.best;
        s->median_s = 1 / rate.median;
        s->arithmetic_s = s->flops / p->peak;
        s->data_s = s->weight_bytes / rate_of(p, (double)p->weight_bytes) +
                    maps / rate_of(p, maps + s->weight_bytes);
    }
}

/* ---- all of it ---- */

/* What a round needs beside the profile. */
typedef struct scratch {
    hst_work *work;
    float *x, *y, *buffer;
    double *seconds; /* [n] */
} scratch;

static void scratch_free(scratch *s)
{
    hst_work_free(s->work);
    free(s->x);
    free(s->y);
    free(s->buffer);
    free(s->seconds);
}

static int scratch_make(const hst_profile *p, const hst_plan *plan, scratch *s, hst_err *err)
{
    const size_t in = hst_shape_floats(hst_plan_input(plan));
    const size_t floats = buffer_bytes(N_SIZES - 1) / sizeof(float);
    if (!(s->work = hst_work_new(plan, err)) || !(s->x = hst_alloc(in, sizeof *s->x, err)) ||
        !(s->y = hst_alloc(hst_plan_output_floats(plan), sizeof *s->y, err)) ||
        !(s->buffer = hst_alloc(floats, sizeof *s->buffer, err)) ||
        !(s->seconds = hst_alloc((size_t)p->n, sizeof *s->seconds, err)))
        return HST_EMEM;
    hst_rounds_image(s->x, in);
    for (size_t i = 0; i < floats; i++)
        s->buffer[i] = 1; /* pages of zeros would all be one page */
    return 0;
}

/* The steps one behind the other, image by image: a step finds in the caches what it finds there in
 * use. The first image warms up. */
static void step_round(hst_profile *p, const hst_plan *plan, const scratch *s, int round)
{
    enum { IMAGES = 4 };
    double *rates = p->rates + (size_t)round * (size_t)p->n;
    for (int i = 0; i < p->n; i++)
        rates[i] = 0;
    for (int image = 0; image <= IMAGES; image++) {
        hst_plan_run_timed(plan, s->work, s->x, s->y, s->seconds);
        for (int i = 0; image > 0 && i < p->n; i++)
            rates[i] += s->seconds[i];
    }
    for (int i = 0; i < p->n; i++)
        rates[i] = IMAGES / (rates[i] + 1e-12);
}

static int measure(hst_ctx *ctx, const hst_plan *plan, hst_profile *p, hst_rounds *r, hst_err *err)
{
    scratch s = {0};
    hst_meter meter = hst_meter_start(ctx, "bench", 0);
    int rc = scratch_make(p, plan, &s, err);
    while (rc == 0 && hst_rounds_more(r)) {
        peak_round(p, ctx->kernels);
        read_round(p, ctx->kernels, s.buffer);
        step_round(p, plan, &s, r->n);
        hst_rounds_next(r);
        rc = hst_meter_at(&meter, (uint64_t)r->n, err);
    }
    scratch_free(&s);
    return rc;
}

static hst_profile *profile_new(const hst_backbone *b, hst_err *err)
{
    hst_profile *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return NULL;
    p->n = hst_plan_n_steps(b->plan);
    p->step = hst_alloc((size_t)p->n, sizeof *p->step, err);
    p->rates = hst_alloc((size_t)p->n * HST_MAX_ROUNDS, sizeof *p->rates, err);
    if (!p->step || !p->rates) {
        hst_profile_free(p);
        return NULL;
    }
    for (int i = 0; i < p->n; i++) {
        const hst_plan_part part = hst_plan_part_at(b->plan, i);
        p->weight_bytes += part.weight_bytes;
        describe(b->graph, &part, &p->step[i]);
    }
    return p;
}

hst_profile *hst_profile_measure(hst_ctx *ctx, const hst_backbone *b, double at_least_s,
                                 hst_err *err)
{
    if (b->beside) {
        (void)hst_fail(err, HST_EARG, "one backbone is measured at a time, not several");
        return NULL;
    }
    hst_profile *p = profile_new(b, err);
    hst_rounds r = hst_rounds_begin(NULL, at_least_s);
    if (p && measure(ctx, b->plan, p, &r, err)) {
        hst_profile_free(p);
        return NULL;
    }
    if (p)
        conclude(p, &r);
    return p;
}

const hst_step_speed *hst_profile_at(const hst_profile *p, int i)
{
    return i >= 0 && i < p->n ? &p->step[i] : NULL;
}

void hst_profile_free(hst_profile *p)
{
    if (!p)
        return;
    free(p->step);
    free(p->rates);
    free(p);
}
