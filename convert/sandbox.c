#include "sandbox.h"

#include <signal.h>
#include <sys/resource.h>

static int limit(int what, uint64_t value)
{
    struct rlimit r;
    if (getrlimit(what, &r) != 0)
        return 0;
    if (r.rlim_max == RLIM_INFINITY || r.rlim_max > value)
        r.rlim_max = (rlim_t)value;
    r.rlim_cur = r.rlim_max;
    return setrlimit(what, &r) == 0;
}

unsigned sandbox_enter(const sandbox_limits *l)
{
    signal(SIGXFSZ, SIG_IGN); /* a write past the limit fails instead, with a reason */
    int ok = limit(RLIMIT_CORE, 0);
    ok &= limit(RLIMIT_CPU, l->cpu_s);
    ok &= limit(RLIMIT_FSIZE, l->file_bytes);
    ok &= !l->memory_bytes || limit(RLIMIT_AS, l->memory_bytes);
    ok &= limit(RLIMIT_NOFILE, 0);
    return (ok ? SANDBOX_LIMITS : 0u) | sandbox_confine();
}
