/* peak_body.h - what the processor could do at best: multiply-adds on registers alone, and reading.
 * Ten chains hide the latency of two units and leave registers for two operands. */
#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)

static double peak(long rounds, float *sink)
{
    const vf x = v_load(sink), w = v_load(sink + V_N);
#define DECLARE(i) vf a##i = v_set1((float)(i));
    EACH_CHAIN(DECLARE)
#undef DECLARE
    for (long k = 0; k < rounds; k++) {
#define STEP(i) a##i = v_fma(a##i, x, w);
        EACH_CHAIN(STEP)
#undef STEP
    }
#define STORE(i) v_store(sink + (i)*V_N, a##i);
    EACH_CHAIN(STORE)
#undef STORE
    return (double)rounds * 10 * V_N * 2;
}

/* The sum of x[n], n a multiple of ten vectors: memory read as fast as a core can. */
static float read_all(const float *x, size_t n)
{
    float part[V_N], sum = 0;
#define DECLARE(i) vf a##i = v_set1(0);
    EACH_CHAIN(DECLARE)
#undef DECLARE
    for (size_t k = 0; k < n; k += 10 * V_N) {
#define STEP(i) a##i = v_add(a##i, v_load(x + k + (i)*V_N));
        EACH_CHAIN(STEP)
#undef STEP
    }
#define SUM(i) a0 = i ? v_add(a0, a##i) : a0;
    EACH_CHAIN(SUM)
#undef SUM
    v_store(part, a0);
    for (int i = 0; i < V_N; i++)
        sum += part[i];
    return sum;
}
#undef EACH_CHAIN
