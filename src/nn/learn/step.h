/* step.h - what runners of learning steps (plan/step.h) work with: loops over images and groups of
 * images, and where a step's numbers lie. */
#ifndef HST_NN_LEARN_STEP_H
#define HST_NN_LEARN_STEP_H
#include "nn/learn/exchange.h"
#include "nn/plan/step.h"

struct hst_learn {
    hst_plan plan;
    hst_learn_options options;
    float *params; /* the graph's block of learning parameters */
    float *block;  /* values, gradients, saved: floats * places each */
    float *states;
    double *states_d;
    float *scratch; /* [threads][scratch_floats] */
    size_t scratch_floats;
    double *sums;    /* [places][sum_doubles] */
    float *partials; /* [groups][partial_floats] */
    size_t partial_floats, bytes;
    int places;     /* images of a batch that this process may have to do with */
    const float *x; /* of the last forward, not owned */
    int n;          /* images of it, those of this process */
    int first, all; /* the first of them in the batch, and all of the batch; 0: there was none */
    hst_deal deal;  /* whose groups are whose */
    hst_exchange *exchange; /* with the other processes; NULL: there are none */
    float *out;             /* [n_params] where backward's gradients go */
};

/* What a step's loops work on: a few images. */
typedef struct hst_learn_task {
    hst_learn *learn;
    hst_step *step;
    int part;         /* which of the step's loops runs */
    int first, count; /* images, of this process's */
    float *scratch;   /* [step's scratch_floats], this thread's */
    float *grad;      /* [step's n_params] zeroed, this group's share; NULL in hst_learn_images */
} hst_learn_task;
typedef void hst_learn_fn(const hst_learn_task *t);

/* Where image i's activation of a value lies, to read and to write, its gradient (NULL: not
 * wanted), what a step saves and works with, and its sums. */
const float *hst_learn_value(const hst_learn *l, int value, int i);
float *hst_learn_value_mut(const hst_learn *l, int value, int i);
float *hst_learn_grad(const hst_learn *l, int value, int i);
float *hst_learn_saved(const hst_learn *l, const hst_step *s, int i);
float *hst_learn_work(const hst_learn *l, const hst_step *s, int i);
double *hst_learn_sums(const hst_learn *l, const hst_step *s, int i);
/* Where the gradient of a node's k-th parameter goes in this task; NULL: it has none. */
float *hst_learn_param_grad(const hst_learn_task *t, int node, int slot);

/* fn for every image by itself, on all threads; part is passed on to the tasks. */
void hst_learn_images(hst_learn *l, hst_step *s, int part, hst_learn_fn *fn);
/* fn for groups of HST_LEARN_GROUP images; where the step learns, t->grad of the groups is then
 * added up into the gradient of the plan, for n of the step's parameters from its `from`-th on. */
typedef struct hst_learn_range {
    size_t from, n;
} hst_learn_range;
void hst_learn_groups(hst_learn *l, hst_step *s, int part, hst_learn_range params,
                      hst_learn_fn *fn);
static inline hst_learn_range hst_learn_all(const hst_step *s)
{
    return (hst_learn_range){0, s->n_params};
}

/* 1: the task of the batch's last images, whose share of the gradient has what is known for the
 * whole batch: numbers that are no sum over groups. */
static inline int hst_learn_is_last(const hst_learn_task *t)
{
    return t->learn->first + t->first + t->count == t->learn->all;
}
/* sum[n] = sum over the batch of each image's first n hst_learn_sums; in image order. to_all: as in
 * hst_exchange_behind. */
void hst_learn_add_sums(hst_learn *l, const hst_step *s, double *sum, size_t n, int to_all);

/* A place for n floats behind those taken so far, at the beginning of a cache line. */
static inline size_t hst_learn_take(size_t *at, size_t n)
{
    const size_t offset = *at;
    *at += hst_whole_lines(n);
    return offset;
}

extern const hst_runner hst_learn_inverted_residual_runner, hst_learn_pooled_runner,
    hst_learn_squeeze_excite_runner, hst_learn_chain_runner, hst_learn_grouped_runner,
    hst_learn_norm_runner, hst_learn_node_runner;
#endif
