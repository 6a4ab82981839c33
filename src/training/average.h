/* average.h - the running mean of weights over the steps of training (EMA), which often generalises
 * better than the last step's weights (Polyak and Juditsky 1992). */
#ifndef HST_TRAINING_AVERAGE_H
#define HST_TRAINING_AVERAGE_H
#include <stddef.h>
#include <stdint.h>

/* What the mean keeps of itself in the step that makes it `steps`: (1 + steps) / (10 + steps), most
 * at the end. So a short run too leaves the weights behind that it began with (TensorFlow's
 * ExponentialMovingAverage with num_updates). */
double hst_average_decay(double most, uint64_t steps);
/* mean = decay mean + (1 - decay) w */
void hst_average_move(float *mean, const float *w, size_t n, double decay);
/* What was in one is in the other. */
void hst_average_exchange(float *a, float *b, size_t n);
#endif
