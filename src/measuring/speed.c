/* speed.c - how fast this machine runs a backbone, beside its own limits. */
#include "backbones/backbone.h"
#include "base/context.h"
#include "base/mem.h"
#include "base/sized.h"
#include "measuring/rounds.h"

#include <stdlib.h>
#include <string.h>

enum {
    IMAGES = 4, /* for each thread and round */
    PEAK_CALLS = 8,
    PEAK_ROUNDS = 20000,
    COPY_BYTES = 32 << 20 /* for each thread: beyond any cache that it has to itself */
};
static const double peak_least_s = 2e-3;

typedef struct bench {
    const hst_kernels *kernels;
    const hst_plan *plan;
    size_t threads;
    hst_executor *all; /* of so many */
    hst_work **work;   /* [threads] */
    float *x, *y;      /* [threads][IMAGES][input], [threads][IMAGES][output] */
    char *from, *to;   /* [threads][COPY_BYTES] */
    long peak_rounds;  /* that take at least peak_least_s */
} bench;

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

/* ---- what is measured ---- */

static void run_peak(void *arg, size_t i, int thread)
{
    const bench *b = arg;
    float sink[HST_PEAK_FLOATS] = {0};
    (void)i;
    (void)thread;
    (void)b->kernels->peak(b->peak_rounds, sink);
}

static void run_copy(void *arg, size_t i, int thread)
{
    const bench *b = arg;
    (void)thread;
    memcpy(b->to + i * COPY_BYTES, b->from + i * COPY_BYTES, COPY_BYTES);
}

static void run_images(void *arg, size_t i, int thread)
{
    const bench *b = arg;
    const size_t at = (size_t)thread * IMAGES;
    (void)i;
    hst_plan_run(b->plan, b->work[thread], b->x + at * floats(hst_plan_input(b->plan)), IMAGES,
                 b->y + at * floats(hst_plan_output(b->plan)));
}

/* Seconds of work n times over. ex NULL: on one thread. */
static double seconds(hst_executor *ex, size_t n, hst_item_fn *work, bench *b)
{
    const double since = hst_now_s();
    hst_executor_for(ex, n, work, b);
    return hst_now_s() - since;
}

/* One round; amounts a second. */
typedef struct round_rates {
    double peak_one, peak_all, copy, images_one, images_all;
} round_rates;

static void run_round(bench *b, round_rates *r)
{
    float sink[HST_PEAK_FLOATS] = {0};
    const double n = (double)b->threads, flops = b->kernels->peak(b->peak_rounds, sink);
    r->peak_one = flops / seconds(NULL, 1, run_peak, b);
    r->images_one = IMAGES / seconds(NULL, 1, run_images, b);
    r->peak_all = n * flops / seconds(b->all, b->threads, run_peak, b);
    r->images_all = n * IMAGES / seconds(b->all, b->threads, run_images, b);
    r->copy = 2.0 * n * COPY_BYTES / seconds(b->all, b->threads, run_copy, b); /* read, written */
}

/* ---- setting up ---- */

static void bench_clear(bench *b)
{
    for (size_t t = 0; b->work && t < b->threads; t++)
        hst_work_free(b->work[t]);
    free(b->work);
    free(b->x);
    free(b->y);
    free(b->from);
    free(b->to);
}

static int bench_make(bench *b, hst_err *err)
{
    const size_t in = IMAGES * floats(hst_plan_input(b->plan));
    const size_t out = IMAGES * floats(hst_plan_output(b->plan));
    b->threads = (size_t)hst_executor_threads(b->all);
    if (!(b->work = hst_alloc(b->threads, sizeof *b->work, err)) ||
        !(b->x = hst_alloc(b->threads * in, sizeof *b->x, err)) ||
        !(b->y = hst_alloc(b->threads * out, sizeof *b->y, err)) ||
        !(b->from = hst_alloc(b->threads, COPY_BYTES, err)) ||
        !(b->to = hst_alloc(b->threads, COPY_BYTES, err)))
        return HST_EMEM;
    for (size_t t = 0; t < b->threads; t++)
        if (!(b->work[t] = hst_work_new(b->plan, err)))
            return HST_EMEM;
    hst_rounds_image(b->x, b->threads * in);
    memset(b->from, 1, b->threads * COPY_BYTES);
    memset(b->to, 1, b->threads * COPY_BYTES);
    for (b->peak_rounds = 1000; seconds(NULL, 1, run_peak, b) < peak_least_s;)
        b->peak_rounds *= 2;
    return 0;
}

/* ---- the answer ---- */

int hst_speed_measure(hst_ctx *ctx, const hst_backbone *b, double at_least_s, hst_speed *out,
                      hst_err *err)
{
    static const hst_sized sized = HST_SIZED(hst_speed, image_flops);
    bench m = {.kernels = ctx->kernels, .plan = b->plan, .all = ctx->executor};
    round_rates v[HST_MAX_ROUNDS];
    hst_meter meter = hst_meter_start(ctx, "bench", 0);
    if (hst_sized_check(&sized, out, err))
        return HST_EARG;
    if (b->beside)
        return hst_fail(err, HST_EARG, "one backbone is measured at a time, not several");
    int rc = bench_make(&m, err);
    hst_rounds r = hst_rounds_begin(ctx->executor, at_least_s);
    while (rc == 0 && hst_rounds_more(&r)) {
        run_round(&m, &v[r.n]);
        hst_rounds_next(&r);
        rc = hst_meter_at(&meter, (uint64_t)r.n, err);
    }
    bench_clear(&m);
    if (rc)
        return rc;
    hst_rounds_judge(&r);
#define RATE(field) hst_rounds_rate(&r, &v[0].field, sizeof *v / sizeof(double))
    const hst_speed full = {.threads = hst_executor_threads(ctx->executor),
                            .peak_one = RATE(peak_one),
                            .peak_all = RATE(peak_all),
                            .copy = RATE(copy),
                            .images_one = RATE(images_one),
                            .images_all = RATE(images_all),
                            .image_flops = hst_graph_flops(b->graph),
                            .rounds = r.n,
                            .rounds_shared = r.n_shared};
#undef RATE
    hst_sized_write(&sized, &full, out);
    return 0;
}
