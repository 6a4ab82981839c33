#include "signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A handler has no argument to reach the program's state by; this is the one variable at file
 * scope. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
}

void cli_signals_install(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act); /* no SA_RESTART: a read that waits is to end too */
    sigemptyset(&act.sa_mask);
    act.sa_handler = on_signal;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
}

int cli_signals_caught(void)
{
    return caught;
}
