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

int hst_logistic_fit(const hst_ctx *ctx, const hst_logistic *p, double l2, float *kernel,
                     float *bias, hst_err *err)
{
    hst_design rows = {0};
    double *theta = NULL;
    head_progress progress = {.meter = hst_meter_start(ctx, "head", 0)};
    int rc = hst_design_make(&rows, ctx, p, err);
    if (rc == 0)
        rc = hst_design_pack(&rows, err);
    hst_softmax_fit f = {.rows = &rows,
                         .label = p->label,
                         .weight = p->weight,
                         .n_classes = p->n_classes,
                         .l2 = l2 / (rows.scale * rows.scale),
                         .tolerance = 1e-6,
                         .max_steps = 500};
    if (rc == 0) {
        f.theta = theta = hst_alloc(hst_softmax_size(&rows, p->n_classes), sizeof *theta, err);
        rc = theta ? 0 : HST_EMEM;
    }
    if (rc == 0)
        rc = hst_softmax_run(
            &(hst_softmax_fits){
                .ctx = ctx, .fit = &f, .n = 1, .tick = count_step, .tick_arg = &progress},
            err);
    if (rc == 0)
        hst_design_restore(&rows, p, theta, kernel, bias);
    free(theta);
    hst_design_clear(&rows);
    return rc;
}
