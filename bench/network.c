/* network.c - the speed of a backbone's network alone, on the context's threads:
 *
 *   network BACKBONE PRECISION          for every line of standard input one round: a line of JSON
 *                                       for each way of running it, and an empty line
 *   network BACKBONE PRECISION IMAGE    the features, float32, of an image that lies in a file as
 *                                       the network takes it: float32 [height][width][channels]
 *
 * A batch of one image on several threads is that image on all of them; of a larger batch a thread
 * takes an image at a time, or a few, as `headstart features` does it. Wall-clock time. */
#include "backbones/backbone.h"
#include "base/context.h"
#include "base/executor.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGEST = 32 };
static const double least_s = 0.2;
static const int batches[] = {1, 8, LARGEST};

typedef struct bench {
    const hst_plan *plan;
    int threads;
    hst_executor *executor;
    hst_work *shared;    /* of all threads */
    hst_work **work;     /* [threads] */
    float *x, *y;        /* [LARGEST][input], [LARGEST][output] */
    size_t batch, group; /* images of a run, and of a thread at a time */
} bench;

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static void run_group(void *arg, size_t i, int thread)
{
    const bench *b = arg;
    const size_t at = i * b->group, left = b->batch - at;
    hst_plan_run(b->plan, b->work[thread], b->x + at * floats(hst_plan_input(b->plan)),
                 (int)(left < b->group ? left : b->group),
                 b->y + at * floats(hst_plan_output(b->plan)));
}

/* Every thread has something to do, of a batch that is large enough. */
static size_t group_of(const bench *b, int threads, int batch)
{
    const int most = hst_plan_images(b->plan), share = batch / threads;
    return (size_t)(share < 1 ? 1 : share < most ? share : most);
}

static void run(bench *b, int threads, int batch)
{
    b->batch = (size_t)batch;
    b->group = group_of(b, threads, batch);
    if (threads == 1)
        hst_plan_run(b->plan, b->work[0], b->x, batch, b->y);
    else if (batch == 1)
        hst_plan_run_together(b->plan, b->shared, b->executor, b->x, b->y);
    else
        hst_executor_for(b->executor, (b->batch + b->group - 1) / b->group, run_group, b);
}

static void measure(bench *b, int threads, int batch)
{
    const double since = hst_now_s();
    double s = 0;
    long images = 0;
    for (; s < least_s; images += batch, s = hst_now_s() - since)
        run(b, threads, batch);
    printf("{\"threads\": %d, \"batch\": %d, \"images_s\": %.3f}\n", threads, batch,
           (double)images / s);
}

static void follow(bench *b)
{
    for (int c = getchar(); c != EOF; c = getchar()) {
        if (c != '\n')
            continue;
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            measure(b, 1, batches[i]);
            if (b->threads > 1)
                measure(b, b->threads, batches[i]);
        }
        printf("\n");
        fflush(stdout);
    }
}

/* The features of the image in a file, to standard output. 0, or -1: its size is another. */
static int features(bench *b, const char *path)
{
    const size_t in = floats(hst_plan_input(b->plan)), out = floats(hst_plan_output(b->plan));
    FILE *f = fopen(path, "rb");
    const int whole = f && fread(b->x, sizeof *b->x, in, f) == in && fgetc(f) == EOF;
    if (f)
        fclose(f);
    if (!whole)
        return -1;
    run(b, 1, 1);
    return fwrite(b->y, sizeof *b->y, out, stdout) == out ? 0 : -1;
}

static int make(bench *b, hst_err *err)
{
    const size_t in = floats(hst_plan_input(b->plan)), out = floats(hst_plan_output(b->plan));
    if (!(b->work = hst_alloc((size_t)b->threads, sizeof *b->work, err)) ||
        !(b->x = hst_alloc(LARGEST * in, sizeof *b->x, err)) ||
        !(b->y = hst_alloc(LARGEST * out, sizeof *b->y, err)) ||
        !(b->shared = hst_work_new_together(b->plan, b->threads, err)))
        return HST_EMEM;
    for (int t = 0; t < b->threads; t++)
        if (!(b->work[t] = hst_work_new(b->plan, err)))
            return HST_EMEM;
    for (size_t i = 0; i < LARGEST * in; i++) /* as pixels are */
        b->x[i] = (float)(i * 7919 % 255) / 127.5f - 1;
    return 0;
}

static void clear(bench *b)
{
    for (int t = 0; b->work && t < b->threads; t++)
        hst_work_free(b->work[t]);
    hst_work_free(b->shared);
    free(b->work);
    free(b->x);
    free(b->y);
}

static hst_backbone *open_backbone(hst_ctx *ctx, char **argv, hst_err *err)
{
    hst_backbone_opts o = hst_backbone_opts_default();
    o.precision = argv[2];
    hst_backbone *b = hst_backbone_open_with(ctx, argv[1], &o, err);
    if (!b || hst_backbone_calibrate(ctx, b, NULL, NULL, err) == 0)
        return b;
    hst_backbone_free(b);
    return NULL;
}

int main(int argc, char **argv)
{
    hst_err err = {.msg = "usage: network BACKBONE PRECISION [IMAGE]"};
    hst_config cfg = hst_config_from_env();
    hst_ctx *ctx = argc == 3 || argc == 4 ? hst_open(&cfg, &err) : NULL;
    hst_backbone *b = ctx ? open_backbone(ctx, argv, &err) : NULL;
    int rc = -1;
    if (b) {
        bench m = {.plan = b->plan, .threads = hst_threads(ctx), .executor = ctx->executor};
        rc = make(&m, &err);
        if (rc == 0 && argc == 4 && (rc = features(&m, argv[3])))
            rc = hst_fail(&err, HST_EARG, "%s: not an image of this network", argv[3]);
        else if (rc == 0)
            follow(&m);
        clear(&m);
    }
    if (rc)
        fprintf(stderr, "network: %s\n", err.msg);
    hst_backbone_free(b);
    hst_close(ctx);
    return rc != 0;
}
