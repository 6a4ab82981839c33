/* step.h - a plan is a list of steps; a step is a group of nodes done by one runner.
 *
 * The planner (planner.c) makes plans for inference and for learning alike: it asks the rows of a
 * device's table which runner takes the nodes that come next, then gives every value, gradient and
 * kept number its place by its life time. Time is counted 0 .. S-1 forward and S .. 2S-1 backward;
 * memory is shared by what is never alive at the same time. */
#ifndef HST_NN_STEP_H
#define HST_NN_STEP_H
#include "base/executor.h"
#include "base/mem.h"
#include "nn/graph/pattern.h"
#include "nn/plan.h"

typedef struct hst_step hst_step;
typedef struct hst_runner hst_runner;
typedef struct hst_device hst_device;
struct hst_learn; /* learn/step.h */

/* What lives in a plan's block: an activation, its gradient, what a step keeps. */
typedef struct hst_value {
    hst_shape shape;
    size_t floats;    /* of one image; of a smaller data type as many as it fills */
    int first, last;  /* steps that write it and read it last; -1: never */
    size_t offset;    /* in the block, in floats of one image */
    int is_input;     /* 1: it is the caller's, not in the block */
    int is_output;    /* 1: one of the outputs, which in inference are the caller's, too */
    size_t output_at; /* floats before it in the caller's memory */
} hst_value;

/* What a step runs on in inference: resolved addresses, and which part of it is this thread's.
 * Every thread of a run runs every step; a step begins when all have ended the one before. */
typedef struct hst_run_args {
    const hst_kernels *kernels;
    const float *x[HST_MAX_INPUTS]; /* the step's inputs */
    float *y;
    float *scratch; /* [hst_step_memory.own], this thread's */
    float *shared;  /* [hst_step_memory.shared], of all threads */
    int thread, threads;
    hst_barrier *barrier; /* of the threads; NULL: one thread */
    /* Images, whose x and y lie side by side: [images][floats]. 1 unless hst_step.several, and
     * where there are several threads. */
    int images;
} hst_run_args;

/* Work memory of inference beside the activations, in floats. */
typedef struct hst_step_memory {
    size_t own, shared; /* of each thread; of all together */
} hst_step_memory;

/* Items first .. end-1 of n are this thread's. */
typedef struct hst_share {
    int first, end;
} hst_share;
static inline hst_share hst_share_of(const hst_run_args *a, int n)
{
    const int64_t t = a->thread;
    return (hst_share){(int)(n * t / a->threads), (int)(n * (t + 1) / a->threads)};
}

struct hst_step {
    const hst_runner *runner;
    hst_group group;
    /* Filled by the runner's prepare: */
    int input[HST_MAX_INPUTS]; /* values that are read; -1: none */
    int reads;                 /* HST_READS_*: what backward reads */
    int several;               /* 1: its runner takes several images at a time */
    size_t state_floats;       /* of the plan: packed weights and the like */
    size_t state_doubles;      /* of the plan: statistics */
    size_t scratch_floats;     /* of a thread, while the step runs */
    size_t saved_floats;       /* of one image, kept from forward to backward */
    size_t work_floats;        /* of one image, while backward of this step runs */
    size_t sum_doubles;        /* of one image, while a direction of this step runs */
    void *own;                 /* owned; freed by the runner's clear */
    /* Filled by the planner: */
    int output;               /* the value it makes */
    int active;               /* something at or before it learns: backward runs */
    int learns;               /* its own parameters do */
    int adds[HST_MAX_INPUTS]; /* backward adds to that input's gradient; 0: it is the first */
    size_t param, n_params;   /* its learning parameters, from the graph's first */
    float *state;
    double *state_d;
    hst_value saved, work;
};

/* How a group is run on a device. A runner for inference has `infer`, one for learning `forward`
 * and `backward`. */
struct hst_runner {
    const char *name;
    /* 0, or raised where its results have other bits than those of the op's plain sum, and when
     * they get others. */
    int numerics;
    /* 1 where this runner takes s->group: fills what is said above to be its to fill; 0: it does
     * not; negative: an error. */
    int (*prepare)(const hst_plan *p, hst_step *s, hst_err *err);
    /* Packs the weights into s->state: once in inference, after every change in learning. NULL:
     * there are none. Errors: HST_EMODEL, a folded weight is not finite (inference). */
    int (*pack)(const hst_plan *p, hst_step *s, float *scratch, hst_err *err);
    void (*infer)(const hst_step *s, const hst_run_args *a);
    /* What so many threads need in inference for as many images at a time; NULL: scratch_floats
     * each. */
    hst_step_memory (*memory)(const hst_step *s, int threads, int images);
    void (*forward)(struct hst_learn *l, hst_step *s);
    void (*backward)(struct hst_learn *l, hst_step *s); /* only when s->active */
    /* What is made of the step's gradient once it is summed over the batch; NULL: nothing. */
    void (*settle)(struct hst_learn *l, hst_step *s);
    void (*clear)(hst_step *s); /* frees what s->own owns; NULL: nothing */
};

/* A device is a table from group to runner, in order of preference: the first row whose pattern
 * matches and whose runner takes the group does it. The last row takes single nodes. */
typedef struct hst_device_row {
    const hst_pattern *pattern;
    const hst_runner *runner;
} hst_device_row;
struct hst_device {
    const char *name;
    const hst_device_row *infer, *learn; /* until pattern NULL */
};
extern const hst_device hst_device_cpu_f32;

/* What a plan is for. */
typedef struct hst_plan_request {
    const hst_device *device;
    const hst_kernels *kernels;
    const hst_products *products; /* of inference; NULL: in float32 */
    const hst_range *ranges;      /* [nodes] of what these read; NULL: not known */
    int fuse;                     /* 1: groups of several units as one step */
    size_t cache_bytes; /* of the cache that one thread has to itself: speed and memory, no bit */
    const int *output;  /* [n_outputs] nodes whose values are wanted; NULL: the last node's */
    int n_outputs;
    int learn_from;       /* the first node whose parameters learn; the nodes' number: none */
    int batch_statistics; /* learning nodes normalise by the batch's statistics */
} hst_plan_request;

struct hst_plan {
    const hst_graph *graph; /* NULL once an inference plan is made */
    hst_plan_request request;
    const hst_kernels *kernels;
    hst_readers readers; /* while steps are matched */
    hst_step *step;
    int n_steps;
    hst_value *value; /* one a node; those inside a group have first = -1 */
    hst_value *grad;  /* learning: their gradients; first = -1: not wanted */
    int *needed;      /* one a node: how many of its first pixels are read by anything */
    int n_values;
    hst_shape input, output;
    size_t block_floats; /* of one image */
    /* Inference: from step `tail` on a step takes up to `images` images before the next begins;
     * what these steps read and make lies behind the block, the images' side by side. */
    int tail, images;
    size_t tail_floats;     /* of one image */
    size_t output_floats;   /* of one image, all outputs */
    size_t param, n_params; /* what learns: a range of the graph's learning parameters */
    float *weights;         /* inference: the steps' state, in one block */
    float **standard;       /* [nodes] their kernels standardised, in the block standards; NULL: as
                               they are. Inference has them while it packs. */
    float *standards;
};

/* Lists the steps and gives all their places; p->graph and p->request are set. */
HST_CHECK int hst_plan_steps(hst_plan *p, hst_err *err);
/* Sets p->tail and p->images (tail.c); steps and values are there. */
void hst_plan_choose_tail(hst_plan *p);
/* Frees what the planner made, the steps' own memory too. */
void hst_plan_clear(hst_plan *p);
/* 1: the node is one whose parameters learn; it normalises by the batch's statistics. */
int hst_plan_learns(const hst_plan *p, int node);
int hst_plan_is_batch(const hst_plan *p, int node);
/* The width of a value; of tokens, how many of the first are read by anything. */
int hst_plan_wide(const hst_plan *p, int node);
/* The k-th parameter of a node, standardised where it is; NULL: it has fewer. The same as it is in
 * the graph. */
float *hst_plan_param(const hst_plan *p, int node, int slot);
float *hst_plan_learnt(const hst_plan *p, int node, int slot);
/* Standardised weights (standardise.c): places for them, filled; filled again from node `from` on;
 * a kernel's gradient, of what it is used as, made that of what learns, where it is. */
HST_CHECK int hst_plan_standardised(hst_plan *p, hst_err *err);
void hst_plan_standardised_end(hst_plan *p);
void hst_plan_standardise(hst_plan *p, int from);
void hst_plan_standardise_back(const hst_plan *p, int node, float *grad);
/* The sums of what all steps need of the plan: hands out places behind f and d, if not NULL. */
typedef struct hst_state_size {
    size_t floats, doubles;
} hst_state_size;
hst_state_size hst_plan_hand_out(hst_plan *p, float *f, double *d);

/* Bytes of the second-level cache, or a usual size where the system does not tell (cache_*.c). */
size_t hst_cache_bytes(void);

/* Gives any n values their offsets in a block by size and life time (layout.c); raises *end to
 * where the block ends. Sorts v. */
void hst_layout(hst_value **v, int n, size_t *end);

static inline size_t hst_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Whole cache lines. */
static inline size_t hst_whole_lines(size_t floats)
{
    return hst_round_up(floats, HST_ALIGN / sizeof(float));
}
#endif
