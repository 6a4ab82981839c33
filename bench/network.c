/* network.c - time the network alone: network BACKBONE IMAGES
 *
 * Prints the seconds that IMAGES prepared tensors take on all threads (HEADSTART_THREADS), one
 * image a thread at a time as `headstart features` does it, after one warm-up image a thread. */
#include "backbones/backbone.h"
#include "base/mem.h"
#include "base/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct bench {
    const hst_plan *plan;
    hst_work **work; /* [threads] */
    float *x, *y;    /* [threads][input], [threads][output]; the values do not matter */
} bench;

static size_t floats(hst_shape s)
{
    return (size_t)s.h * (size_t)s.w * (size_t)s.c;
}

static int run_image(void *arg, size_t i, int thread, hst_err *err)
{
    bench *b = arg;
    size_t t = (size_t)thread, in = floats(hst_plan_input(b->plan));
    (void)i;
    if (!b->work[t])
        b->work[t] = hst_work_new(b->plan, err);
    if (!b->work[t])
        return HST_EMEM;
    hst_plan_run(b->plan, b->work[t], b->x + t * in, 1,
                 b->y + t * floats(hst_plan_output(b->plan)));
    return 0;
}

static int measure(hst_ctx *ctx, const hst_backbone *backbone, size_t n, double *s, hst_err *err)
{
    size_t threads = (size_t)hst_threads(ctx), in = floats(hst_plan_input(backbone->plan));
    bench b = {.plan = backbone->plan};
    b.work = hst_alloc(threads, sizeof *b.work, err);
    b.x = b.work ? hst_alloc(threads * in, sizeof *b.x, err) : NULL;
    b.y = b.x ? hst_alloc(threads * floats(hst_plan_output(b.plan)), sizeof *b.y, err) : NULL;
    int rc = b.y ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < threads * in; i++)
        b.x[i] = (float)(i % 255) / 127.5f - 1;
    if (rc == 0)
        rc = hst_parallel((int)threads, threads, run_image, &b, err);
    *s = hst_now_s();
    if (rc == 0)
        rc = hst_parallel((int)threads, n, run_image, &b, err);
    *s = hst_now_s() - *s;
    for (size_t t = 0; b.work && t < threads; t++)
        hst_work_free(b.work[t]);
    free(b.work);
    free(b.x);
    free(b.y);
    return rc;
}

int main(int argc, char **argv)
{
    hst_err err = {0};
    hst_config cfg = hst_config_from_env();
    hst_ctx *ctx = hst_open(&cfg, &err);
    hst_backbone *b = ctx && argc == 3 ? hst_backbone_open(ctx, argv[1], &err) : NULL;
    unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    double s = 0;
    int rc = b && n > 0 ? measure(ctx, b, n, &s, &err) : -1;
    if (rc == 0)
        printf("%.6f\n", s);
    else
        fprintf(stderr, "network: %s\n", *err.msg ? err.msg : "usage: network BACKBONE IMAGES");
    hst_backbone_free(b);
    hst_close(ctx);
    return rc != 0;
}
