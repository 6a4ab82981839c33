#include "signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SAME_MS = 500 }; /* signals nearer than this are one */

/* A handler has no argument to reach the program's state by; these are the variables at file scope.
 * Two threads may be in it at the same time. */
static volatile sig_atomic_t caught;
static atomic_llong first_ms; /* when, by the monotonic clock; 0: none yet */

static void on_signal(int number)
{
    struct timespec t;
    long long none = 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    long long now = t.tv_sec * 1000LL + t.tv_nsec / 1000000 + 1;
    if (atomic_compare_exchange_strong(&first_ms, &none, now))
        caught = number;
    else if (now - none >= SAME_MS)
        _exit(128 + number);
}

void cli_signals_install(void)
{
    struct sigaction act, was;
    memset(&act, 0, sizeof act); /* no SA_RESTART: a read that waits is to end too */
    sigemptyset(&act.sa_mask);
    act.sa_handler = on_signal;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    if (sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler != SIG_IGN) /* nohup's it stays */
        sigaction(SIGHUP, &act, NULL);
    act.sa_handler = SIG_IGN; /* the write that fails tells */
    sigaction(SIGPIPE, &act, NULL);
    sigaction(SIGXFSZ, &act, NULL);
}

int cli_signals_caught(void)
{
    return caught;
}
