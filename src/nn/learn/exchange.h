/* exchange.h - a batch shared out to the processes of a job: whose images are whose, and how all
 * come to the sums that one process would have made, bit by bit.
 *
 * The gradient is a sum over groups of images in a binary tree, ((0 + 1) + (2 + 3)) + ..., as
 * learn.c has it. A rank has a run of groups, and adds up what subtrees lie wholly in it. The
 * learning parameters go in buckets, from the last layer's on, as backward makes their gradients.
 * A bucket is cut into as many slices as there are ranks. Every rank sends each slice's owner its
 * subtrees, the owner adds up the rest of the tree and sends the slice to all. While a bucket is
 * under way backward makes the next. With one subtree a rank, which 2 and 4 ranks have of 8 groups,
 * a rank sends 2 (ranks - 1) / ranks times the bytes of the gradient.
 *
 * Sums over images in their order (of norms) go from rank to rank, each adding its own images. */
#ifndef HST_NN_LEARN_EXCHANGE_H
#define HST_NN_LEARN_EXCHANGE_H
#include "nn/learn.h"

enum { HST_LEARN_GROUP = 4 }; /* images whose gradient is one share of the sum */

/* How many groups a batch has, and whose they are. */
typedef struct hst_deal {
    int rank, ranks;
    size_t groups;
} hst_deal;
hst_deal hst_deal_of(const hst_ranks *r, size_t images);
/* The first group of a rank; of the number of ranks: how many groups there are. */
size_t hst_deal_begin(const hst_deal *d, int rank);
/* The last rank that has any. */
int hst_deal_last(const hst_deal *d);
/* 1 where one rank has all groups of the subtree that begins with group a and has up to `groups` of
 * them: it adds them up. */
int hst_deal_has(const hst_deal *d, size_t a, size_t groups);
/* 1: group g begins a subtree that its rank hands over, as what it would be added to, or with what,
 * is another's. The first group always does. */
int hst_deal_hands_over(const hst_deal *d, size_t g);

typedef struct hst_exchange hst_exchange;

/* params: of the gradient; most: of them, that are added at a time. NULL: HST_EMEM. */
HST_CHECK hst_exchange *hst_exchange_new(hst_ranks *r, size_t max_images, size_t most,
                                         hst_err *err);
void hst_exchange_free(hst_exchange *x);
size_t hst_exchange_bytes(const hst_exchange *x);

/* A batch begins: its gradient goes to grad, [...] of all learning parameters. */
void hst_exchange_begin(hst_exchange *x, const hst_deal *d, float *grad);
/* Parameters from .. from+n-1 come next: how far apart the subtrees' places are, and where the
 * first one's parameter `from` goes. */
float *hst_exchange_room(hst_exchange *x, size_t from, size_t n, size_t *apart);
/* They are there. */
void hst_exchange_added(hst_exchange *x);
/* All is summed, on all ranks. 0, or what went wrong since begin. */
HST_CHECK int hst_exchange_finish(hst_exchange *x, hst_err *err);

/* sum[n], over the images of the whole batch in their order, in two halves with the adding of one's
 * own in between: as the rank before left it, on rank 0 as it is; then on to the next. to_all: all
 * ranks get it whole; else the last one that has images alone, and sum stays as it is until
 * hst_exchange_finish. */
void hst_exchange_before(hst_exchange *x, double *sum, size_t n);
void hst_exchange_behind(hst_exchange *x, double *sum, size_t n, int to_all);
#endif
