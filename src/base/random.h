/* random.h - two generators, neither with hidden state.
 *
 * Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the n-th
 * number for a key can be computed without the ones before it, so results do not depend on threads.
 * MT19937 (Matsumoto, Nishimura 1998) as NumPy's RandomState uses it: for the Keras-compatible
 * split only. Written out here: their bits are part of every result. */
#ifndef HST_BASE_RANDOM_H
#define HST_BASE_RANDOM_H
#include <stddef.h>
#include <stdint.h>

/* out = Philox4x32-10(counter, key). */
void hst_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream of numbers for one purpose: key = seed, counter = (position, purpose, a, b). */
typedef struct hst_rng {
    uint32_t key[2], counter[4], have[4];
    int n_have;
} hst_rng;
/* What a stream is for: two purposes never share numbers. */
enum hst_purpose_rng {
    HST_RNG_SHUFFLE = 1,
    HST_RNG_INIT = 2,
    HST_RNG_DROPOUT = 3,
    HST_RNG_FOLDS = 4,
    HST_RNG_AUGMENT = 5,
    HST_RNG_MIX = 6,
    HST_RNG_RESAMPLE = 7,
    HST_RNG_CURVE = 8,
    HST_RNG_PROBES = 9
};
hst_rng hst_rng_new(uint64_t seed, enum hst_purpose_rng purpose, uint32_t a, uint32_t b);
uint32_t hst_rng_u32(hst_rng *r);
double hst_rng_uniform(hst_rng *r);                    /* [0, 1), 53 bits */
uint32_t hst_rng_below(hst_rng *r, uint32_t n);        /* 0 .. n-1 without bias; n > 0 */
void hst_rng_shuffle(hst_rng *r, size_t *x, size_t n); /* Fisher-Yates; n < 2^32 */

typedef struct hst_mt19937 {
    uint32_t state[624];
    int at;
} hst_mt19937;
void hst_mt19937_seed(hst_mt19937 *m, uint32_t seed); /* numpy.random.RandomState(seed) */
uint32_t hst_mt19937_u32(hst_mt19937 *m);
/* numpy.random.RandomState.shuffle of n indices; n < 2^32. */
void hst_mt19937_shuffle(hst_mt19937 *m, size_t *x, size_t n);
#endif
