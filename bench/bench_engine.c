/* bench_engine.c - how fast the engine is, beside what the processor could do at best:
 *
 *   bench_engine [ROUNDS [WORD]]   WORD: only instruction sets whose name contains it
 *   bench_engine --follow [WORD]   a round for every line of standard input, answered by a line of
 *                                  JSON for each measurement and an empty line
 *
 * Every round runs every measurement once, so that a disturbance hits all of them alike. One thread
 * is timed by its own processor time, all threads by the clock on the wall. GFLOP/s count a
 * multiply-add as 2; "peak" is multiply-adds on registers alone. */
#include "backbones/backbone.h"
#include "base/executor.h"
#include "base/mem.h"
#include "base/random.h"
#include "nn/plan/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 100, MAX_JOBS = 200, MAX_THREADS = 64 };

/* One measurement. run() does the work `times` over and returns its floating-point operations. */
typedef struct job job;
struct job {
    char name[80];
    const hst_kernels *kernels;
    double (*run)(job *j);
    int times, threads; /* threads 1: processor time; more: wall clock */
    int is_limit;       /* of what follows with as many threads */
    double flops;       /* of one time */
    double speed[MAX_ROUNDS];
    hst_gemm gemm;
    hst_depthwise deep;
    hst_plan *plan;
    hst_executor *executor; /* of `threads` */
    int one_image;          /* over all of them */
    hst_work *work[MAX_THREADS];
    float *x, *y, *w;
    size_t y_floats; /* of one image */
};

static void die(const hst_err *e)
{
    fprintf(stderr, "bench_engine: %s\n", e->msg);
    exit(1);
}

static void *must(void *made, const hst_err *e)
{
    if (!made)
        die(e);
    return made;
}

static double thread_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *randoms(size_t n)
{
    hst_err e = {0};
    hst_rng r = hst_rng_new(1, HST_RNG_INIT, 0, 0);
    float *x = must(hst_alloc(n, sizeof *x, &e), &e);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(hst_rng_uniform(&r) - 0.5) / 8;
    return x;
}

/* n tasks on the job's threads. */
static void on_threads(job *j, size_t n, hst_item_fn *work)
{
    hst_executor_for(j->threads > 1 ? j->executor : NULL, n, work, j);
}

/* ---- the limit, and single kernels ---- */

static void one_peak(void *arg, size_t i, int thread)
{
    const job *j = arg;
    float sink[HST_PEAK_FLOATS] = {0};
    (void)i;
    (void)thread;
    (void)j->kernels->peak(100000L * j->times, sink);
}

static double run_limit(job *j)
{
    on_threads(j, (size_t)j->threads, one_peak);
    return j->flops * j->times * j->threads;
}

static job limit_job(const hst_kernels *k, int threads)
{
    float sink[HST_PEAK_FLOATS] = {0};
    job j = {.kernels = k, .run = run_limit, .times = 1, .threads = threads, .is_limit = 1};
    j.flops = k->peak(100000, sink);
    snprintf(j.name, sizeof j.name, "peak, %d thread%s", threads, threads > 1 ? "s" : "");
    return j;
}

static double run_gemm(job *j)
{
    for (int i = 0; i < j->times; i++)
        j->kernels->gemm(&j->gemm);
    return j->flops * j->times;
}

static double run_deep(job *j)
{
    const size_t c = (size_t)j->deep.channels, row = (size_t)j->deep.width * c;
    for (int i = 0; i < j->times; i++)
        for (int y = 0; y < j->deep.out; y++) {
            for (int ky = 0; ky < j->deep.kernel; ky++)
                j->deep.row[ky] = j->x + (size_t)(y * j->deep.stride + ky) * row;
            j->deep.y = j->y + (size_t)(y * j->deep.out) * c;
            j->kernels->depthwise(&j->deep);
        }
    return j->flops * j->times;
}

static job gemm_job(const hst_kernels *k, int px, int in, int out)
{
    job j = {.kernels = k, .run = run_gemm, .times = 1, .threads = 1};
    size_t rows = (size_t)(px * px);
    snprintf(j.name, sizeof j.name, "product %d x %d -> %d", px * px, in, out);
    float *w = randoms((size_t)in * (size_t)out);
    j.flops = 2.0 * px * px * in * out;
    j.x = randoms(rows * (size_t)in);
    j.y = randoms(rows * (size_t)out);
    j.w = randoms(hst_gemm_packed(k, in, out));
    const float *bias = hst_gemm_pack(k, w, NULL, in, out, j.w);
    free(w);
    j.gemm = (hst_gemm){.x = j.x,
                        .ldx = (size_t)in,
                        .w = j.w,
                        .bias = bias,
                        .y = j.y,
                        .ldy = (size_t)out,
                        .rows = rows,
                        .k = in,
                        .n = out,
                        .clamp = 6};
    return j;
}

static job deep_job(const hst_kernels *k, int px, int c, int kernel, int stride)
{
    job j = {.kernels = k, .run = run_deep, .times = 1, .threads = 1};
    int width = px * stride;
    size_t floats = (size_t)(width + kernel) * (size_t)width * (size_t)c;
    snprintf(j.name, sizeof j.name, "depthwise %dx%d/%d %d x %d x %d", kernel, kernel, stride, px,
             px, c);
    j.flops = 2.0 * px * px * c * kernel * kernel;
    j.x = randoms(floats);
    j.y = randoms((size_t)(px * px * c));
    j.w = randoms((size_t)(kernel * kernel * c));
    j.deep = (hst_depthwise){.w = j.w,
                             .bias = j.x,
                             .x_step = (size_t)c,
                             .w_step = (size_t)c,
                             .y_step = (size_t)c,
                             .width = width,
                             .out = px,
                             .channels = c,
                             .kernel = kernel,
                             .stride = stride,
                             .before = (kernel - 1) / 2,
                             .clamp = 6};
    return j;
}

/* ---- graphs: whole networks, and single blocks ---- */

static void one_image(void *arg, size_t i, int thread)
{
    job *j = arg;
    (void)i;
    hst_plan_run(j->plan, j->work[thread], j->x, 1, j->y + j->y_floats * (size_t)thread);
}

static double run_graph(job *j)
{
    for (int i = 0; j->one_image && i < j->times; i++)
        hst_plan_run_together(j->plan, j->work[0], j->executor, j->x, j->y);
    if (j->one_image)
        return j->flops * j->times;
    on_threads(j, (size_t)(j->times * j->threads), one_image);
    return j->flops * j->times * j->threads;
}

typedef struct way { /* how a graph is run */
    int fuse, threads;
    int one_image; /* 1: all threads on one image; 0: an image each */
} way;

/* Ends g. */
static job graph_job(const hst_kernels *k, hst_graph *g, const char *name, way w)
{
    hst_err e = {0};
    job j = {.kernels = k, .run = run_graph, .threads = w.threads, .times = 1};
    snprintf(j.name, sizeof j.name, "%s", name);
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        float *values = randoms(hst_param_count(p));
        for (size_t n = 0; n < hst_param_count(p); n++)
            p->data[n] = p->n_dims == 1 ? 1 : values[n];
        free(values);
    }
    hst_plan_options o = hst_plan_defaults();
    o.fuse = w.fuse;
    j.plan = must(hst_plan_make(g, k, &o, &e), &e);
    j.one_image = w.one_image;
    if (w.one_image)
        j.work[0] = must(hst_work_new_together(j.plan, w.threads, &e), &e);
    for (int t = 0; t < w.threads && !w.one_image; t++)
        j.work[t] = must(hst_work_new(j.plan, &e), &e);
    const hst_shape in = hst_plan_input(j.plan), out = hst_plan_output(j.plan);
    j.flops = hst_graph_flops(g);
    j.x = randoms((size_t)(in.h * in.w * in.c));
    j.y_floats = (size_t)(out.h * out.w * out.c);
    j.y = randoms(MAX_THREADS * j.y_floats);
    hst_graph_free(g);
    return j;
}

static job network_job(const hst_kernels *k, const char *family, way w)
{
    hst_err e = {0};
    char name[80];
    hst_arch a = {.size = {224, 224}, .cnn = {1, HST_PAD_TF, 1e-3}};
    a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
    snprintf(a.family, sizeof a.family, "%s", family);
    snprintf(name, sizeof name, "%s%s, %d thread%s%s", family, w.fuse ? "" : ", not fused",
             w.threads, w.threads > 1 ? "s" : "", w.one_image ? " on one image" : "");
    return graph_job(k, must(hst_arch_graph(&a, &e), &e), name, w);
}

/* An inverted residual: expansion, depthwise convolution, projection, and the input added. */
typedef struct block {
    int px, in, hidden, out, kernel, stride;
} block;

static int add_conv(hst_graph *g, int x, const hst_conv *c, int deep, int act)
{
    hst_err e = {0};
    char name[16];
    snprintf(name, sizeof name, "c%d", x);
    x = deep ? hst_graph_depthwise(g, x, c, name, &e) : hst_graph_conv2d(g, x, c, name, &e);
    x = act && x >= 0 ? hst_graph_activation(g, x, HST_ACT_RELU6, &e) : x;
    return x;
}

static job block_job(const hst_kernels *k, const block *b)
{
    hst_err e = {0};
    char name[80];
    const hst_conv expand = {.kernel = 1, .stride = 1, .channels = b->hidden, .bias = 1},
                   deep = {.kernel = b->kernel, .stride = b->stride, .bias = 1},
                   project = {.kernel = 1, .stride = 1, .channels = b->out, .bias = 1};
    hst_graph *g = must(hst_graph_new(&e), &e);
    int input = hst_graph_input(g, (hst_shape){b->px, b->px, b->in}, &e);
    int x = b->hidden > b->in ? add_conv(g, input, &expand, 0, 1) : input;
    x = add_conv(g, x, &deep, 1, 1);
    x = add_conv(g, x, &project, 0, 0);
    x = b->in == b->out && b->stride == 1 ? hst_graph_add(g, input, x, &e) : x;
    if (x < 0 || hst_graph_finish(g, &e))
        die(&e);
    snprintf(name, sizeof name, "block %d-%d-%d, %dx%d/%d at %d", b->in, b->hidden, b->out,
             b->kernel, b->kernel, b->stride, b->px);
    return graph_job(k, g, name, (way){1, 1, 0});
}

/* ---- all of them ---- */

static const int gemms[][3] = {{112, 16, 96}, {56, 24, 144}, {28, 192, 32}, {14, 64, 384},
                               {14, 576, 96}, {7, 160, 960}, {7, 960, 160}, {56, 144, 24}};
static const int deeps[][4] = {{112, 32, 3, 1}, {56, 96, 3, 2},  {56, 144, 3, 1}, {14, 384, 3, 1},
                               {7, 960, 3, 1},  {28, 240, 5, 1}, {7, 672, 5, 2}};
static const block blocks[] = {
    {112, 32, 32, 16, 3, 1},  {112, 16, 96, 24, 3, 2},  {56, 24, 144, 24, 3, 1},
    {56, 24, 144, 32, 3, 2},  {28, 32, 192, 32, 3, 1},  {28, 32, 192, 64, 3, 2},
    {14, 64, 384, 64, 3, 1},  {14, 64, 384, 96, 3, 1},  {14, 96, 576, 96, 3, 1},
    {14, 96, 576, 160, 3, 2}, {7, 160, 960, 160, 3, 1}, {7, 160, 960, 320, 3, 1},
    {28, 40, 240, 40, 5, 1},  {14, 112, 672, 112, 5, 1}};
static const char *const families[] = {"mobilenet_v2", "efficientnet_lite0"};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static int add_jobs(job *jobs, const hst_kernels *k, int threads)
{
    int n = 0;
    jobs[n++] = limit_job(k, 1);
    for (size_t i = 0; i < COUNT(gemms); i++)
        jobs[n++] = gemm_job(k, gemms[i][0], gemms[i][1], gemms[i][2]);
    for (size_t i = 0; i < COUNT(deeps); i++)
        jobs[n++] = deep_job(k, deeps[i][0], deeps[i][1], deeps[i][2], deeps[i][3]);
    for (size_t i = 0; i < COUNT(blocks); i++)
        jobs[n++] = block_job(k, &blocks[i]);
    for (size_t f = 0; f < COUNT(families); f++) {
        jobs[n++] = network_job(k, families[f], (way){0, 1, 0});
        jobs[n++] = network_job(k, families[f], (way){1, 1, 0});
    }
    for (size_t f = 0; threads > 1 && f < COUNT(families); f++) {
        if (f == 0)
            jobs[n++] = limit_job(k, threads);
        jobs[n++] = network_job(k, families[f], (way){1, threads, 0});
        jobs[n++] = network_job(k, families[f], (way){1, threads, 1});
    }
    return n;
}

/* ---- measuring ---- */

static void measure(job *j, int round)
{
    const double least = 4e-3;
    for (;; j->times *= 2) {
        double s = j->threads > 1 ? hst_now_s() : thread_s();
        double flops = j->run(j);
        s = (j->threads > 1 ? hst_now_s() : thread_s()) - s;
        j->speed[round] = flops / (s + 1e-12);
        if (s > least || j->times > 1 << 20)
            return;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(job *jobs, int n, int rounds)
{
    double limit = 1;
    printf("%-8s %-44s %7s %7s %7s %7s %7s\n", "", "", "GFLOP/s", "", "of", "img/s", "");
    printf("%-8s %-44s %7s %7s %7s %7s %7s\n", "", "", "best", "median", "peak", "best", "median");
    for (int i = 0; i < n; i++) {
        job *j = &jobs[i];
        qsort(j->speed, (size_t)rounds, sizeof *j->speed, by_value);
        double best = j->speed[rounds - 1], median = j->speed[rounds / 2];
        limit = j->is_limit ? best : limit;
        printf("%-8s %-44s %7.1f %7.1f %5.0f %%", j->kernels->isa, j->name, best * 1e-9,
               median * 1e-9, 100 * best / limit);
        if (j->plan)
            printf(" %7.1f %7.1f", best / j->flops, median / j->flops);
        printf("\n");
    }
}

static void follow(job *jobs, int n)
{
    for (int c = getchar(); c != EOF; c = getchar()) {
        if (c != '\n')
            continue;
        for (int i = 0; i < n; i++) {
            job *j = &jobs[i];
            measure(j, 0);
            printf("{\"kernels\": \"%s\", \"what\": \"%s\", \"threads\": %d, \"limit\": %s, "
                   "\"gflops\": %.3f}\n",
                   j->kernels->isa, j->name, j->threads, j->is_limit ? "true" : "false",
                   j->speed[0] * 1e-9);
        }
        printf("\n");
        fflush(stdout);
    }
}

static void job_clear(job *j)
{
    hst_plan_free(j->plan);
    for (int t = 0; t < MAX_THREADS; t++)
        hst_work_free(j->work[t]);
    free(j->x);
    free(j->y);
    free(j->w);
}

int main(int argc, char **argv)
{
    static job jobs[MAX_JOBS];
    hst_err e = {0};
    const int following = argc > 1 && strcmp(argv[1], "--follow") == 0;
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 15, n = 0, threads = hst_processors();
    rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    threads = threads > MAX_THREADS ? MAX_THREADS : threads;
    for (int i = 0; hst_kernels_name(i, NULL); i++) {
        const hst_kernels *k = hst_kernels_find(hst_kernels_name(i, NULL));
        if (k && (argc < 3 || strstr(k->isa, argv[2])))
            n += add_jobs(jobs + n, k, threads);
    }
    hst_executor *ex = must(hst_executor_new(threads, &e), &e);
    for (int i = 0; i < n; i++)
        jobs[i].executor = ex;
    if (following)
        follow(jobs, n);
    for (int r = 0; r < rounds && !following; r++)
        for (int i = 0; i < n; i++)
            measure(&jobs[i], r);
    if (!following)
        report(jobs, n, rounds);
    for (int i = 0; i < n; i++)
        job_clear(&jobs[i]);
    hst_executor_free(ex);
    return 0;
}
