#include "sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* spare: how far the hard limit lies behind the soft one, which is the one with a signal. */
static int limit(int what, uint64_t value, uint64_t spare)
{
    struct rlimit r;
    if (getrlimit(what, &r) != 0)
        return 0;
    if (r.rlim_max == RLIM_INFINITY || r.rlim_max > value + spare)
        r.rlim_max = (rlim_t)(value + spare);
    r.rlim_cur = r.rlim_max < value ? r.rlim_max : (rlim_t)value;
    return setrlimit(what, &r) == 0;
}

unsigned sandbox_enter(const sandbox_limits *l)
{
    signal(SIGXFSZ, SIG_IGN); /* a write past the limit fails instead, with a reason */
    int ok = limit(RLIMIT_CORE, 0, 0);
    ok &= limit(RLIMIT_CPU, l->cpu_s, 1);
    ok &= limit(RLIMIT_FSIZE, l->file_bytes, 0);
    ok &= !l->memory_bytes || limit(RLIMIT_AS, l->memory_bytes, 0);
    ok &= limit(RLIMIT_NOFILE, 0, 0);
    return (ok ? SANDBOX_LIMITS : 0u) | sandbox_confine(l);
}

void sandbox_names(unsigned parts, char *out, size_t cap)
{
    static const struct {
        unsigned part;
        const char *name;
    } names[] = {{SANDBOX_LIMITS, "limits"},
                 {SANDBOX_NO_NEW_PRIVS, "no_new_privs"},
                 {SANDBOX_LANDLOCK, "landlock"},
                 {SANDBOX_SECCOMP, "seccomp"}};
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && n < cap; i++)
        if (parts & names[i].part)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? " " : "", names[i].name);
}
