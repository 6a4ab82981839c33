#include "training/sampler.h"

#include "base/mem.h"
#include "base/random.h"

#include <stdlib.h>

static void shuffle(hst_sampler *s, uint32_t pass)
{
    hst_rng r = hst_rng_new(s->seed, HST_RNG_SHUFFLE, pass, 0);
    for (size_t i = 0; i < s->n; i++)
        s->order[i] = i;
    hst_rng_shuffle(&r, s->order, s->n);
    s->pass = pass;
}

int hst_sampler_init(hst_sampler *s, size_t n, size_t batch, uint64_t seed, hst_err *err)
{
    *s = (hst_sampler){.seed = seed, .n = n, .batch = batch};
    s->order = hst_alloc(n, sizeof *s->order, err);
    if (!s->order)
        return HST_EMEM;
    shuffle(s, 0);
    return 0;
}

void hst_sampler_clear(hst_sampler *s)
{
    free(s->order);
    *s = (hst_sampler){0};
}

uint64_t hst_sampler_steps(const hst_sampler *s)
{
    return (s->n + s->batch - 1) / s->batch;
}

uint64_t hst_sampler_seen(const hst_sampler *s, uint64_t step)
{
    uint64_t steps = hst_sampler_steps(s);
    return step / steps * s->n + step % steps * s->batch;
}

hst_sample hst_sampler_at(hst_sampler *s, uint64_t step)
{
    uint64_t steps = hst_sampler_steps(s);
    size_t begin = (size_t)(step % steps) * s->batch;
    uint32_t pass = (uint32_t)(step / steps);
    if (pass != s->pass)
        shuffle(s, pass);
    return (hst_sample){.order = s->order + begin,
                        .n = s->n - begin < s->batch ? s->n - begin : s->batch,
                        .pass = pass};
}
