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
    double l2;        /* in units of the rows as they are */
    double tolerance; /* ends when the gradient's length is at most this */
    int max_steps;    /* and ends, too, without complaint after so many */
    /* Not NULL: [n][n_classes] 0 or 1, and instead of the one softmax each class has a logistic
     * regression of its own, all of them fitted together; label is not looked at. */
    const uint8_t *marks;
    const double *l2_of; /* with marks: [n_classes] in place of l2 */
    const uint8_t *idle; /* with marks: [n_classes] 1: the class stays as theta has it */
    double *theta;       /* [hst_softmax_size], where it goes on from and where it ends */
    /* NULL, or [n]: rows with fold[i] == k are held out, whatever their weight. Their logits at the
     * end go to logits[n][n_classes], where it is not NULL; the others are left as they are. */
    const int *fold;
    int k;
    double *logits;
} hst_softmax_fit;

/* Numbers in theta: kernel [n_classes][p], then bias [n_classes]. */
size_t hst_softmax_size(const hst_design *r, int n_classes);

/* Fits to the same rows, with as many classes and steps. They run side by side, in groups where
 * they are large: a row is read once for all, and reading rows is what takes long. */
typedef struct hst_softmax_fits {
    const hst_ctx *ctx; /* threads and spills */
    const hst_softmax_fit *fit;
    int n;
    int (*tick)(void *arg, hst_err *err); /* NULL, or after each step; negative ends it */
    void *tick_arg;
} hst_softmax_fits;

/* Each goes on from its theta to the minimum of
 *   sum_i w_i CE(softmax(K z_i + b), y_i) / sum w + l2/2 |K|^2,
 * with marks of the sum over the classes of
 *   sum_i w_i CE(sigmoid(k_c . z_i + b_c), marks_ic) / sum w + l2_c/2 |k_c|^2.
 * The same bits for any number of threads, and whatever runs beside it. Errors: HST_EMEM, and of
 * tick. */
HST_CHECK int hst_softmax_run(const hst_softmax_fits *f, hst_err *err);

/* The loss at theta (penalty included) and its gradient [hst_softmax_size]. */
HST_CHECK int hst_softmax_loss(const hst_ctx *ctx, const hst_softmax_fit *f, double *loss,
                               double *gradient, hst_err *err);
#endif
