/* probe.c - additions beside the clock. */
#include "measuring/probe.h"

#include "base/context.h"

/* A multiplication of x by itself; one added to each of five registers. */
#if defined(__x86_64__)
#define MULTIPLY "imul %0, %0"
#define ADD(r)   "add $1, " r "\n"
enum { IS_KNOWN = 1 };
#elif defined(__aarch64__)
#define MULTIPLY "mul %0, %0, %0"
#define ADD(r)   "add " r ", " r ", #1\n"
enum { IS_KNOWN = 1 };
#else
#define MULTIPLY ""
#define ADD(r)   ""
enum { IS_KNOWN = 0 };
#endif

enum { CHAIN_ROUNDS = 4000, ADD_ROUNDS = 6000, UNROLLED = 8, SIDE_BY_SIDE = 5 };
#define EIGHT(X) X X X X X X X X

/* Seconds of a multiplication that waits for the one before: a few cycles. */
static double chain_s(void)
{
    const double since = hst_now_s();
    unsigned long x = 1;
    for (int i = 0; i < CHAIN_ROUNDS; i++) {
        EIGHT(__asm__ volatile(MULTIPLY : "+r"(x));)
    }
    return (hst_now_s() - since) / (CHAIN_ROUNDS * UNROLLED);
}

/* Seconds of an addition where five side by side want all that the front end can give. */
static double addition_s(void)
{
    const double since = hst_now_s();
    unsigned long a = 1, b = 1, c = 1, d = 1, e = 1;
    for (int i = 0; i < ADD_ROUNDS; i++) {
        EIGHT(__asm__ volatile(ADD("%0") ADD("%1") ADD("%2") ADD("%3") ADD("%4")
                               : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));)
    }
    return (hst_now_s() - since) / (ADD_ROUNDS * UNROLLED * SIDE_BY_SIDE);
}

double hst_probe_additions(void)
{
    return IS_KNOWN ? chain_s() / addition_s() : 0;
}
