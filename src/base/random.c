#include "base/random.h"

#include <string.h>

/* Constants of Philox4x32-10: multipliers and Weyl increments from Salmon et al. 2011, table 2 and
 * section 4.3. */
void hst_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b,
                            (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

hst_rng hst_rng_new(uint64_t seed, enum hst_purpose_rng purpose, uint32_t a, uint32_t b)
{
    return (hst_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                     .counter = {0, (uint32_t)purpose, a, b}};
}

uint32_t hst_rng_u32(hst_rng *r)
{
    if (r->n_have == 0) {
        hst_philox(r->counter, r->key, r->have);
        r->counter[0]++;
        r->n_have = 4;
    }
    return r->have[4 - r->n_have--];
}

double hst_rng_uniform(hst_rng *r)
{
    uint64_t high = hst_rng_u32(r) >> 5, low = hst_rng_u32(r) >> 6; /* 27 + 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

/* Lemire 2019, "Fast random integer generation in an interval": the product's high word, and the
 * few low words that would bias it are drawn again. */
uint32_t hst_rng_below(hst_rng *r, uint32_t n)
{
    uint32_t reject = (0u - n) % n;
    uint64_t m;
    do
        m = (uint64_t)hst_rng_u32(r) * n;
    while ((uint32_t)m < reject);
    return (uint32_t)(m >> 32);
}

static void swap(size_t *x, size_t i, size_t j)
{
    size_t t = x[i];
    x[i] = x[j];
    x[j] = t;
}

void hst_rng_shuffle(hst_rng *r, size_t *x, size_t n)
{
    for (size_t i = n; i > 1; i--)
        swap(x, i - 1, hst_rng_below(r, (uint32_t)i));
}

void hst_mt19937_seed(hst_mt19937 *m, uint32_t seed)
{
    m->state[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        m->state[i] = 1812433253u * (m->state[i - 1] ^ (m->state[i - 1] >> 30)) + i;
    m->at = 624;
}

/* The recurrence x[k+n] = x[k+m] ^ (upper(x[k]) | lower(x[k+1])) A of Matsumoto and Nishimura 1998,
 * m = 397. */
static void twist(hst_mt19937 *m)
{
    for (int k = 0; k < 624; k++) {
        uint32_t y = (m->state[k] & 0x80000000u) | (m->state[(k + 1) % 624] & 0x7fffffffu);
        m->state[k] = m->state[(k + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    m->at = 0;
}

uint32_t hst_mt19937_u32(hst_mt19937 *m)
{
    if (m->at == 624)
        twist(m);
    uint32_t y = m->state[m->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* NumPy masks and draws again until the number is in range (RandomState's legacy bounded integers).
 */
void hst_mt19937_shuffle(hst_mt19937 *m, size_t *x, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        uint32_t last = (uint32_t)(i - 1), mask = last, j;
        for (int shift = 1; shift < 32; shift *= 2)
            mask |= mask >> shift;
        do
            j = hst_mt19937_u32(m) & mask;
        while (j > last);
        swap(x, last, j);
    }
}
