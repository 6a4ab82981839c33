#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Keeps the last line of what arrives in tail[cap]; a line end is remembered and only acted on when
 * more comes, so that the final newline does not wipe the last line. */
typedef struct last_line {
    char text[1024];
    size_t n;
    int ended;
} last_line;

static void last_line_add(last_line *l, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' || s[i] == '\r') {
            l->ended = 1;
            continue;
        }
        if (l->ended)
            l->n = 0;
        l->ended = 0;
        if (s[i] && l->n + 1 < sizeof l->text)
            l->text[l->n++] = s[i];
    }
}

static int start(const char *const argv[], int out, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none;
    int e = posix_spawn_file_actions_init(&fa);
    if (e)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e) {
        posix_spawn_file_actions_destroy(&fa);
        return e;
    }
    sigemptyset(&none);
    e = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    e = e ? e : posix_spawn_file_actions_adddup2(&fa, out, 1);
    e = e ? e : posix_spawn_file_actions_adddup2(&fa, out, 2);
    e = e ? e : posix_spawnattr_setsigmask(&attr, &none);
    e = e ? e
          : posix_spawnattr_setpgroup(&attr, 0); /* so that a time limit ends its children too */
    e = e ? e : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    e = e ? e : posix_spawnp(pid, argv[0], &fa, &attr, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

enum drained { CLOSED, LATE, STOPPED };

/* Reads until the child closes its end, the time is up or the caller wants to stop. */
static enum drained drain(int fd, hst_meter *m, int limit_s, last_line *l, hst_err *err)
{
    double end = hst_now_s() + limit_s;
    for (;;) {
        char block[4096];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (hst_now_s() >= end)
            return LATE;
        if (hst_meter_at(m, 0, err))
            return STOPPED;
        int n = poll(&p, 1, 200);
        if (n < 0 && errno != EINTR)
            return CLOSED;
        if (n <= 0)
            continue;
        ssize_t got = read(fd, block, sizeof block);
        if (got == 0 || (got < 0 && errno != EINTR))
            return CLOSED;
        if (got > 0)
            last_line_add(l, block, (size_t)got);
    }
}

int hst_process_run(const hst_ctx *ctx, const char *what, const char *const argv[], int limit_s,
                    hst_process_result *r, hst_err *err)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe(ends) != 0)
        return hst_fail_errno(err, HST_EPROC, errno, "%s cannot be started", argv[0]);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int e = start(argv, ends[1], &pid);
    close(ends[1]);
    if (e) {
        close(ends[0]);
        return hst_fail_errno(err, HST_EPROC, e, "%s cannot be started", argv[0]);
    }
    last_line l = {0};
    hst_meter meter = hst_meter_start(ctx, what, 0);
    enum drained how = drain(ends[0], &meter, limit_s, &l, err);
    if (how != CLOSED)
        kill(-pid, SIGKILL);
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (how == STOPPED)
        return HST_ESTOPPED;
    *r = (hst_process_result){.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                              .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                              .timed_out = how == LATE};
    l.text[l.n] = 0;
    hst_printable(r->tail, sizeof r->tail, l.text);
    return 0;
}
