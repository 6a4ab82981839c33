/* learn_step.h - a learning plan is a list of steps; a step is one or more nodes of the graph.
 *
 * A kind of step is one const object; the table in learn_plan.c is searched in order for one that
 * matches at the next node. The plan runs the steps' forward in order and backward in reverse; in
 * between each step keeps what it declared when it matched. Time is counted 0 .. S-1 forward and
 * S .. 2S-1 backward; memory is shared by what is never alive at the same time. */
#ifndef HST_NN_LEARN_STEP_H
#define HST_NN_LEARN_STEP_H
#include "nn/learn.h"
#include "nn/step.h"

typedef struct hst_learn_step hst_learn_step;
typedef struct hst_learn_kind hst_learn_kind;

/* What a step's loops work on: a few images. */
typedef struct hst_learn_task {
    hst_learn *learn;
    hst_learn_step *step;
    int first, count; /* images */
    float *scratch;   /* [step's scratch_floats], this thread's */
    float *grad;      /* [step's n_params] zeroed, this group's share; NULL in hst_learn_images */
} hst_learn_task;
typedef void hst_learn_fn(const hst_learn_task *t);

struct hst_learn_kind {
    const char *name;
    /* 1 where this kind does the nodes s->node .. s->end-1, with end <= limit: fills s->end and
     * what is said below to be the kind's to fill; 0: not this kind; negative: an error. */
    int (*match)(hst_learn *l, int limit, hst_learn_step *s, hst_err *err);
    void (*forward)(hst_learn *l, hst_learn_step *s);
    void (*backward)(hst_learn *l, hst_learn_step *s); /* only when s->active */
    void (*changed)(hst_learn *l, hst_learn_step *s);  /* weights were changed; NULL: nothing */
    void (*clear)(hst_learn_step *s);                  /* frees s->own; NULL: nothing */
};

struct hst_learn_step {
    const hst_learn_kind *kind;
    int node;
    /* Filled by match: */
    int end;                   /* nodes node .. end-1 */
    int input[HST_MAX_INPUTS]; /* values (numbers of nodes) that are read; -1: none */
    int reads;                 /* HST_READS_* */
    size_t keep_floats;        /* of one image, kept from forward to backward */
    size_t temp_floats;        /* of one image, while backward of this step runs */
    size_t state_floats;       /* of the plan: packed weights and the like */
    size_t state_doubles;      /* of the plan: statistics */
    size_t scratch_floats;     /* of a thread, while a loop runs */
    size_t sum_doubles;        /* of one image, while forward or backward of this step runs */
    void *own;                 /* owned; freed by clear */
    /* Filled by the plan: */
    int active;               /* something at or before it learns: backward runs */
    int learns;               /* its own parameters do */
    int adds[HST_MAX_INPUTS]; /* backward adds to that input's gradient; 0: it is the first */
    size_t param, n_params;   /* its learning parameters, from the graph's first */
    float *state;
    double *state_d;
    hst_value keep, temp;
};

struct hst_learn {
    hst_graph *graph;
    const hst_kernels *kernels;
    hst_learn_options options;
    hst_learn_step *step;
    int n_steps, n_values;
    hst_value *value; /* [n_values] activations; those inside a step have first = -1 */
    hst_value *grad;  /* [n_values] their gradients; first = -1: not wanted */
    int *readers;     /* [n_values] nodes that read it */
    float *params;    /* the graph's block */
    size_t offset, count;
    float *block; /* values, gradients, kept: floats * max_batch each */
    float *states;
    double *states_d;
    float *scratch; /* [threads][scratch_floats] */
    size_t scratch_floats;
    double *sums;    /* [max_batch][sum_doubles] */
    float *partials; /* [groups][partial_floats] */
    size_t partial_floats, bytes;
    const float *x; /* of the last forward, not owned */
    int n;          /* images of it; 0: none */
    float *out;     /* [count] where backward's gradients go */
};

/* Where image i's activation of a value lies, to read and to write, its gradient (NULL: not
 * wanted), what a step keeps, and its sums. */
const float *hst_learn_value(const hst_learn *l, int value, int i);
float *hst_learn_place(const hst_learn *l, int value, int i);
float *hst_learn_grad(const hst_learn *l, int value, int i);
float *hst_learn_keep(const hst_learn *l, const hst_learn_step *s, int i);
float *hst_learn_temp(const hst_learn *l, const hst_learn_step *s, int i);
double *hst_learn_sums(const hst_learn *l, const hst_learn_step *s, int i);
/* 1: the node's batch norm uses batch statistics. */
int hst_learn_is_batch(const hst_learn *l, int node);
/* The k-th parameter of a node, and where its gradient goes in this task. */
float *hst_learn_param(const hst_learn *l, int node, int slot);
float *hst_learn_param_grad(const hst_learn_task *t, int node, int slot);

/* fn for every image by itself, on all threads. */
void hst_learn_images(hst_learn *l, hst_learn_step *s, hst_learn_fn *fn);
/* fn for groups of HST_LEARN_GROUP images; where the step learns, t->grad of the groups is then
 * added up into the gradient of the plan. */
enum { HST_LEARN_GROUP = 4 };
void hst_learn_groups(hst_learn *l, hst_learn_step *s, hst_learn_fn *fn);
/* The same for n of the step's parameters, from its `from`-th on: for steps with several loops. */
void hst_learn_groups_of(hst_learn *l, hst_learn_step *s, size_t from, size_t n, hst_learn_fn *fn);

/* The kinds there are. */
extern const hst_learn_kind hst_learn_fused_kind, hst_learn_tail_kind, hst_learn_node_kind,
    hst_learn_norm_kind;
#endif
