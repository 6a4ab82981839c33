/* peak.c - what the processor could do at best: multiply-adds on registers alone, one build an
 * instruction set (VEC_HEADER: kernels/vec_<isa>.h). */
#include "kernels/kernels.h"

#include VEC_HEADER

#define JOIN_(a, b)   a##b
#define JOIN(a, b)    JOIN_(a, b)
/* X(accumulator): ten chains hide the latency of two units and leave room for two operands. */
#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)

double JOIN(peak_, V_ISA)(long n, float *sink);

/* Runs n rounds of ten multiply-adds; returns their floating-point operations. */
double JOIN(peak_, V_ISA)(long n, float *sink)
{
    const vf x = v_load(sink), w = v_load(sink + V_N);
#define DECLARE(i) vf a##i = v_set1((float)(i));
    EACH_CHAIN(DECLARE)
#undef DECLARE
    for (long k = 0; k < n; k++) {
#define STEP(i) a##i = v_fma(a##i, x, w);
        EACH_CHAIN(STEP)
#undef STEP
    }
#define STORE(i) v_store(sink + (i)*V_N, a##i);
    EACH_CHAIN(STORE)
#undef STORE
    return (double)n * 10 * V_N * 2;
}
