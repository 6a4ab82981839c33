#include "training/logistic.h"
#include "base/mem.h"
#include "training/softmax_fit.h"

#include <stdlib.h>

typedef struct head_progress {
    hst_meter meter;
    uint64_t done;
} head_progress;

static int count_step(void *arg, hst_err *err)
{
    head_progress *p = arg;
    return hst_meter_at(&p->meter, ++p->done, err);
}

/* From classes first and scaled rows to features first and the caller's units. */
static void restore(const hst_design *r, const hst_logistic *of, const double *theta, float *kernel,
                    float *bias)
{
    size_t classes = (size_t)of->n_classes, p = (size_t)r->p;
    for (size_t c = 0; c < classes; c++) {
        double b = theta[classes * p + c];
        for (size_t k = 0; k < p; k++) {
            double v = theta[c * p + k] / r->scale;
            kernel[k * classes + c] = (float)(of->scale ? v * (double)of->scale[k] : v);
            b -= v * r->mean[k];
        }
        bias[c] = (float)b;
    }
}

int hst_logistic_fit(const hst_ctx *ctx, const hst_logistic *p, double l2, float *kernel,
                     float *bias, hst_err *err)
{
    hst_design rows = {0};
    double *theta = NULL;
    head_progress progress = {.meter = hst_meter_start(ctx, "head", 0)};
    int rc = hst_design_make(&rows, ctx->kernels, p, err);
    if (rc == 0)
        rc = hst_design_pack(&rows, err);
    hst_softmax_fit f = {.rows = &rows,
                         .label = p->label,
                         .weight = p->weight,
                         .n_classes = p->n_classes,
                         .l2 = l2 / (rows.scale * rows.scale),
                         .tolerance = 1e-6,
                         .max_steps = 500,
                         .executor = ctx->executor,
                         .tick = count_step,
                         .tick_arg = &progress};
    if (rc == 0) {
        theta = hst_alloc(hst_softmax_size(&rows, p->n_classes), sizeof *theta, err);
        rc = theta ? hst_softmax_run(&f, theta, NULL, err) : HST_EMEM;
    }
    if (rc == 0)
        restore(&rows, p, theta, kernel, bias);
    free(theta);
    hst_design_clear(&rows);
    return rc;
}
