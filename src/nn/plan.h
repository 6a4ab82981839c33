/* plan.h - a graph made ready to run: batch norm folded, additions and activation functions
 * fused into the convolution before them, weights packed for the kernels, every node's value given
 * its place in one block.
 *
 * A plan is immutable and shared by threads; each thread that runs it has its own work block. */
#ifndef HST_NN_PLAN_H
#define HST_NN_PLAN_H
#include "base/executor.h"
#include "kernels/kernels.h"
#include "nn/graph.h"

typedef struct hst_plan hst_plan;
typedef struct hst_work hst_work;

/* For inference. Copies what it needs: the graph may be freed afterwards. Errors: HST_EMEM;
 * HST_EMODEL when a folded weight is not finite. */
HST_CHECK hst_plan *hst_plan_new(const hst_graph *g, const hst_kernels *k, hst_err *err);
void hst_plan_free(hst_plan *p);
hst_shape hst_plan_input(const hst_plan *p);
hst_shape hst_plan_output(const hst_plan *p);

/* The memory one thread needs, in one block. */
HST_CHECK hst_work *hst_work_new(const hst_plan *p, hst_err *err);
/* The same for so many threads that run the plan together. */
HST_CHECK hst_work *hst_work_new_together(const hst_plan *p, int threads, hst_err *err);
void hst_work_free(hst_work *w);
size_t hst_work_bytes(const hst_plan *p);

/* y[n][output] = network(x[n][input]). An image's result has the same bits whatever n and whichever
 * thread: every sum runs over its inputs in one fixed order. */
void hst_plan_run(const hst_plan *p, hst_work *w, const float *x, int n, float *y);

/* One image over as many free threads as w is made for at most, for the sake of its latency; the
 * same bits. */
void hst_plan_run_together(const hst_plan *p, hst_work *w, hst_executor *ex, const float *x,
                           float *y);
#endif
