/* sandbox_linux.c - no_new_privs, Landlock (Linux 5.13) and a seccomp filter. */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Landlock ----
 * A rule set that handles every right and grants none. Older kernels know fewer rights and refuse
 * unknown bits, so the rights follow the version the kernel names. */

enum {
    NR_CLOSE_RANGE = 436, /* the same on every architecture, as those of Landlock are */
    NR_LANDLOCK_CREATE_RULESET = 444,
    NR_LANDLOCK_RESTRICT_SELF = 446,
    LANDLOCK_VERSION_FLAG = 1
};

struct landlock_attr {
    uint64_t fs, net, scoped;
};

/* Rights by version: 1 has 13 on files; 2 adds moving, 3 truncating, 5 device controls; 4 adds two
 * on TCP ports; 6 abstract sockets and signals to others. */
static struct landlock_attr landlock_rights(long version)
{
    int fs = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
    return (struct landlock_attr){
        .fs = (UINT64_C(1) << fs) - 1, .net = version >= 4 ? 3 : 0, .scoped = version >= 6 ? 3 : 0};
}

static int landlock_enter(void)
{
    long version = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, LANDLOCK_VERSION_FLAG);
    if (version < 1)
        return 0;
    struct landlock_attr rights = landlock_rights(version);
    size_t size = version >= 6 ? sizeof rights : version >= 4 ? 16 : 8;
    long fd = syscall(NR_LANDLOCK_CREATE_RULESET, &rights, size, 0);
    if (fd < 0)
        return 0;
    int ok = syscall(NR_LANDLOCK_RESTRICT_SELF, (int)fd, 0) == 0;
    close((int)fd);
    return ok;
}

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH 0
#endif

#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define ALLOW(nr)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), RETURN(SECCOMP_RET_ALLOW)
#define REFUSE       RETURN(SECCOMP_RET_ERRNO | EPERM)
/* Allowed unless the memory is to be executable (low half of the third argument, prot). */
#define ALLOW_DATA(nr)                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 4), LOAD(args[2]),                                \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1), REFUSE, RETURN(SECCOMP_RET_ALLOW)

/* A call outside the list fails with EPERM, which every library copes with; a foreign architecture
 * ends the process. */
static const struct sock_filter calls[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    ALLOW(SYS_read),
    ALLOW(SYS_readv),
    ALLOW(SYS_pread64),
    ALLOW(SYS_write),
    ALLOW(SYS_writev),
    ALLOW(SYS_lseek),
    ALLOW(SYS_fstat),
    ALLOW(SYS_newfstatat), /* how newer C libraries spell fstat */
    ALLOW(SYS_close),
    ALLOW(SYS_brk),
    ALLOW_DATA(SYS_mmap),
    ALLOW_DATA(SYS_mprotect),
    ALLOW(SYS_munmap),
    ALLOW(SYS_mremap),
    ALLOW(SYS_madvise),
    ALLOW(SYS_futex),
    ALLOW(SYS_getrandom),
    ALLOW(SYS_clock_gettime),
    ALLOW(SYS_gettimeofday),
    ALLOW(SYS_sysinfo), /* qsort asks how much memory there is */
    ALLOW(SYS_getpid),
    ALLOW(SYS_gettid),
    ALLOW(SYS_rt_sigaction),
    ALLOW(SYS_rt_sigprocmask),
    ALLOW(SYS_rt_sigreturn),
    ALLOW(SYS_sigaltstack),
    ALLOW(SYS_sched_yield),
    ALLOW(SYS_restart_syscall),
    ALLOW(SYS_exit),
    ALLOW(SYS_exit_group),
};

/* Threads: clone() with all of these flags makes one. The flags of clone3() lie in memory, where a
 * filter cannot look; told that there is none, the C library takes clone(). */
#define A_THREAD    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define A_NAMESPACE (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)
#define IS(nr)      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1)
static const struct sock_filter thread_calls[] = {
    ALLOW(SYS_set_robust_list),
    ALLOW(SYS_rseq),
    IS(SYS_clone3),
    RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    IS(SYS_sched_getaffinity), /* the C library takes this answer, no other, for not knowing */
    RETURN(SECCOMP_RET_ERRNO | ENOSYS),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
    LOAD(args[0]),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, A_THREAD | A_NAMESPACE),
    IS(A_THREAD),
    RETURN(SECCOMP_RET_ALLOW),
};
static const struct sock_filter other_calls[] = {REFUSE};

typedef struct program {
    struct sock_filter at[256];
    unsigned short n;
} program;

static void add(program *p, const struct sock_filter *part, size_t n)
{
    memcpy(p->at + p->n, part, n * sizeof *part);
    p->n = (unsigned short)(p->n + n);
}

static int seccomp_enter(int may_thread)
{
    program p = {.n = 0};
    add(&p, calls, sizeof calls / sizeof *calls);
    if (may_thread)
        add(&p, thread_calls, sizeof thread_calls / sizeof *thread_calls);
    add(&p, other_calls, sizeof other_calls / sizeof *other_calls);
    struct sock_fprog all = {.len = p.n, .filter = p.at};
    return THIS_ARCH != 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0) == 0;
}

void sandbox_end_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

void sandbox_close_from(int first)
{
    if (syscall(NR_CLOSE_RANGE, first, ~0u, 0) == 0)
        return;
    const long most = sysconf(_SC_OPEN_MAX); /* before Linux 5.9 */
    for (int fd = first; fd < most && fd < 65536; fd++)
        close(fd);
}

unsigned sandbox_confine(const sandbox_limits *l)
{
    unsigned parts = 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        parts |= SANDBOX_NO_NEW_PRIVS;
    if (landlock_enter())
        parts |= SANDBOX_LANDLOCK;
    if (seccomp_enter(l->may_thread))
        parts |= SANDBOX_SECCOMP;
    return parts;
}
