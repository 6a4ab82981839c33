/* softmax_fit.h - the solver behind logistic.h, for rows that are ready. */
#ifndef HST_TRAINING_SOFTMAX_FIT_H
#define HST_TRAINING_SOFTMAX_FIT_H
#include "training/design_matrix.h"

/* Sums over rows are made in at most so many parts, whatever the number of threads. */
enum { HST_FIT_PARTS = 8 };

typedef struct hst_softmax_fit {
    const hst_design *rows; /* packed */
    const int *label;       /* [n] */
    const double *weight;   /* [n], 0 for rows that are not learned from; NULL: 1 */
    int n_classes;
    double l2;                            /* in units of the rows as they are */
    double tolerance;                     /* ends when the gradient's length is at most this */
    int max_steps;                        /* and ends, too, without complaint after so many */
    hst_executor *executor;               /* NULL: one thread */
    int (*tick)(void *arg, hst_err *err); /* after each step; negative ends with that error */
    void *tick_arg;
    /* Not NULL: [n][n_classes] 0 or 1, and instead of the one softmax each class has a logistic
     * regression of its own, all of them fitted together; label is not looked at. */
    const uint8_t *marks;
    const double *l2_of; /* with marks: [n_classes] in place of l2 */
    const uint8_t *idle; /* with marks: [n_classes] 1: the class stays as theta has it */
} hst_softmax_fit;

/* Numbers in theta: kernel [n_classes][p], then bias [n_classes]. */
size_t hst_softmax_size(const hst_design *r, int n_classes);

/* Goes on from theta to the minimum of
 *   sum_i w_i CE(softmax(K z_i + b), y_i) / sum w + l2/2 |K|^2,
 * with marks of the sum over the classes of
 *   sum_i w_i CE(sigmoid(k_c . z_i + b_c), marks_ic) / sum w + l2_c/2 |k_c|^2.
 * logits (may be NULL): [n][n_classes] at the end, of rows of weight 0 as well. */
HST_CHECK int hst_softmax_run(const hst_softmax_fit *f, double *theta, double *logits,
                              hst_err *err);

/* The loss at theta (penalty included) and its gradient [hst_softmax_size]. */
HST_CHECK int hst_softmax_loss(const hst_softmax_fit *f, const double *theta, double *loss,
                               double *gradient, hst_err *err);
#endif
