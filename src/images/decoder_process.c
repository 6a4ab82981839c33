#include "images/decoder_process.h"

#include "base/context.h"
#include "base/mem.h"
#include "images/room.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HELLO_LIMIT_S = 60, /* loading libraries, on a busy machine */
    FIRST_FD = 10 /* above the descriptors that the program gets, so that none is in the way */
};

extern char **environ;

/* ---- messages ---- */

static int send_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n) {
        const long sent = hst_room_send(fd, at, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return 0;
        at += sent;
        n -= (size_t)sent;
    }
    return 1;
}

enum { CAME, CLOSED, LATE };

/* A whole message, by the end of the time limit. */
static int receive_all(int fd, void *p, size_t n, int limit_s)
{
    const double end = hst_now_s() + limit_s;
    char *at = p;
    while (n) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        const double left = end - hst_now_s();
        const int is = left > 0 ? poll(&ready, 1, (int)(left * 1000) + 1) : 0;
        if (is == 0)
            return LATE;
        const ssize_t got = is > 0 ? read(fd, at, n) : -1;
        if (got == 0 || (got < 0 && errno != EINTR))
            return CLOSED;
        at += got > 0 ? got : 0;
        n -= got > 0 ? (size_t)got : 0;
    }
    return CAME;
}

/* ---- start and end ---- */

static int spawn(const char *program, const hst_decoder *p, int theirs, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, usual;
    char pixels[32];
    snprintf(pixels, sizeof pixels, "%llu", (unsigned long long)p->max_pixels);
    char *const argv[] = {(char *)program, pixels, NULL};
    int e = posix_spawn_file_actions_init(&fa);
    if (e)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e) {
        posix_spawn_file_actions_destroy(&fa);
        return e;
    }
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* a program that ignores these must not have it do so too */
    sigaddset(&usual, SIGXCPU);
    for (int fd = 0; fd < 3 && !e; fd++)
        e = posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
    e = e ? e : posix_spawn_file_actions_adddup2(&fa, theirs, HST_DECODE_SOCKET);
    e = e ? e : posix_spawn_file_actions_adddup2(&fa, p->bytes, HST_DECODE_BYTES);
    e = e ? e : posix_spawn_file_actions_adddup2(&fa, p->pixels, HST_DECODE_PIXELS);
    e = e ? e : posix_spawnattr_setsigmask(&attr, &none);
    e = e ? e : posix_spawnattr_setsigdefault(&attr, &usual);
    /* a group of its own, which no Ctrl-C at the terminal reaches: photos in hand are finished */
    e = e ? e : posix_spawnattr_setpgroup(&attr, 0);
    e = e ? e
          : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETPGROUP);
    e = e ? e : posix_spawnp(pid, program, &fa, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return e;
}

/* The same descriptor from FIRST_FD on. */
static int lift(int fd)
{
    if (fd < 0)
        return -1;
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD), e = errno;
    close(fd);
    errno = e;
    return high;
}

static void close_all(hst_decoder *p)
{
    hst_room_unmap(p->to, HST_IMAGE_MAX_BYTES);
    hst_room_unmap((void *)p->from, 3 * p->max_pixels);
    const int fd[] = {p->socket, p->bytes, p->pixels};
    for (int i = 0; i < 3; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

/* 0, or an errno value. */
static int start(const char *program, hst_decoder *p)
{
    int ends[2] = {-1, -1};
    p->bytes = lift(hst_room_new(HST_IMAGE_MAX_BYTES));
    p->pixels = p->bytes < 0 ? -1 : lift(hst_room_new(3 * p->max_pixels));
    if (p->pixels < 0 || hst_room_sockets(ends) != 0)
        return errno;
    p->to = hst_room_map(p->bytes, HST_IMAGE_MAX_BYTES, 1);
    p->from = hst_room_map(p->pixels, 3 * p->max_pixels, 0);
    p->socket = ends[0];
    const int theirs = lift(ends[1]);
    const int e = theirs < 0 ? errno : spawn(program, p, theirs, &p->pid);
    if (theirs >= 0)
        close(theirs);
    return e;
}

/* Whether it greets as our program does. Texts come from outside. */
static int greets(int fd, hst_decode_hello *h)
{
    const hst_decode_who ours = HST_DECODE_WHO;
    char *rest = (char *)h + sizeof h->who;
    if (receive_all(fd, &h->who, sizeof h->who, HELLO_LIMIT_S) != CAME ||
        memcmp(&h->who, &ours, sizeof ours) != 0 ||
        receive_all(fd, rest, sizeof *h - sizeof h->who, HELLO_LIMIT_S) != CAME)
        return 0;
    int ok = memchr(h->sandbox, 0, sizeof h->sandbox) != NULL;
    for (int f = 0; f < HST_FORMATS; f++)
        ok &= memchr(h->library[f], 0, sizeof h->library[f]) != NULL;
    return ok;
}

/* posix_spawn() of a program that is not there fails, or makes a child that ends so. */
enum { NOT_STARTED = 127 };

static int missing(const char *program, hst_err *err)
{
    return hst_fail(err, HST_EPROC,
                    "the decoding helper %s is missing: install it (make install), or name it in "
                    "HEADSTART_DECODER",
                    program);
}

int hst_decoder_start(const char *program, uint64_t max_pixels, hst_decoder **out, int *lasting,
                      hst_err *err)
{
    hst_decoder *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return HST_EMEM;
    *p = (hst_decoder){.socket = -1, .bytes = -1, .pixels = -1, .max_pixels = max_pixels};
    const int e = start(program, p);
    *lasting = e == ENOENT || e == EACCES || e == ENOEXEC || e == ENOTDIR;
    if (e) {
        close_all(p);
        free(p);
        return *lasting ? missing(program, err)
                        : hst_fail_errno(err, HST_EPROC, e,
                                         "the decoding helper %s cannot be started", program);
    }
    if (greets(p->socket, &p->hello)) {
        *out = p;
        return 0;
    }
    *lasting = 1;
    if (hst_decoder_end(p) == -1 - NOT_STARTED)
        return missing(program, err);
    return hst_fail(err, HST_EPROC, "%s is not the decoding helper of this version of headstart",
                    program);
}

int hst_decoder_end(hst_decoder *p)
{
    int status = 0, how = 0;
    pid_t got;
    /* it may just have closed its socket, and be about to say why by its exit */
    close(p->socket);
    p->socket = -1;
    for (int tries = 0; (got = waitpid(p->pid, &status, WNOHANG)) == 0 && tries < 20; tries++)
        poll(NULL, 0, tries);
    if (got == p->pid)
        how = WIFSIGNALED(status) ? WTERMSIG(status) : -1 - WEXITSTATUS(status);
    if (got == 0)
        kill(p->pid, SIGKILL);
    while (got == 0 || (got < 0 && errno == EINTR))
        got = waitpid(p->pid, &status, 0);
    hst_decoder_forget(p);
    return how;
}

void hst_decoder_forget(hst_decoder *p)
{
    close_all(p);
    free(p);
}

/* ---- a photo ----
 * Mapped memory is copied in a third of the time that calls to the system take. */

static int write_bytes(const hst_decoder *p, const uint8_t *bytes, size_t n)
{
    if (p->to) {
        memcpy(p->to, bytes, n);
        return 1;
    }
    for (size_t at = 0; at < n;) {
        const ssize_t put = pwrite(p->bytes, bytes + at, n - at, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return 0;
        at += (size_t)put;
    }
    return 1;
}

static int read_pixels(const hst_decoder *p, uint8_t *rgb, size_t n)
{
    if (p->from) {
        memcpy(rgb, p->from, n);
        return 1;
    }
    for (size_t at = 0; at < n;) {
        const ssize_t got = pread(p->pixels, rgb + at, n - at, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        at += (size_t)got;
    }
    return 1;
}

static enum hst_decoder_result take_picture(const hst_decoder *p, const hst_decode_answer *a,
                                            hst_image *out, hst_err *err)
{
    hst_image img = {NULL, (int)a->w, (int)a->h};
    if (a->w == 0 || a->h == 0 || a->h > p->max_pixels / a->w || a->orientation < 1 ||
        a->orientation > 8)
        return HST_DECODER_LIED;
    img.rgb = hst_alloc_raw((size_t)a->w * a->h, 3, err);
    if (!img.rgb)
        return HST_DECODER_NO_MEMORY;
    if (!read_pixels(p, img.rgb, (size_t)a->w * a->h * 3)) {
        hst_image_clear(&img);
        return HST_DECODER_LIED;
    }
    *out = img;
    return HST_DECODER_DONE;
}

enum hst_decoder_result hst_decoder_ask(hst_decoder *p, enum hst_format format,
                                        const hst_encoded *in, int limit_s, hst_image *out,
                                        hst_decode_answer *a, hst_err *err)
{
    const hst_decode_ask ask = {
        .n = in->n, .format = (uint32_t)format, .scales_gray = (uint32_t)in->scales_gray};
    if (!write_bytes(p, in->bytes, in->n)) {
        hst_fail_errno(err, HST_EMEM, errno, "memory for the decoding helper");
        return HST_DECODER_NO_MEMORY;
    }
    if (!send_all(p->socket, &ask, sizeof ask))
        return HST_DECODER_DIED;
    const int came = receive_all(p->socket, a, sizeof *a, limit_s);
    if (came != CAME)
        return came == LATE ? HST_DECODER_LATE : HST_DECODER_DIED;
    a->why[sizeof a->why - 1] = 0;
    const uint64_t pixels = (uint64_t)a->w * a->h;
    p->touched = in->n > p->touched ? in->n : p->touched;
    p->touched = pixels * 3 > p->touched ? pixels * 3 : p->touched;
    switch (a->status) {
    case HST_DECODE_DONE:
        return take_picture(p, a, out, err);
    case HST_DECODE_REFUSED:
        hst_fail(err, HST_EIMAGE, "%s", a->why[0] ? a->why : "damaged");
        return HST_DECODER_REFUSED;
    case HST_DECODE_TOO_LARGE:
        return pixels > p->max_pixels && pixels <= HST_IMAGE_MAX_PIXELS ? HST_DECODER_TOO_LARGE
                                                                        : HST_DECODER_LIED;
    default:
        return HST_DECODER_LIED;
    }
}
