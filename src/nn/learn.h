/* learn.h - a graph made ready to learn: forward in training mode, backward to gradients.
 *
 * One step of training:
 *
 *     hst_learn_forward(l, x, n, features, err)     what backward needs is kept
 *     ... loss and its gradient with respect to the features, the caller's business
 *     hst_learn_backward(l, dfeatures, grad, err)   gradients of all that learns
 *     ... an optimiser moves  hst_learn_params(l)[count]
 *     hst_learn_changed(l)                          weights are packed anew
 *
 * Nodes before the first learning one run as in inference, by its runners. What learns is one
 * contiguous range of the graph's parameter block. Results have the same bits for any number of
 * threads: a task is one image or a fixed group of images, and partial sums are added in a tree
 * whose shape depends on the number of images alone. So they have for any number of processes: each
 * has some of a batch's groups, and all get the whole batch's gradient and statistics
 * (learn/exchange.h). All memory is taken when the plan is made. */
#ifndef HST_NN_LEARN_H
#define HST_NN_LEARN_H
#include "base/executor.h"
#include "base/ranks.h"
#include "nn/graph.h"

typedef struct hst_learn hst_learn;

/* Batch norm of the nodes that learn; gamma and beta learn in both. */
enum hst_bn_mode {
    HST_BN_FROZEN, /* moving statistics normalise and stay as they are */
    HST_BN_BATCH   /* those of the batch normalise; the moving ones approach them */
};

typedef struct hst_learn_options {
    int first_node; /* the first node whose parameters learn; 0: all */
    enum hst_bn_mode batchnorm;
    double bn_decay; /* moving = decay * moving + (1 - decay) * batch */
    int bn_unbiased; /* 1: the moving variance approaches N/(N-1) of the batch's (TensorFlow's fused
                        kernel, Keras 2); 0: the batch's (Keras 3) */
    int max_batch;   /* images */
    hst_executor *executor;       /* NULL: one thread */
    enum hst_precision precision; /* of products; bf16: of rounded operands, summed in float32 */
    int fuse;                     /* 1: runs of nodes as one step where that is faster */
    size_t cache_bytes; /* of the cache that one thread has to itself: cuts such steps into pieces,
                           which changes speed and memory, no bit */
    hst_ranks *ranks;   /* the processes that a batch is shared out to; NULL: this one alone */
} hst_learn_options;
/* All nodes learn, frozen batch norm, decay 0.999, unbiased, 32 images, one thread, fused. */
hst_learn_options hst_learn_defaults(void);

/* Borrows g, whose parameters it reads and (HST_BN_BATCH) whose statistics it moves. Errors:
 * HST_EMEM; HST_EMODEL: an op has no backward pass, nothing learns. */
HST_CHECK hst_learn *hst_learn_new(hst_graph *g, const hst_kernels *k, const hst_learn_options *o,
                                   hst_err *err);
void hst_learn_free(hst_learn *l);

/* The learning parameters: where they begin, how many. */
float *hst_learn_params(const hst_learn *l);
size_t hst_learn_count(const hst_learn *l);
/* Bytes that the plan holds. */
size_t hst_learn_bytes(const hst_learn *l);

/* Which images of a batch of n are this process's: first .. first+n-1. Whole groups, as many as the
 * other ranks have or one more; the last ranks may have none. */
typedef struct hst_learn_share {
    int first, n;
    int last; /* rank that has any */
} hst_learn_share;
hst_learn_share hst_learn_own(const hst_ranks *r, int n);

/* features[n][output] of x[n][input], n = 1 .. max_batch. x must stay as it is until backward. Of a
 * batch that is shared out n is all of it, and the arrays hold this process's images alone; every
 * rank calls it. Errors: HST_EARG; HST_EPROC: of the ranks. */
HST_CHECK int hst_learn_forward(hst_learn *l, const float *x, int n, float *features, hst_err *err);
/* grad[count] = sum over the images of the last forward of  d features . dfeatures[n][output].
 * Once after each forward. Of a batch that is shared out the sum is over all of it. */
HST_CHECK int hst_learn_backward(hst_learn *l, const float *dfeatures, float *grad, hst_err *err);
/* To be called whenever parameters or statistics of nodes that learn were changed from outside. */
void hst_learn_changed(hst_learn *l);
#endif
