#include "guard.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

guarded guard(size_t n, int place)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (n * sizeof(float) + page - 1) / page * page;
    guarded g = {.bytes = inside + 2 * page};
    g.map = mmap(NULL, g.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *first = (char *)g.map + page;
    if (g.map == MAP_FAILED || (inside && mprotect(first, inside, PROT_READ | PROT_WRITE))) {
        printf("no memory for a test buffer\n");
        abort();
    }
    g.p = (float *)(place == AT_END ? first + inside - n * sizeof(float) : first);
    return g;
}

void release(guarded *g)
{
    munmap(g->map, g->bytes);
}

/* xorshift32 (Marsaglia 2003): any fixed numbers do. */
float number(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return (float)((int)(*state % 4001) - 2000) / 500;
}

static uint32_t chosen_seed(void)
{
    const char *text = getenv("HEADSTART_SEED");
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

guarded numbers(size_t n, int place, uint32_t seed)
{
    guarded g = guard(n, place);
    uint32_t state = (seed + 64 * chosen_seed()) * 2654435761u + 1;
    state += state == 0; /* where xorshift would stay */
    for (size_t i = 0; i < n; i++)
        g.p[i] = number(&state);
    return g;
}

static struct {
    size_t at;
    double got, want;
    int known;
} first;

int differs(size_t at, double got, double want)
{
    if (!first.known) {
        first.at = at;
        first.got = got;
        first.want = want;
        first.known = 1;
    }
    return 1;
}

void say_wrong(const hst_kernels *k, const char *shape, ...)
{
    va_list ap;
    printf("%s: ", k->name);
    va_start(ap, shape);
    vprintf(shape, ap);
    va_end(ap);
    if (first.known)
        printf(": element %zu is %.9g, not %.9g", first.at, first.got, first.want);
    else
        printf(": other bits alone or in place, or a gap was written");
    printf(" (HEADSTART_SEED=%u)\n", chosen_seed());
    first.known = 0;
}

int far(size_t at, double got, double want, double sizes, int n)
{
    return !(fabs(got - want) <= (n + 3) * 6e-8 * sizes + 1e-37) && differs(at, got, want);
}
