/* mutants - damaged copies of files through a fuzzing entry point: mutants N FILE...
 *
 * N copies of each, with one to eight changes of the kinds that break parsers: a byte, a bit, a
 * number of 16 or 32 bits that is large or negative, one that is a little off, a stretch moved, cut
 * out or written twice, the end cut off. Always the same ones. A copy that takes over two seconds
 * of processor time ends the program by SIGPROF. */
#include "fuzz.h"

#include "base/file.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { MAX_BYTES = 1 << 20, LIMIT_S = 2 };

static const uint32_t nasty[] = {0,          1,          2,          4,         0x7f,  0x80,
                                 0xff,       0x7fff,     0x8000,     0xffff,    65536, 0x7fffffff,
                                 0x80000000, 0xfffffffc, 0xfffffffe, 0xffffffff};
enum { N_NASTY = sizeof nasty / sizeof *nasty };

/* One change; the length after it. room: of the block, at least n + 64. */
static size_t change(uint8_t *p, size_t n, hst_rng *r)
{
    size_t at = hst_rng_below(r, (uint32_t)n), from = hst_rng_below(r, (uint32_t)n);
    size_t most = n - (at > from ? at : from);
    size_t len = 1 + hst_rng_below(r, (uint32_t)(most < 64 ? most : 64));
    switch (hst_rng_below(r, 8)) {
    case 0:
        p[at] = (uint8_t)hst_rng_u32(r);
        break;
    case 1:
        p[at] ^= (uint8_t)(1u << hst_rng_below(r, 8));
        break;
    case 2:
        memcpy(p + at, &nasty[hst_rng_below(r, N_NASTY)], n - at < 4 ? n - at : 4);
        break;
    case 3:
        memcpy(p + at, &nasty[hst_rng_below(r, N_NASTY)], n - at < 2 ? n - at : 2);
        break;
    case 4:
        p[at] = (uint8_t)(p[at] + (int)hst_rng_below(r, 9) - 4);
        break;
    case 5:
        memmove(p + at, p + from, len);
        break;
    case 6: /* cut out */
        len = len < n - at ? len : n - at;
        memmove(p + at, p + at + len, n - at - len);
        return n - len ? n - len : 1;
    default: /* twice */
        len = len < n - at ? len : n - at;
        memmove(p + at + len, p + at, n - at);
        return n + len;
    }
    return n;
}

static void run_mutant(const uint8_t *seed, size_t n, uint32_t i)
{
    hst_rng r = hst_rng_new(1, HST_RNG_SHUFFLE, i, 0);
    uint32_t changes = 1 + hst_rng_below(&r, 8);
    uint8_t *copy = malloc(n + 64 * 8);
    if (!copy)
        abort();
    memcpy(copy, seed, n);
    for (uint32_t k = 0; k < changes; k++)
        n = change(copy, n, &r);
    if (hst_rng_below(&r, 16) == 0)
        n = 1 + hst_rng_below(&r, (uint32_t)n);
    uint8_t *exact = malloc(n); /* so that sanitizers see any overrun */
    if (!exact)
        abort();
    memcpy(exact, copy, n);
    free(copy);
    const struct itimerval limit = {.it_value = {.tv_sec = LIMIT_S}}, none = {{0}};
    setitimer(ITIMER_PROF, &limit, NULL);
    LLVMFuzzerTestOneInput(exact, n);
    setitimer(ITIMER_PROF, &none, NULL);
    free(exact);
}

int main(int argc, char **argv)
{
    unsigned long many = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (many == 0 || many > 100000000) {
        fprintf(stderr, "usage: mutants N FILE...\n");
        return 2;
    }
    for (int f = 2; f < argc; f++) {
        hst_err err = {0};
        uint8_t *seed = NULL;
        size_t n = 0;
        if (hst_file_read(argv[f], MAX_BYTES, HST_EMODEL, &seed, &n, &err) || n == 0) {
            fprintf(stderr, "%s: %s\n", argv[f], err.msg);
            return 1;
        }
        for (uint32_t i = 0; i < many; i++)
            run_mutant(seed, n, i);
        free(seed);
        printf("%s: %lu mutants\n", argv[f], many);
    }
    return 0;
}
