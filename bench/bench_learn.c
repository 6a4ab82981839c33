/* bench_learn.c - how fast fine-tuning is, beside what the processor could do at best:
 *
 *   bench_learn [ROUNDS [THREADS [ISA|best [frozen|batch [fp32|bf16 [BACKBONE]]]]]]
 *
 * BACKBONE (default: MobileNetV2 1.0 at 224 pixels with made-up weights), all layers learning,
 * batches of 32, batch norm frozen (the default) or with the statistics of the batch. Every round
 * times the peak in fp32 and one step of training, layer by layer: forward, backward, plain SGD,
 * packing weights. GFLOP count a multiply-add as 2, backward twice forward and what a fused block
 * computes again unless it kept it. */
#include "backbones/backbone.h"
#include "base/context.h"
#include "base/executor.h"
#include "base/mem.h"
#include "base/random.h"
#include "nn/learn/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 100, MAX_STEPS = 200, BATCH = 32 };

typedef struct series {
    double s[MAX_ROUNDS];
} series;

typedef struct bench {
    const hst_kernels *kernels;
    hst_graph *graph;
    hst_learn *learn;
    hst_executor *executor;
    hst_backbone *backbone; /* NULL: the made-up network */
    enum hst_precision precision;
    int threads, batchnorm;
    float *x, *features, *dfeatures, *grad, *sink;
    series forward[MAX_STEPS], backward[MAX_STEPS], update, whole, peak_s;
} bench;

static void *memory(size_t n, size_t size)
{
    hst_err e = {0};
    void *p = hst_alloc(n, size, &e);
    if (!p)
        exit(1);
    return p;
}

static void randoms(float *x, size_t n, uint64_t seed, double size)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((2 * hst_rng_uniform(&r) - 1) * size);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One thread is timed by its own processor time, more by the clock on the wall. */
static double now_of(const bench *b)
{
    struct timespec t;
    if (b->threads > 1)
        return hst_now_s();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double median(series *t, int rounds)
{
    qsort(t->s, (size_t)rounds, sizeof *t->s, by_value);
    return t->s[rounds / 2];
}

/* Kernels of a size that keeps activations near 1, as in a trained network. */
static hst_graph *network(void)
{
    hst_err e = {0};
    hst_arch a = {.family = "mobilenet_v2", .size = {224, 224}, .cnn = {1, HST_PAD_TF, 1e-3}};
    a.norm = (hst_pixel_norm){{127.5, 127.5, 127.5}, {127.5, 127.5, 127.5}};
    hst_graph *g = hst_arch_graph(&a, &e);
    for (size_t i = 0; g && i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        double inputs = p->n_dims == 4 ? p->dim[0] * p->dim[1] * p->dim[2] : 1;
        randoms(p->data, hst_param_count(p), i + 1, p->n_dims == 4 ? 3 / inputs : 0.5);
        for (size_t k = 0; p->n_dims == 1 && k < hst_param_count(p); k++)
            p->data[k] += strstr(p->name, "variance") || strstr(p->name, "gamma") ? 1 : 0;
    }
    return g;
}

static hst_graph *graph_of(bench *b, const char *name, hst_err *e)
{
    hst_config c;
    hst_config_init_env(&c, sizeof c);
    hst_ctx *ctx = name ? hst_open(&c, e) : NULL;
    b->backbone = ctx ? hst_backbone_open(ctx, name, e) : NULL;
    return name ? (b->backbone ? b->backbone->graph : NULL) : network();
}

static void make(bench *b, const char *name)
{
    hst_err e = {0};
    hst_learn_options o = hst_learn_defaults();
    o.executor = b->executor = hst_executor_new(b->threads, &e);
    o.batchnorm = b->batchnorm ? HST_BN_BATCH : HST_BN_FROZEN;
    o.max_batch = BATCH;
    o.precision = b->precision;
    b->graph = graph_of(b, name, &e);
    b->learn = b->graph && b->executor ? hst_learn_new(b->graph, b->kernels, &o, &e) : NULL;
    if (!b->learn || b->learn->plan.n_steps > MAX_STEPS) {
        fprintf(stderr, "bench_learn: %s\n", e.msg);
        exit(1);
    }
    const size_t in = hst_shape_floats(hst_graph_shape(b->graph, 0));
    const size_t out = hst_shape_floats(hst_graph_shape(b->graph, hst_graph_n_nodes(b->graph) - 1));
    b->x = memory(BATCH * in, sizeof(float));
    b->features = memory(BATCH * out, sizeof(float));
    b->dfeatures = memory(BATCH * out, sizeof(float));
    b->grad = memory(hst_learn_count(b->learn), sizeof(float));
    b->sink = memory(1024, sizeof(float));
    randoms(b->x, BATCH * in, 1, 1);
    randoms(b->dfeatures, BATCH * out, 2, 1e-3);
}

/* hst_learn_forward and _backward with a clock behind each step. */
static void one_step(bench *b, int round)
{
    hst_learn *l = b->learn;
    const hst_value *last = &l->plan.grad[l->plan.n_values - 1];
    double begin = now_of(b), was = begin, now;
    l->x = b->x;
    l->n = BATCH;
    l->out = b->grad;
    for (int i = 0; i < l->plan.n_steps; i++, was = now) {
        l->plan.step[i].runner->forward(l, &l->plan.step[i]);
        now = now_of(b);
        b->forward[i].s[round] = now - was;
    }
    memcpy(hst_learn_grad(l, l->plan.n_values - 1, 0), b->dfeatures,
           BATCH * last->floats * sizeof *b->dfeatures);
    for (int i = l->plan.n_steps - 1; i >= 0; i--, was = now) {
        l->plan.step[i].runner->backward(l, &l->plan.step[i]);
        now = now_of(b);
        b->backward[i].s[round] = now - was;
    }
    float *w = hst_learn_params(l);
    for (size_t i = 0; i < hst_learn_count(l); i++)
        w[i] -= 1e-6f * b->grad[i];
    hst_learn_changed(l);
    now = now_of(b);
    b->update.s[round] = now - was;
    b->whole.s[round] = now - begin;
}

static double flops_of(const hst_graph *g, int i)
{
    const hst_node *n = hst_graph_node(g, i);
    return hst_node_has_weights(n)
               ? n->op->flops(n, &(hst_shape){0, 0, hst_graph_shape(g, n->input[0]).c})
               : 0;
}

/* GFLOP of an image: *back also has what a fused block computes again (not what it saves), and not
 * the gradient of the network's input. */
static double work(const bench *b, const hst_step *s, double *back)
{
    double forward = 0, again = 0, input = 0;
    for (int i = s->group.first; i < s->group.end; i++) {
        const hst_node *n = hst_graph_node(b->graph, i);
        const double f = flops_of(b->graph, i);
        const int first = i == s->group.first && s->saved_floats == 0,
                  deep = n->op == &hst_op_depthwise;
        forward += f;
        again += first || deep ? f : 0;
        input += n->input[0] == 0 ? f : 0;
    }
    const int fused = s->runner == &hst_learn_inverted_residual_runner;
    *back = 1e-9 * (2 * forward - input + (fused ? again : 0));
    return 1e-9 * forward;
}

static void report(bench *b, int rounds)
{
    double peak = median(&b->peak_s, rounds), best = b->peak_s.s[rounds - 1], back, all[2] = {0};
    double gflop = 0;
    const double full = peak * b->threads;
    printf("%-28s %9s %7s %9s %7s\n", "", "forward", "of peak", "backward", "of peak");
    for (int i = 0; i < b->learn->plan.n_steps; i++) {
        const hst_step *s = &b->learn->plan.step[i];
        const hst_shape in = b->learn->plan.value[s->input[s->input[0] < 0]].shape,
                        out = b->learn->plan.value[s->output].shape;
        double forward = work(b, s, &back);
        double f = median(&b->forward[i], rounds) / BATCH;
        double r = median(&b->backward[i], rounds) / BATCH;
        all[0] += f;
        all[1] += r;
        gflop += forward + back;
        char name[64];
        snprintf(name, sizeof name, "%s %d -> %d @%d", s->runner->name, in.c, out.c, in.h);
        printf("%-28.28s %6.3f ms %5.0f %% %6.3f ms %5.0f %%\n", name, 1e3 * f,
               100 * forward / f / full, 1e3 * r, 100 * back / r / full);
    }
    double update = median(&b->update, rounds) / BATCH, whole = median(&b->whole, rounds);
    printf("forward %.2f, backward %.2f, update %.2f ms an image\n", 1e3 * all[0], 1e3 * all[1],
           1e3 * update);
    printf(
        "%s, %s, %d threads: %.2f images/s (best %.2f), %.0f %% of the peak, %.1f GFLOP/s a thread "
        "(best %.1f); %.0f MB\n",
        b->kernels->name, hst_precision_names[b->precision], b->threads, BATCH / whole,
        BATCH / b->whole.s[0], 100 * gflop * BATCH / whole / full, peak, best,
        1e-6 * (double)hst_learn_bytes(b->learn));
}

static double measure_peak(const bench *b)
{
    double best = 0;
    for (int i = 0; i < 5; i++) {
        double s = now_of(b), flops = b->kernels->peak(300000, b->sink);
        s = flops / (now_of(b) - s);
        best = s > best ? s : best;
    }
    return 1e-9 * best;
}

int main(int argc, char **argv)
{
    static bench b;
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
    b.threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    rounds = rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
    b.kernels =
        argc > 3 && strcmp(argv[3], "best") != 0 ? hst_kernels_find(argv[3]) : hst_kernels_best();
    b.batchnorm = argc > 4 && strcmp(argv[4], "batch") == 0;
    const int precision = argc > 5 ? hst_precision_named(argv[5]) : HST_PRECISION_FP32;
    if (!b.kernels || b.threads < 1 || precision < 0) {
        fprintf(stderr, "usage: bench_learn [ROUNDS [THREADS [ISA|best [frozen|batch [fp32|bf16 "
                        "[BACKBONE]]]]]]\n");
        return 2;
    }
    b.precision = (enum hst_precision)precision;
    make(&b, argc > 6 ? argv[6] : NULL);
    one_step(&b, 0);
    for (int r = 0; r < rounds; r++) {
        b.peak_s.s[r] = measure_peak(&b);
        one_step(&b, r);
    }
    report(&b, rounds);
    hst_learn_free(b.learn);
    hst_executor_free(b.executor);
    if (!b.backbone)
        hst_graph_free(b.graph);
    hst_backbone_free(b.backbone);
    free(b.x);
    free(b.features);
    free(b.dfeatures);
    free(b.grad);
    free(b.sink);
    return 0;
}
