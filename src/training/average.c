#include "training/average.h"

double hst_average_decay(double most, uint64_t steps)
{
    double early = (1 + (double)steps) / (10 + (double)steps);
    return early < most ? early : most;
}

void hst_average_move(float *restrict mean, const float *restrict w, size_t n, double decay)
{
    const float toward = (float)(1 - decay);
    for (size_t i = 0; i < n; i++)
        mean[i] += toward * (w[i] - mean[i]);
}

void hst_average_exchange(float *restrict a, float *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x = a[i];
        a[i] = b[i];
        b[i] = x;
    }
}
