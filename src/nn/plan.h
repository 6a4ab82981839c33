/* plan.h - a graph made ready to run: batch norm folded, additions and activation functions
 * fused into the convolution before them, weights packed for the kernels, every node's value given
 * its place in one block.
 *
 * A plan is immutable and shared by threads; each thread that runs it has its own work block. */
#ifndef HST_NN_PLAN_H
#define HST_NN_PLAN_H
#include "base/executor.h"
#include "nn/graph.h"

typedef struct hst_plan hst_plan;
typedef struct hst_work hst_work;

/* Of the numbers that a node reads, over many pictures. */
typedef struct hst_range {
    float least, most;
} hst_range;

/* How a plan is made; the bits of results are the same whatever fuse and cache_bytes are. */
typedef struct hst_plan_options {
    const struct hst_device *device; /* NULL: the processor in float32 (plan/step.h) */
    int fuse;                        /* 1: whole blocks as one step */
    size_t cache_bytes;              /* of the cache that one thread has to itself */
    enum hst_precision precision;    /* of products: weights, and the values that they multiply */
    /* [nodes], of what each one's products read; in int8 those without one (least >= most; NULL:
     * all) are in float32. */
    const hst_range *ranges;
    /* Nodes whose values are wanted, in any order, one behind the other in y: for maps of what the
     * network saw, for features of several layers. NULL: the last node's alone. */
    const int *output;
    int n_outputs;
} hst_plan_options;
hst_plan_options hst_plan_defaults(void);

/* For inference. Copies what it needs: the graph may be freed afterwards. Errors: HST_EMEM;
 * HST_EMODEL when a folded weight is not finite; HST_EARG for an output that does not exist. */
HST_CHECK hst_plan *hst_plan_new(const hst_graph *g, const hst_kernels *k, hst_err *err);
HST_CHECK hst_plan *hst_plan_make(const hst_graph *g, const hst_kernels *k,
                                  const hst_plan_options *o, hst_err *err);
void hst_plan_free(hst_plan *p);
hst_shape hst_plan_input(const hst_plan *p);
hst_shape hst_plan_output(const hst_plan *p);          /* of the last node */
size_t hst_plan_output_floats(const hst_plan *p);      /* of one image, all outputs together */
hst_shape hst_plan_value(const hst_plan *p, int node); /* of any node */
int hst_plan_n_steps(const hst_plan *p);
/* Where two plans of a graph have the same number, they give the same bits; 0: those of plain sums.
 */
int hst_plan_numerics(const hst_plan *p);

/* How many images a thread does best at a time: 1, or a few, where the weights of the last steps
 * are many beside what the cache holds. */
int hst_plan_images(const hst_plan *p);

/* The memory one thread needs, for so many images, in one block. */
HST_CHECK hst_work *hst_work_new(const hst_plan *p, hst_err *err);
/* Up to so many threads on one image. */
HST_CHECK hst_work *hst_work_new_together(const hst_plan *p, int threads, hst_err *err);
void hst_work_free(hst_work *w);
size_t hst_work_bytes(const hst_plan *p);

/* y[n][outputs] = network(x[n][input]), as many images at a time as w has memory for. An image's
 * result has the same bits whatever n and whichever thread: every sum runs over its inputs in one
 * fixed order. */
void hst_plan_run(const hst_plan *p, hst_work *w, const float *x, int n, float *y);

/* A step of a plan, for those who measure: the nodes first .. end-1 of the graph it was made from,
 * and the bytes of its packed weights. i: 0 .. hst_plan_n_steps-1 */
typedef struct hst_plan_part {
    const char *runner; /* "inverted residual" */
    int first, end;
    size_t weight_bytes;
} hst_plan_part;
hst_plan_part hst_plan_part_at(const hst_plan *p, int i);
/* hst_plan_run of one image, and the seconds that each step took: seconds[n_steps]. */
void hst_plan_run_timed(const hst_plan *p, hst_work *w, const float *x, float *y, double *seconds);

/* hst_plan_run of one image; tells every value that is in memory, by its node, once it is there.
 * Without fuse these are all that units read (graph/pattern.h). */
typedef void hst_plan_watch(void *arg, int node, const float *x, size_t n);
void hst_plan_run_watched(const hst_plan *p, hst_work *w, const float *x, float *y,
                          hst_plan_watch *watch, void *arg);

/* One image over all threads of an executor, for the sake of its latency; the same bits. w is made
 * for as many threads. */
void hst_plan_run_together(const hst_plan *p, hst_work *w, hst_executor *ex, const float *x,
                           float *y);
#endif
