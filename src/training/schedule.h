/* schedule.h - the learning rate as a function of the step. */
#ifndef HST_TRAINING_SCHEDULE_H
#define HST_TRAINING_SCHEDULE_H
#include "base/err.h"

/* HST_CONSTANT   the peak, always
 * HST_COSINE     up in a straight line over the first 5 % of the steps, then down to 0 along half a
 *                cosine (Loshchilov and Hutter 2017, without restarts)
 * HST_ONE_CYCLE  along half a cosine up from a 25th of the peak over the first 30 % of the steps,
 *                and down along another to a 10,000th of where it began (Smith and Topin 2019, with
 *                the numbers of PyTorch's OneCycleLR) */
enum hst_schedule { HST_CONSTANT, HST_COSINE, HST_ONE_CYCLE };

/* The rates of all steps. A warm-up takes the place of the schedule's own rise: up to its end they
 * rise in a straight line, from there the schedule falls (as Keras' CosineDecay does, but for the
 * first step, which is not lost to a rate of 0). */
typedef struct hst_rates {
    enum hst_schedule schedule;
    double peak;
    uint64_t steps;
    uint64_t warmup; /* steps below the peak; 0: none but the schedule's */
} hst_rates;

/* The learning rate of step 0 .. steps-1. */
double hst_rates_at(const hst_rates *r, uint64_t step);
/* Steps of a warm-up over so many epochs. */
uint64_t hst_warmup_steps(double epochs, uint64_t epoch_steps);
#endif
