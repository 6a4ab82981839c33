/* bench_engine.c - how fast the engine is, beside what the processor could do at best:
 *
 *   bench_engine [ROUNDS [WORD]]      WORD: only instruction sets whose name contains it
 *
 * Every round runs every measurement once, so that a disturbance hits all of them alike. One thread
 * is timed by its own processor time, all threads by the clock on the wall. GFLOP/s count a
 * multiply-add as 2; "peak" is multiply-adds on registers alone. */
#include "backbones/backbone.h"
#include "base/mem.h"
#include "base/pipeline.h"
#include "base/random.h"
#include "nn/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* PEAKS is PEAK(isa) for each built instruction set. */
#define PEAK(isa) double peak_##isa(long n, float *sink);
PEAKS
#undef PEAK

typedef struct peak_case {
    const char *isa;
    double (*run)(long n, float *sink);
} peak_case;

static const peak_case peaks[] = {
#define PEAK(isa) {#isa, peak_##isa},
    PEAKS
#undef PEAK
};

enum { MAX_ROUNDS = 100, MAX_JOBS = 200, N_GEMM = 7, N_DEEP = 7 };

/* One measurement. run() does the work `times` over and returns its floating-point operations. */
typedef struct job job;
struct job {
    char name[80];
    const hst_kernels *kernels;
    double (*run)(job *j);
    double (*peak)(long n, float *sink);
    int times, threads; /* threads 0: not the network; 1: processor time; more: wall clock */
    double flops;       /* of one time */
    double speed[MAX_ROUNDS];
    hst_gemm gemm;
    hst_depthwise deep;
    hst_plan *plan;
    hst_crew *crew; /* one image over all threads */
    hst_work *work[64];
    float *x, *y, *w;
};

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
    float *x = hst_alloc(n, sizeof *x, &e);
    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)(hst_rng_uniform(&r) - 0.5) / 8;
    if (!x)
        exit(1);
    return x;
}

static double run_peak(job *j)
{
    return j->peak(100000L * j->times, j->x);
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

static int one_image(void *arg, size_t i, int thread, hst_err *err)
{
    job *j = arg;
    (void)i;
    (void)err;
    hst_plan_run(j->plan, j->work[thread], j->x, 1, j->y + 4096 * thread);
    return 0;
}

static double run_network(job *j)
{
    hst_err e = {0};
    for (int i = 0; j->crew && i < j->times; i++)
        hst_plan_run_crew(j->plan, j->work[0], j->crew, j->x, j->y);
    if (j->crew)
        return j->flops * j->times;
    if (hst_parallel(j->threads, (size_t)(j->times * j->threads), one_image, j, &e))
        exit(1);
    return j->flops * j->times * j->threads;
}

static job gemm_job(const hst_kernels *k, int px, int in, int out)
{
    job j = {.kernels = k, .run = run_gemm, .times = 1};
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
                        .relu6 = 1};
    return j;
}

static job deep_job(const hst_kernels *k, int px, int c, int kernel, int stride)
{
    job j = {.kernels = k, .run = run_deep, .times = 1};
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
                             .relu6 = 1};
    return j;
}

static job network_job(const hst_kernels *k, const char *family, int fuse, int threads)
{
    hst_err e = {0};
    hst_arch a = {.width = 1, .px = 224, .padding = HST_PAD_TF, .bn_epsilon = 1e-3};
    a.norm = (hst_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
    job j = {.kernels = k, .run = run_network, .threads = threads, .times = 1};
    snprintf(a.family, sizeof a.family, "%s", family);
    snprintf(j.name, sizeof j.name, "%s%s, %d thread%s", family, fuse ? "" : ", not fused", threads,
             threads > 1 ? "s" : "");
    hst_graph *g = hst_arch_graph(&a, &e);
    for (size_t i = 0; g && i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        float *values = randoms(hst_param_count(p));
        for (size_t n = 0; n < hst_param_count(p); n++)
            p->data[n] = p->n_dims == 1 ? 1 : values[n];
        free(values);
    }
    hst_plan_options o = hst_plan_defaults();
    o.fuse = fuse;
    j.plan = g ? hst_plan_make(g, k, &o, &e) : NULL;
    for (int t = 0; j.plan && t < threads; t++)
        if (!(j.work[t] = hst_work_new(j.plan, &e)))
            exit(1);
    if (!j.plan) {
        fprintf(stderr, "bench_engine: %s\n", e.msg);
        exit(1);
    }
    for (int i = 0; i < hst_graph_n_nodes(g); i++) {
        const hst_node *n = hst_graph_node(g, i);
        if (n->conv.kernel > 0) /* batch norm and activations are part of these */
            j.flops += n->op->flops(n, &(hst_shape){0, 0, hst_graph_shape(g, n->input[0]).c});
    }
    j.x = randoms(3 * 224 * 224);
    j.y = randoms(64 * 4096);
    hst_graph_free(g);
    return j;
}

/* All threads on one image instead of an image each. */
static job latency_job(const hst_kernels *k, const char *family, int threads)
{
    hst_err e = {0};
    job j = network_job(k, family, 1, threads);
    for (int t = 0; t < threads; t++)
        hst_work_free(j.work[t]);
    memset(j.work, 0, sizeof j.work);
    j.work[0] = hst_work_new_crew(j.plan, threads, &e);
    j.crew = hst_crew_new(threads, &e);
    if (!j.work[0] || !j.crew)
        exit(1);
    snprintf(j.name, sizeof j.name, "%s, one image, %d threads", family, threads);
    return j;
}

static int add_jobs(job *jobs, const peak_case *peak, const hst_kernels *k, int threads)
{
    static const int gemms[N_GEMM][3] = {{112, 16, 96}, {56, 24, 144}, {28, 192, 32}, {14, 64, 384},
                                         {14, 576, 96}, {7, 160, 960}, {7, 960, 160}};
    static const int deeps[N_DEEP][4] = {{112, 32, 3, 1}, {56, 96, 3, 2}, {56, 144, 3, 1},
                                         {14, 384, 3, 1}, {7, 960, 3, 1}, {28, 240, 5, 1},
                                         {7, 672, 5, 2}};
    int n = 0;
    jobs[n] = (job){.kernels = k, .run = run_peak, .peak = peak->run, .times = 1};
    jobs[n].x = randoms(1024);
    snprintf(jobs[n++].name, sizeof jobs->name, "peak");
    for (int i = 0; i < N_GEMM; i++)
        jobs[n++] = gemm_job(k, gemms[i][0], gemms[i][1], gemms[i][2]);
    for (int i = 0; i < N_DEEP; i++)
        jobs[n++] = deep_job(k, deeps[i][0], deeps[i][1], deeps[i][2], deeps[i][3]);
    static const char *const families[] = {"mobilenet_v2", "efficientnet_lite0"};
    for (int f = 0; f < 2; f++) {
        jobs[n++] = network_job(k, families[f], 0, 1);
        jobs[n++] = network_job(k, families[f], 1, 1);
        if (threads > 1)
            jobs[n++] = network_job(k, families[f], 1, threads);
        if (threads > 1)
            jobs[n++] = latency_job(k, families[f], threads);
    }
    return n;
}

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
    double peak = 1;
    for (int i = 0; i < n; i++) {
        job *j = &jobs[i];
        qsort(j->speed, (size_t)rounds, sizeof *j->speed, by_value);
        double best = j->speed[rounds - 1], median = j->speed[rounds / 2];
        if (j->peak)
            peak = best;
        printf("%-8s %-40s %7.1f %7.1f %5.0f %%", j->kernels->isa, j->name, best * 1e-9,
               median * 1e-9, 100 * best / peak / (j->threads > 1 ? j->threads : 1));
        if (j->plan)
            printf(" %7.1f %7.1f", best / j->flops, median / j->flops);
        printf("\n");
        hst_plan_free(j->plan);
        hst_crew_free(j->crew);
        for (int t = 0; t < j->threads; t++)
            hst_work_free(j->work[t]);
        free(j->x);
        free(j->y);
        free(j->w);
    }
}

int main(int argc, char **argv)
{
    static job jobs[MAX_JOBS];
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 15, n = 0, threads = hst_processors();
    rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    threads = threads > 64 ? 64 : threads;
    for (size_t i = 0; i < sizeof peaks / sizeof *peaks; i++) {
        const hst_kernels *k = hst_kernels_find(peaks[i].isa);
        if (k && (argc < 3 || strstr(peaks[i].isa, argv[2])))
            n += add_jobs(jobs + n, &peaks[i], k, threads);
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n; i++)
            measure(&jobs[i], r);
    printf("%-8s %-40s %7s %7s %7s %7s %7s\n", "", "", "GFLOP/s", "", "of", "img/s", "");
    printf("%-8s %-40s %7s %7s %7s %7s %7s\n", "", "", "best", "median", "peak", "best", "median");
    report(jobs, n, rounds);
    return 0;
}
